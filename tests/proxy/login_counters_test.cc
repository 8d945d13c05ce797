// The bound on the counters of failed logins; their rules are tested with the store's contract.
#include "proxy/store/login_counters.h"

#include "session_store_contract.h"
#include "tests/auth/allocations.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <string>

namespace proxy::store {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr auth::Time beginning{seconds{1'800'000'000}};

ThrottleKeys fake(int i) { return {"fake" + std::to_string(i), "10.0.0." + std::to_string(i)}; }

void ban(LoginCounters& counters, const ThrottleKeys& keys, auth::Time now) {
  for (int i = 0; i < 5; ++i) {
    counters.note_failure(keys, default_throttle(), now);
  }
}

// SECURITY X-23: invented names neither fill the memory nor lift a ban.
TEST(LoginCounters, FloodOfNamesIsBoundedAndLeavesBansAlone) {
  LoginCounters counters(1'000);
  const ThrottleKeys banned{"alice", "192.0.2.1"};
  ban(counters, banned, beginning);
  for (int i = 0; i < 100'000; ++i) {
    counters.note_failure(fake(i), default_throttle(), beginning + seconds{1});
    ASSERT_LE(counters.size(), 1'000U);
  }
  EXPECT_EQ(counters.size(), 1'000U);
  EXPECT_GT(counters.throttled(banned, beginning + minutes{4}).count(), 0);
}

TEST(LoginCounters, OldestIsEvictedFirst) {
  LoginCounters counters(30);  // three counters a login
  for (int i = 0; i < 11; ++i) {
    for (int failure = 0; failure < 4; ++failure) {
      counters.note_failure(fake(i), default_throttle(), beginning);
    }
  }
  counters.note_failure(fake(10), default_throttle(), beginning);
  counters.note_failure(fake(0), default_throttle(), beginning);
  EXPECT_GT(counters.throttled(fake(10), beginning).count(), 0) << "its four failures were known";
  const auto left = counters.throttled(fake(0), beginning);
  EXPECT_EQ(left.count(), 0) << "its four failures were forgotten";
}

TEST(LoginCounters, OldestBanGoesWhenThereAreOnlyBans) {
  // Nothing but the counter of account and address can be banned by these rules.
  ThrottleRules rules;
  rules.account_and_address = {1, minutes{2}};
  LoginCounters counters(10);
  for (int i = 0; i < 11; ++i) {
    counters.note_failure(fake(i), rules, beginning + seconds{i});
  }
  EXPECT_EQ(counters.size(), 10U);
  EXPECT_EQ(counters.throttled(fake(0), beginning + seconds{11}).count(), 0);
  for (int i = 1; i < 11; ++i) {
    EXPECT_GT(counters.throttled(fake(i), beginning + seconds{11}).count(), 0) << i;
  }
}

TEST(LoginCounters, StaleCountersAreForgotten) {
  LoginCounters counters(1'000);
  for (int i = 0; i < 100; ++i) {
    counters.note_failure(fake(i), default_throttle(), beginning);
  }
  for (int i = 0; i < 100; ++i) {
    counters.note_failure(fake(1), default_throttle(), beginning + std::chrono::hours{2});
  }
  EXPECT_LE(counters.size(), 3U);
}

TEST(LoginCounters, BanMayBeAnsweredAfterwardsAndCountsAnew) {
  LoginCounters counters;
  const ThrottleKeys keys{"alice", "192.0.2.1"};
  ban(counters, keys, beginning);
  const auth::Time after = beginning + minutes{5};
  EXPECT_EQ(counters.throttled(keys, after).count(), 0);
  counters.note_failure(keys, default_throttle(), after);
  EXPECT_EQ(counters.throttled(keys, after).count(), 0);
  counters.note_success(keys);
  ban(counters, keys, after);
  EXPECT_GT(counters.throttled(keys, after).count(), 0);
  counters.note_success(keys);
  EXPECT_EQ(counters.throttled(keys, after).count(), 0);
}

// SECURITY H15: where the account ends and the address begins is part of the key.
TEST(LoginCounters, AccountAndAddressAreNotJustPutTogether) {
  LoginCounters counters;
  ban(counters, {"alice", "1192.0.2.1"}, beginning);
  EXPECT_EQ(counters.throttled({"alice1", "192.0.2.1"}, beginning).count(), 0);
  EXPECT_EQ(counters.throttled({"", "alice"}, beginning).count(), 0);
}

TEST(LoginCounters, BansAreRestored) {
  LoginCounters before;
  ban(before, {"alice", "192.0.2.1"}, beginning);
  before.note_failure({"bob", "192.0.2.9"}, default_throttle(), beginning);
  LoginCounters after;
  int bans = 0;
  before.for_each_ban(beginning, [&](const LoginCounters::Entry& entry) {
    after.restore(entry);
    ++bans;
  });
  EXPECT_EQ(bans, 1);
  EXPECT_GT(after.throttled({"alice", "192.0.2.1"}, beginning).count(), 0);
  EXPECT_EQ(after.throttled({"bob", "192.0.2.9"}, beginning).count(), 0);
}

// SECURITY X-23: at most 64 MiB at the default bound.
TEST(LoginCounters, CounterTakesAtMost250Bytes) {
  if (is_instrumented()) GTEST_SKIP() << "sanitizers have allocators of their own";
  constexpr std::size_t count = 60'000;
  LoginCounters counters(count);
  const auto allocated = [] { return mallinfo2().uordblks + mallinfo2().hblkhd; };
  const std::size_t before = allocated();
  for (int i = 0; i < 30'000; ++i) {
    counters.note_failure(fake(i), default_throttle(), beginning);
  }
  ASSERT_EQ(counters.size(), count);
  const std::size_t each = (allocated() - before) / count;
  EXPECT_LE(each, 250U);  // 250 bytes times 262,144 are 62.5 MiB
  EXPECT_GE(each, 50U) << "the measurement must have seen the counters";
}

}  // namespace
}  // namespace proxy::store
