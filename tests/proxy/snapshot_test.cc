// The memory store across a planned restart: what comes back, what never may, and files that are
// not what they should be.
#include "proxy/store/snapshot.h"

#include "session_store_contract.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

namespace proxy::store {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr auth::Time opening{seconds{1'800'000'000}};

class SnapshotTest : public testing::Test {
 protected:
  SnapshotTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "snapshot.XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    file_ = directory_ + "/sessions";
  }
  ~SnapshotTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  template <class T>
  T run(net::Task<T> task) {
    return await(loop_, std::move(task));
  }
  auth::FamilyId login(MemoryStore& store, const std::string& username, auth::Time now = opening) {
    NewSession session;
    session.family = auth::new_family_id().value();
    session.username = username;
    session.user_agent = "Browser/1.0";
    session.address_prefix = "192.0.2.0/24";
    session.now = now;
    return run(store.create(session)).value().family;
  }
  std::string read_file() {
    std::ifstream in(file_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write_file(std::string_view bytes) {
    std::ofstream(file_, std::ios::binary).write(bytes.data(),
                                                 static_cast<std::streamsize>(bytes.size()));
  }
  [[nodiscard]] bool has_file() const { return std::filesystem::exists(file_); }

  boost::asio::io_context loop_{1};
  std::string directory_;
  std::string file_;
  const std::string key_ = std::string(32, 'k');
};

TEST_F(SnapshotTest, SessionsGoOnWhereTheyWere) {
  MemoryStore before({}, nullptr);
  const auth::FamilyId fresh = login(before, "alice", opening - seconds{10});
  const auth::FamilyId used = login(before, "alice");
  ASSERT_EQ(run(before.rotate(used, 0, true, opening)).value().rotation.generation, 1U);
  const Session described = run(before.find(used, opening)).value().value();
  ASSERT_EQ(write_snapshot(before, file_, key_, opening), "");

  MemoryStore after({}, nullptr);
  const SnapshotRead read = read_snapshot(after, file_, key_, opening + seconds{5});
  EXPECT_EQ(read.error, "");
  EXPECT_EQ(read.sessions, 2U);
  const Session found = run(after.find(used, opening + seconds{5})).value().value();
  EXPECT_EQ(found.username, described.username);
  EXPECT_EQ(found.user_agent, described.user_agent);
  EXPECT_EQ(found.address_prefix, described.address_prefix);
  EXPECT_EQ(found.created_at, described.created_at);
  EXPECT_EQ(found.last_seen_at, described.last_seen_at);
  EXPECT_EQ(found.idle_expires_at, described.idle_expires_at);
  EXPECT_EQ(found.absolute_expires_at, described.absolute_expires_at);
  const auto listed = run(after.list("alice", opening + seconds{5})).value();
  ASSERT_EQ(listed.size(), 2U);
  EXPECT_EQ(listed[0].family, used);
  EXPECT_EQ(listed[1].family, fresh);
  // Grace, floor and base came along: replayed now, reuse once it is over and was proven.
  EXPECT_EQ(run(after.rotate(used, 0, true, opening + seconds{5})).value().rotation.outcome,
            auth::Outcome::replayed);
  after.prove(used, 1, opening + seconds{31});
  EXPECT_EQ(run(after.rotate(used, 0, true, opening + seconds{62})).value().rotation.outcome,
            auth::Outcome::reuse);
}

TEST_F(SnapshotTest, ProofComesAlong) {
  MemoryStore before({}, nullptr);
  const auth::FamilyId family = login(before, "alice");
  static_cast<void>(run(before.rotate(family, 0, true, opening)));
  before.prove(family, 1, opening + seconds{31});
  ASSERT_EQ(write_snapshot(before, file_, key_, opening + seconds{32}), "");
  MemoryStore after({}, nullptr);
  ASSERT_EQ(read_snapshot(after, file_, key_, opening + seconds{33}).sessions, 1U);
  EXPECT_EQ(run(after.rotate(family, 0, true, opening + seconds{62})).value().rotation.outcome,
            auth::Outcome::reuse);
}

TEST_F(SnapshotTest, RevokedSessionsNeverComeBack) {
  MemoryStore before({}, nullptr);
  const auth::FamilyId revoked = login(before, "alice");
  const auth::FamilyId kept = login(before, "bob");
  static_cast<void>(run(before.revoke(revoked, RevokeReason::logout, opening)));
  static_cast<void>(run(before.revoke_user("carol", RevokeReason::admin, opening)));
  ASSERT_EQ(write_snapshot(before, file_, key_, opening), "");

  MemoryStore after({}, nullptr);
  EXPECT_EQ(read_snapshot(after, file_, key_, opening).sessions, 1U);
  EXPECT_FALSE(run(after.find(revoked, opening)).value());
  EXPECT_TRUE(run(after.find(kept, opening)).value());
  // Access tokens of the revoked are still out there, so their entries came along.
  EXPECT_EQ(after.revocations(opening).size(), 2U);
  EXPECT_EQ(after.revocations(opening + minutes{16}).size(), 0U);
}

// A revocation between the two, known to the store that loads, wins over what the file says.
TEST_F(SnapshotTest, KnownRevocationWinsOverTheFile) {
  MemoryStore before({}, nullptr);
  const auth::FamilyId one = login(before, "alice");
  const auth::FamilyId two = login(before, "bob");
  const std::string bytes = before.save(opening);
  MemoryStore after({}, nullptr);
  static_cast<void>(run(after.revoke(one, RevokeReason::logout, opening + seconds{1})));
  static_cast<void>(run(after.revoke_user("bob", RevokeReason::admin, opening + seconds{1})));
  EXPECT_EQ(after.load(bytes, opening + seconds{2}), 0U);
  EXPECT_FALSE(run(after.find(one, opening + seconds{2})).value());
  EXPECT_FALSE(run(after.find(two, opening + seconds{2})).value());
}

TEST_F(SnapshotTest, ExpiredSessionsStayAway) {
  MemoryStore before({}, nullptr);
  login(before, "alice");
  const std::string bytes = before.save(opening);
  MemoryStore after({}, nullptr);
  EXPECT_EQ(after.load(bytes, opening + hours{24 * 8}), 0U);
  EXPECT_EQ(after.size(), 0U);
}

TEST_F(SnapshotTest, BansComeAlong) {
  const ThrottleKeys keys{"alice", "192.0.2.1"};
  MemoryStore before({}, nullptr);
  for (int i = 0; i < 5; ++i) {
    static_cast<void>(run(before.note_login_failure(keys, default_throttle(), opening)));
  }
  const std::string bytes = before.save(opening);
  MemoryStore after({}, nullptr);
  ASSERT_TRUE(after.load(bytes, opening + minutes{1}));
  EXPECT_EQ(run(after.throttled(keys, opening + minutes{1})).value(), minutes{4});
}

TEST_F(SnapshotTest, SmallerStoreTakesWhatItHolds) {
  MemoryStore before({}, nullptr);
  for (int i = 0; i < 10; ++i) {
    login(before, "user" + std::to_string(i), opening + seconds{i});
  }
  const std::string bytes = before.save(opening + seconds{10});
  MemoryStore after({.sessions_max = 4}, nullptr);
  EXPECT_EQ(after.load(bytes, opening + seconds{10}), 4U);
  EXPECT_EQ(after.size(), 4U);
}

TEST_F(SnapshotTest, FileIsPrivateSealedAndUsedOnce) {
  MemoryStore before({}, nullptr);
  login(before, "alice-in-the-snapshot");
  write_file("what was there before");
  ASSERT_EQ(write_snapshot(before, file_, key_, opening), "");
  struct stat status {};
  ASSERT_EQ(::stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  EXPECT_EQ(read_file().find("alice-in-the-snapshot"), std::string::npos);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);

  MemoryStore after({}, nullptr);
  EXPECT_EQ(read_snapshot(after, file_, key_, opening).sessions, 1U);
  EXPECT_FALSE(has_file());
  EXPECT_EQ(read_snapshot(after, file_, key_, opening).sessions, 0U);
}

TEST_F(SnapshotTest, MissingFileIsNoError) {
  MemoryStore store({}, nullptr);
  const SnapshotRead read = read_snapshot(store, file_, key_, opening);
  EXPECT_EQ(read.error, "");
  EXPECT_EQ(read.sessions, 0U);
}

TEST_F(SnapshotTest, EachDamagedByteIsReportedAndTheFileIsGone) {
  MemoryStore before({}, nullptr);
  login(before, "alice");
  ASSERT_EQ(write_snapshot(before, file_, key_, opening), "");
  const std::string good = read_file();
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x40);
    write_file(bad);
    MemoryStore after({}, nullptr);
    const SnapshotRead read = read_snapshot(after, file_, key_, opening);
    ASSERT_NE(read.error, "") << "byte " << at;
    ASSERT_EQ(after.size(), 0U);
    ASSERT_FALSE(has_file());
  }
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, good.size() - 1}) {
    write_file(std::string_view(good).substr(0, length));
    MemoryStore after({}, nullptr);
    EXPECT_NE(read_snapshot(after, file_, key_, opening).error, "") << length;
  }
}

TEST_F(SnapshotTest, OtherKeyIsReportedAndTheFileIsGone) {
  MemoryStore before({}, nullptr);
  login(before, "alice");
  for (const std::string& other : {std::string(32, 'x'), std::string{}}) {
    ASSERT_EQ(write_snapshot(before, file_, key_, opening), "");
    MemoryStore after({}, nullptr);
    EXPECT_NE(read_snapshot(after, file_, other, opening).error, "");
    EXPECT_EQ(after.size(), 0U);
    EXPECT_FALSE(has_file());
  }
  EXPECT_NE(write_snapshot(before, file_, "", opening), "");
  EXPECT_FALSE(has_file());
}

TEST_F(SnapshotTest, WhatIsNoFileIsReported) {
  MemoryStore store({}, nullptr);
  std::filesystem::create_directory(file_);
  EXPECT_NE(read_snapshot(store, file_, key_, opening).error, "");
  EXPECT_NE(write_snapshot(store, file_, key_, opening), "");
  std::filesystem::remove(file_);
  // A link could point at somebody else's file.
  ASSERT_EQ(write_snapshot(store, directory_ + "/real", key_, opening), "");
  std::filesystem::create_symlink(directory_ + "/real", file_);
  EXPECT_NE(read_snapshot(store, file_, key_, opening).error, "");
  EXPECT_TRUE(std::filesystem::exists(directory_ + "/real"));
  EXPECT_NE(write_snapshot(store, directory_ + "/missing/sessions", key_, opening), "");
}

TEST_F(SnapshotTest, LeftOverTemporaryFileIsNoObstacle) {
  MemoryStore store({}, nullptr);
  std::ofstream(file_ + ".new") << "half a snapshot";
  EXPECT_EQ(write_snapshot(store, file_, key_, opening), "");
  EXPECT_FALSE(std::filesystem::exists(file_ + ".new"));
}

// What a seal cannot stop: another version of the program, or a mistake in this one.
TEST_F(SnapshotTest, BytesThatAreNoSnapshotAreRefusedAsAWhole) {
  MemoryStore before({}, nullptr);
  login(before, "alice");
  login(before, "bob");
  static_cast<void>(run(before.revoke_user("carol", RevokeReason::admin, opening)));
  const std::string good = before.save(opening);
  for (std::size_t length = 0; length < good.size(); ++length) {
    MemoryStore after({}, nullptr);
    ASSERT_FALSE(after.load(std::string_view(good).substr(0, length), opening)) << length;
    ASSERT_EQ(after.size(), 0U);
    ASSERT_TRUE(after.revocations(opening).empty());
  }
  MemoryStore after({}, nullptr);
  EXPECT_FALSE(after.load(good + "x", opening));
  std::string other_version = good;
  other_version[other_version.find("4\n")] = '5';
  EXPECT_FALSE(after.load(other_version, opening));
  EXPECT_EQ(after.load(good, opening), 2U);
}

// The end of its only session, an idle life, an empty profile and no password mark, is followed by
// the counts of two empty lists.
TEST_F(SnapshotTest, FilesOfVersionZeroOneAreRead) {
  MemoryStore before({}, nullptr);
  const auth::FamilyId family = login(before, "alice");
  std::string old = before.save(opening);
  old[old.find("4\n")] = '1';
  old.erase(old.size() - 5 * 8, 3 * 8);
  MemoryStore after({}, nullptr);
  ASSERT_EQ(after.load(old, opening), 1U);
  const auto rotated = run(after.rotate(family, 0, true, opening + hours{1})).value();
  EXPECT_EQ(rotated.session.idle_expires_at, opening + hours{1} + hours{24 * 7});
}

TEST_F(SnapshotTest, OwnLivesAndTheEndOfEverybodyComeAlong) {
  MemoryStore before({}, nullptr);
  login(before, "bob");
  ASSERT_TRUE(run(before.revoke_everybody(RevokeReason::admin, opening)));
  NewSession wish;
  wish.family = auth::new_family_id().value();
  wish.username = "alice";
  wish.now = opening + seconds{2};
  wish.idle_life = hours{2};
  ASSERT_TRUE(run(before.create(wish)));
  MemoryStore after({}, nullptr);
  ASSERT_EQ(after.load(before.save(opening + seconds{3}), opening + seconds{3}), 1U);
  EXPECT_TRUE(after.revocations(opening).at(0).is_for_everybody());
  const auto rotated =
      run(after.rotate(wish.family, 0, true, opening + hours{1})).value();
  EXPECT_EQ(rotated.session.idle_expires_at, opening + hours{3});
}

TEST_F(SnapshotTest, RandomDamageNeverCrashes) {
  MemoryStore before({}, nullptr);
  for (int i = 0; i < 5; ++i) {
    login(before, "alice");
  }
  static_cast<void>(run(before.revoke_user("carol", RevokeReason::admin, opening)));
  const std::string good = before.save(opening);
  std::mt19937_64 random(4);
  for (int i = 0; i < 5'000; ++i) {
    std::string bad = good;
    for (int changes = 1 + static_cast<int>(random() % 4); changes > 0; --changes) {
      bad[random() % bad.size()] = static_cast<char>(random());
    }
    MemoryStore after({.sessions_max = 3}, nullptr);
    static_cast<void>(after.load(bad, opening));
    ASSERT_LE(after.size(), 3U);
  }
}

// SECURITY H16.
TEST_F(SnapshotTest, DatesBeyond2038AreKept) {
  const auth::Time now{seconds{4'294'967'300LL}};
  MemoryStore before({}, nullptr);
  const auth::FamilyId family = login(before, "alice", now);
  MemoryStore after({}, nullptr);
  ASSERT_EQ(after.load(before.save(now), now), 1U);
  EXPECT_EQ(run(after.find(family, now)).value()->created_at, now);
}

}  // namespace
}  // namespace proxy::store
