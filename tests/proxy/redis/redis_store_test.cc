// The contract of all stores over real Redis servers in each topology, and the script of the
// rotation rule against the rule in C++.
#include "proxy/store/redis_store.h"

#include "session_store_contract.h"
#include "temp_redis.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "auth/bytes.h"
#include "proxy/store/redis_scripts.h"
#include "proxy/store/revocation_follower.h"

namespace proxy::store {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

// One loop with a store and the follower of revocations, as a process with one worker has them.
class Process {
 public:
  Process(const redis::ClientOptions& options, const ContractOptions& contract)
      : shared_("test:", {contract.rules, contract.absolute_life, contract.access_life},
                [this](const Revocation& revocation) { published_.push_back(revocation); },
                [this](const Revocation&) { ++alarms_; }),
        store_(options, shared_),
        follower_(options, shared_) {
    store_.attach(loop_.get_executor());
    follower_.attach(loop_.get_executor());
  }
  ~Process() {
    follower_.detach();
    store_.detach();
  }
  void wait_until_up() {
    while (!shared_.health.is_up()) turn();
  }
  void turn() { net::Poller::of(loop_.get_executor()).poll_once(); }

  std::vector<Revocation> published_;
  int alarms_ = 0;
  RedisShared shared_;
  RedisStore store_;
  RevocationFollower follower_;
  boost::asio::io_context loop_;
};

template <class Servers>
class RedisHarness {
 public:
  explicit RedisHarness(const ContractOptions& options)
      : process_(Servers::options(), options) {
    process_.wait_until_up();
  }
  SessionStore& store() { return process_.store_; }
  auth::Time now() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return auth::Time{std::chrono::duration_cast<auth::milliseconds>(now) + passed_};
  }
  void pass(auth::milliseconds time) {
    // Proofs are told beside the calls.
    while (process_.store_.has_proofs()) process_.turn();
    static_cast<void>(await(process_.loop_, process_.store_.list("nobody", now())));
    passed_ += time;
    process_.shared_.clock_shift_ms = passed_.count();
  }
  boost::asio::io_context& loop() { return process_.loop_; }
  std::vector<Revocation> published() { return process_.published_; }

 private:
  auth::milliseconds passed_{0};
  Process process_;
};

// Servers are started once for all tests and emptied for each.
struct Standalone {
  static redis::TempRedis& server() {
    static redis::TempRedis redis;
    return redis;
  }
  static redis::ClientOptions options() {
    server().run({"FLUSHALL"});
    redis::ClientOptions options;
    options.endpoints = {server().endpoint()};
    options.link.command_timeout = seconds{10};
    return options;
  }
};

struct Cluster {
  static redis::ClientOptions options() {
    static redis::TempCluster cluster;
    for (std::size_t i = 0; i < 3; ++i) cluster.node(i).run({"FLUSHALL"});
    redis::ClientOptions options;
    options.mode = redis::Mode::cluster;
    options.endpoints = {cluster.endpoints().at(1)};
    options.link.command_timeout = seconds{10};
    return options;
  }
};

struct Sentinel {
  static redis::ClientOptions options() {
    static redis::TempRedis master;
    static redis::TempRedis sentinel({"--sentinel"});
    static const bool is_watched = [] {
      sentinel.run({"SENTINEL", "MONITOR", "mymaster", "127.0.0.1",
                    std::to_string(master.port()), "1"});
      return true;
    }();
    static_cast<void>(is_watched);
    master.run({"FLUSHALL"});
    redis::ClientOptions options;
    options.mode = redis::Mode::sentinel;
    // The first one is not there.
    options.endpoints = {net::Endpoint{"127.0.0.1", redis::free_port(), ""}, sentinel.endpoint()};
    options.master = "mymaster";
    options.link.command_timeout = options.sentinel.command_timeout = seconds{10};
    return options;
  }
};

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(Redis, SessionStoreContract, RedisHarness<Standalone>);
INSTANTIATE_TYPED_TEST_SUITE_P(RedisSentinel, SessionStoreContract, RedisHarness<Sentinel>);
INSTANTIATE_TYPED_TEST_SUITE_P(RedisCluster, SessionStoreContract, RedisHarness<Cluster>);

namespace {

class RedisStoreTest : public testing::Test {
 protected:
  RedisStoreTest() : process_(Standalone::options(), {}) { process_.wait_until_up(); }
  template <class T>
  T run(net::Task<T> task) {
    return await(process_.loop_, std::move(task));
  }
  static auth::Time now() {
    return std::chrono::time_point_cast<auth::milliseconds>(std::chrono::system_clock::now());
  }
  NewSession session_of(const std::string& username) {
    NewSession session;
    session.family = auth::new_family_id().value();
    session.username = username;
    session.user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
    session.address_prefix = "192.0.2.0/24";
    session.now = now();
    return session;
  }
  auth::FamilyId login(const std::string& username) {
    const NewSession session = session_of(username);
    return run(process_.store_.create(session)).value().family;
  }
  static redis::TempRedis& redis() { return Standalone::server(); }

  Process process_;
};

// What Redis says of all the keys of one session of one user.
TEST_F(RedisStoreTest, SessionTakesLessThan300Bytes) {
  const auth::FamilyId family = login("alice");
  const auto usage = [&](const std::string& key) {
    return std::stol(redis().run({"MEMORY", "USAGE", key}));
  };
  const long session = usage(process_.shared_.family_key(family));
  const long index = usage(process_.shared_.user_key("alice"));
  RecordProperty("session_bytes", static_cast<int>(session));
  RecordProperty("index_bytes", static_cast<int>(index));
  std::printf("session %ld bytes, its place in the user's list %ld\n", session, index);
  EXPECT_LT(session + index, 300);
}

// SECURITY K06: neither a token nor what one could be made from lies in Redis.
TEST_F(RedisStoreTest, NothingInRedisIsSecret) {
  const auth::FamilyId family = login("alice");
  static_cast<void>(run(process_.store_.rotate(family, 0, true, now())));
  std::string all = redis().run({"KEYS", "*"});
  for (const std::string& key : {process_.shared_.family_key(family),
                                 process_.shared_.user_key("alice")}) {
    all += redis().run({"GET", key});
  }
  EXPECT_EQ(all.find("gh1."), std::string::npos);
  EXPECT_EQ(all.find("eyJ"), std::string::npos);
}

// SECURITY K03.
TEST_F(RedisStoreTest, NamesCannotBecomeCommands) {
  const std::string name = "a\r\nFLUSHALL\r\n%s%n \x00{}*";
  const auth::FamilyId other = login("bob");
  const auth::FamilyId family = login(name);
  EXPECT_EQ(run(process_.store_.find(family, now())).value()->username, name);
  EXPECT_TRUE(run(process_.store_.find(other, now())).value());
  EXPECT_EQ(run(process_.store_.revoke_user(name, RevokeReason::admin, now())).value(), 1U);
  EXPECT_TRUE(run(process_.store_.find(other, now())).value());
}

// SECURITY X-29.
TEST_F(RedisStoreTest, ScriptFlushIsNotNoticed) {
  const auth::FamilyId family = login("alice");
  redis().run({"SCRIPT", "FLUSH"});
  EXPECT_EQ(run(process_.store_.rotate(family, 0, true, now()))->rotation.outcome,
            auth::Outcome::rotated);
}

TEST_F(RedisStoreTest, EmptiedRedisKnowsNobodyAndGoesOn) {
  const auth::FamilyId family = login("alice");
  redis().run({"FLUSHALL"});
  EXPECT_EQ(run(process_.store_.rotate(family, 0, true, now()))->rotation.outcome,
            auth::Outcome::dead);
  const auth::FamilyId again = login("alice");
  EXPECT_EQ(run(process_.store_.rotate(again, 0, true, now()))->rotation.outcome,
            auth::Outcome::rotated);
}

// SECURITY X-30: an error of the store says nothing about a token.
TEST_F(RedisStoreTest, WrongTypeIsAnOutageAndNoVerdict) {
  const auth::FamilyId family = login("alice");
  redis().run({"DEL", process_.shared_.family_key(family)});
  redis().run({"LPUSH", process_.shared_.family_key(family), "x"});
  const auto rotated = run(process_.store_.rotate(family, 0, true, now()));
  ASSERT_FALSE(rotated.has_value());
  EXPECT_EQ(rotated.error(), StoreError::unavailable);
}

TEST_F(RedisStoreTest, FullRedisIsAnOutageAndNoVerdict) {
  const auth::FamilyId family = login("alice");
  redis().run({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_FALSE(run(process_.store_.rotate(family, 0, true, now())).has_value());
  const NewSession wish = session_of("bob");
  EXPECT_FALSE(run(process_.store_.create(wish)).has_value());
  redis().run({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_EQ(run(process_.store_.rotate(family, 0, true, now()))->rotation.outcome,
            auth::Outcome::rotated);
}

// SECURITY K07: the first call behind a lost connection succeeds.
TEST_F(RedisStoreTest, KilledConnectionsAreNotNoticed) {
  const auth::FamilyId family = login("alice");
  for (std::uint64_t i = 0; i < 5; ++i) {
    redis().run({"CLIENT", "KILL", "TYPE", "normal"});
    const auto rotated = run(process_.store_.rotate(family, i, true, now()));
    ASSERT_TRUE(rotated.has_value()) << i;
    process_.shared_.clock_shift_ms += 31'000;
  }
}

TEST_F(RedisStoreTest, AnotherProcessLearnsOfARevocation) {
  Process other([] {
    redis::ClientOptions options;
    options.endpoints = {redis().endpoint()};
    return options;
  }(), {});
  other.wait_until_up();
  const auth::FamilyId family = login("alice");
  ASSERT_TRUE(run(process_.store_.revoke(family, RevokeReason::logout, now())).value());
  while (other.published_.empty()) other.turn();
  EXPECT_EQ(other.published_.at(0).session_id, auth::to_text(family));
  EXPECT_EQ(other.published_.at(0).username, "alice");
  EXPECT_EQ(other.published_.at(0).reason, RevokeReason::logout);
  EXPECT_LT(other.shared_.health.revocation_lag_ms.load(), 5'000);
  // Whoever starts later knows, too.
  Process late([] {
    redis::ClientOptions options;
    options.endpoints = {redis().endpoint()};
    return options;
  }(), {});
  late.wait_until_up();
  EXPECT_EQ(late.published_.size(), 1U);
}

// A failover that lost the writes of the last moment is as if they had never been.
TEST_F(RedisStoreTest, RevocationsThatRedisHasLostAreWrittenAgain) {
  const auth::FamilyId family = login("alice");
  const std::string key = process_.shared_.family_key(family);
  const std::string record = redis().run({"GET", key});
  ASSERT_TRUE(run(process_.store_.revoke(family, RevokeReason::logout, now())).value());
  ASSERT_TRUE(run(process_.store_.revoke_everybody(RevokeReason::admin, now())));
  redis().run({"DEL", process_.shared_.stream_key(), process_.shared_.everybody_key()});
  redis().run({"SET", key, record});
  redis().run({"CLIENT", "KILL", "TYPE", "normal"});
  while (redis().run({"XLEN", process_.shared_.stream_key()}) != "2") process_.turn();
  EXPECT_EQ(redis().run({"GET", key}), "x");
  EXPECT_NE(redis().run({"GET", process_.shared_.everybody_key()}), "");
}

// Of two revocations of one user only the later one was lost.
TEST_F(RedisStoreTest, ALaterRevocationOfTheSameUserIsWrittenAgain) {
  static_cast<void>(login("alice"));
  ASSERT_EQ(run(process_.store_.revoke_user("alice", RevokeReason::admin, now())).value(), 1U);
  process_.shared_.clock_shift_ms += 5'000;
  ASSERT_EQ(run(process_.store_.revoke_user("alice", RevokeReason::admin, now())).value(), 0U);
  const std::string stream = process_.shared_.stream_key();
  const std::string last = redis().run({"XREVRANGE", stream, "+", "-", "COUNT", "1"});
  redis().run({"XDEL", stream, last.substr(0, last.find('\n'))});
  redis().run({"DEL", process_.shared_.user_key("alice")});
  const std::string before = redis().run({"XLEN", stream});
  redis().run({"CLIENT", "KILL", "TYPE", "normal"});
  while (redis().run({"XLEN", stream}) == before) process_.turn();
  EXPECT_NE(redis().run({"GET", process_.shared_.user_key("alice")}), "");
}

TEST_F(RedisStoreTest, ReuseRingsOnceInTheProcessThatSawIt) {
  const auth::FamilyId family = login("alice");
  for (std::uint64_t i = 0; i < 3; ++i) {
    static_cast<void>(run(process_.store_.rotate(family, i, true, now())));
    process_.shared_.clock_shift_ms += 31'000;
  }
  EXPECT_EQ(run(process_.store_.rotate(family, 0, true, now()))->rotation.outcome,
            auth::Outcome::reuse);
  EXPECT_EQ(run(process_.store_.rotate(family, 0, true, now()))->rotation.outcome,
            auth::Outcome::dead);
  EXPECT_EQ(process_.alarms_, 1);
}

// 100,000 random operations, by the script on a real server and by the rule in C++: they agree.
class Differential : public RedisStoreTest {
 protected:
  redis::Reply call(const redis::Script& script, const std::string& key,
                    std::vector<std::string> arguments) {
    redis::Client::Arguments views(arguments.begin(), arguments.end());
    const std::string profile = key + "p";
    redis::Client::Arguments keys{key, profile};
    return run(process_.store_.client().script(script, keys, views, redis::Repeat::never)).reply;
  }
};

TEST_F(Differential, ScriptAndRuleAgree) {
  constexpr int operations = 100'000;
  std::mt19937_64 random(20'261'128);
  const auto below = [&](std::uint64_t bound) { return random() % bound; };
  std::int64_t shift = 0;
  int done = 0;
  while (done < operations) {
    const std::string key = "test:f{" + std::to_string(done) + "}";
    const auth::FamilyRules rules{.grace = seconds{below(3) * 15},
                                  .idle_life = hours{1 + below(3)}};
    const std::int64_t own_s = below(3) == 0 ? 1'800 : 0;
    const std::int64_t absolute_s = now().time_since_epoch().count() / 1'000 + shift / 1'000 +
                                    3'600 * static_cast<std::int64_t>(1 + below(5));
    const auto created = call(redis_scripts().create, key,
                              {std::to_string(shift), "1", std::to_string(absolute_s),
                               std::to_string(own_s > 0 ? own_s * 1'000 : rules.idle_life.count()),
                               std::to_string(own_s), "agent678mark", "", "u"});
    ASSERT_EQ(created.type, redis::Reply::Type::text) << created.text;
    auth::FamilyRecord model = read_record(created.text)->rotation;
    model.idle_life = seconds{own_s};
    for (int i = 0; i < 60 && !model.revoked; ++i, ++done) {
      // Mostly around the newest, sometimes far ahead or behind.
      const std::uint64_t from = model.gen > 3 ? model.gen - 3 : 0;
      const std::uint64_t shown = below(20) == 0 ? below(1U << 20) : from + below(6);
      shift += static_cast<std::int64_t>(below(4) == 0 ? below(1'200'000) : below(20'000));
      if (below(3) == 0) {
        const auto reply = call(redis_scripts().prove, key,
                                {std::to_string(shift), std::to_string(rules.grace.count()), "0",
                                 std::to_string(shown)});
        static_cast<void>(
            auth::prove(model, shown, auth::Time{auth::milliseconds{reply.integer}}, rules));
        continue;
      }
      const bool active = below(4) != 0;
      const auto reply = call(redis_scripts().rotate, key,
                              {std::to_string(shift), std::to_string(shown),
                               std::to_string(rules.grace.count()),
                               std::to_string(rules.idle_life.count()), active ? "1" : "0", "0",
                               "900000", "960000", "sid", "call"});
      ASSERT_EQ(reply.items.size(), 4U) << reply.text;
      const auth::Time at{auth::milliseconds{reply.items[2].integer}};
      const auth::Rotation expected = auth::rotate(model, shown, at, rules, active);
      ASSERT_EQ(reply.items[0].text, auth::name(expected.outcome)) << done;
      ASSERT_EQ(static_cast<std::uint64_t>(reply.items[1].integer), expected.generation) << done;
      if (expected.outcome == auth::Outcome::dead || model.revoked) break;
      const auto record = read_record(reply.items[3].text);
      ASSERT_TRUE(record);
      ASSERT_EQ(record->rotation.base, model.base);
      ASSERT_EQ(record->rotation.floor, model.floor);
      ASSERT_EQ(record->rotation.made_at, model.made_at);
      ASSERT_EQ(record->rotation.proven_at, model.proven_at);
      ASSERT_EQ(record->rotation.idle_expires_at, model.idle_expires_at);
    }
  }
}

}  // namespace
}  // namespace proxy::store
