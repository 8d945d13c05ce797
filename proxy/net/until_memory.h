// For the few steps that may be late but must not be lost, such as a revocation on its way to a
// worker: where memory runs out they are tried again, and the thread waits as long as it takes.
// Everything else gives up and says so. The step must be repeatable. Any thread.
#pragma once

#include <chrono>
#include <new>
#include <thread>

namespace proxy::net {

template <class Step>
void until_memory(Step step) noexcept {
  constexpr std::chrono::milliseconds pause{10};
  for (;;) {
    try {
      step();
      return;
    } catch (const std::bad_alloc&) {
      std::this_thread::sleep_for(pause);
    }
  }
}

}  // namespace proxy::net
