// How a try comes to its connection, and what its outcome says about the endpoint; see attempt.h.
#include <algorithm>
#include <boost/asio/error.hpp>

#include "proxy/attempt.h"

namespace proxy {

using std::chrono::milliseconds;

// The connection that carries this client's identity, if it has one.
bool Attempt::take_pinned() {
  Lease& pinned = connection_.pinned_upstream;
  if (pinned.stream() == nullptr || connection_.pinned_local != exchange_.local ||
      connection_.pinned_index != exchange_.decision.route->upstream) {
    return false;
  }
  if (pinned.stream()->has_input()) {
    pinned.close();
    return false;
  }
  lease_ = std::move(pinned);
  lease_.begin_request();
  reused_ = pinned_ = true;
  return true;
}

// Everything between a first look at the upstream and a connection to one of its endpoints: waiting
// for a place, connecting, and going on to the next endpoint where that fails. Nothing has been
// sent yet, so that every method may do so.
net::Task<Failure> Attempt::obtain_connection(Plan& plan, Upstream::Step step) {
  Failure failure = Failure::connect_refused;  // of the last endpoint, once one was tried
  // However many endpoints turn out to be dead meanwhile, waiting has one end.
  const Upstream::Turn turn{
      .tried = plan.tried,
      .fresh = plan.fresh,
      .client = connection_.stream(),
      .give_up = std::chrono::steady_clock::now() + upstream_.config().connect_timeout};
  const milliseconds each = upstream_.config().connect_timeout;
  const std::int64_t began = worker_.wheel.now_tick();
  for (;;) {
    if (step == Upstream::Step::wait) step = co_await upstream_.wait_for_turn(lease_, turn);
    if (step == Upstream::Step::ready) {
      reused_ = true;
      co_return Failure::none;
    }
    if (step == Upstream::Step::exhausted) co_return failure;
    if (step == Upstream::Step::unresolved) co_return Failure::upstream_unresolved;
    if (step == Upstream::Step::unhealthy) co_return Failure::upstream_unavailable;
    if (step == Upstream::Step::overloaded) {
      const bool has_left = connection_.stream().peer_closed();
      co_return has_left ? Failure::client_closed : Failure::upstream_overloaded;
    }
    exchange_.target = lease_.target();
    const auto left = each * 2 - (worker_.wheel.now_tick() - began) * net::Wheel::tick_length;
    const auto error = co_await upstream_.connect(lease_, std::min(each, left));
    if (!error) {
      count(Metric::upstream_connections_opened);
      co_return Failure::none;
    }
    const bool late = error == boost::asio::error::timed_out;
    failure = late ? Failure::connect_timeout : Failure::connect_refused;
    note_outcome(failure);
    plan.tried.add(exchange_.target);
    if (late && connection_.stream().peer_closed()) co_return Failure::client_closed;
    // However many endpoints there are, the client waits for two of them at most.
    if ((worker_.wheel.now_tick() - began) * net::Wheel::tick_length >= each * 2) co_return failure;
    step = upstream_.take(lease_, plan.tried, plan.fresh);
  }
}

// What the exchange says about the endpoint, and only about it.
void Attempt::note_outcome(Failure failure) {
  if (!exchange_.target) return;
  Target& target = *exchange_.target;
  bool is_good = exchange_.response.status < 500;
  switch (failure) {
    case Failure::none:
    case Failure::retryable_status:
      break;
    case Failure::connect_refused:
    case Failure::connect_timeout:
    case Failure::upstream_timeout:
    case Failure::bad_response:
      is_good = false;
      break;
    case Failure::upstream_closed:
      if (was_stale(failure)) return;  // it closed what was idle, as it may
      is_good = false;
      break;
    default:
      return;
  }
  if (is_good) {
    upstream_.succeeded(target);
  } else if (upstream_.failed(target)) {
    worker_.log.write(Level::warning, "an endpoint failed repeatedly and is left out for a while",
                      {{"upstream", upstream_.config().name}, {"endpoint", target.name}});
  }
}

}  // namespace proxy
