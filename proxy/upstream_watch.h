// What has to be known about the applications once for the process: the addresses behind host names
// and, where a health check is configured, which endpoints are well. Looks names up regularly, asks
// endpoints, and tells every worker's copy of the upstream what changed. What was known before a
// reload is told at once after it, so that no request waits for a second look-up.
// Lives on the control thread, whose loop it runs on; outlives its coroutines.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/worker_state.h"

namespace proxy {

class UpstreamWatch {
 public:
  // Runs a task on each worker's thread, with its state.
  using Task = std::function<void(WorkerState&)>;
  using Tell = std::function<void(Task)>;

  // `control` is the control thread's own state, whose upstreams make the connections.
  UpstreamWatch(WorkerState& control, Tell tell);
  UpstreamWatch(const UpstreamWatch&) = delete;
  UpstreamWatch& operator=(const UpstreamWatch&) = delete;

  // Follows the runtime that `control` has now; what followed an older one ends.
  void begin();

 private:
  struct Place {
    LocalRuntimeRef local;
    std::size_t upstream;
    std::uint64_t generation;
  };
  net::Task<void> follow_name(Place place, std::size_t endpoint);
  net::Task<void> check_target(Place place, TargetRef target);
  [[nodiscard]] bool is_over(const Place& place) const { return place.generation != generation_; }
  void publish_addresses(const Place& place, std::size_t endpoint,
                         std::vector<std::string> addresses);
  void publish_health(const Place& place, const Target& target, bool healthy);
  void check_new_targets(const Place& place);
  [[nodiscard]] std::string key_of(const Place& place, const std::string& text) const;

  WorkerState& control_;
  Tell tell_;
  std::uint64_t generation_ = 0;
  std::map<std::string, std::vector<std::string>> addresses_;  // by host name
  std::map<std::string, bool> unhealthy_;                      // by upstream and target
  std::vector<TargetRef> checked_;                             // of this generation
};

}  // namespace proxy
