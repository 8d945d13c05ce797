// For loops that have to live as long as their process: an exception, such as a moment without
// memory, ends a coroutine and would otherwise end signals, file watches or health checks for good,
// in silence. `make()` is begun anew after `tell(failure)`; it must be a loop that waits before it
// can fail again. One thread.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <exception>

namespace proxy::net {

template <class Executor, class Make, class Tell>
void keep_running(const Executor& executor, Make make, Tell tell) {
  const auto again = [executor, make, tell](std::exception_ptr failure) {
    if (!failure) return;
    tell(failure);
    keep_running(executor, make, tell);
  };
  boost::asio::co_spawn(executor, make(), again);
}

}  // namespace proxy::net
