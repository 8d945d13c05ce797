// How the memory store's session table keeps one session: laid out by hand, since there may be a
// million of them. Locks are the table's business.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "auth/family.h"

namespace proxy::store {

// Strings that many sessions share, kept once: browsers are few, sessions are many.
class SharedTexts {
 public:
  using Entry = std::pair<const std::string, std::uint32_t>;
  // Stays where it is until as many releases as calls of keep; its first member may be read by who
  // keeps it.
  [[nodiscard]] const Entry* keep(std::string_view text);
  void release(const Entry* entry);

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::uint32_t> texts_;
};

// A session and its place in the table, which is also its place in the ring of its user.
struct SessionRecord;
using SessionNode = std::pair<const auth::FamilyId, SessionRecord>;

// FamilyRecord's optional time is a value here, its older generations are distances from the newest
// (a session would have to be refreshed four billion times in between to reach their bound), and
// the address prefix needs no heap: an IPv6 /48 takes at most 15 characters without its end.
struct SessionRecord {
  static constexpr auth::Time not_proven = auth::Time::min();

  std::uint64_t gen = 0;
  std::uint32_t base_behind = 0;
  std::uint32_t floor_behind = 0;
  auth::Time made_at{};
  auth::Time proven_at = not_proven;
  auth::Time idle_expires_at{};
  auth::Time absolute_expires_at{};
  auth::Time created_at{};
  auth::Time last_seen_at{};
  const std::string* username = nullptr;  // the key of the user's node
  const SharedTexts::Entry* user_agent = nullptr;
  const SharedTexts::Entry* profile = nullptr;  // null: none
  SessionNode* older = nullptr;
  SessionNode* newer = nullptr;
  std::uint32_t password_mark = 0;
  std::uint32_t idle_life_s = 0;  // of its own, rounded up; 0: as configured
  std::array<char, 15> address_prefix{};
  bool revoked = false;

  [[nodiscard]] auth::FamilyRecord rotation() const;
  void set_rotation(const auth::FamilyRecord& record);

  [[nodiscard]] bool is_over(auth::Time now) const {
    return now >= idle_expires_at || now >= absolute_expires_at;
  }
  [[nodiscard]] bool is_open(auth::Time now) const { return !revoked && !is_over(now); }

  // Cut where it is longer than a network can be.
  void set_address_prefix(std::string_view text);
  [[nodiscard]] std::string address_prefix_text() const;
};

}  // namespace proxy::store
