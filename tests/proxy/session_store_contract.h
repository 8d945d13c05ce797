// What every SessionStore owes its callers, as one suite that is run over each of them:
//
//   INSTANTIATE_TYPED_TEST_SUITE_P(Memory, SessionStoreContract, MemoryHarness);
//
// A harness is made anew for each test with ContractOptions. It has a store(), its now(), pass() to
// let time go by without sleeping, loop() to run coroutines on, and published(), which returns
// every revocation that workers have been told of so far.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "proxy/net/poller.h"
#include "proxy/store/session_store.h"

namespace proxy::store {

struct ContractOptions {
  auth::FamilyRules rules{};
  auth::milliseconds absolute_life{30LL * 24 * 3600 * 1000};
  auth::milliseconds access_life{15 * 60 * 1000};
};

// Runs one coroutine to its end on `loop`.
template <class T>
T await(boost::asio::io_context& loop, net::Task<T> task) {
  std::optional<T> result;
  std::exception_ptr failure;
  boost::asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error, T value) {
    failure = error;
    result.emplace(std::move(value));
  });
  net::Poller& poller = net::Poller::of(loop.get_executor());
  while (!result && !failure) poller.poll_once();
  if (failure) std::rethrow_exception(failure);
  return std::move(*result);
}

template <class Harness>
class SessionStoreContract : public testing::Test {
 protected:
  SessionStore& store() { return harness_.store(); }
  auth::Time now() { return harness_.now(); }
  void pass(auth::milliseconds time) { harness_.pass(time); }
  template <class T>
  T await(net::Task<T> task) {
    return store::await(harness_.loop(), std::move(task));
  }

  Session login(const std::string& username) {
    NewSession session;
    session.family = auth::new_family_id().value();
    session.username = username;
    session.user_agent = "Browser/1.0";
    session.address_prefix = "192.0.2.0/24";
    session.now = now();
    return await(store().create(session)).value();
  }
  Rotated rotate(const auth::FamilyId& family, std::uint64_t generation) {
    return await(store().rotate(family, generation, true, now())).value();
  }
  auth::Outcome outcome(const auth::FamilyId& family, std::uint64_t generation) {
    return rotate(family, generation).rotation.outcome;
  }
  bool is_open(const auth::FamilyId& family) {
    return await(store().find(family, now())).value().has_value();
  }
  std::vector<Session> list(const std::string& username) {
    return await(store().list(username, now())).value();
  }
  bool was_published(const auth::FamilyId& family) {
    const std::vector<Revocation> all = harness_.published();
    return std::any_of(all.begin(), all.end(), [&](const Revocation& revocation) {
      return revocation.session_id == auth::to_text(family);
    });
  }

  Harness harness_{ContractOptions{}};
};

TYPED_TEST_SUITE_P(SessionStoreContract);

TYPED_TEST_P(SessionStoreContract, LoginIsFound) {
  const auth::Time before = this->now();
  const Session made = this->login("alice");
  const auto found = this->await(this->store().find(made.family, this->now())).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->family, made.family);
  EXPECT_EQ(found->username, "alice");
  EXPECT_EQ(found->user_agent, "Browser/1.0");
  EXPECT_EQ(found->address_prefix, "192.0.2.0/24");
  EXPECT_EQ(found->generation, 0U);
  EXPECT_GE(found->created_at, before);
  EXPECT_EQ(found->absolute_expires_at, made.absolute_expires_at);
  EXPECT_GE(found->absolute_expires_at, before + ContractOptions{}.absolute_life);
  EXPECT_GE(found->idle_expires_at, before + ContractOptions{}.rules.idle_life);
}

TYPED_TEST_P(SessionStoreContract, LongUserAgentIsCut) {
  NewSession session;
  session.family = auth::new_family_id().value();
  session.username = "alice";
  session.user_agent = std::string(5'000, 'u');
  session.now = this->now();
  ASSERT_TRUE(this->await(this->store().create(session)));
  EXPECT_EQ(this->list("alice").at(0).user_agent, std::string(200, 'u'));
}

TYPED_TEST_P(SessionStoreContract, ProfileAndPasswordMarkAreKept) {
  NewSession wish;
  wish.family = auth::new_family_id().value();
  wish.username = "dora";
  wish.profile = R"({"username":"dora"})" + std::string(3'000, ' ');
  wish.password_mark = 0xfe01'02ffU;
  wish.now = this->now();
  ASSERT_TRUE(this->await(this->store().create(wish)));
  const Session other = this->login("alice");
  const auto profile = [this](const auth::FamilyId& family) {
    return this->await(this->store().profile(family, this->now())).value();
  };
  EXPECT_EQ(profile(wish.family), wish.profile);
  const auto rotated = this->await(this->store().rotate(wish.family, 0, true, this->now()));
  EXPECT_EQ(rotated->session.password_mark, wish.password_mark);
  EXPECT_EQ(profile(other.family), "");
  EXPECT_EQ(profile(auth::new_family_id().value()), "");
  ASSERT_TRUE(this->await(this->store().revoke(wish.family, RevokeReason::logout, this->now())));
  EXPECT_EQ(profile(wish.family), "");
}

TYPED_TEST_P(SessionStoreContract, UnknownFamilyIsDeadAndNobodys) {
  const Rotated rotated = this->rotate(auth::new_family_id().value(), 0);
  EXPECT_EQ(rotated.rotation.outcome, auth::Outcome::dead);
  EXPECT_EQ(rotated.session.username, "");
}

TYPED_TEST_P(SessionStoreContract, RotationNamesTheUserAndTheGeneration) {
  const Session made = this->login("alice");
  const Rotated rotated = this->rotate(made.family, 0);
  EXPECT_EQ(rotated.rotation.outcome, auth::Outcome::rotated);
  EXPECT_EQ(rotated.rotation.generation, 1U);
  EXPECT_EQ(rotated.session.username, "alice");
  EXPECT_EQ(rotated.session.generation, 1U);
  EXPECT_EQ(rotated.session.family, made.family);
  EXPECT_EQ(rotated.session.absolute_expires_at, made.absolute_expires_at);
}

TYPED_TEST_P(SessionStoreContract, SameTokenWithinGraceGetsTheSameSuccessor) {
  const Session made = this->login("alice");
  EXPECT_EQ(this->rotate(made.family, 0).rotation.generation, 1U);
  for (int i = 0; i < 10; ++i) {
    const Rotated again = this->rotate(made.family, 0);
    EXPECT_EQ(again.rotation.outcome, auth::Outcome::replayed);
    EXPECT_EQ(again.rotation.generation, 1U);
    this->pass(auth::milliseconds{1'000});
  }
}

// SECURITY H02.
TYPED_TEST_P(SessionStoreContract, ReuseEndsTheFamilyAndIsPublished) {
  const Session made = this->login("alice");
  const Session other = this->login("alice");
  for (std::uint64_t generation = 0; generation < 3; ++generation) {
    ASSERT_EQ(this->outcome(made.family, generation), auth::Outcome::rotated);
    this->pass(std::chrono::seconds{31});
  }
  EXPECT_FALSE(this->was_published(made.family));
  const Rotated reuse = this->rotate(made.family, 1);
  EXPECT_EQ(reuse.rotation.outcome, auth::Outcome::reuse);
  EXPECT_EQ(reuse.session.username, "alice");
  EXPECT_TRUE(this->was_published(made.family));
  EXPECT_EQ(this->outcome(made.family, 3), auth::Outcome::dead);
  EXPECT_FALSE(this->is_open(made.family));
  EXPECT_TRUE(this->is_open(other.family));
}

TYPED_TEST_P(SessionStoreContract, LostAnswerIsReissuedUntilTheSuccessorIsProven) {
  const Session made = this->login("alice");
  ASSERT_EQ(this->outcome(made.family, 0), auth::Outcome::rotated);
  this->pass(std::chrono::seconds{31});
  const Rotated reissued = this->rotate(made.family, 0);
  EXPECT_EQ(reissued.rotation.outcome, auth::Outcome::reissued);
  EXPECT_EQ(reissued.rotation.generation, 2U);
  this->pass(std::chrono::seconds{31});
  this->store().prove(made.family, 2, this->now());
  this->pass(std::chrono::seconds{31});
  EXPECT_EQ(this->outcome(made.family, 0), auth::Outcome::reuse);
}

TYPED_TEST_P(SessionStoreContract, ProofOfAnUnknownFamilyIsHarmless) {
  this->store().prove(auth::new_family_id().value(), 7, this->now());
  EXPECT_TRUE(this->list("alice").empty());
}

TYPED_TEST_P(SessionStoreContract, TokenAheadOfTheStoreRepairs) {
  const Session made = this->login("alice");
  const Rotated rotated = this->rotate(made.family, 4);
  EXPECT_EQ(rotated.rotation.outcome, auth::Outcome::repaired);
  EXPECT_EQ(rotated.rotation.generation, 5U);
}

// SECURITY H04.
TYPED_TEST_P(SessionStoreContract, IdleAndAbsoluteEndAreKept) {
  const Session idle = this->login("alice");
  const Session busy = this->login("alice");
  this->pass(std::chrono::hours{24 * 6});
  EXPECT_EQ(this->outcome(busy.family, 0), auth::Outcome::rotated);
  this->pass(std::chrono::hours{24 * 2});
  EXPECT_FALSE(this->is_open(idle.family));
  EXPECT_EQ(this->outcome(idle.family, 0), auth::Outcome::dead);
  std::uint64_t shown = 1;
  while (this->now() < busy.absolute_expires_at) {
    const Rotated rotated = this->rotate(busy.family, shown);
    ASSERT_EQ(rotated.rotation.outcome, auth::Outcome::rotated);
    EXPECT_LE(rotated.session.idle_expires_at, busy.absolute_expires_at);
    shown = rotated.rotation.generation;
    this->pass(std::chrono::hours{24});
  }
  EXPECT_FALSE(this->is_open(busy.family));
  EXPECT_EQ(this->outcome(busy.family, shown), auth::Outcome::dead);
}

// A page that refreshes by itself, with nobody before it, keeps no session open.
TYPED_TEST_P(SessionStoreContract, RotationWithoutAVisitorExtendsNothing) {
  const Session made = this->login("alice");
  this->pass(std::chrono::hours{24 * 6});
  const Rotated quiet =
      this->await(this->store().rotate(made.family, 0, false, this->now())).value();
  EXPECT_EQ(quiet.rotation.outcome, auth::Outcome::rotated);
  EXPECT_EQ(quiet.session.idle_expires_at, made.idle_expires_at);
  EXPECT_EQ(quiet.session.last_seen_at, made.last_seen_at);
  this->pass(std::chrono::hours{24 * 2});
  EXPECT_EQ(this->outcome(made.family, 1), auth::Outcome::dead);
}

// "Remember me".
TYPED_TEST_P(SessionStoreContract, SessionMayHaveLivesOfItsOwn) {
  NewSession wish;
  wish.family = auth::new_family_id().value();
  wish.username = "alice";
  wish.now = this->now();
  wish.idle_life = std::chrono::hours{24 * 60};
  wish.absolute_life = std::chrono::hours{24 * 90};
  const Session made = this->await(this->store().create(wish)).value();
  EXPECT_GE(made.idle_expires_at, wish.now + *wish.idle_life);
  EXPECT_GE(made.absolute_expires_at, wish.now + *wish.absolute_life);
  this->pass(std::chrono::hours{24 * 50});
  EXPECT_EQ(this->outcome(made.family, 0), auth::Outcome::rotated);
  this->pass(std::chrono::hours{24 * 35});
  EXPECT_TRUE(this->is_open(made.family));
  const Rotated last = this->rotate(made.family, 1);
  EXPECT_EQ(last.rotation.outcome, auth::Outcome::rotated);
  EXPECT_EQ(last.session.idle_expires_at, made.absolute_expires_at);
  this->pass(std::chrono::hours{24 * 5} + std::chrono::seconds{1});
  EXPECT_EQ(this->outcome(made.family, 2), auth::Outcome::dead);
}

TYPED_TEST_P(SessionStoreContract, RevokingEverybodyEndsAllAndMeansNoLaterLogin) {
  const Session hers = this->login("alice");
  const Session his = this->login("bob");
  const auth::Time at = this->now();
  ASSERT_TRUE(this->await(this->store().revoke_everybody(RevokeReason::admin, at)));
  EXPECT_EQ(this->outcome(hers.family, 0), auth::Outcome::dead);
  EXPECT_FALSE(this->is_open(his.family));
  EXPECT_TRUE(this->list("bob").empty());
  const std::vector<Revocation> published = this->harness_.published();
  const auto all = std::find_if(published.begin(), published.end(),
                                [](const Revocation& one) { return one.is_for_everybody(); });
  ASSERT_NE(all, published.end());
  EXPECT_GE(all->at, at);
  EXPECT_GE(all->forget_at, all->at + ContractOptions{}.access_life);
  const Session again = this->login("alice");
  EXPECT_GT(std::chrono::floor<std::chrono::seconds>(again.created_at), all->at);
  EXPECT_TRUE(this->is_open(again.family));
  EXPECT_EQ(this->outcome(again.family, 0), auth::Outcome::rotated);
}

TYPED_TEST_P(SessionStoreContract, BucketGivesItsBurstAndThenItsRate) {
  const auth::BucketRate rate{.count = 2, .window = std::chrono::seconds{20}, .burst = 3};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(this->await(this->store().take("a", rate, this->now())).value().count(), 0) << i;
  }
  const auto wait = this->await(this->store().take("a", rate, this->now())).value();
  EXPECT_GT(wait, std::chrono::seconds{5});
  EXPECT_LE(wait, std::chrono::seconds{10});
  EXPECT_EQ(this->await(this->store().take("b", rate, this->now())).value().count(), 0);
  this->pass(std::chrono::seconds{10});
  EXPECT_EQ(this->await(this->store().take("a", rate, this->now())).value().count(), 0);
  EXPECT_GT(this->await(this->store().take("a", rate, this->now())).value().count(), 0);
}

// SECURITY H18: when revoke has answered, it has happened, for the store and for all workers.
TYPED_TEST_P(SessionStoreContract, RevokedIsClosedAndPublished) {
  const Session made = this->login("alice");
  const Session other = this->login("alice");
  const auth::Time at = this->now();
  EXPECT_TRUE(this->await(this->store().revoke(made.family, RevokeReason::logout, at)).value());
  EXPECT_FALSE(this->is_open(made.family));
  EXPECT_TRUE(this->is_open(other.family));
  EXPECT_EQ(this->outcome(made.family, 0), auth::Outcome::dead);
  EXPECT_TRUE(this->was_published(made.family));
  const Revocation last = this->harness_.published().back();
  EXPECT_EQ(last.username, "alice");
  EXPECT_EQ(last.reason, RevokeReason::logout);
  EXPECT_GE(last.at, at);
  EXPECT_GE(last.forget_at, last.at + ContractOptions{}.access_life);
}

TYPED_TEST_P(SessionStoreContract, RevokingWhatIsNotOpenIsPublishedToo) {
  const auth::FamilyId unknown = auth::new_family_id().value();
  EXPECT_FALSE(
      this->await(this->store().revoke(unknown, RevokeReason::logout, this->now())).value());
  EXPECT_TRUE(this->was_published(unknown));
}

// SECURITY H17.
TYPED_TEST_P(SessionStoreContract, RevokingAUserEndsAllOfTheirsAndOnlyThose) {
  std::vector<Session> hers{this->login("alice"), this->login("alice"), this->login("alice")};
  const Session his = this->login("alice2");
  const auth::Time at = this->now();
  EXPECT_EQ(this->await(this->store().revoke_user("alice", RevokeReason::admin, at)).value(), 3U);
  for (const Session& session : hers) {
    EXPECT_EQ(this->outcome(session.family, 0), auth::Outcome::dead);
  }
  EXPECT_TRUE(this->is_open(his.family));
  EXPECT_TRUE(this->list("alice").empty());
  const std::vector<Revocation> published = this->harness_.published();
  const auto user = std::find_if(published.begin(), published.end(), [](const Revocation& one) {
    return one.session_id.empty() && one.username == "alice";
  });
  ASSERT_NE(user, published.end());
  EXPECT_EQ(user->reason, RevokeReason::admin);
  EXPECT_GE(user->at, at);
  EXPECT_GE(user->forget_at, user->at + ContractOptions{}.access_life);
}

TYPED_TEST_P(SessionStoreContract, RevokingAUserWithoutSessionsIsPublished) {
  EXPECT_EQ(this->await(this->store().revoke_user("bob", RevokeReason::admin, this->now())).value(),
            0U);
  EXPECT_FALSE(this->harness_.published().empty());  // perhaps twice, by who follows as well
}

// An access token of the second of a user-wide revocation is refused, so a login right after it is
// dated into the next one.
TYPED_TEST_P(SessionStoreContract, LoginRightAfterAUserWideRevocationIsNotMeantByIt) {
  this->login("alice");
  const auth::Time at = this->now();
  ASSERT_TRUE(this->await(this->store().revoke_user("alice", RevokeReason::logout_all, at)));
  const Session again = this->login("alice");
  using std::chrono::floor;
  using std::chrono::seconds;
  EXPECT_GT(floor<seconds>(again.created_at), floor<seconds>(at));
  EXPECT_LE(again.created_at, this->now() + seconds{1});
  EXPECT_TRUE(this->is_open(again.family));
  EXPECT_EQ(this->rotate(again.family, 0).session.created_at, again.created_at);
}

TYPED_TEST_P(SessionStoreContract, ListIsNewestFirstAndOnlyOpenOnes) {
  std::vector<auth::FamilyId> families;
  for (int i = 0; i < 5; ++i) {
    families.push_back(this->login("alice").family);
    this->login("bob");
    this->pass(std::chrono::seconds{1});
  }
  ASSERT_TRUE(this->await(this->store().revoke(families[2], RevokeReason::logout, this->now())));
  std::vector<auth::FamilyId> listed;
  for (const Session& session : this->list("alice")) {
    listed.push_back(session.family);
  }
  EXPECT_EQ(listed,
            (std::vector<auth::FamilyId>{families[4], families[3], families[1], families[0]}));
  EXPECT_TRUE(this->list("carol").empty());
}

TYPED_TEST_P(SessionStoreContract, OldestSessionOfAUserMakesRoom) {
  const Session first = this->login("alice");
  for (std::size_t i = 1; i <= sessions_per_user_max; ++i) static_cast<void>(this->login("alice"));
  EXPECT_EQ(this->list("alice").size(), sessions_per_user_max);
  EXPECT_FALSE(this->is_open(first.family));
  EXPECT_TRUE(this->was_published(first.family));
}

TYPED_TEST_P(SessionStoreContract, LastSeenFollowsUse) {
  const Session made = this->login("alice");
  this->pass(std::chrono::seconds{100});
  ASSERT_EQ(this->outcome(made.family, 0), auth::Outcome::rotated);
  const Session seen = this->list("alice").at(0);
  EXPECT_GE(seen.last_seen_at, made.created_at + std::chrono::seconds{100});
  EXPECT_EQ(seen.created_at, made.created_at);
}

// SECURITY H06: whoever plants a family id in a browser gets nothing by the victim's login.
TYPED_TEST_P(SessionStoreContract, KnownFamilyIsNeverAdopted) {
  const Session planted = this->login("mallory");
  NewSession session;
  session.family = planted.family;
  session.username = "alice";
  session.now = this->now();
  EXPECT_FALSE(this->await(this->store().create(session)));
  const auto found = this->await(this->store().find(planted.family, this->now())).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->username, "mallory");
  EXPECT_TRUE(this->list("alice").empty());
}

// The rates of the default configuration.
inline ThrottleRules default_throttle() {
  using std::chrono::hours;
  using std::chrono::minutes;
  return {{5, minutes{2}}, {50, hours{1}}, {100, minutes{2}}, minutes{5}};
}

// SECURITY A12 and I05.
TYPED_TEST_P(SessionStoreContract, SixthTryOfAnAccountFromAnAddressIsThrottled) {
  const ThrottleKeys keys{"alice", "192.0.2.1"};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(this->await(this->store().throttled(keys, this->now())).value().count(), 0) << i;
    ASSERT_TRUE(
        this->await(this->store().note_login_failure(keys, default_throttle(), this->now())));
  }
  const auto wait = this->await(this->store().throttled(keys, this->now())).value();
  EXPECT_GT(wait, std::chrono::minutes{4});
  EXPECT_LE(wait, std::chrono::minutes{5});
  const ThrottleKeys elsewhere{"alice", "192.0.2.2"};
  EXPECT_EQ(this->await(this->store().throttled(elsewhere, this->now())).value().count(), 0);
  this->pass(std::chrono::minutes{5});
  EXPECT_EQ(this->await(this->store().throttled(keys, this->now())).value().count(), 0);
}

TYPED_TEST_P(SessionStoreContract, AccountIsThrottledWhicheverAddressesAreUsed) {
  for (int i = 0; i < 50; ++i) {
    const ThrottleKeys keys{"alice", "192.0.2." + std::to_string(i)};
    ASSERT_EQ(this->await(this->store().throttled(keys, this->now())).value().count(), 0) << i;
    ASSERT_TRUE(
        this->await(this->store().note_login_failure(keys, default_throttle(), this->now())));
  }
  const ThrottleKeys fresh{"alice", "198.51.100.1"};
  EXPECT_GT(this->await(this->store().throttled(fresh, this->now())).value().count(), 0);
  const ThrottleKeys other{"bob", "198.51.100.1"};
  EXPECT_EQ(this->await(this->store().throttled(other, this->now())).value().count(), 0);
}

TYPED_TEST_P(SessionStoreContract, AddressIsThrottledWhicheverAccountsAreTried) {
  for (int i = 0; i < 100; ++i) {
    const ThrottleKeys keys{"user" + std::to_string(i), "192.0.2.1"};
    ASSERT_EQ(this->await(this->store().throttled(keys, this->now())).value().count(), 0) << i;
    ASSERT_TRUE(
        this->await(this->store().note_login_failure(keys, default_throttle(), this->now())));
  }
  const ThrottleKeys next{"somebody", "192.0.2.1"};
  EXPECT_GT(this->await(this->store().throttled(next, this->now())).value().count(), 0);
}

TYPED_TEST_P(SessionStoreContract, RightPasswordClearsTheAccountFromThisAddress) {
  const ThrottleKeys keys{"alice", "192.0.2.1"};
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(
          this->await(this->store().note_login_failure(keys, default_throttle(), this->now())));
    }
    ASSERT_TRUE(this->await(this->store().note_login_success(keys, this->now())));
  }
  EXPECT_EQ(this->await(this->store().throttled(keys, this->now())).value().count(), 0);
}

// SECURITY I06: a throttled account keeps its sessions.
TYPED_TEST_P(SessionStoreContract, SessionsOutliveTheThrottlingOfTheirAccount) {
  const Session made = this->login("alice");
  for (int i = 0; i < 60; ++i) {
    const ThrottleKeys keys{"alice", "192.0.2." + std::to_string(i)};
    ASSERT_TRUE(
        this->await(this->store().note_login_failure(keys, default_throttle(), this->now())));
  }
  EXPECT_EQ(this->outcome(made.family, 0), auth::Outcome::rotated);
}

REGISTER_TYPED_TEST_SUITE_P(
    SessionStoreContract, RotationWithoutAVisitorExtendsNothing, SessionMayHaveLivesOfItsOwn,
    RevokingEverybodyEndsAllAndMeansNoLaterLogin, BucketGivesItsBurstAndThenItsRate, LoginIsFound,
    LongUserAgentIsCut, ProfileAndPasswordMarkAreKept, UnknownFamilyIsDeadAndNobodys,
    RotationNamesTheUserAndTheGeneration, SameTokenWithinGraceGetsTheSameSuccessor,
    ReuseEndsTheFamilyAndIsPublished, LostAnswerIsReissuedUntilTheSuccessorIsProven,
    ProofOfAnUnknownFamilyIsHarmless, TokenAheadOfTheStoreRepairs, IdleAndAbsoluteEndAreKept,
    RevokedIsClosedAndPublished, RevokingWhatIsNotOpenIsPublishedToo,
    RevokingAUserEndsAllOfTheirsAndOnlyThose, RevokingAUserWithoutSessionsIsPublished,
    LoginRightAfterAUserWideRevocationIsNotMeantByIt, ListIsNewestFirstAndOnlyOpenOnes,
    OldestSessionOfAUserMakesRoom, LastSeenFollowsUse, KnownFamilyIsNeverAdopted,
    SixthTryOfAnAccountFromAnAddressIsThrottled, AccountIsThrottledWhicheverAddressesAreUsed,
    AddressIsThrottledWhicheverAccountsAreTried, RightPasswordClearsTheAccountFromThisAddress,
    SessionsOutliveTheThrottlingOfTheirAccount);

}  // namespace proxy::store
