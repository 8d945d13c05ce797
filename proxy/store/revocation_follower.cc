// See revocation_follower.h.
#include "proxy/store/revocation_follower.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <charconv>
#include <chrono>
#include <utility>

#include "proxy/metrics.h"
#include "proxy/net/timer.h"
#include "proxy/store/redis_scripts.h"

namespace proxy::store {
namespace {

using redis::Reply;
using std::chrono::milliseconds;

// How long Redis holds an answer back while there is nothing new.
constexpr milliseconds block_time{1'000};
constexpr milliseconds retry_pause{100};
// Clocks drift apart and are set: the lag is measured against one that was read not long ago.
constexpr milliseconds clock_life{60'000};
// At 400 bytes an entry well below the bound of a reply.
constexpr const char* entries_at_once = "500";

redis::ClientOptions patient(redis::ClientOptions options) {
  options.link.command_timeout += block_time;
  return options;
}

std::int64_t number(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::int64_t steady_ms() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

auth::Time time_of(std::string_view text) { return auth::Time{milliseconds{number(text)}}; }

RevokeReason reason_of(std::string_view text) {
  for (const RevokeReason reason :
       {RevokeReason::logout, RevokeReason::logout_all, RevokeReason::login, RevokeReason::reuse,
        RevokeReason::admin, RevokeReason::user_changed, RevokeReason::expired}) {
    if (name(reason) == text) return reason;
  }
  return RevokeReason::admin;
}

Revocation read_entry(const Reply& fields) {
  Revocation revocation;
  for (std::size_t i = 0; i + 1 < fields.items.size(); i += 2) {
    const std::string& field = fields.items[i].text;
    const std::string& value = fields.items[i + 1].text;
    if (field == "sid") revocation.session_id = value;
    if (field == "user") revocation.username = value;
    if (field == "at") revocation.at = time_of(value);
    if (field == "until") revocation.forget_at = time_of(value);
    if (field == "reason") revocation.reason = reason_of(value);
  }
  return revocation;
}

std::string identity(const Revocation& revocation) {
  if (!revocation.session_id.empty()) return "s" + revocation.session_id;
  return "u" + revocation.username;
}

}  // namespace

RevocationFollower::RevocationFollower(redis::ClientOptions options, RedisShared& shared)
    : client_(patient(std::move(options))), shared_(shared) {}

void RevocationFollower::attach(const net::Executor& executor) {
  client_.attach(executor);
  boost::asio::co_spawn(executor, run(), [](std::exception_ptr) {});
}

void RevocationFollower::install(redis::ClientOptions options) {
  client_.install(patient(std::move(options)));
}

void RevocationFollower::detach() {
  is_detached_ = true;
  client_.detach();
}

std::int64_t RevocationFollower::redis_now_ms() const { return clock_offset_ms_ + steady_ms(); }

void RevocationFollower::note_contact() {
  shared_.health.last_read_ms.store(steady_ms(), std::memory_order_relaxed);
}

net::Task<bool> RevocationFollower::ask(std::vector<std::string> command, std::string_view key,
                                        Reply& reply) {
  redis::Client::Arguments views(command.begin(), command.end());
  // Never repeated by itself: a connection that was lost is a gap, which catch_up() heals.
  redis::Answer answer = co_await client_.command(std::move(views), key, redis::Repeat::never);
  if (!answer.is_reply() || answer.reply.is_error()) {
    const std::string why = client_.trouble();
    if (answer.reply.is_error()) {
      trouble_ = answer.reply.text;
    } else {
      trouble_ = why.empty() ? std::string(redis::name(answer.failure)) : why;
    }
    co_return false;
  }
  reply = std::move(answer.reply);
  note_contact();
  co_return true;
}

net::Task<void> RevocationFollower::run() {
  net::Timer pause(client_.executor());
  while (!is_detached_) {
    bool goes_on = co_await catch_up();
    if (goes_on) shared_.health.set_up();
    while (goes_on && !is_detached_) goes_on = co_await follow();
    if (is_detached_) break;
    shared_.health.set_down(trouble_);
    pause.expires_after(retry_pause);
    co_await pause.async_wait(net::as_result);
  }
}

// Redis' clock, and since when everybody's sessions are over.
net::Task<bool> RevocationFollower::read_clock_and_end() {
  Reply reply;
  std::vector<std::string> time{"TIME"};
  const bool told = co_await ask(std::move(time), shared_.stream_key(), reply);
  if (!told) co_return false;
  if (reply.items.size() != 2) co_return false;
  const std::int64_t us = number(reply.items[0].text) * 1'000'000 + number(reply.items[1].text);
  clock_read_ms_ = steady_ms();
  clock_offset_ms_ = us / 1'000 - clock_read_ms_;
  std::vector<std::string> get{"GET", shared_.everybody_key()};
  const bool read = co_await ask(std::move(get), shared_.everybody_key(), reply);
  if (!read) co_return false;
  if (!reply.text.empty()) shared_.set_not_before(time_of(reply.text));
  co_return true;
}

// Tries everything once that we shall need, on a key that does not exist: whoever forgot a right
// reads its name in /readyz, and not in the first user's complaint.
net::Task<bool> RevocationFollower::check_rights() {
  const std::string key = shared_.stream_key() + ":{rights}";
  const std::vector<std::vector<std::string>> commands{
      {"PING"}, {"TIME"}, {"GET", key}, {"MGET", key}, {"SET", key, "x", "PX", "1"},
      {"DEL", key}, {"EXISTS", key}, {"PTTL", key}, {"XADD", key, "NOMKSTREAM", "*", "a", "b"},
      {"XRANGE", key, "-", "+"}, {"XREAD", "STREAMS", key, "0"}, {"EVAL", "return 1", "1", key},
      {"EVALSHA", std::string(40, '0'), "1", key}};
  std::string missing;
  for (const std::vector<std::string>& command : commands) {
    redis::Client::Arguments views(command.begin(), command.end());
    redis::Answer answer = co_await client_.command(std::move(views), key, redis::Repeat::never);
    if (answer.failure != redis::Failure::none && !answer.reply.is_error()) {
      trouble_ = client_.trouble();
      co_return false;
    }
    if (answer.reply.text.find("NOPERM") != std::string::npos) missing += " " + command.front();
  }
  if (!missing.empty()) {
    trouble_ = "the ACL user lacks the right to (or for our keys):" + missing;
    co_return false;
  }
  has_rights_ = true;
  co_return true;
}

net::Task<bool> RevocationFollower::catch_up() {
  if (!has_rights_) {
    const bool has_all = co_await check_rights();
    if (!has_all) co_return false;
  }
  const bool has_clock = co_await read_clock_and_end();
  if (!has_clock) co_return false;
  const auth::Time now{milliseconds{redis_now_ms()}};
  // What is known now must be there; what is revoked from now on is not looked for.
  const std::vector<Revocation> known = shared_.log.all(now);
  Seen seen;
  last_id_ = std::to_string(redis_now_ms() - shared_.horizon().count()) + "-0";
  const std::string& key = shared_.stream_key();
  for (;;) {
    Reply entries;
    std::vector<std::string> command{"XRANGE", key, "(" + last_id_, "+", "COUNT", entries_at_once};
    const bool read = co_await ask(std::move(command), key, entries);
    if (!read) co_return false;
    if (entries.items.empty()) break;
    take(entries, &seen);
  }
  std::vector<Revocation> lost;
  for (const Revocation& revocation : known) {
    const auto found = seen.find(identity(revocation));
    if (found == seen.end() || found->second < revocation.at) lost.push_back(revocation);
  }
  const bool is_whole = co_await rewrite_lost(std::move(lost));
  co_return is_whole;
}

net::Task<bool> RevocationFollower::rewrite_lost(std::vector<Revocation> lost) {
  for (const Revocation& revocation : lost) {
    const bool written = co_await rewrite(revocation);
    if (!written) co_return false;
  }
  co_return true;
}

// As it was: the tombstone, the mark of the user or of everybody, and the entry.
net::Task<bool> RevocationFollower::rewrite(const Revocation& revocation) {
  Reply reply;
  if (!revocation.session_id.empty()) {
    const auto family = auth::family_from_text(revocation.session_id);
    const std::string key = family ? shared_.family_key(*family) : std::string();
    const std::string life = std::to_string(shared_.access_life().count() + 1'000);
    std::vector<std::string> command{"SET", key, "x", "PX", life};
    if (family) {
      const bool written = co_await ask(std::move(command), key, reply);
      if (!written) co_return false;
    }
  } else if (revocation.is_for_everybody()) {
    const std::string& key = shared_.everybody_key();
    std::vector<std::string> command{
        "SET", key, std::to_string(revocation.at.time_since_epoch().count())};
    const bool written = co_await ask(std::move(command), key, reply);
    if (!written) co_return false;
  } else {
    const std::string key = shared_.user_key(revocation.username);
    std::vector<std::string> command{
        "EVAL", redis_scripts().end_user.text, "1", key, "0",
        std::to_string(shared_.user_mark_life().count()),
        std::to_string(revocation.at.time_since_epoch().count())};
    const bool written = co_await ask(std::move(command), key, reply);
    if (!written) co_return false;
  }
  const std::string& key = shared_.stream_key();
  std::vector<std::string> command{
      "XADD", key, "*", "sid", revocation.session_id, "user", revocation.username,
      "at", std::to_string(revocation.at.time_since_epoch().count()),
      "until", std::to_string(revocation.forget_at.time_since_epoch().count()),
      "reason", std::string(name(revocation.reason))};
  co_return co_await ask(std::move(command), key, reply);
}

// One wait for news. FLUSHALL takes the stream away: what comes after it has later ids.
net::Task<bool> RevocationFollower::follow() {
  Reply reply;
  if (steady_ms() - clock_read_ms_ > clock_life.count()) {
    const bool has_clock = co_await read_clock_and_end();
    if (!has_clock) co_return false;
  }
  const std::string& key = shared_.stream_key();
  std::vector<std::string> command{"XREAD", "COUNT", entries_at_once, "BLOCK",
                                   std::to_string(block_time.count()), "STREAMS", key, last_id_};
  const bool read = co_await ask(std::move(command), key, reply);
  if (!read) co_return false;
  for (const Reply& stream : reply.items) {
    if (stream.items.size() == 2) take(stream.items[1], nullptr);
  }
  co_return true;
}

void RevocationFollower::take(const Reply& entries, Seen* seen) {
  for (const Reply& entry : entries.items) {
    if (entry.items.size() != 2) continue;
    last_id_ = entry.items[0].text;
    const Revocation revocation = read_entry(entry.items[1]);
    if (seen != nullptr) {
      auth::Time& latest = (*seen)[identity(revocation)];
      latest = std::max(latest, revocation.at);
    }
    const std::int64_t now = redis_now_ms();
    if (revocation.forget_at.time_since_epoch().count() <= now) continue;
    shared_.learn(revocation, auth::Time{milliseconds{now}});
    count(Metric::revocations_followed);
    if (seen != nullptr) continue;
    const std::int64_t lag = std::max<std::int64_t>(redis_now_ms() - number(last_id_), 0);
    shared_.health.revocation_lag_ms.store(lag, std::memory_order_relaxed);
    observe(Metric::revocation_delivery, milliseconds{lag});
  }
}

}  // namespace proxy::store
