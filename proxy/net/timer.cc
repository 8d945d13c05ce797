// See timer.h.
#include "proxy/net/timer.h"

namespace proxy::net {

Task<void> pass_time(const Executor& executor, std::chrono::milliseconds time) {
  Timer timer(executor, time);
  co_await timer.async_wait(as_result);
}

}  // namespace proxy::net
