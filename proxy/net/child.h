// One coroutine beside the current one: an upload beside its response, the second direction of a
// tunnel. The owner must join before it ends, since the child works on the owner's references.
// One thread.
#pragma once

#include "proxy/net/poller.h"
#include "proxy/net/task.h"

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
  Executor executor_;
  Waiter ended_;
  bool running_ = false;
};

}  // namespace proxy::net
