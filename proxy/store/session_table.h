// The sessions of the memory store as plain synchronous calls. Records are striped by family for
// rotation and chained by user for lists and limits; a user's ring belongs to a stripe of users.
// A record is added and removed only under both locks, always the user's stripe before the
// family's, so either lock alone keeps it in place. Any thread.
// Measured over 1,000,000 sessions, with all that points to them: 246 bytes each when every user
// has one, 189 when every user has five.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/store/session_record.h"
#include "proxy/store/session_store.h"

namespace proxy::store {

// A session with all that its rotation needs; what is saved and loaded.
struct SavedSession {
  Session session;
  auth::FamilyRecord record;
  std::string profile;
};

class SessionTable {
 public:
  SessionTable() = default;
  SessionTable(const SessionTable&) = delete;
  SessionTable& operator=(const SessionTable&) = delete;

  enum class Added { added, full };
  // Beyond `sessions_max` or sessions_per_user_max the user's oldest session makes room and is
  // returned in `evicted`; a user without one gets `full`, and so does a family that is known.
  [[nodiscard]] Added add(const SavedSession& saved, std::size_t sessions_max, auth::Time now,
                          std::optional<Session>& evicted);
  // The rule on the family's record. A family whose time is over or that was reused is removed.
  [[nodiscard]] Rotated rotate(const auth::FamilyId& family, std::uint64_t generation,
                               bool active, auth::Time now, const auth::FamilyRules& rules);
  void prove(const auth::FamilyId& family, std::uint64_t generation, auth::Time now,
             const auth::FamilyRules& rules);
  [[nodiscard]] std::optional<Session> find(const auth::FamilyId& family, auth::Time now) const;
  [[nodiscard]] std::string profile(const auth::FamilyId& family, auth::Time now) const;
  // The session that was open, if it was.
  std::optional<Session> remove(const auth::FamilyId& family, auth::Time now);
  void remove_all();
  // Open sessions, newest first.
  [[nodiscard]] std::vector<Session> list(std::string_view username, auth::Time now) const;
  // Looks at a few records and removes those whose time is over: each call that adds or rotates
  // pays for a little of it, so that no timer is needed and no call is long.
  void sweep_some(auth::Time now);
  [[nodiscard]] std::size_t size() const { return size_.load(std::memory_order_relaxed); }
  // Each open session once; other threads may go on, what they change meanwhile may be missed.
  void for_each(auth::Time now, const std::function<void(const SavedSession&)>& visit) const;

 private:
  using Record = SessionRecord;
  using Node = SessionNode;
  struct FamilyHash {
    // A family id is 16 random bytes, and strangers cannot choose one: the MAC is checked before.
    std::size_t operator()(const auth::FamilyId& id) const noexcept;
  };
  struct FamilyStripe {
    mutable std::mutex mutex;
    std::unordered_map<auth::FamilyId, Record, FamilyHash> records;
    std::size_t sweep_bucket = 0;
  };
  struct UserStripe {
    mutable std::mutex mutex;
    // A user's sessions form a ring that starts at the newest, so the oldest is one step away.
    std::unordered_map<std::string, Node*> newest;
  };
  static constexpr std::size_t stripes = 64;

  FamilyStripe& stripe_of(const auth::FamilyId& family);
  const FamilyStripe& stripe_of(const auth::FamilyId& family) const;
  [[nodiscard]] static std::size_t user_stripe_of(std::string_view username);
  [[nodiscard]] static Session describe(const Node& node);
  void link(UserStripe& users, std::string_view username, Node& node);
  void unlink(UserStripe& users, Node& node);
  using Condition = std::function<bool(const Record&)>;
  std::optional<Session> remove_if(const auth::FamilyId& family, const Condition& condition);
  // Nothing while the user has less than `at_least` sessions. They are counted, since a number for
  // each user would cost a million users more than it saves those who log in again and again.
  std::optional<Session> evict_oldest(std::string_view username, std::size_t at_least);
  [[nodiscard]] bool reserve(std::size_t sessions_max);
  // Up to `buckets` of one stripe; the families that are over.
  [[nodiscard]] std::vector<auth::FamilyId> collect(FamilyStripe& stripe, std::size_t buckets,
                                                    auth::Time now);
  void sweep(FamilyStripe& stripe, std::size_t buckets, auth::Time now);

  std::array<FamilyStripe, stripes> families_;
  std::array<UserStripe, stripes> users_;
  SharedTexts texts_;  // user agents and profiles
  std::atomic<std::size_t> size_{0};
  std::atomic<std::size_t> next_sweep_{0};
};

}  // namespace proxy::store
