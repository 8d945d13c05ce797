// The memory store: the contract of all stores, then what is its own: its bound, its sweeping, its
// memory, and several threads at once.
#include "proxy/store/memory_store.h"

#include "session_store_contract.h"
#include "tests/auth/allocations.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <mutex>
#include <thread>

namespace proxy::store {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr auth::Time start{seconds{1'800'000'000}};

class MemoryHarness {
 public:
  explicit MemoryHarness(const ContractOptions& options)
      : store_({.rules = options.rules,
                .absolute_life = options.absolute_life,
                .access_life = options.access_life},
               [this](const Revocation& revocation) { published_.push_back(revocation); }) {}

  SessionStore& store() { return store_; }
  [[nodiscard]] auth::Time now() const { return now_; }
  void pass(auth::milliseconds time) { now_ += time; }
  boost::asio::io_context& loop() { return loop_; }
  [[nodiscard]] std::vector<Revocation> published() const { return published_; }

 private:
  std::vector<Revocation> published_;
  MemoryStore store_;
  auth::Time now_ = start;
  boost::asio::io_context loop_{1};
};

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, SessionStoreContract, MemoryHarness);

namespace {

NewSession session_of(const std::string& username, auth::Time now) {
  NewSession session;
  session.family = auth::new_family_id().value();
  session.username = username;
  session.user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
  session.address_prefix = "2001:db8:ffff::/48";
  session.now = now;
  return session;
}

class MemoryStoreTest : public testing::Test {
 protected:
  explicit MemoryStoreTest(std::size_t sessions_max = 10)
      : store_({.sessions_max = sessions_max}, [this](const Revocation& revocation) {
          const std::lock_guard lock(mutex_);
          published_.push_back(revocation);
        }) {}

  Result<Session> create(const NewSession& session) { return await(loop_, store_.create(session)); }
  auth::FamilyId login(const std::string& username, auth::Time now) {
    return create(session_of(username, now)).value().family;
  }
  bool is_open(const auth::FamilyId& family, auth::Time now) {
    return await(loop_, store_.find(family, now)).value().has_value();
  }

  std::mutex mutex_;
  std::vector<Revocation> published_;
  boost::asio::io_context loop_{1};
  MemoryStore store_;
};

// SECURITY X-34.
TEST_F(MemoryStoreTest, FullStoreEndsTheOldestSessionOfTheSameUser) {
  const auth::FamilyId oldest = login("alice", start);
  const auth::FamilyId second = login("alice", start + seconds{1});
  std::vector<auth::FamilyId> others;
  for (int i = 0; i < 8; ++i) {
    others.push_back(login("bob", start));
  }
  ASSERT_EQ(store_.size(), 10U);
  const auth::Time now = start + seconds{2};
  const auth::FamilyId newest = login("alice", now);
  EXPECT_EQ(store_.size(), 10U);
  EXPECT_FALSE(is_open(oldest, now));
  EXPECT_TRUE(is_open(second, now));
  EXPECT_TRUE(is_open(newest, now));
  for (const auth::FamilyId& other : others) {
    EXPECT_TRUE(is_open(other, now));
  }
  ASSERT_EQ(published_.size(), 1U);
  EXPECT_EQ(published_[0].session_id, auth::to_text(oldest));
}

// SECURITY X-34.
TEST_F(MemoryStoreTest, FullStoreRefusesANewUserAndHarmsNobody) {
  std::vector<auth::FamilyId> others;
  for (int i = 0; i < 10; ++i) {
    others.push_back(login("bob" + std::to_string(i % 3), start));
  }
  const auto refused = create(session_of("alice", start));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), StoreError::full);
  EXPECT_EQ(store_.size(), 10U);
  for (const auth::FamilyId& other : others) {
    EXPECT_TRUE(is_open(other, start));
  }
}

// The password was right when it was checked, and has been changed before the session was there.
TEST_F(MemoryStoreTest, ALoginUnderWayDoesNotSurviveTheRevocationOfItsUser) {
  const auto revoked =
      await(loop_, store_.revoke_user("alice", RevokeReason::user_changed, start + seconds{1}));
  ASSERT_TRUE(revoked.has_value());
  const Result<Session> late = create(session_of("alice", start));
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error(), StoreError::unavailable);
  EXPECT_EQ(store_.size(), 0U);
  EXPECT_TRUE(create(session_of("alice", start + seconds{2})).has_value());
}

TEST_F(MemoryStoreTest, AShorterAccessLifeForgetsNoRevocationOfOlderTokens) {
  const auth::FamilyId family = login("alice", start);
  store_.set_options({.sessions_max = 10, .access_life = minutes{1}});
  ASSERT_TRUE(await(loop_, store_.revoke(family, RevokeReason::logout, start)).has_value());
  EXPECT_FALSE(store_.revocations(start + minutes{14}).empty());
}

TEST_F(MemoryStoreTest, ExpiredSessionsMakeRoom) {
  for (int i = 0; i < 10; ++i) {
    login("bob", start);
  }
  const auth::Time later = start + hours{24 * 8};
  // Each refused try cleans one stripe of 64.
  int tries = 0;
  while (!create(session_of("alice", later))) {
    ASSERT_LT(++tries, 64);
  }
  EXPECT_LE(store_.size(), 10U);
}

TEST_F(MemoryStoreTest, EndedSessionsGiveTheirRoomBackAtOnce) {
  const auth::FamilyId reused = login("alice", start);
  const auth::FamilyId expired = login("alice", start);
  const auth::FamilyId revoked = login("alice", start);
  static_cast<void>(await(loop_, store_.revoke(revoked, RevokeReason::logout, start)));
  EXPECT_EQ(store_.size(), 2U);
  static_cast<void>(await(loop_, store_.rotate(reused, 9, true, start)));
  static_cast<void>(await(loop_, store_.rotate(reused, 10, true, start + seconds{31})));
  const auto reuse = await(loop_, store_.rotate(reused, 0, true, start + seconds{62})).value();
  ASSERT_EQ(reuse.rotation.outcome, auth::Outcome::reuse);
  EXPECT_EQ(store_.size(), 1U);
  static_cast<void>(await(loop_, store_.rotate(expired, 0, true, start + hours{24 * 8})));
  EXPECT_EQ(store_.size(), 0U);
}

TEST_F(MemoryStoreTest, ExpiredSessionsAreSweptByUse) {
  store_.set_options({.sessions_max = 1'000});
  for (int i = 0; i < 500; ++i) {
    login("bob", start);
  }
  const auth::Time later = start + hours{24 * 8};
  for (int i = 0; i < 64 * 30; ++i) {
    static_cast<void>(await(loop_, store_.rotate(auth::new_family_id().value(), 0, true, later)));
  }
  EXPECT_EQ(store_.size(), 0U);
}

// SECURITY X-34: revocations are remembered for as long as a token could be shown, and no longer.
TEST_F(MemoryStoreTest, RevocationsAreKeptUntilTheLastTokenHasExpired) {
  const auth::milliseconds access_life = MemoryStoreOptions{}.access_life;
  for (int i = 0; i < 5'000; ++i) {
    static_cast<void>(await(
        loop_, store_.revoke(auth::new_family_id().value(), RevokeReason::logout, start)));
  }
  EXPECT_EQ(store_.revocations(start + access_life).size(), 5'000U);
  EXPECT_EQ(store_.revocations(start + access_life + seconds{2}).size(), 0U);
}

TEST_F(MemoryStoreTest, RevokingTheSameAgainTakesNoRoom) {
  const auth::FamilyId family = login("alice", start);
  for (int i = 0; i < 1'000; ++i) {
    static_cast<void>(await(
        loop_, store_.revoke(family, RevokeReason::logout, start + seconds{i})));
  }
  ASSERT_EQ(store_.revocations(start).size(), 1U);
  EXPECT_EQ(store_.revocations(start)[0].at, start + seconds{999});
  EXPECT_EQ(published_.size(), 1'000U);
}

TEST_F(MemoryStoreTest, NewRulesApplyAndFamiliesKeepTheirEnd) {
  const NewSession session = session_of("alice", start);
  const Session before = create(session).value();
  MemoryStoreOptions shorter;
  shorter.rules = {.grace = auth::milliseconds{0}, .idle_life = minutes{1}};
  shorter.absolute_life = hours{1};
  store_.set_options(shorter);
  const auto rotated = await(loop_, store_.rotate(session.family, 0, true, start)).value();
  EXPECT_EQ(rotated.session.absolute_expires_at, before.absolute_expires_at);
  EXPECT_EQ(rotated.session.idle_expires_at, start + minutes{1});
  const auto next = await(loop_, store_.rotate(session.family, 1, true, start)).value();
  EXPECT_EQ(next.rotation.outcome, auth::Outcome::rotated) << "grace is zero now";
  EXPECT_EQ(create(session_of("alice", start))->absolute_expires_at, start + hours{1});
}

// SECURITY H16.
TEST_F(MemoryStoreTest, DatesBeyond2038AreOrdinary) {
  for (const std::int64_t second : {2'147'483'600LL, 4'294'967'200LL, 253'402'300'799LL}) {
    const auth::Time now{seconds{second}};
    const auth::FamilyId family = login("alice", now);
    const auto rotated = await(loop_, store_.rotate(family, 0, true, now + seconds{100})).value();
    EXPECT_EQ(rotated.rotation.outcome, auth::Outcome::rotated) << second;
    EXPECT_GE(rotated.session.absolute_expires_at, now + hours{24 * 30});
  }
}

// SECURITY H01 and X-32: one rotation, however many ask at once.
TEST_F(MemoryStoreTest, ParallelRotationsOfOneTokenAreOneRotation) {
  constexpr int thread_count = 4;
  constexpr int rounds = 200;
  constexpr int shows = 25;
  const auth::FamilyId family = login("alice", start);
  std::atomic<std::uint64_t> shown{0};
  for (int round = 0; round < rounds; ++round) {
    const auth::Time now = start + seconds{31 * round};
    std::atomic<int> rotated{0};
    std::atomic<int> replayed{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < thread_count; ++t) {
      threads.emplace_back([&] {
        boost::asio::io_context loop{1};
        for (int i = 0; i < shows; ++i) {
          const auto one = await(loop, store_.rotate(family, shown, true, now)).value().rotation;
          if (one.generation != shown + 1) continue;
          rotated += one.outcome == auth::Outcome::rotated ? 1 : 0;
          replayed += one.outcome == auth::Outcome::replayed ? 1 : 0;
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    ASSERT_EQ(rotated, 1) << "round " << round;
    ASSERT_EQ(replayed, thread_count * shows - 1);
    ++shown;
  }
  EXPECT_TRUE(published_.empty());
}

// All calls against each other on few users, so that locks and chains meet. Every session that is
// left must be in its user's list and nowhere else.
TEST_F(MemoryStoreTest, ThreadsThatDoEverythingLeaveOrderBehind) {
  constexpr int thread_count = 4;
  store_.set_options({.sessions_max = 60});
  std::vector<std::thread> threads;
  for (int t = 0; t < thread_count; ++t) {
    threads.emplace_back([this, t] {
      boost::asio::io_context loop{1};
      std::vector<auth::FamilyId> mine;
      for (int i = 0; i < 3'000; ++i) {
        const auth::Time now = start + seconds{i};
        const std::string username = "user" + std::to_string((i + t) % 5);
        const NewSession session = session_of(username, now);
        if (await(loop, store_.create(session))) mine.push_back(session.family);
        if (mine.empty()) continue;
        const auth::FamilyId& some = mine[static_cast<std::size_t>(i) * 7 % mine.size()];
        const auto shown = static_cast<std::uint64_t>(i) % 3;
        static_cast<void>(await(loop, store_.rotate(some, shown, true, now)));
        store_.prove(some, 1, now);
        static_cast<void>(await(loop, store_.find(some, now)));
        if (i % 5 == 0) static_cast<void>(await(loop, store_.list(username, now)));
        if (i % 7 == 0) {
          static_cast<void>(await(loop, store_.revoke(some, RevokeReason::logout, now)));
        }
        if (i % 50 == 0) {
          static_cast<void>(await(loop, store_.revoke_user(username, RevokeReason::admin, now)));
        }
        if (i % 500 == 0) static_cast<void>(store_.save(now));
        const ThrottleKeys keys{username, "192.0.2.1"};
        static_cast<void>(await(loop, store_.note_login_failure(keys, default_throttle(), now)));
        static_cast<void>(await(loop, store_.throttled(keys, now)));
        static_cast<void>(await(loop, store_.note_login_success(keys, now)));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  std::size_t listed = 0;
  std::set<auth::FamilyId> families;
  for (int user = 0; user < 5; ++user) {
    const auto sessions =
        await(loop_, store_.list("user" + std::to_string(user), start)).value();
    listed += sessions.size();
    for (const Session& session : sessions) {
      families.insert(session.family);
      EXPECT_TRUE(is_open(session.family, start));
    }
  }
  EXPECT_EQ(listed, families.size());
  EXPECT_LE(store_.size(), 60U);
  EXPECT_EQ(store_.size(), listed);
}

// What malloc has given out, its own overhead included.
std::size_t allocated_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// SECURITY X-34: one session of each user, the costliest case.
TEST_F(MemoryStoreTest, SessionTakesAtMost256Bytes) {
  constexpr std::size_t count = is_instrumented() ? 10'000 : 200'000;
  store_.set_options({.sessions_max = count});
  const std::size_t before = allocated_bytes();
  for (std::size_t i = 0; i < count; ++i) {
    login("user" + std::to_string(i), start);
  }
  const std::size_t each = (allocated_bytes() - before) / count;
  RecordProperty("bytes_per_session", static_cast<int>(each));
  if (is_instrumented()) GTEST_SKIP() << "sanitizers have allocators of their own";
  EXPECT_LE(each, 256U);
  EXPECT_GE(each, 100U) << "the measurement must have seen the sessions";
}

}  // namespace
}  // namespace proxy::store
