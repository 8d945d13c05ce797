// The session store of the process as the configuration wants it: one memory store for all workers,
// or for each worker its own way to Redis, with what follows revocations on the control thread.
// Control thread; made before the workers, and outlives them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/metrics.h"
#include "proxy/runtime.h"
#include "proxy/store/memory_store.h"
#include "proxy/store/redis_shared.h"
#include "proxy/store/redis_store.h"
#include "proxy/store/revocation_follower.h"

namespace proxy {

class Stores {
 public:
  using Publish = std::function<void(const store::Revocation&)>;
  // `publish` tells the workers, on any thread; `on_reuse` is called beside it once for each theft
  // that this process has found.
  Stores(const Runtime& runtime, std::size_t workers, Publish publish, Publish on_reuse);
  ~Stores();

  // For a worker; the control thread's is the last one.
  [[nodiscard]] store::SessionStore& of(std::size_t worker);
  [[nodiscard]] std::size_t last() const { return ways_.empty() ? 0 : ways_.size() - 1; }
  // Before that worker's loop runs.
  void attach(std::size_t worker, const net::Executor& executor);
  // The loop of the control thread, likewise.
  void follow(const net::Executor& executor);
  // When no loop runs any more, and before they are destroyed.
  void detach();

  void install(const Runtime& runtime);
  // Null without Redis.
  [[nodiscard]] const store::StoreHealth* health() const;
  [[nodiscard]] store::MemoryStore* memory() { return memory_.get(); }
  void collect(Scrape& scrape) const;

 private:
  std::unique_ptr<store::MemoryStore> memory_;
  std::unique_ptr<store::RedisShared> shared_;
  std::vector<std::unique_ptr<store::RedisStore>> ways_;
  std::unique_ptr<store::RevocationFollower> follower_;
};

}  // namespace proxy
