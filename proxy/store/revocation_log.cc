// See revocation_log.h.
#include "proxy/store/revocation_log.h"

#include <algorithm>

namespace proxy::store {

bool RevocationLog::add(const Revocation& revocation, auth::Time now) {
  const std::lock_guard lock(mutex_);
  if (revocation.is_for_everybody()) {
    const bool is_news = !everybody_ || everybody_->at < revocation.at;
    if (is_news) everybody_ = revocation;
    return is_news;
  }
  const bool is_session = !revocation.session_id.empty();
  const auto [entry, is_new] =
      is_session ? sessions_.try_emplace(revocation.session_id, revocation)
                 : users_.try_emplace(revocation.username, revocation);
  const bool is_news = is_new || entry->second.at < revocation.at;
  if (!is_new) {
    Revocation& known = entry->second;
    known.at = std::max(known.at, revocation.at);
    known.forget_at = std::max(known.forget_at, revocation.forget_at);
  }
  if (sessions_.size() + users_.size() < sweep_at_) return is_news;
  // When it has doubled since it was last cleaned: a constant cost for each entry ever added.
  const auto is_past = [now](const auto& one) { return one.second.forget_at <= now; };
  std::erase_if(sessions_, is_past);
  std::erase_if(users_, is_past);
  sweep_at_ = std::max<std::size_t>(1'024, 2 * (sessions_.size() + users_.size()));
  return is_news;
}

std::vector<Revocation> RevocationLog::all(auth::Time now) const {
  std::vector<Revocation> revocations;
  const std::lock_guard lock(mutex_);
  for (const Entries* entries : {&sessions_, &users_}) {
    for (const auto& [key, revocation] : *entries) {
      if (revocation.forget_at > now) revocations.push_back(revocation);
    }
  }
  if (everybody_ && everybody_->forget_at > now) revocations.push_back(*everybody_);
  return revocations;
}

std::optional<auth::Time> RevocationLog::user_revoked_at(const std::string& username) const {
  const std::lock_guard lock(mutex_);
  const auto user = users_.find(username);
  if (user == users_.end()) return std::nullopt;
  return user->second.at;
}

std::optional<auth::Time> RevocationLog::everybody_revoked_at() const {
  const std::lock_guard lock(mutex_);
  if (!everybody_) return std::nullopt;
  return everybody_->at;
}

bool RevocationLog::is_revoked(const Session& session) const {
  const std::lock_guard lock(mutex_);
  if (sessions_.contains(auth::to_text(session.family))) return true;
  if (everybody_ && session.created_at <= everybody_->at) return true;
  const auto user = users_.find(session.username);
  return user != users_.end() && session.created_at <= user->second.at;
}

}  // namespace proxy::store
