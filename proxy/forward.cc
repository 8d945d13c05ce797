// Forwarding; see forward.h.
#include "proxy/forward.h"

#include "proxy/attempt.h"
#include "proxy/net/timer.h"

namespace proxy {
namespace {

using std::chrono::milliseconds;

bool is_idempotent(http::Method method) {
  switch (method) {
    case http::Method::get:
    case http::Method::head:
    case http::Method::put:
    case http::Method::delete_:
    case http::Method::options:
      return true;
    default:
      return false;
  }
}

// Whether a request goes out again, and how.
class Retries {
 public:
  Retries(const Exchange& exchange, Upstream& upstream)
      : rule_(exchange.decision.route->retry),
        upstream_(upstream),
        is_idempotent_(is_idempotent(exchange.request.method)) {
    plan_.is_last = !is_idempotent_ || rule_.attempts <= 1;
  }
  ~Retries() {
    if (plan_.holds_retry) upstream_.end_retry();
  }
  Retries(const Retries&) = delete;
  Retries& operator=(const Retries&) = delete;

  [[nodiscard]] Attempt::Plan& plan() { return plan_; }
  // Puts the next try into the plan. `failed` is the endpoint of the last one.
  [[nodiscard]] bool allow(const Attempt& attempt, Failure failure, const TargetRef& failed);
  // Where the same endpoint is asked again, it gets a moment.
  [[nodiscard]] bool has_pause() const { return pause_ > milliseconds{0}; }
  [[nodiscard]] milliseconds pause() const { return pause_; }

 private:
  [[nodiscard]] bool wants(Failure failure) const;

  const RetryRule& rule_;
  Upstream& upstream_;
  const bool is_idempotent_;
  Attempt::Plan plan_;
  std::uint32_t attempts_ = 1;
  milliseconds pause_{0};
  bool stale_before_ = false;  // a stale connection was found already
};

bool Retries::wants(Failure failure) const {
  switch (failure) {
    case Failure::connect_refused:
    case Failure::connect_timeout:
      return rule_.on_connect;
    case Failure::upstream_closed:
      return rule_.on_reset;
    case Failure::upstream_timeout:
      return rule_.on_timeout;
    case Failure::retryable_status:
      return true;
    default:
      return false;
  }
}

bool Retries::allow(const Attempt& attempt, Failure failure, const TargetRef& failed) {
  if (!is_idempotent_ || !attempt.is_repeatable()) return false;
  pause_ = milliseconds{0};
  if (attempt.was_stale(failure) && !stale_before_) {
    stale_before_ = plan_.fresh = true;
    return true;
  }
  if (attempts_ >= rule_.attempts || !wants(failure)) return false;
  plan_.holds_retry = plan_.holds_retry || upstream_.begin_retry();
  if (!plan_.holds_retry) return false;
  ++attempts_;
  plan_.is_last = attempts_ == rule_.attempts;
  plan_.fresh = true;
  plan_.tried.add(failed);
  if (!upstream_.has_other(plan_.tried)) {
    plan_.tried.clear();
    pause_ = net::Wheel::tick_length * attempts_;
  }
  return true;
}

std::chrono::microseconds since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                               begin);
}

void forget_answer(Exchange& exchange) {
  exchange.response.clear();
  exchange.response.bytes.clear();
  exchange.response_parser.reset();
}

}  // namespace

net::Task<Forwarded> forward(WorkerState& worker, Connection& connection, Exchange& exchange) {
  Forwarded result;
  Upstream& upstream = *exchange.local->upstreams[exchange.decision.route->upstream];
  Retries retries(exchange, upstream);
  if (exchange.trace.is_ours && exchange.trace.is_sampled) {
    exchange.upstream_began = since(exchange.began);
  }
  for (;;) {
    bool again = false;
    {
      Attempt attempt(worker, connection, exchange, upstream);
      result.failure = co_await attempt.run(retries.plan());
      result.answer_started = attempt.answer_started();
      result.answer_ended = attempt.answer_ended();
      if (result.failure == Failure::none) break;
      again = retries.allow(attempt, result.failure, exchange.target);
    }
    if (!again) break;
    ++exchange.resends;
    forget_answer(exchange);
    if (retries.has_pause()) co_await net::pass_time(worker.executor, retries.pause());
  }
  if (exchange.target) exchange.upstream = exchange.target->name;
  exchange.upstream_duration = since(exchange.began);
  co_return result;
}

}  // namespace proxy
