// The child coroutine; see child.h.
#include "proxy/net/child.h"

#include <boost/asio/co_spawn.hpp>
#include <exception>

#include "proxy/net/timer.h"

namespace proxy::net {

Child::Child(const Executor& executor) : executor_(executor), ended_(Poller::of(executor)) {}

void Child::start(Task<void> task) {
  running_ = true;
  boost::asio::co_spawn(executor_, std::move(task), [this](std::exception_ptr) {
    // Data plane coroutines return values; what could still throw is bad_alloc, and then the
    // other direction ends with its own error.
    running_ = false;
    ended_.complete({});
  });
  // One that never waited is ended by way of the context.
  Poller::of(executor_).look_at_context();
}

Task<void> Child::join() {
  while (running_) {
    co_await ended_.async_wait(as_result);
  }
}

}  // namespace proxy::net
