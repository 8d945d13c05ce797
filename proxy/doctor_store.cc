// What gatehouse doctor asks of Redis: whether it answers, whether our user may do what is needed
// and no more, whether its clock agrees with ours, and whether it throws sessions away. On a loop
// of its own, for as long as it takes.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>

#include "proxy/doctor.h"
#include "proxy/net/poller.h"
#include "proxy/redis/client.h"
#include "proxy/store_options.h"
#include "proxy/worker_state.h"

namespace proxy {
namespace {

using Findings = std::vector<Finding>;
using enum Finding::Weight;
using std::chrono::milliseconds;

constexpr milliseconds skew_doubtful{1'000};
constexpr milliseconds skew_broken{30'000};
constexpr const char* rights = "give the user the rights of docs/redis.md";

struct Trial {
  const char* what;
  std::vector<std::string> words;
};

net::Task<redis::Answer> ask(redis::Client& client, const std::vector<std::string>& words,
                             const std::string& key) {
  redis::Client::Arguments arguments(words.begin(), words.end());
  co_return co_await client.command(std::move(arguments), key, redis::Repeat::never);
}

// Each kind of command that sessions need, on a key that is gone again afterwards.
std::vector<Trial> trials(const std::string& key) {
  return {{"write", {"SET", key, "1", "PX", "10000"}},
          {"read", {"GET", key}},
          {"run scripts", {"EVAL", "return redis.call('EXISTS', KEYS[1])", "1", key}},
          {"delete", {"DEL", key}},
          {"write streams", {"XADD", key, "MAXLEN", "1", "*", "f", "v"}},
          {"read streams", {"XRANGE", key, "-", "+", "COUNT", "1"}},
          {"delete", {"DEL", key}}};
}

net::Task<void> try_rights(redis::Client& client, const std::string& key, Findings& findings) {
  const std::vector<Trial> all = trials(key);
  bool is_right = true;
  for (const Trial& trial : all) {
    const redis::Answer answer = co_await ask(client, trial.words, key);
    if (answer.is_reply() && !answer.reply.is_error()) continue;
    is_right = false;
    const std::string why =
        answer.is_reply() ? answer.reply.text : std::string(redis::name(answer.failure));
    findings.push_back({broken, "Redis: our user may not " + std::string(trial.what) + ": " + why,
                        rights});
  }
  if (is_right) findings.push_back({fine, "Redis: our user may do what is needed", ""});
}

net::Task<void> compare_clocks(redis::Client& client, Findings& findings) {
  const std::vector<std::string> words{"TIME"};
  const redis::Answer answer = co_await ask(client, words, "");
  if (!answer.is_reply() || answer.reply.items.size() != 2) {
    findings.push_back({broken, "Redis: its time cannot be read", rights});
    co_return;
  }
  const auto theirs = milliseconds{std::atoll(answer.reply.items[0].text.c_str()) * 1'000 +
                                   std::atoll(answer.reply.items[1].text.c_str()) / 1'000};
  const auto skew = std::chrono::abs(wall_clock().time_since_epoch() - theirs);
  if (skew < skew_doubtful) {
    findings.push_back({fine, "Redis: its clock agrees with ours", ""});
    co_return;
  }
  findings.push_back({skew < skew_broken ? doubtful : broken,
                      "Redis: its clock and ours differ by " + std::to_string(skew.count()) + " ms",
                      "run NTP on both machines"});
}

// What a session store must not do, and what our user had better not be able to see.
net::Task<void> look_at_eviction(redis::Client& client, Findings& findings) {
  const std::vector<std::string> words{"CONFIG", "GET", "maxmemory-policy"};
  const redis::Answer answer = co_await ask(client, words, "");
  if (answer.failure == redis::Failure::unauthorized) {
    findings.push_back({fine, "Redis: our user may not change the server", ""});
    co_return;
  }
  if (!answer.is_reply() || answer.reply.items.size() != 2) co_return;
  findings.push_back({doubtful, "Redis: our user may do more than it needs", rights});
  const std::string& policy = answer.reply.items[1].text;
  if (policy == "noeviction") co_return;
  findings.push_back({doubtful,
                      "Redis: when it is full it throws sessions away (" + policy +
                          "), and their users are logged out",
                      "set maxmemory-policy noeviction"});
}

net::Task<void> examine_redis(redis::Client& client, std::string key, Findings& findings) {
  const std::vector<std::string> words{"PING"};
  const redis::Answer answer = co_await ask(client, words, "");
  if (!answer.is_reply() || answer.reply.is_error()) {
    std::string why = answer.is_reply() ? answer.reply.text : client.trouble();
    if (why.empty()) why = redis::name(answer.failure);
    findings.push_back({broken, "Redis does not answer: " + why,
                        "check store.redis: address, password, TLS; docs/redis.md"});
    co_return;
  }
  findings.push_back({fine, "Redis answers", ""});
  co_await try_rights(client, key, findings);
  co_await compare_clocks(client, findings);
  co_await look_at_eviction(client, findings);
}

}  // namespace

std::vector<Finding> examine_store(const config::Config& config) {
  Findings findings;
  if (config.store_kind != config::StoreKind::redis) {
    if (config.memory.snapshot_file.empty()) {
      findings.push_back({doubtful, "sessions are in memory, so a restart ends all of them",
                          "set store.memory.snapshot_file, or keep sessions in Redis"});
    } else {
      findings.push_back({fine, "sessions are in memory, and saved over a restart", ""});
    }
    return findings;
  }
  std::vector<StoreProblem> problems;
  redis::ClientOptions options = redis_options(config.redis, problems);
  for (const StoreProblem& problem : problems) {
    findings.push_back({broken, problem.key + ": " + problem.message, "correct that file"});
  }
  if (!problems.empty()) return findings;
  boost::asio::io_context loop;
  net::Poller& poller = net::Poller::of(loop.get_executor());
  redis::Client client(std::move(options));
  client.attach(loop.get_executor());
  boost::asio::co_spawn(loop, examine_redis(client, config.redis.key_prefix + "doctor", findings),
                        [&poller](std::exception_ptr) { poller.stop(); });
  poller.run();
  client.detach();
  return findings;
}

}  // namespace proxy
