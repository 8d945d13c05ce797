// One coroutine beside the current one: an upload beside its response, the second direction of a
// tunnel. The owner must join before it ends, since the child works on the owner's references.
// One thread.
#pragma once

#include "proxy/net/task.h"
#include "proxy/net/timer.h"

namespace proxy::net {

class Child {
 public:
  explicit Child(const Executor& executor);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // At most once. Runs at once, until its first suspension.
  void start(Task<void> task);
  [[nodiscard]] bool running() const { return running_; }
  // Waits for the end; returns at once when it is not running. Does not cancel anything.
  [[nodiscard]] Task<void> join();

 private:
  using Timer = boost::asio::basic_waitable_timer<
      std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;
  Timer ended_;  // used as an event: never expires, cancelled at the end
  bool running_ = false;
};

}  // namespace proxy::net
