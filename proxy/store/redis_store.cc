// The calls of RedisStore about sessions; counters and buckets stand in redis_counters.cc. See
// redis_store.h.
#include "proxy/store/redis_store.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <utility>

#include "proxy/metrics.h"
#include "proxy/store/redis_scripts.h"

namespace proxy::store {
namespace {

using redis::Repeat;
using redis::Reply;

constexpr std::size_t user_agent_bytes_max = 200;
constexpr std::size_t address_bytes_max = 64;
constexpr std::size_t proofs_max = 4'096;
constexpr std::size_t proofs_at_once = 64;

std::string text(std::int64_t number) { return std::to_string(number); }
std::string text(auth::Time time) { return text(time.time_since_epoch().count()); }
std::string text(auth::milliseconds time) { return text(time.count()); }

std::string own_life_s(const NewSession& session) {
  if (!session.idle_life) return "0";
  return text(std::chrono::ceil<std::chrono::seconds>(*session.idle_life).count());
}

std::string four_bytes(std::uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xff);
  return bytes;
}

auth::Time time_of(std::int64_t ms) { return auth::Time{auth::milliseconds{ms}}; }

// Words that our script does not know are no verdict about a session.
std::optional<auth::Outcome> outcome_of(const Reply& word) {
  for (const auth::Outcome outcome :
       {auth::Outcome::rotated, auth::Outcome::replayed, auth::Outcome::reissued,
        auth::Outcome::repaired, auth::Outcome::reuse, auth::Outcome::dead}) {
    if (word.type == Reply::Type::text && auth::name(outcome) == word.text) return outcome;
  }
  return std::nullopt;
}

bool is_array(const Reply& reply, std::size_t size) {
  return reply.type == Reply::Type::array && reply.items.size() == size;
}

}  // namespace

RedisStore::RedisStore(redis::ClientOptions options, RedisShared& shared)
    : client_(options), patient_(std::move(options)), shared_(shared) {}

RedisStore::~RedisStore() = default;

void RedisStore::attach(const net::Executor& executor) {
  client_.attach(executor);
  static_cast<void>(revoking());  // connects now rather than at the first logout
}

void RedisStore::detach() {
  client_.detach();
  patient_.detach();
}

void RedisStore::install(redis::ClientOptions options) {
  net::Poller::of(client_.executor()).post([this, options = std::move(options)]() {
    client_.install(options);
    patient_.install(options);
  });
}

redis::Client& RedisStore::revoking() {
  if (shared_.wait_replicas() == 0) return client_;
  if (!patient_.is_attached()) patient_.attach(client_.executor());
  return patient_;
}

bool RedisStore::is_open(const RedisRecord& record, auth::Time now) const {
  return now < record.rotation.idle_expires_at && now < record.rotation.absolute_expires_at &&
         record.session.created_at > shared_.not_before();
}

net::Task<Result<Session>> RedisStore::create(const NewSession& wish) {
  if (!may_serve()) co_return StoreError::unavailable;
  const Result<Entered> entered = co_await enter(wish);
  if (!entered) co_return entered.error();
  const std::string profile = shared_.profile_key(wish.family);
  if (!wish.profile.empty()) {
    const auto life = wish.absolute_life.value_or(shared_.absolute_life());
    Texts command{"SET", profile, wish.profile, "PX", text(life)};
    const Result<Reply> kept = co_await ask(std::move(command), profile);
    if (!kept) co_return kept.error();
  }
  const AgentId agent = agent_id(wish.user_agent.substr(0, user_agent_bytes_max));
  const std::string_view agent_text(agent.data(), agent.size());
  const auth::FamilyRules rules = shared_.rules();
  Texts arguments{text(entered->created_at), text(entered->absolute_s),
                  text(wish.idle_life.value_or(rules.idle_life)), own_life_s(wish),
                  std::string(agent_text) + four_bytes(wish.password_mark),
                  wish.address_prefix.substr(0, address_bytes_max),
                  wish.username};
  Texts keys{shared_.family_key(wish.family)};
  const Result<Reply> made =
      co_await run(redis_scripts().create, std::move(keys), std::move(arguments), Repeat::never);
  std::optional<RedisRecord> record;
  if (made) record = read_record(made->text);
  // Everything of this user was revoked while the session was on its way, or its id is not new.
  if (!record) {
    Texts command{"DEL", profile};
    if (!wish.profile.empty()) static_cast<void>(co_await ask(std::move(command), profile));
    co_return StoreError::unavailable;
  }
  if (!wish.user_agent.empty()) {
    const auto life = std::max(wish.absolute_life.value_or(shared_.absolute_life()),
                               shared_.absolute_life());
    std::string key = shared_.agent_key(agent_text);
    std::string agent_and_name(agent_text);
    agent_and_name += wish.user_agent.substr(0, user_agent_bytes_max);
    Texts command{"SET", key, std::move(agent_and_name), "PX", text(life)};
    // Without it a list only lacks the browser's name.
    static_cast<void>(co_await ask(std::move(command), key));
  }
  if (entered->evicted.size() == wish.family.size()) {
    auth::FamilyId oldest;
    std::copy(entered->evicted.begin(), entered->evicted.end(), oldest.begin());
    static_cast<void>(co_await end(oldest, wish.username, RevokeReason::expired, wish.now));
  }
  record->session.family = wish.family;
  record->session.user_agent = wish.user_agent.substr(0, user_agent_bytes_max);
  co_return std::move(record->session);
}

// Into the user's list first: whoever revokes all of the user from then on knows this session, too.
net::Task<Result<RedisStore::Entered>> RedisStore::enter(const NewSession& wish) {
  const auto age = std::chrono::system_clock::now() - wish.now;
  const auto age_ms = std::chrono::duration_cast<auth::milliseconds>(age) +
                      auth::milliseconds{shared_.clock_shift_ms.load()};
  Texts arguments{std::string(as_text(wish.family)),
                  text(std::clamp<std::int64_t>(age_ms.count(), 0, login_time_max.count())),
                  text(wish.absolute_life.value_or(shared_.absolute_life())),
                  text(shared_.not_before()), text(login_time_max),
                  std::to_string(sessions_per_user_max)};
  Texts keys{shared_.user_key(wish.username)};
  const Result<Reply> reply =
      co_await run(redis_scripts().enter, std::move(keys), std::move(arguments), Repeat::never);
  if (!reply) co_return reply.error();
  if (!is_array(*reply, 4)) co_return StoreError::unavailable;
  Entered entered;
  entered.created_at = time_of(reply->items[1].integer);
  entered.absolute_s = reply->items[2].integer;
  entered.evicted = reply->items[3].text;
  co_return entered;
}

net::Task<Result<Rotated>> RedisStore::rotate(const auth::FamilyId& family,
                                              std::uint64_t generation, bool active, auth::Time) {
  if (!may_serve()) co_return StoreError::unavailable;
  const auth::FamilyRules rules = shared_.rules();
  Texts keys{shared_.family_key(family), shared_.profile_key(family)};
  if (!is_cluster()) keys.push_back(shared_.stream_key());
  Texts arguments{std::to_string(generation), text(rules.grace), text(rules.idle_life),
                  active ? "1" : "0", text(shared_.not_before()), text(shared_.access_life()),
                  text(shared_.horizon()), auth::to_text(family), shared_.next_call()};
  // Asked again after a lost answer, it is answered with the same successor.
  const Result<Reply> reply =
      co_await run(redis_scripts().rotate, std::move(keys), std::move(arguments), Repeat::once);
  if (!reply) co_return reply.error();
  if (!is_array(*reply, 4)) co_return StoreError::unavailable;
  const std::optional<auth::Outcome> outcome = outcome_of(reply->items[0]);
  if (!outcome) co_return StoreError::unavailable;
  Rotated rotated;
  rotated.rotation.outcome = *outcome;
  rotated.rotation.generation = static_cast<std::uint64_t>(reply->items[1].integer);
  const std::optional<RedisRecord> record = read_record(reply->items[3].text);
  if (!record && *outcome != auth::Outcome::dead) co_return StoreError::unavailable;
  if (record) {
    rotated.session = record->session;
    rotated.session.family = family;
  }
  if (rotated.rotation.outcome == auth::Outcome::reuse) {
    Revocation revocation{.session_id = auth::to_text(family),
                          .username = rotated.session.username,
                          .at = time_of(reply->items[2].integer),
                          .reason = RevokeReason::reuse};
    revocation.forget_at = revocation.at + shared_.access_life() + std::chrono::seconds{1};
    // In a cluster the stream lies elsewhere. The family is over whether this succeeds or not.
    if (is_cluster()) static_cast<void>(co_await tell(revocation));
    shared_.note_own(revocation, revocation.at);
  }
  co_return std::move(rotated);
}

void RedisStore::prove(const auth::FamilyId& family, std::uint64_t generation, auth::Time) {
  if (proofs_.size() >= proofs_max) return;
  proofs_.push_back({family, generation});
  if (is_proving_) return;
  is_proving_ = true;
  boost::asio::co_spawn(client_.executor(), send_proofs(), [](std::exception_ptr) {});
}

net::Task<void> RedisStore::send_proofs() {
  while (!proofs_.empty()) {
    const std::size_t count = is_cluster() ? 1 : std::min(proofs_.size(), proofs_at_once);
    Texts keys;
    Texts arguments{text(shared_.rules().grace), text(shared_.not_before())};
    for (std::size_t i = 0; i < count; ++i) {
      keys.push_back(shared_.family_key(proofs_.front().family));
      arguments.push_back(std::to_string(proofs_.front().generation));
      proofs_.pop_front();
    }
    // A proof that is lost costs patience, and no session.
    static_cast<void>(co_await run(redis_scripts().prove, std::move(keys), std::move(arguments),
                                   Repeat::never));
  }
  is_proving_ = false;
}

net::Task<Result<std::optional<Session>>> RedisStore::find(const auth::FamilyId& family,
                                                           auth::Time now) {
  if (!may_serve()) co_return StoreError::unavailable;
  const std::string key = shared_.family_key(family);
  Texts command{"GET", key};
  const Result<Reply> reply = co_await ask(std::move(command), key);
  if (!reply) co_return reply.error();
  std::optional<RedisRecord> record = read_record(reply->text);
  std::optional<Session> found;
  if (!record || !is_open(*record, now)) co_return found;
  std::vector<Session> sessions{std::move(record->session)};
  const std::vector<AgentId> agents{record->agent};
  const Result<void> named = co_await add_agents(sessions, agents);
  if (!named) co_return named.error();
  sessions.front().family = family;
  found = std::move(sessions.front());
  co_return found;
}

net::Task<Result<std::string>> RedisStore::profile(const auth::FamilyId& family, auth::Time now) {
  const auto session = co_await find(family, now);
  if (!session) co_return session.error();
  if (!*session) co_return std::string{};
  const std::string key = shared_.profile_key(family);
  Texts command{"GET", key};
  const Result<Reply> reply = co_await ask(std::move(command), key);
  if (!reply) co_return reply.error();
  co_return reply->text;
}

// The tombstone first, then the stream (one step where both lie on one server): what was answered
// has happened for everybody.
net::Task<Result<RedisStore::Ended>> RedisStore::end(const auth::FamilyId& family,
                                                     std::string_view username,
                                                     RevokeReason reason, auth::Time now) {
  const std::string session_id = auth::to_text(family);
  Texts keys{shared_.family_key(family), shared_.profile_key(family)};
  if (!is_cluster()) keys.push_back(shared_.stream_key());
  Texts arguments{text(shared_.access_life()), text(shared_.horizon()), session_id,
                  std::string(name(reason)), text(shared_.not_before()), std::string(username)};
  const Result<Reply> reply = co_await run_by(revoking(), redis_scripts().revoke, std::move(keys),
                                              std::move(arguments), Repeat::once);
  if (!reply) co_return reply.error();
  if (!is_array(*reply, 3)) co_return StoreError::unavailable;
  Ended ended;
  ended.was_open = reply->items[0].integer == 1;
  ended.at = time_of(reply->items[2].integer);
  const std::optional<RedisRecord> record = read_record(reply->items[1].text);
  ended.username = record ? record->session.username : std::string(username);
  Revocation revocation{.session_id = session_id, .username = ended.username, .at = ended.at,
                        .reason = reason};
  revocation.forget_at = ended.at + shared_.access_life() + std::chrono::seconds{1};
  if (is_cluster()) {
    const Result<void> told = co_await tell(revocation);
    if (!told) co_return told.error();
  }
  shared_.note_own(revocation, now);
  co_return std::move(ended);
}

net::Task<Result<bool>> RedisStore::revoke(const auth::FamilyId& family, RevokeReason reason,
                                           auth::Time now) {
  if (!may_serve()) co_return StoreError::unavailable;
  const std::string key = shared_.family_key(family);
  const redis::Client::Route way = revoking().route_of(key);
  const Result<Ended> ended = co_await end(family, "", reason, now);
  if (!ended) co_return ended.error();
  const bool is_safe = co_await wait_for_replicas(key, way);
  if (!is_safe) co_return StoreError::unavailable;
  if (ended->was_open) {
    const std::vector<auth::FamilyId> gone{family};
    co_await leave(ended->username, gone);
  }
  const bool was_open = ended->was_open;
  co_return was_open;
}

net::Task<Result<std::size_t>> RedisStore::revoke_user(std::string_view username,
                                                       RevokeReason reason, auth::Time now) {
  if (!may_serve()) co_return StoreError::unavailable;
  const std::string key = shared_.user_key(username);
  Texts keys{key};
  Texts arguments{text(shared_.user_mark_life()), "0"};
  const redis::Client::Route way = revoking().route_of(key);
  const Result<Reply> reply = co_await run_by(revoking(), redis_scripts().end_user,
                                              std::move(keys), std::move(arguments), Repeat::once);
  if (!reply) co_return reply.error();
  if (!is_array(*reply, 2)) co_return StoreError::unavailable;
  Revocation revocation{.session_id = {}, .username = std::string(username),
                        .at = time_of(reply->items[0].integer), .reason = reason};
  revocation.forget_at = revocation.at + shared_.access_life() + std::chrono::seconds{1};
  const Result<void> told = co_await tell(revocation);
  if (!told) co_return told.error();
  shared_.note_own(revocation, now);
  std::size_t count = 0;
  std::vector<auth::FamilyId> gone;
  for (const RedisUserEntry& entry : read_user_index(reply->items[1].text)) {
    const Result<Ended> ended = co_await end(entry.family, username, reason, now);
    if (!ended) co_return ended.error();
    count += ended->was_open ? 1 : 0;
    gone.push_back(entry.family);
  }
  const bool is_safe = co_await wait_for_replicas(key, way);
  if (!is_safe) co_return StoreError::unavailable;
  co_await leave(revocation.username, std::move(gone));
  co_return count;
}

net::Task<Result<void>> RedisStore::revoke_everybody(RevokeReason reason, auth::Time now) {
  if (!may_serve()) co_return StoreError::unavailable;
  Texts keys{shared_.everybody_key()};
  Texts none;
  const redis::Client::Route way = revoking().route_of(shared_.everybody_key());
  const Result<Reply> reply = co_await run_by(revoking(), redis_scripts().end_all, std::move(keys),
                                              std::move(none), Repeat::once);
  if (!reply) co_return reply.error();
  Revocation revocation{.session_id = {}, .username = {}, .at = time_of(reply->integer),
                        .reason = reason};
  revocation.forget_at = revocation.at + shared_.access_life() + std::chrono::seconds{1};
  const Result<void> told = co_await tell(revocation);
  if (!told) co_return told.error();
  shared_.note_own(revocation, now);
  const bool is_safe = co_await wait_for_replicas(shared_.everybody_key(), way);
  if (!is_safe) co_return StoreError::unavailable;
  co_return Result<void>{};
}

net::Task<Result<std::vector<Session>>> RedisStore::list(std::string_view username,
                                                         auth::Time now) {
  if (!may_serve()) co_return StoreError::unavailable;
  const std::string key = shared_.user_key(username);
  Texts command{"GET", key};
  const Result<Reply> index = co_await ask(std::move(command), key);
  if (!index) co_return index.error();
  std::vector<RedisUserEntry> entries = read_user_index(index->text);
  std::reverse(entries.begin(), entries.end());
  Texts keys;
  for (const RedisUserEntry& entry : entries) keys.push_back(shared_.family_key(entry.family));
  const Result<std::vector<Reply>> records = co_await read_all(std::move(keys));
  if (!records) co_return records.error();
  std::vector<Session> sessions;
  std::vector<AgentId> agents;
  std::vector<auth::FamilyId> gone;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    std::optional<RedisRecord> record = read_record((*records)[i].text);
    if (!record || !is_open(*record, now)) {
      gone.push_back(entries[i].family);
    } else if (record->session.username == username) {
      record->session.family = entries[i].family;
      sessions.push_back(std::move(record->session));
      agents.push_back(record->agent);
    }
  }
  const Result<void> named = co_await add_agents(sessions, agents);
  if (!named) co_return named.error();
  if (!gone.empty()) co_await leave(std::string(username), std::move(gone));
  co_return std::move(sessions);
}

}  // namespace proxy::store
