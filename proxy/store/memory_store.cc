// See memory_store.h. Each coroutine runs to its end without suspending, so its locks are gone
// before anything else can run; what is published is published after them.
#include "proxy/store/memory_store.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "proxy/store/memory_state.h"

namespace proxy::store {
namespace {

// Longer than a login can wait for its hash.
constexpr std::chrono::seconds login_time_max{10};
// Everybody's end reaches this far into the future, so that no token that another worker makes at
// this moment, by a clock that is a tick ahead, escapes it.
constexpr std::chrono::seconds everybody_ahead{1};

}  // namespace

void MemoryStore::Impl::set_options(const MemoryStoreOptions& wanted) {
  sessions_max = wanted.sessions_max;
  grace = wanted.rules.grace;
  idle_life = wanted.rules.idle_life;
  absolute_life = wanted.absolute_life;
  // Tokens of before live on with the life they were given, and so do the revocations of them.
  access_life = std::max(access_life.load(), wanted.access_life);
}

void MemoryStore::Impl::revoke(Revocation revocation, auth::Time now) {
  remember(std::move(revocation), now, now);
}

void MemoryStore::Impl::remember(Revocation revocation, auth::Time at, auth::Time now) {
  revocation.at = at;
  revocation.forget_at = at + access_life.load() + std::chrono::seconds{1};
  log.add(revocation, now);
  if (publish) publish(revocation);
}

std::optional<auth::Time> MemoryStore::Impl::revoked_at(const std::string& username) const {
  return std::max(log.user_revoked_at(username), log.everybody_revoked_at());
}

// A login just after everything of its user was revoked is not meant by that, although an access
// token of the same second would be: it begins with the next one.
auth::Time MemoryStore::Impl::begin_of(const std::string& username, auth::Time now) const {
  const std::optional<auth::Time> revoked = revoked_at(username);
  if (!revoked) return now;
  using std::chrono::seconds;
  return std::max<auth::Time>(now, std::chrono::floor<seconds>(*revoked) + seconds{1});
}

MemoryStore::MemoryStore(MemoryStoreOptions options, Publish publish)
    : impl_(std::make_unique<Impl>()) {
  impl_->publish = std::move(publish);
  set_options(options);
}

MemoryStore::~MemoryStore() = default;

void MemoryStore::set_options(const MemoryStoreOptions& options) { impl_->set_options(options); }

std::size_t MemoryStore::size() const { return impl_->sessions.size(); }

std::vector<Revocation> MemoryStore::revocations(auth::Time now) const {
  return impl_->log.all(now);
}

net::Task<Result<Session>> MemoryStore::create(const NewSession& login) {
  impl_->sessions.sweep_some(login.now);
  SavedSession saved;
  auth::FamilyRules rules = impl_->rules();
  rules.idle_life = login.idle_life.value_or(rules.idle_life);
  saved.record = auth::new_family(
      login.now, login.absolute_life.value_or(impl_->absolute_life.load()), rules);
  saved.record.idle_life = login.idle_life.value_or(auth::milliseconds{0});
  saved.session.family = login.family;
  saved.session.username = login.username;
  saved.session.user_agent = login.user_agent;
  saved.session.address_prefix = login.address_prefix;
  saved.session.password_mark = login.password_mark;
  saved.profile = login.profile;
  saved.session.created_at = impl_->begin_of(login.username, login.now);
  saved.session.last_seen_at = saved.session.created_at;

  std::optional<Session> evicted;
  const SessionTable::Added added =
      impl_->sessions.add(saved, impl_->sessions_max.load(), login.now, evicted);
  if (evicted) {
    impl_->revoke({.session_id = auth::to_text(evicted->family),
                   .username = evicted->username,
                   .at = {},
                   .forget_at = {},
                   .reason = RevokeReason::expired},
                  login.now);
  }
  if (added == SessionTable::Added::full) co_return StoreError::full;
  // Everything of this user was revoked while the password was being checked, perhaps because it
  // was changed: the login must not outlive that. Looked at after the session was added, so that
  // one of the two sees the other. The bound keeps a clock that was set back from refusing logins.
  const std::optional<auth::Time> revoked_at = impl_->log.user_revoked_at(login.username);
  const std::optional<auth::Time> all_at = impl_->log.everybody_revoked_at();
  const bool is_late = revoked_at && login.now < *revoked_at;
  const bool all_were = all_at && login.now + everybody_ahead < *all_at;
  const auto revoked = std::max(revoked_at, all_at);
  if ((is_late || all_were) && *revoked - login.now < login_time_max) {
    static_cast<void>(impl_->sessions.remove(login.family, login.now));
    co_return StoreError::unavailable;
  }
  saved.session.idle_expires_at = saved.record.idle_expires_at;
  saved.session.absolute_expires_at = saved.record.absolute_expires_at;
  co_return std::move(saved.session);
}

net::Task<Result<Rotated>> MemoryStore::rotate(const auth::FamilyId& family,
                                               std::uint64_t generation, bool active,
                                               auth::Time now) {
  impl_->sessions.sweep_some(now);
  Rotated rotated = impl_->sessions.rotate(family, generation, active, now, impl_->rules());
  if (rotated.rotation.outcome == auth::Outcome::reuse) {
    impl_->revoke({.session_id = auth::to_text(family),
                   .username = rotated.session.username,
                   .reason = RevokeReason::reuse},
                  now);
  }
  co_return std::move(rotated);
}

void MemoryStore::prove(const auth::FamilyId& family, std::uint64_t generation, auth::Time now) {
  impl_->sessions.prove(family, generation, now, impl_->rules());
}

net::Task<Result<std::optional<Session>>> MemoryStore::find(const auth::FamilyId& family,
                                                            auth::Time now) {
  co_return impl_->sessions.find(family, now);
}

net::Task<Result<std::string>> MemoryStore::profile(const auth::FamilyId& family, auth::Time now) {
  co_return impl_->sessions.profile(family, now);
}

net::Task<Result<bool>> MemoryStore::revoke(const auth::FamilyId& family, RevokeReason reason,
                                            auth::Time now) {
  const std::optional<Session> removed = impl_->sessions.remove(family, now);
  impl_->revoke({.session_id = auth::to_text(family),
                 .username = removed ? removed->username : std::string{},
                 .reason = reason},
                now);
  co_return removed.has_value();
}

// The entry for the user also ends access tokens of sessions that this store has forgotten. The
// sessions that are known get an entry each: another worker's clock may be a tick ahead, and a
// token that it makes meanwhile could carry the next second.
net::Task<Result<std::size_t>> MemoryStore::revoke_user(std::string_view username,
                                                        RevokeReason reason, auth::Time now) {
  impl_->revoke({.session_id = {}, .username = std::string(username), .reason = reason}, now);
  std::size_t count = 0;
  for (const Session& session : impl_->sessions.list(username, now)) {
    if (!impl_->sessions.remove(session.family, now)) continue;
    ++count;
    impl_->revoke({.session_id = auth::to_text(session.family),
                   .username = session.username,
                   .reason = reason},
                  now);
  }
  co_return count;
}

net::Task<Result<void>> MemoryStore::revoke_everybody(RevokeReason reason, auth::Time now) {
  impl_->remember({.session_id = {}, .username = {}, .reason = reason}, now + everybody_ahead,
                  now);
  impl_->sessions.remove_all();
  co_return Result<void>{};
}

net::Task<Result<std::vector<Session>>> MemoryStore::list(std::string_view username,
                                                          auth::Time now) {
  co_return impl_->sessions.list(username, now);
}

net::Task<Result<auth::milliseconds>> MemoryStore::throttled(const ThrottleKeys& keys,
                                                             auth::Time now) {
  co_return impl_->logins.throttled(keys, now);
}

net::Task<Result<void>> MemoryStore::note_login_failure(const ThrottleKeys& keys,
                                                        const ThrottleRules& rules,
                                                        auth::Time now) {
  impl_->logins.note_failure(keys, rules, now);
  co_return Result<void>{};
}

net::Task<Result<void>> MemoryStore::note_login_success(const ThrottleKeys& keys, auth::Time) {
  impl_->logins.note_success(keys);
  co_return Result<void>{};
}

net::Task<Result<auth::milliseconds>> MemoryStore::take(std::string_view bucket,
                                                        const auth::BucketRate& rate,
                                                        auth::Time now) {
  co_return impl_->buckets.take(bucket, rate, now);
}

}  // namespace proxy::store
