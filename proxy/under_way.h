// The bounds on requests under way, limits.pending and limits.memory. One thread: each worker
// has its share.
#pragma once

#include "proxy/decide.h"
#include "proxy/listener.h"
#include "proxy/metrics.h"
#include "proxy/worker_state.h"

namespace proxy {

// One of the requests that this worker has under way, within its share of limits.pending.
class UnderWay {
 public:
  explicit UnderWay(WorkerState& worker) : worker_(worker) { ++worker_.requests; }
  ~UnderWay() { --worker_.requests; }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;
  [[nodiscard]] bool is_too_many() const {
    const auto memory = worker_.process.memory.load(std::memory_order_relaxed);
    if (memory == MemoryState::exhausted) return true;
    const std::uint32_t limit = worker_.local->runtime->config.limits.pending;
    const unsigned workers = worker_.process.workers;
    return limit != 0 && worker_.requests > (limit + workers - 1) / workers;
  }

 private:
  WorkerState& worker_;
};

// Counts an exchange as long as it lasts, however it ends.
class InFlight {
 public:
  explicit InFlight(Role role) : counts_(role == Role::main) { add(1); }
  ~InFlight() { add(-1); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  void add(std::int64_t amount) const {
    if (counts_) move(Metric::requests_in_flight, amount);
  }
  bool counts_;
};

inline void refuse_overload(Decision& decision) {
  decision.kind = Decision::Kind::reject;
  decision.status = 503;
  decision.error = "overloaded";
}

}  // namespace proxy
