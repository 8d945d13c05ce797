// RedisStore: what the calls about sessions are made of, login counters and buckets. See
// redis_store.h.
#include <algorithm>
#include <chrono>
#include <utility>

#include "proxy/metrics.h"
#include "proxy/store/redis_scripts.h"
#include "proxy/store/redis_store.h"

namespace proxy::store {
namespace {

using redis::Repeat;
using redis::Reply;

std::string ms_text(auth::milliseconds time) { return std::to_string(time.count()); }

// The label of a metric: what the server said, as far as it is one of these, or what became of us.
std::string_view kind_of(const redis::Answer& answer) {
  if (answer.reply.is_error()) {
    for (const std::string_view code :
         {"LOADING", "MASTERDOWN", "BUSY", "READONLY", "NOAUTH", "NOPERM", "WRONGPASS", "MOVED",
          "ASK", "TRYAGAIN", "CLUSTERDOWN", "OOM", "MISCONF", "WRONGTYPE", "NOREPLICAS"}) {
      if (answer.reply.text.find(code) != std::string::npos) return code;
    }
    return "other";
  }
  return redis::name(answer.failure);
}

void note_duration(std::chrono::steady_clock::time_point began) {
  const auto took = std::chrono::steady_clock::now() - began;
  observe(Metric::store_latency, std::chrono::duration_cast<std::chrono::microseconds>(took));
}

// Each part carries its length: the account "a" from address "b1" is not "ab" from "1".
std::string counter_name(char kind, std::string_view account, std::string_view address) {
  std::string name(1, kind);
  name.append(std::to_string(account.size())).append(":").append(account).append(address);
  return name;
}

}  // namespace

Result<Reply> RedisStore::judge(redis::Answer answer) {
  if (answer.is_reply() && !answer.reply.is_error()) return std::move(answer.reply);
  count(Metric::store_errors, kind_of(answer));
  return StoreError::unavailable;
}

net::Task<Result<Reply>> RedisStore::run(const redis::Script& script, Texts keys, Texts arguments,
                                         Repeat repeat) {
  return run_by(client_, script, std::move(keys), std::move(arguments), repeat);
}

net::Task<Result<Reply>> RedisStore::ask(Texts arguments, std::string_view key) {
  return ask_by(client_, std::move(arguments), key);
}

net::Task<Result<Reply>> RedisStore::run_by(redis::Client& way, const redis::Script& script,
                                            Texts keys, Texts arguments, Repeat repeat) {
  const auto began = std::chrono::steady_clock::now();
  const std::string shift = std::to_string(shared_.clock_shift_ms.load(std::memory_order_relaxed));
  redis::Client::Arguments key_views(keys.begin(), keys.end());
  redis::Client::Arguments views{shift};
  views.insert(views.end(), arguments.begin(), arguments.end());
  redis::Answer answer =
      co_await way.script(script, std::move(key_views), std::move(views), repeat);
  note_duration(began);
  co_return judge(std::move(answer));
}

net::Task<Result<Reply>> RedisStore::ask_by(redis::Client& way, Texts arguments,
                                            std::string_view key) {
  const auto began = std::chrono::steady_clock::now();
  redis::Client::Arguments views(arguments.begin(), arguments.end());
  redis::Answer answer = co_await way.command(std::move(views), key, Repeat::once);
  note_duration(began);
  co_return judge(std::move(answer));
}

// An entry of its own on the stream, tried again once: a lost answer makes two of it at most. A
// script, since what is too old is so by Redis' clock.
net::Task<Result<void>> RedisStore::tell(const Revocation& revocation) {
  Texts keys{shared_.stream_key()};
  Texts arguments{ms_text(shared_.horizon()), revocation.session_id, revocation.username,
                  ms_text(revocation.at.time_since_epoch()),
                  ms_text(revocation.forget_at.time_since_epoch()),
                  std::string(name(revocation.reason))};
  const Result<Reply> reply = co_await run_by(revoking(), redis_scripts().tell, std::move(keys),
                                              std::move(arguments), Repeat::once);
  if (!reply) co_return reply.error();
  co_return Result<void>{};
}

// A new connection has written nothing, and whoever waits there is told at once that all is well:
// it must be the one of before.
net::Task<bool> RedisStore::wait_for_replicas(std::string_view key,
                                              redis::Client::Route before) {
  const std::uint32_t wanted = shared_.wait_replicas();
  if (wanted == 0) co_return true;
  constexpr std::chrono::milliseconds patience{200};
  Texts command{"WAIT", std::to_string(wanted), ms_text(patience)};
  const Result<Reply> reply = co_await ask_by(revoking(), std::move(command), key);
  const bool is_same = revoking().route_of(key) == before;
  co_return reply && is_same && reply->integer >= static_cast<std::int64_t>(wanted);
}

net::Task<void> RedisStore::leave(std::string username, std::vector<auth::FamilyId> families) {
  Texts keys{shared_.user_key(username)};
  Texts arguments;
  for (const auth::FamilyId& family : families) arguments.emplace_back(as_text(family));
  // What stays in the list although it is over is left out when the list is read.
  static_cast<void>(co_await run(redis_scripts().leave, std::move(keys), std::move(arguments),
                                 Repeat::once));
}

net::Task<Result<std::vector<Reply>>> RedisStore::read_all(Texts keys) {
  std::vector<Reply> values;
  if (keys.empty()) co_return values;
  if (!is_cluster()) {
    const std::string first = keys.front();
    keys.insert(keys.begin(), "MGET");
    const std::size_t count = keys.size() - 1;
    Result<Reply> reply = co_await ask(std::move(keys), first);
    if (!reply) co_return reply.error();
    if (reply->items.size() != count) co_return StoreError::unavailable;
    values = std::move(reply->items);
    co_return values;
  }
  for (const std::string& key : keys) {
    Texts command{"GET", key};
    Result<Reply> reply = co_await ask(std::move(command), key);
    if (!reply) co_return reply.error();
    values.push_back(std::move(*reply));
  }
  co_return values;
}

net::Task<Result<void>> RedisStore::add_agents(std::vector<Session>& sessions,
                                               const std::vector<AgentId>& agents) {
  Texts keys;
  for (const AgentId& agent : agents) {
    keys.push_back(shared_.agent_key(std::string_view(agent.data(), agent.size())));
  }
  const Result<std::vector<Reply>> names = co_await read_all(std::move(keys));
  if (!names) co_return names.error();
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    const std::string& text = (*names)[i].text;
    const std::string_view agent(agents[i].data(), agents[i].size());
    if (text.starts_with(agent)) sessions[i].user_agent = text.substr(agent.size());
  }
  co_return Result<void>{};
}

// One script for all counters, or one for each where they lie on different servers; the longest
// wait that any of them gives.
net::Task<Result<std::int64_t>> RedisStore::run_for_counters(const redis::Script& script,
                                                             Texts keys, Texts arguments,
                                                             std::size_t per_key,
                                                             Repeat repeat) {
  if (!is_cluster()) {
    const Result<Reply> reply =
        co_await run(script, std::move(keys), std::move(arguments), repeat);
    if (!reply) co_return reply.error();
    if (reply->type != Reply::Type::integer) co_return StoreError::unavailable;
    co_return reply->integer;
  }
  std::int64_t longest = 0;
  const std::size_t common = arguments.size() - per_key * keys.size();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto own = arguments.begin() + static_cast<std::ptrdiff_t>(common + i * per_key);
    Texts some(arguments.begin(), arguments.begin() + static_cast<std::ptrdiff_t>(common));
    some.insert(some.end(), own, own + static_cast<std::ptrdiff_t>(per_key));
    Texts key{keys[i]};
    const Result<Reply> reply = co_await run(script, std::move(key), std::move(some), repeat);
    if (!reply) co_return reply.error();
    if (reply->type != Reply::Type::integer) co_return StoreError::unavailable;
    longest = std::max(longest, reply->integer);
  }
  co_return longest;
}

net::Task<Result<auth::milliseconds>> RedisStore::throttled(const ThrottleKeys& names,
                                                            auth::Time) {
  Texts keys{shared_.counter_key(counter_name('b', names.account, names.address)),
             shared_.counter_key(counter_name('u', names.account, "")),
             shared_.counter_key(counter_name('a', "", names.address))};
  Texts none;
  const Result<std::int64_t> wait = co_await run_for_counters(
      redis_scripts().throttled, std::move(keys), std::move(none), 0, Repeat::once);
  if (!wait) co_return wait.error();
  co_return auth::milliseconds{*wait};
}

net::Task<Result<void>> RedisStore::note_login_failure(const ThrottleKeys& names,
                                                       const ThrottleRules& rules, auth::Time) {
  Texts keys{shared_.counter_key(counter_name('b', names.account, names.address)),
             shared_.counter_key(counter_name('u', names.account, "")),
             shared_.counter_key(counter_name('a', "", names.address))};
  Texts arguments{ms_text(rules.ban)};
  for (const auth::ThrottleRate& rate : {rules.account_and_address, rules.account, rules.address}) {
    arguments.push_back(std::to_string(rate.count));
    arguments.push_back(ms_text(rate.window));
  }
  const Result<std::int64_t> noted = co_await run_for_counters(
      redis_scripts().fail, std::move(keys), std::move(arguments), 2, Repeat::never);
  if (!noted) co_return noted.error();
  co_return Result<void>{};
}

net::Task<Result<void>> RedisStore::note_login_success(const ThrottleKeys& names, auth::Time) {
  const std::string key =
      shared_.counter_key(counter_name('b', names.account, names.address));
  Texts command{"DEL", key};
  const Result<Reply> reply = co_await ask(std::move(command), key);
  if (!reply) co_return reply.error();
  co_return Result<void>{};
}

net::Task<Result<auth::milliseconds>> RedisStore::take(std::string_view bucket,
                                                       const auth::BucketRate& rate, auth::Time) {
  if (rate.count == 0) co_return auth::milliseconds{0};
  Texts keys{shared_.bucket_key(bucket)};
  Texts arguments{std::to_string(rate.window.count() * 1'000 / rate.count),
                  std::to_string(std::max<std::uint32_t>(rate.burst, 1))};
  const Result<Reply> reply =
      co_await run(redis_scripts().take, std::move(keys), std::move(arguments), Repeat::never);
  if (!reply) co_return reply.error();
  if (reply->type != Reply::Type::integer) co_return StoreError::unavailable;
  co_return auth::milliseconds{reply->integer};
}

}  // namespace proxy::store
