// The bound on requests under way, limits.pending. One thread: each worker has its share.
#pragma once

#include "proxy/decide.h"
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
    const std::uint32_t limit = worker_.local->runtime->config.limits.pending;
    const unsigned workers = worker_.process.workers;
    return limit != 0 && worker_.requests > (limit + workers - 1) / workers;
  }

 private:
  WorkerState& worker_;
};

inline void refuse_overload(Decision& decision) {
  decision.kind = Decision::Kind::reject;
  decision.status = 503;
  decision.error = "overloaded";
}

}  // namespace proxy
