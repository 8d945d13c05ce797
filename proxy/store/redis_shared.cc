// See redis_shared.h.
#include "proxy/store/redis_shared.h"

#include <algorithm>
#include <utility>

#include "auth/bytes.h"

namespace proxy::store {
namespace {

// Clocks of replicas may differ by this much from Redis'.
constexpr std::chrono::seconds clock_slack{60};
constexpr std::size_t digest_bytes = 16;
// There are 65,536 places for user agents: whoever invents new ones with each login fills no Redis,
// but takes the place of another name now and then.
constexpr std::size_t agent_slot_bytes = 2;

// Names of users and addresses come from outside: only their digest becomes part of a key (K03).
std::string digest_text(std::string_view text) {
  const auth::Digest digest = auth::sha256(text);
  return auth::base64url_encode({reinterpret_cast<const char*>(digest.data()), digest_bytes});
}

// Where there is no randomness the calls of two replicas look alike, and one of them may be told
// what the other has found.
std::string process_name() {
  auto random = auth::random_bytes(8);
  return random ? std::move(*random) : std::string();
}

}  // namespace

void StoreHealth::set_up() {
  was_up_.store(true, std::memory_order_release);
  is_up_.store(true, std::memory_order_relaxed);
}

void StoreHealth::set_down(std::string why) {
  const std::lock_guard lock(mutex_);
  if (!why.empty()) trouble_ = std::move(why);
  is_up_.store(false, std::memory_order_relaxed);
}

std::string StoreHealth::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

RedisShared::RedisShared(std::string key_prefix, RedisRules rules, Publish publish,
                         Publish on_reuse_here)
    : prefix_(std::move(key_prefix)),
      stream_key_(prefix_ + "revocations"),
      everybody_key_(prefix_ + "not_before"),
      publish_(std::move(publish)),
      on_reuse_here_(std::move(on_reuse_here)),
      process_(process_name()) {
  set_rules(rules);
}

auth::milliseconds RedisShared::user_mark_life() const {
  return std::max(access_life(), 2 * login_time_max);
}

std::string RedisShared::next_call() {
  return process_ + std::to_string(calls_.fetch_add(1, std::memory_order_relaxed));
}

void RedisShared::set_rules(const RedisRules& rules) {
  grace_ = rules.rules.grace;
  idle_life_ = rules.rules.idle_life;
  absolute_life_ = rules.absolute_life;
  wait_replicas_ = rules.wait_replicas;
  // Tokens of before live on with the life they were given, and so do the revocations of them.
  access_life_ = std::max(access_life_.load(), rules.access_life);
}

auth::FamilyRules RedisShared::rules() const {
  return {.grace = grace_.load(), .idle_life = idle_life_.load()};
}

auth::milliseconds RedisShared::horizon() const { return access_life() + clock_slack; }

std::string RedisShared::family_key(const auth::FamilyId& family) const {
  return prefix_ + "f{" + auth::to_text(family) + "}";
}
std::string RedisShared::user_key(std::string_view username) const {
  return prefix_ + "u{" + digest_text(username) + "}";
}
std::string RedisShared::profile_key(const auth::FamilyId& family) const {
  return prefix_ + "p{" + auth::to_text(family) + "}";
}
std::string RedisShared::agent_key(std::string_view agent_id) const {
  return prefix_ + "a{" + auth::base64url_encode(agent_id.substr(0, agent_slot_bytes)) + "}";
}
std::string RedisShared::counter_key(std::string_view what) const {
  return prefix_ + "l{" + digest_text(what) + "}";
}
std::string RedisShared::bucket_key(std::string_view name) const {
  return prefix_ + "b{" + digest_text(name) + "}";
}

void RedisShared::learn(const Revocation& revocation, auth::Time now) {
  if (revocation.is_for_everybody()) set_not_before(revocation.at);
  if (log.add(revocation, now) && publish_) publish_(revocation);
}

// Published also where it is known: the follower, which may have read of it a moment ago, has
// perhaps not told every worker yet, and our client is about to hear that it is done.
void RedisShared::note_own(const Revocation& revocation, auth::Time now) {
  if (revocation.is_for_everybody()) set_not_before(revocation.at);
  log.add(revocation, now);
  if (publish_) publish_(revocation);
  if (revocation.reason == RevokeReason::reuse && on_reuse_here_) on_reuse_here_(revocation);
}

auth::Time RedisShared::not_before() const {
  return auth::Time{auth::milliseconds{not_before_ms_.load(std::memory_order_relaxed)}};
}

void RedisShared::set_not_before(auth::Time at) {
  std::int64_t known = not_before_ms_.load(std::memory_order_relaxed);
  const std::int64_t wanted = at.time_since_epoch().count();
  while (known < wanted && !not_before_ms_.compare_exchange_weak(known, wanted)) {
  }
}

}  // namespace proxy::store
