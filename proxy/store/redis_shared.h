// What the Redis stores of all workers and the follower of revocations have in common: rules, names
// of keys, what was revoked, and how Redis is. Outlives all of them. Any thread.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "proxy/redis/client.h"
#include "proxy/store/revocation_log.h"
#include "proxy/store/session_store.h"

namespace proxy::store {

struct RedisRules {
  auth::FamilyRules rules{};
  auth::milliseconds absolute_life{30LL * 24 * 3600 * 1000};
  auth::milliseconds access_life{15 * 60 * 1000};
  // How many replicas of Redis must have a revocation before it is reported as done.
  std::uint32_t wait_replicas = 0;
};

// How the connection that follows revocations is, as probes, metrics and the outage policy see it.
class StoreHealth {
 public:
  void set_up();
  void set_down(std::string why);
  [[nodiscard]] bool is_up() const { return is_up_.load(std::memory_order_relaxed); }
  // Up at least once: what was revoked before we started is known.
  [[nodiscard]] bool was_up() const { return was_up_.load(std::memory_order_acquire); }
  [[nodiscard]] std::string trouble() const;

  // Of the newest entry, from when Redis took it to when our workers were told.
  std::atomic<std::int64_t> revocation_lag_ms{0};
  // When the stream was last read, by the steady clock.
  std::atomic<std::int64_t> last_read_ms{0};

 private:
  std::atomic<bool> is_up_{false};
  std::atomic<bool> was_up_{false};
  mutable std::mutex mutex_;
  std::string trouble_ = "it has not been reached yet";
};

// Longer than a login can wait for its hash.
inline constexpr auth::milliseconds login_time_max{10'000};

class RedisShared {
 public:
  // Called on the thread that learns of it, outside of every lock.
  using Publish = std::function<void(const Revocation&)>;
  RedisShared(std::string key_prefix, RedisRules rules, Publish publish, Publish on_reuse_here);

  void set_rules(const RedisRules& rules);
  [[nodiscard]] auth::FamilyRules rules() const;
  [[nodiscard]] auth::milliseconds absolute_life() const { return absolute_life_.load(); }
  [[nodiscard]] auth::milliseconds access_life() const { return access_life_.load(); }
  [[nodiscard]] std::uint32_t wait_replicas() const { return wait_replicas_.load(); }
  // How long a user's list must remember that all were ended: as long as a login can be under way.
  [[nodiscard]] auth::milliseconds user_mark_life() const;
  // The number of a call, which no other one of any process has.
  [[nodiscard]] std::string next_call();
  // How far back the stream reaches: longer than any access token lives.
  [[nodiscard]] auth::milliseconds horizon() const;

  // Keys. The braces hold together, in a cluster, what one script touches.
  [[nodiscard]] std::string family_key(const auth::FamilyId& family) const;
  [[nodiscard]] std::string user_key(std::string_view username) const;
  [[nodiscard]] std::string profile_key(const auth::FamilyId& family) const;
  [[nodiscard]] std::string agent_key(std::string_view agent_id) const;
  [[nodiscard]] std::string counter_key(std::string_view what) const;
  [[nodiscard]] std::string bucket_key(std::string_view name) const;
  [[nodiscard]] const std::string& stream_key() const { return stream_key_; }
  [[nodiscard]] const std::string& everybody_key() const { return everybody_key_; }

  // Tells the workers what they do not know yet.
  void learn(const Revocation& revocation, auth::Time now);
  // The same, of what this process has stored itself.
  void note_own(const Revocation& revocation, auth::Time now);
  // Everybody's sessions of before then are over.
  [[nodiscard]] auth::Time not_before() const;
  void set_not_before(auth::Time at);

  StoreHealth health;
  RevocationLog log;
  // Added to Redis' clock; only tests that let time go by set it.
  std::atomic<std::int64_t> clock_shift_ms{0};

 private:
  std::string prefix_;
  std::string stream_key_;
  std::string everybody_key_;
  Publish publish_;
  Publish on_reuse_here_;
  std::atomic<auth::milliseconds> grace_{};
  std::atomic<auth::milliseconds> idle_life_{};
  std::atomic<auth::milliseconds> absolute_life_{};
  std::atomic<auth::milliseconds> access_life_{};
  std::string process_;  // random
  std::atomic<std::uint64_t> calls_{0};
  std::atomic<std::uint32_t> wait_replicas_{0};
  std::atomic<std::int64_t> not_before_ms_{0};
};

}  // namespace proxy::store
