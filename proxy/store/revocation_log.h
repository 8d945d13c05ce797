// What the memory store remembers of revocations, for new workers and for the snapshot: each until
// the last access token it concerns has expired, never shorter, however many there are. A session
// or a user is one entry, and everybody is one, so that revoking the same again and again costs
// nothing. Any thread.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "proxy/store/session_store.h"

namespace proxy::store {

class RevocationLog {
 public:
  // False when the same was known already.
  bool add(const Revocation& revocation, auth::Time now);
  [[nodiscard]] std::vector<Revocation> all(auth::Time now) const;
  // When all sessions of this user were last revoked, if that is still remembered.
  [[nodiscard]] std::optional<auth::Time> user_revoked_at(const std::string& username) const;
  [[nodiscard]] std::optional<auth::Time> everybody_revoked_at() const;
  // By its own entry, or as one of a user's that were created before all of
  // those, or everybody's, were revoked.
  [[nodiscard]] bool is_revoked(const Session& session) const;

 private:
  using Entries = std::unordered_map<std::string, Revocation>;

  mutable std::mutex mutex_;
  Entries sessions_;
  Entries users_;
  std::optional<Revocation> everybody_;
  std::size_t sweep_at_ = 1'024;
};

}  // namespace proxy::store
