// A worker's set of what was revoked.
#include "proxy/store/revocations.h"

#include <gtest/gtest.h>

namespace proxy::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr auth::Time day_one{seconds{1'800'000'000}};

Revocation session(std::string id, auth::Time forget_at = day_one + minutes{15}) {
  Revocation revocation;
  revocation.session_id = std::move(id);
  revocation.username = "alice";
  revocation.at = day_one;
  revocation.forget_at = forget_at;
  return revocation;
}

Revocation user(std::string name, auth::Time at) {
  Revocation revocation;
  revocation.username = std::move(name);
  revocation.at = at;
  revocation.forget_at = at + minutes{15};
  return revocation;
}

TEST(Revocations, NothingIsRevokedAtFirst) {
  const Revocations revocations;
  EXPECT_TRUE(revocations.empty());
  EXPECT_FALSE(revocations.is_revoked("s", "alice", day_one));
  EXPECT_FALSE(revocations.is_revoked("", "", day_one));
}

TEST(Revocations, SessionIsRevokedWhateverItsTokensAge) {
  Revocations revocations;
  revocations.add(session("one"));
  EXPECT_TRUE(revocations.is_revoked("one", "alice", day_one - minutes{1}));
  EXPECT_TRUE(revocations.is_revoked("one", "alice", day_one + minutes{1}));
  EXPECT_FALSE(revocations.is_revoked("two", "alice", day_one)) << "only that session of alice";
  EXPECT_FALSE(revocations.is_revoked("", "alice", day_one));
}

TEST(Revocations, UserIsRevokedUpToTheSecondAndInIt) {
  Revocations revocations;
  revocations.add(user("alice", day_one + milliseconds{400}));
  EXPECT_TRUE(revocations.is_revoked("any", "alice", day_one - seconds{1}));
  EXPECT_TRUE(revocations.is_revoked("any", "alice", day_one));
  EXPECT_TRUE(revocations.is_revoked("any", "alice", day_one + milliseconds{999}));
  EXPECT_FALSE(revocations.is_revoked("any", "alice", day_one + seconds{1}));
  EXPECT_FALSE(revocations.is_revoked("any", "bob", day_one));
  EXPECT_FALSE(revocations.is_revoked("alice", "", day_one)) << "a user's name is no session id";
}

TEST(Revocations, OrderAndRepetitionDoNotMatter) {
  Revocations revocations;
  revocations.add(user("alice", day_one + seconds{10}));
  revocations.add(user("alice", day_one));
  EXPECT_TRUE(revocations.is_revoked("any", "alice", day_one + seconds{10}));
  revocations.add(session("one", day_one + minutes{30}));
  revocations.add(session("one", day_one + minutes{1}));
  revocations.sweep(day_one + minutes{2});
  EXPECT_TRUE(revocations.is_revoked("one", "bob", day_one));
}

TEST(Revocations, SweptWhenTheLastTokenHasExpired) {
  Revocations revocations;
  revocations.add(session("one"));
  revocations.add(user("alice", day_one));
  revocations.sweep(day_one + minutes{15} - milliseconds{1});
  EXPECT_TRUE(revocations.is_revoked("one", "", day_one));
  EXPECT_TRUE(revocations.is_revoked("", "alice", day_one));
  revocations.sweep(day_one + minutes{15});
  EXPECT_TRUE(revocations.empty());
}

TEST(Revocations, EntryForNobodyRevokesNobody) {
  Revocations revocations;
  revocations.add(Revocation{});
  EXPECT_TRUE(revocations.empty());
}

}  // namespace
}  // namespace proxy::store
