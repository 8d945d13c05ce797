// The memory store's counters of failed logins: a bounded table that forgets the oldest first and
// what is banned last (SECURITY X-23), so that a flood of invented names can neither fill the
// memory nor lift a ban. Names are kept as digests: 150 bytes a counter, however long the name.
// One mutex: a login costs tens of milliseconds of hashing anyway. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "proxy/store/session_store.h"

namespace proxy::store {

class LoginCounters {
 public:
  using Key = std::array<std::uint8_t, 16>;

  struct Entry {
    Key key{};
    auth::ThrottleCounter counter;
    auth::Time forget_at{};
    bool is_banned = false;  // which of the two lists it is in
  };

  explicit LoginCounters(std::size_t entries_max = 262'144) : entries_max_(entries_max) {}

  // The longest wait that any of the three counters asks for.
  [[nodiscard]] auth::milliseconds throttled(const ThrottleKeys& keys, auth::Time now) const;
  void note_failure(const ThrottleKeys& keys, const ThrottleRules& rules, auth::Time now);
  void note_success(const ThrottleKeys& keys);
  [[nodiscard]] std::size_t size() const;

  // Counters that are banned at `now`, for the snapshot; nothing else is worth keeping.
  void for_each_ban(auth::Time now, const std::function<void(const Entry&)>& visit) const;
  void restore(const Entry& entry);

 private:
  using Entries = std::list<Entry>;
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept;
  };

  void note_failure(const Key& key, const auth::ThrottleRate& rate, auth::milliseconds ban,
                    auth::Time now);
  void make_room();
  void forget_stale(Entries& entries, auth::Time now);
  void erase(Entries::iterator entry);
  [[nodiscard]] Entries& list_of(const Entry& entry) {
    return entry.is_banned ? banned_ : counting_;
  }

  std::size_t entries_max_;
  mutable std::mutex mutex_;
  Entries counting_;  // each list: touched longest ago first
  Entries banned_;
  std::unordered_map<Key, Entries::iterator, KeyHash> by_key_;
};

}  // namespace proxy::store
