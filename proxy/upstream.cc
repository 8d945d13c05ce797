// Choosing endpoints and keeping connections; see upstream.h.
#include "proxy/upstream.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <optional>
#include <utility>

#include "proxy/metrics.h"

namespace proxy {
namespace {

using std::chrono::milliseconds;

// Addresses of one name that are used; a name server may list any number.
constexpr std::size_t addresses_max = 32;
// Retries that any upstream may have under way, however few requests there are.
constexpr std::uint32_t retries_min = 3;
// Somebody who waits for a connection is looked at this often: the client may have left.
constexpr milliseconds client_check{1'000};

// One worker's share of a bound of the process, never nothing.
std::size_t share_of(std::uint32_t bound, unsigned workers) {
  return (bound + std::max(workers, 1U) - 1) / std::max(workers, 1U);
}

std::int64_t ticks_of(milliseconds time) {
  return std::max<std::int64_t>(time / net::Wheel::tick_length, 1);
}

constexpr std::string_view https_mark = "https://";

std::string authority_of(const net::Endpoint& endpoint, bool is_https) {
  if (endpoint.host.empty()) return "localhost";
  const bool is_v6 = endpoint.host.find(':') != std::string::npos;
  std::string text = is_v6 ? "[" + endpoint.host + "]" : endpoint.host;
  const std::uint16_t usual = is_https ? 443 : 80;
  if (endpoint.port != usual && endpoint.port != 0) text += ":" + std::to_string(endpoint.port);
  return text;
}

std::string name_of(const net::Endpoint& address, bool is_https) {
  if (!address.unix_path.empty()) return "unix:" + address.unix_path;
  const bool is_v6 = address.host.find(':') != std::string::npos;
  const std::string host = is_v6 ? "[" + address.host + "]" : address.host;
  return (is_https ? "https://" : "http://") + host + ":" + std::to_string(address.port);
}

}  // namespace

std::optional<net::Endpoint> upstream_endpoint(std::string_view url) {
  constexpr std::string_view http_mark = "http://";
  if (url.starts_with("unix:")) return net::parse_endpoint(url);
  const bool is_https = url.starts_with(https_mark);
  if (!is_https && !url.starts_with(http_mark)) return std::nullopt;
  url.remove_prefix(is_https ? https_mark.size() : http_mark.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  const bool has_port = url.rfind(':') != std::string_view::npos && !url.ends_with(']');
  const char* const usual = is_https ? ":443" : ":80";
  return net::parse_endpoint(has_port ? std::string(url) : std::string(url) + usual);
}

bool is_host_name(const net::Endpoint& endpoint) {
  return endpoint.unix_path.empty() && !net::parse_address(endpoint.host);
}

Lease::Lease(Lease&& other) noexcept
    : upstream_(std::exchange(other.upstream_, nullptr)),
      target_(std::move(other.target_)),
      stream_(std::move(other.stream_)),
      is_active_(std::exchange(other.is_active_, false)) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  close();
  upstream_ = std::exchange(other.upstream_, nullptr);
  target_ = std::move(other.target_);
  stream_ = std::move(other.stream_);
  is_active_ = std::exchange(other.is_active_, false);
  return *this;
}

void Lease::begin_request() {
  if (is_active_) return;
  is_active_ = true;
  ++target_->active;
  ++upstream_->requests_;
}

void Lease::end_request() {
  if (!is_active_) return;
  is_active_ = false;
  --target_->active;
  --upstream_->requests_;
}

void Lease::close() {
  if (upstream_ == nullptr) return;
  end_request();
  stream_.reset();
  target_.reset();
  --upstream_->connections_;
  std::exchange(upstream_, nullptr)->wake_next();
}

void Tried::add(const TargetRef& target) {
  if (target && !has(target.get())) targets_.push_back(target);
}

bool Tried::has(const Target* target) const {
  return std::find(targets_.begin(), targets_.end(), target) != targets_.end();
}

Upstream::Pending::Pending(Upstream& owner, const net::Executor& executor)
    : upstream(owner), timer(executor) {
  ++upstream.pending_count_;
  upstream.pending_.push_back(*this);
}

Upstream::Pending::~Pending() {
  --upstream.pending_count_;
  unlink();
  // Whoever is next may have been kept from its turn by this one.
  upstream.wake_next();
}

Upstream::Upstream(const config::Upstream& config, const net::Executor& executor, net::Wheel& wheel,
                   unsigned workers, std::shared_ptr<const net::TlsClient> tls)
    : config_(config),
      tls_(std::move(tls)),
      executor_(executor),
      wheel_(wheel),
      connections_max_(share_of(config.max_connections, workers)),
      pending_max_(share_of(config.max_pending, workers)),
      answered_(config.endpoints.size(), true) {
  for (std::size_t i = 0; i < config.endpoints.size(); ++i) {
    // The configuration was checked; an endpoint that is none has failed there.
    endpoints_.push_back(upstream_endpoint(config.endpoints[i]).value_or(net::Endpoint{}));
    if (is_host_name(endpoints_.back())) {
      answered_[i] = false;
      ++unanswered_;
    } else {
      add_target(i, endpoints_.back().host);
    }
  }
}

Upstream::~Upstream() = default;

void Upstream::add_target(std::size_t endpoint, const std::string& address) {
  TargetRef target(new Target);
  target->address = endpoints_[endpoint];
  target->address.host = address;
  target->is_https = config_.endpoints[endpoint].starts_with(https_mark);
  target->tls_name = endpoints_[endpoint].host;
  target->name = is_host_name(endpoints_[endpoint]) ? name_of(target->address, target->is_https)
                                                    : config_.endpoints[endpoint];
  target->authority = authority_of(endpoints_[endpoint], target->is_https);
  target->endpoint = endpoint;
  target->idle.reserve(std::min<std::size_t>(config_.max_idle_connections, 64));
  targets_.push_back(std::move(target));
}

void Upstream::set_addresses(std::size_t endpoint, const std::vector<std::string>& addresses) {
  if (!answered_[endpoint]) {
    answered_[endpoint] = true;
    --unanswered_;
  }
  const auto end = addresses.begin() +
                   static_cast<std::ptrdiff_t>(std::min(addresses.size(), addresses_max));
  // The last good answer serves on when there is no other.
  if (!addresses.empty()) {
    const auto is_over = [&](const TargetRef& target) {
      if (target->endpoint != endpoint) return false;
      return std::find(addresses.begin(), end, target->address.host) == end;
    };
    for (const TargetRef& target : targets_) {
      if (!is_over(target)) continue;
      target->is_gone = true;
      drop_idle(*target, target->idle.size());
    }
    std::erase_if(targets_, is_over);
    if (next_ >= targets_.size()) next_ = 0;
  }
  for (auto address = addresses.begin(); address != end; ++address) {
    const bool is_known =
        std::any_of(targets_.begin(), targets_.end(), [&](const TargetRef& target) {
          return target->endpoint == endpoint && target->address.host == *address;
        });
    if (!is_known) add_target(endpoint, *address);
  }
  wake_next();
}

void Upstream::set_health(std::string_view target, bool healthy) {
  for (const TargetRef& known : targets_) {
    if (known->name != target) continue;
    known->healthy = healthy;
    if (!healthy) drop_idle(*known, known->idle.size());
  }
  wake_next();
}

void Upstream::learn_from(const Upstream& older) {
  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    if (answered_[i]) continue;
    std::vector<std::string> addresses;
    for (const TargetRef& known : older.targets_) {
      const net::Endpoint& asked = older.endpoints_[known->endpoint];
      if (asked.host == endpoints_[i].host) addresses.push_back(known->address.host);
    }
    if (!addresses.empty()) set_addresses(i, addresses);
  }
  const bool is_checked = config_.health_check && older.config_.health_check;
  for (const TargetRef& target : targets_) {
    for (const TargetRef& known : older.targets_) {
      if (known->name != target->name) continue;
      if (is_checked) target->healthy = known->healthy;
      target->failures = known->failures;
      target->successes = known->successes;
      target->ejections = known->ejections;
      target->ejected_until = known->ejected_until;
    }
  }
}

std::string_view Upstream::host_for(std::string_view asked, const Target& target) const {
  if (!config_.host.empty()) return config_.host;
  return config_.preserve_host && !asked.empty() ? asked : std::string_view(target.authority);
}

bool Upstream::is_usable(const Target& target) const {
  return target.healthy && target.ejected_until < wheel_.now_tick();
}

std::size_t Upstream::usable_count() const {
  return static_cast<std::size_t>(
      std::count_if(targets_.begin(), targets_.end(),
                    [this](const TargetRef& target) { return is_usable(*target); }));
}

// Those that are well first; then those that were left out, which is never a reason to serve
// nobody. What the health check says of a target always holds.
Target* Upstream::choose(const Tried& tried) {
  const std::size_t count = targets_.size();
  for (const bool any : {false, true}) {
    Target* best = nullptr;
    std::size_t best_at = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = next_ + i < count ? next_ + i : next_ + i - count;
      Target* target = targets_[at].get();
      if (!target->healthy || (!any && !is_usable(*target)) || tried.has(target)) continue;
      if (best != nullptr && target->active >= best->active) continue;
      best = target;
      best_at = at;
      if (config_.balance == config::Balance::round_robin || best->active == 0) break;
    }
    if (best == nullptr) continue;
    next_ = best_at + 1 < count ? best_at + 1 : 0;
    return best;
  }
  return nullptr;
}

bool Upstream::is_too_old(const Target::Idle& idle) const {
  return (wheel_.now_tick() - idle.since + 1) * net::Wheel::tick_length >=
         config_.idle_connection_timeout;
}

// The most recently used idle connection, or null.
std::unique_ptr<net::Stream> Upstream::take_idle(Target& target) {
  while (!target.idle.empty()) {
    if (is_too_old(target.idle.back())) {
      drop_idle(target, target.idle.size());  // the newest is too old: so are all others
      return nullptr;
    }
    auto stream = std::move(target.idle.back().stream);
    target.idle.pop_back();
    --idle_count_;
    // An idle connection has nothing to say. If it does, it is either over or holds bytes that
    // would be taken for the answer to this request (SECURITY D27, X-07).
    if (!stream->has_input()) return stream;
    --connections_;
  }
  return nullptr;
}

void Upstream::drop_idle(Target& target, std::size_t count) {
  target.idle.erase(target.idle.begin(),
                    target.idle.begin() + static_cast<std::ptrdiff_t>(count));
  idle_count_ -= count;
  connections_ -= count;
}

bool Upstream::close_oldest_idle() {
  Target* oldest = nullptr;
  for (const TargetRef& target : targets_) {
    if (target->idle.empty()) continue;
    if (oldest == nullptr || target->idle.front().since < oldest->idle.front().since) {
      oldest = target.get();
    }
  }
  if (oldest == nullptr) return false;
  drop_idle(*oldest, 1);
  return true;
}

Upstream::Step Upstream::take(Lease& lease, const Tried& tried, bool fresh) {
  if (pending_count_ == 0) return take_place(lease, tried, fresh);
  // Nobody overtakes those who wait; but who has tried everything has nothing to wait for.
  return tried.empty() || has_other(tried) ? Step::wait : Step::exhausted;
}

Upstream::Step Upstream::take_place(Lease& lease, const Tried& tried, bool fresh) {
  const std::size_t turn = next_;
  Target* target = choose(tried);
  if (target == nullptr) {
    if (!tried.empty()) return Step::exhausted;
    if (unanswered_ != 0) return Step::wait;
    return targets_.empty() ? Step::unresolved : Step::unhealthy;
  }
  std::unique_ptr<net::Stream> stream = fresh ? nullptr : take_idle(*target);
  if (!stream) {
    const bool is_full = connections_max_ != 0 && connections_ >= connections_max_;
    if (is_full && !close_oldest_idle()) {
      next_ = turn;
      return Step::wait;
    }
    ++connections_;
  }
  lease.close();
  lease.upstream_ = this;
  lease.target_ = target;
  lease.stream_ = std::move(stream);
  lease.begin_request();
  return lease.stream_ ? Step::ready : Step::connect;
}

net::Task<Upstream::Step> Upstream::wait_for_turn(Lease& lease, const Turn& turn) {
  if (pending_count_ >= pending_max_) co_return Step::overloaded;
  Pending self(*this, executor_);
  for (;;) {
    if (&pending_.front() == &self) {
      const Step step = take_place(lease, turn.tried, turn.fresh);
      if (step != Step::wait) co_return step;
    }
    const auto left =
        std::chrono::ceil<milliseconds>(turn.give_up - std::chrono::steady_clock::now());
    if (left <= milliseconds{0} || turn.client.peer_closed()) {
      co_return targets_.empty() ? Step::unresolved : Step::overloaded;
    }
    self.timer.expires_after(std::min(left, client_check));
    co_await self.timer.async_wait(net::as_result);
  }
}

void Upstream::wake_next() {
  if (!pending_.empty()) pending_.front().timer.cancel();
}

net::Task<boost::system::error_code> Upstream::connect(Lease& lease, milliseconds timeout) {
  const TargetRef target = lease.target_;
  net::ConnectTls tls;
  if (target->is_https) tls = {tls_, target->tls_name};
  const net::ConnectTls* const secured = target->is_https ? &tls : nullptr;
  net::ConnectResult result =
      co_await net::connect(executor_, wheel_, target->address, timeout, secured);
  lease.stream_ = std::move(result.stream);
  if (!lease.stream_) lease.close();
  co_return result.error;
}

void Upstream::give_back(Lease lease) {
  lease.end_request();
  Target& target = *lease.target_;
  if (config_.max_idle_connections == 0 || target.is_gone || !target.healthy) return;
  if (idle_count_ >= config_.max_idle_connections && !close_oldest_idle()) return;
  target.idle.push_back({std::move(lease.stream_), wheel_.now_tick()});
  ++idle_count_;
  lease.upstream_ = nullptr;  // the place goes with the connection
  wake_next();
}

void Upstream::close_idle() {
  for (const TargetRef& target : targets_) {
    std::size_t old = 0;
    while (old < target->idle.size() && is_too_old(target->idle[old])) ++old;
    if (old != 0) drop_idle(*target, old);
  }
}

void Upstream::succeeded(Target& target) {
  target.failures = 0;
  if (target.ejections == 0) return;
  if (++target.successes >= config_.ejection.consecutive_failures) target.ejections = 0;
}

bool Upstream::failed(Target& target) {
  const config::Ejection& rules = config_.ejection;
  target.successes = 0;
  ++target.failures;
  if (rules.consecutive_failures == 0 || target.ejected_until >= wheel_.now_tick()) return false;
  // One that has just come back gets no second chance.
  if (target.failures < rules.consecutive_failures && target.ejections == 0) return false;
  const std::size_t usable = usable_count();
  const std::size_t out = targets_.size() - usable;
  const bool within = (out + 1) * 100 <= targets_.size() * rules.max_percent.value;
  if (usable <= 1 || !(within || out == 0)) return false;
  const std::int64_t factor = std::int64_t{1} << std::min(target.ejections, 16U);
  const milliseconds time = std::min(rules.max_time, rules.base_time * factor);
  target.ejected_until = wheel_.now_tick() + ticks_of(time);
  target.failures = 0;
  ++target.ejections;
  drop_idle(target, target.idle.size());
  count(Metric::upstream_ejections, config_.name, target.name);
  return true;
}

bool Upstream::has_other(const Tried& tried) const {
  return std::any_of(targets_.begin(), targets_.end(), [&tried](const TargetRef& target) {
    return target->healthy && !tried.has(target.get());
  });
}

bool Upstream::begin_retry() {
  const std::uint32_t allowed =
      std::max(retries_min, requests_ * config_.retry_budget.value / 100);
  if (retries_ >= allowed) return false;
  ++retries_;
  count(Metric::upstream_retries, config_.name);
  return true;
}

}  // namespace proxy
