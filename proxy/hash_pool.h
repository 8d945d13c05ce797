// Password hashing off the event loops: a few threads, a bounded queue, a bounded wait. A worker's
// coroutine suspends and is resumed on its own loop. Process-wide; any worker.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "auth/error.h"
#include "proxy/net/task.h"

namespace proxy {

struct HashPoolOptions {
  std::size_t threads = 2;                    // 19 MiB each while an argon2id hash runs
  std::size_t queue_max = 32;                 // beyond it: Error::overloaded at once
  std::chrono::milliseconds wait_max{2'000};  // in the queue; beyond it: Error::overloaded
};

class HashPool {
 public:
  explicit HashPool(HashPoolOptions options);
  // Finishes what runs, fails what waits. The event loops of waiting coroutines are still there.
  ~HashPool();
  HashPool(const HashPool&) = delete;
  HashPool& operator=(const HashPool&) = delete;

  // Whether `password` fits `hash`; Error::overloaded when it could not be tried in time. The
  // arguments are copied and the password's copy is wiped.
  [[nodiscard]] net::Task<auth::Result<bool>> verify(std::string hash, std::string password);
  [[nodiscard]] std::size_t waiting() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace proxy
