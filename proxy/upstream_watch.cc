// Names and health; see upstream_watch.h.
#include "proxy/upstream_watch.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>

#include "proxy/fetch.h"
#include "proxy/net/keep_running.h"
#include "proxy/net/timer.h"

namespace proxy {
namespace {

using std::chrono::milliseconds;

// After a look-up that failed the next one comes soon, whatever dns_refresh says.
constexpr milliseconds look_up_again{1'000};
constexpr milliseconds look_up_max{10'000};
// Of an answer to a health check; a longer one is none.
constexpr std::size_t answer_bytes_max = 64 * 1024;

FetchRequest request_for(const Upstream& upstream, const Target& target) {
  const config::HealthCheck& check = *upstream.config().health_check;
  FetchRequest request;
  request.target.endpoint = target.address;
  request.target.authority = check.host.empty() ? std::string(upstream.host_for("", target))
                                                : check.host;
  request.target.path = check.path;
  request.target.is_https = target.is_https;
  request.tls = upstream.tls();
  request.tls_name = target.tls_name;
  request.headers = "User-Agent: gatehouse-health\r\nAccept: */*\r\n";
  request.answer_bytes_max = answer_bytes_max;
  request.timeout = check.timeout;
  return request;
}

bool is_well(const config::HealthCheck& check, int status) {
  if (check.status != 0) return status == static_cast<int>(check.status);
  return status >= 200 && status < 400;
}

// For lack of memory; the next round is as good as this one.
void again(std::exception_ptr) {}

}  // namespace

UpstreamWatch::UpstreamWatch(WorkerState& control, Tell tell)
    : control_(control), tell_(std::move(tell)) {}

std::string UpstreamWatch::key_of(const Place& place, const std::string& text) const {
  return place.local->upstreams[place.upstream]->config().name + " " + text;
}

void UpstreamWatch::begin() {
  ++generation_;
  checked_.clear();
  const LocalRuntimeRef local = control_.local;
  std::map<std::string, std::vector<std::string>> known;
  known.swap(addresses_);
  for (std::size_t i = 0; i < local->upstreams.size(); ++i) {
    const Place place{local, i, generation_};
    const auto& endpoints = local->upstreams[i]->config().endpoints;
    for (std::size_t e = 0; e < endpoints.size(); ++e) {
      const auto endpoint = upstream_endpoint(endpoints[e]);
      if (!endpoint || !is_host_name(*endpoint)) continue;
      if (const auto found = known.find(endpoint->host); found != known.end()) {
        addresses_[endpoint->host] = found->second;
        publish_addresses(place, e, found->second);
      }
      net::keep_running(control_.executor, [this, place, e] { return follow_name(place, e); },
                        again);
    }
    check_new_targets(place);
  }
  std::erase_if(unhealthy_, [&local](const auto& entry) {
    return std::none_of(local->upstreams.begin(), local->upstreams.end(),
                        [&entry](const auto& upstream) {
                          return entry.first.starts_with(upstream->config().name + " ");
                        });
  });
}

void UpstreamWatch::publish_addresses(const Place& place, std::size_t endpoint,
                                      std::vector<std::string> addresses) {
  place.local->upstreams[place.upstream]->set_addresses(endpoint, addresses);
  tell_([runtime = place.local->runtime, upstream = place.upstream, endpoint,
         addresses = std::move(addresses)](WorkerState& worker) {
    if (worker.local->runtime != runtime) return;  // it has a newer one, which will be told itself
    worker.local->upstreams[upstream]->set_addresses(endpoint, addresses);
  });
}

void UpstreamWatch::publish_health(const Place& place, const Target& target, bool healthy) {
  place.local->upstreams[place.upstream]->set_health(target.name, healthy);
  tell_([runtime = place.local->runtime, upstream = place.upstream, name = target.name,
         healthy](WorkerState& worker) {
    if (worker.local->runtime != runtime) return;
    worker.local->upstreams[upstream]->set_health(name, healthy);
  });
}

net::Task<void> UpstreamWatch::follow_name(Place place, std::size_t endpoint) {
  const config::Upstream& config = place.local->upstreams[place.upstream]->config();
  const std::string host = upstream_endpoint(config.endpoints[endpoint])->host;
  bool is_failing = false;
  for (;;) {
    net::Resolved resolved = co_await net::resolve(control_.executor, host, look_up_max);
    if (is_over(place)) co_return;
    const bool failed = resolved.error.failed() || resolved.addresses.empty();
    std::vector<std::string>& known = addresses_[host];
    if (failed) {
      if (!is_failing) {
        const std::string reason = resolved.error.message();
        control_.log.write(Level::warning, "a host name could not be looked up",
                           {{"upstream", config.name}, {"host", host}, {"reason", reason}});
      }
      publish_addresses(place, endpoint, {});
    } else {
      known = std::move(resolved.addresses);
      std::sort(known.begin(), known.end());
      known.erase(std::unique(known.begin(), known.end()), known.end());
      publish_addresses(place, endpoint, known);
      check_new_targets(place);
    }
    is_failing = failed;
    milliseconds pause = config.dns_refresh;
    if (failed) pause = std::min(look_up_again, pause);
    co_await net::pass_time(control_.executor, pause);
    if (is_over(place)) co_return;
  }
}

void UpstreamWatch::check_new_targets(const Place& place) {
  const Upstream& upstream = *place.local->upstreams[place.upstream];
  if (!upstream.config().health_check) return;
  std::erase_if(checked_, [](const TargetRef& target) { return target->is_gone; });
  const std::vector<TargetRef> targets = upstream.targets();
  for (const TargetRef& target : targets) {
    if (std::find(checked_.begin(), checked_.end(), target) != checked_.end()) continue;
    checked_.push_back(target);
    if (unhealthy_.contains(key_of(place, target->name))) publish_health(place, *target, false);
    const auto check = [this, place, target] { return check_target(place, target); };
    net::keep_running(control_.executor, check, again);
  }
}

net::Task<void> UpstreamWatch::check_target(Place place, TargetRef target) {
  Upstream& upstream = *place.local->upstreams[place.upstream];
  const config::HealthCheck& check = *upstream.config().health_check;
  const std::string key = key_of(place, target->name);
  std::uint32_t in_a_row = 0;  // answers that speak against what is held to be so
  for (;;) {
    FetchRequest request = request_for(upstream, *target);
    const Fetched answer = co_await fetch(control_.executor, std::move(request));
    if (is_over(place) || target->is_gone) co_return;
    const bool well = is_well(check, answer.status);
    in_a_row = well == target->healthy ? 0 : in_a_row + 1;
    if (in_a_row >= (well ? check.healthy_threshold : check.unhealthy_threshold)) {
      in_a_row = 0;
      publish_health(place, *target, well);
      if (well) {
        unhealthy_.erase(key);
      } else {
        unhealthy_[key] = true;
      }
      control_.log.write(well ? Level::info : Level::warning,
                         well ? "an endpoint is well again" : "an endpoint is not well",
                         {{"upstream", upstream.config().name},
                          {"endpoint", target->name},
                          {"status", std::to_string(answer.status)},
                          {"reason", answer.error}});
      control_.log.flush();
    }
    co_await net::pass_time(control_.executor, check.interval);
    if (is_over(place) || target->is_gone) co_return;
  }
}

}  // namespace proxy
