// Signals as something to wait for (signalfd(2)). One loop; must outlive its wait.
#pragma once

#include <csignal>
#include <initializer_list>

#include "proxy/net/poller.h"
#include "proxy/net/task.h"

namespace proxy::net {

class Signals {
 public:
  // From here on they are kept until somebody waits for them. Before the first thread is started:
  // a thread inherits what is held back, and any thread that does not would take the signal.
  static void hold_back(std::initializer_list<int> numbers);

  // Numbers that were held back. Throws std::system_error.
  Signals(const Executor& executor, std::initializer_list<int> numbers);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // The next one that arrives, or has arrived already; 0 when the loop ends.
  [[nodiscard]] Task<int> next();

 private:
  int descriptor_ = -1;
  Watched watched_;
};

}  // namespace proxy::net
