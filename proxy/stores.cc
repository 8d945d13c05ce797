// See stores.h.
#include "proxy/stores.h"

#include <chrono>
#include <utility>

namespace proxy {
namespace {

store::MemoryStoreOptions memory_options(const Runtime& runtime) {
  store::MemoryStoreOptions options;
  options.sessions_max = runtime.config.memory.sessions_max;
  options.rules = runtime.family_rules;
  options.absolute_life = runtime.config.tokens.refresh.absolute_life;
  options.access_life = runtime.config.tokens.access.life;
  return options;
}

store::RedisRules redis_rules(const Runtime& runtime) {
  return {.rules = runtime.family_rules,
          .absolute_life = runtime.config.tokens.refresh.absolute_life,
          .access_life = runtime.config.tokens.access.life,
          .wait_replicas = runtime.config.redis.wait_replicas};
}

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Stores::Stores(const Runtime& runtime, std::size_t workers, Publish publish, Publish on_reuse) {
  if (!runtime.redis) {
    memory_ = std::make_unique<store::MemoryStore>(
        memory_options(runtime), [publish = std::move(publish), on_reuse = std::move(on_reuse)](
                                     const store::Revocation& revocation) {
          publish(revocation);
          if (revocation.reason == store::RevokeReason::reuse) on_reuse(revocation);
        });
    return;
  }
  const config::Redis& redis = runtime.config.redis;
  shared_ = std::make_unique<store::RedisShared>(redis.key_prefix, redis_rules(runtime),
                                                 std::move(publish), std::move(on_reuse));
  for (std::size_t i = 0; i <= workers; ++i) {
    ways_.push_back(std::make_unique<store::RedisStore>(*runtime.redis, *shared_));
  }
  follower_ = std::make_unique<store::RevocationFollower>(*runtime.redis, *shared_);
}

Stores::~Stores() = default;

store::SessionStore& Stores::of(std::size_t worker) {
  if (memory_) return *memory_;
  return *ways_[worker];
}

void Stores::attach(std::size_t worker, const net::Executor& executor) {
  if (!memory_) ways_[worker]->attach(executor);
}

void Stores::follow(const net::Executor& executor) {
  if (follower_) follower_->attach(executor);
}

void Stores::detach() {
  if (follower_) follower_->detach();
  for (const auto& way : ways_) way->detach();
}

void Stores::install(const Runtime& runtime) {
  if (memory_) {
    memory_->set_options(memory_options(runtime));
  } else {
    shared_->set_rules(redis_rules(runtime));
    for (const auto& way : ways_) way->install(*runtime.redis);
    follower_->install(*runtime.redis);
  }
}

const store::StoreHealth* Stores::health() const { return shared_ ? &shared_->health : nullptr; }

void Stores::collect(Scrape& scrape) const {
  if (memory_) {
    scrape.set(Metric::sessions, static_cast<double>(memory_->size()));
    scrape.set(Metric::store_up, 1);
    return;
  }
  const store::StoreHealth& health = shared_->health;
  scrape.set(Metric::store_up, health.is_up() ? 1 : 0);
  // While nothing can be read, what is not known grows older.
  const std::int64_t silent_ms = steady_ms() - health.last_read_ms.load();
  const std::int64_t lag_ms = health.is_up() ? health.revocation_lag_ms.load() : silent_ms;
  scrape.set(Metric::revocation_lag, static_cast<double>(lag_ms) / 1'000);
}

}  // namespace proxy
