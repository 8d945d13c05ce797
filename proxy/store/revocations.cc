// See revocations.h.
#include "proxy/store/revocations.h"

#include <algorithm>

namespace proxy::store {

void Revocations::add(const Revocation& revocation) {
  if (!revocation.session_id.empty()) {
    auth::Time& forget_at = sessions_[revocation.session_id];
    forget_at = std::max(forget_at, revocation.forget_at);
    return;
  }
  // Entries may arrive twice and in any order; the later one says more.
  User& user = revocation.username.empty() ? everybody_ : users_[revocation.username];
  user.not_after = std::max(user.not_after, revocation.at);
  user.forget_at = std::max(user.forget_at, revocation.forget_at);
}

bool Revocations::is_meant(const User& user, auth::Time issued_at) {
  // `iat` has whole seconds, so a token of the same second may be from before the revocation.
  using std::chrono::floor;
  using std::chrono::seconds;
  return floor<seconds>(issued_at) <= floor<seconds>(user.not_after);
}

bool Revocations::is_revoked(std::string_view session_id, std::string_view username,
                             auth::Time issued_at) const {
  if (!sessions_.empty() && sessions_.find(session_id) != sessions_.end()) return true;
  if (everybody_.not_after != auth::Time{} && is_meant(everybody_, issued_at)) return true;
  if (users_.empty()) return false;
  const auto user = users_.find(username);
  return user != users_.end() && is_meant(user->second, issued_at);
}

void Revocations::sweep(auth::Time now) {
  std::erase_if(sessions_, [now](const auto& entry) { return entry.second <= now; });
  std::erase_if(users_, [now](const auto& entry) { return entry.second.forget_at <= now; });
  if (everybody_.forget_at <= now) everybody_ = {};
}

}  // namespace proxy::store
