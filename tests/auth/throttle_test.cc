// The counter of failed logins in its own time.
#include "auth/throttle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace auth {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Time start{seconds{1'800'000'000}};
constexpr ThrottleRate five_in_two_minutes{5, minutes{2}};
constexpr milliseconds ban = minutes{5};

TEST(Throttle, BansAfterTheLastAllowedFailure) {
  ThrottleCounter counter;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(throttled_for(counter, start), milliseconds{0}) << i;
    note_failure(counter, five_in_two_minutes, ban, start);
  }
  EXPECT_EQ(throttled_for(counter, start), ban);
  EXPECT_EQ(throttled_for(counter, start + minutes{4}), minutes{1});
  EXPECT_EQ(throttled_for(counter, start + ban - milliseconds{1}), milliseconds{1});
  EXPECT_EQ(throttled_for(counter, start + ban), milliseconds{0});
}

TEST(Throttle, OldFailuresAreForgotten) {
  ThrottleCounter counter;
  for (int i = 0; i < 4; ++i) {
    note_failure(counter, five_in_two_minutes, ban, start);
  }
  const Time later = start + minutes{2};
  for (int i = 0; i < 4; ++i) {
    note_failure(counter, five_in_two_minutes, ban, later);
  }
  EXPECT_EQ(throttled_for(counter, later), milliseconds{0});
  note_failure(counter, five_in_two_minutes, ban, later + minutes{2} - milliseconds{1});
  EXPECT_GT(throttled_for(counter, later + minutes{2}), milliseconds{0});
}

TEST(Throttle, AfterTheBanCountingStartsAnew) {
  ThrottleCounter counter;
  for (int i = 0; i < 5; ++i) {
    note_failure(counter, five_in_two_minutes, ban, start);
  }
  note_failure(counter, five_in_two_minutes, ban, start + minutes{1});
  EXPECT_EQ(throttled_for(counter, start + minutes{1}), minutes{4}) << "a ban was made longer";
  const Time after = start + ban;
  note_failure(counter, five_in_two_minutes, ban, after);
  EXPECT_EQ(throttled_for(counter, after), milliseconds{0});
}

TEST(Throttle, ZeroCountMeansNoLimit) {
  ThrottleCounter counter;
  for (int i = 0; i < 1'000; ++i) {
    note_failure(counter, {0, minutes{2}}, ban, start);
  }
  EXPECT_EQ(throttled_for(counter, start), milliseconds{0});
}

TEST(Throttle, StaleWhenNothingIsLeftToSay) {
  ThrottleCounter counter;
  EXPECT_TRUE(is_stale(counter, five_in_two_minutes, start));
  note_failure(counter, five_in_two_minutes, ban, start);
  EXPECT_FALSE(is_stale(counter, five_in_two_minutes, start + seconds{119}));
  EXPECT_TRUE(is_stale(counter, five_in_two_minutes, start + minutes{2}));
  for (int i = 0; i < 4; ++i) {
    note_failure(counter, five_in_two_minutes, ban, start);
  }
  EXPECT_FALSE(is_stale(counter, five_in_two_minutes, start + minutes{3}));
  EXPECT_TRUE(is_stale(counter, five_in_two_minutes, start + ban));
}

TEST(Throttle, ClockThatGoesBackStartsANewWindow) {
  ThrottleCounter counter;
  note_failure(counter, five_in_two_minutes, ban, start);
  const Time back = start - hours{1};
  for (int i = 0; i < 4; ++i) {
    note_failure(counter, five_in_two_minutes, ban, back);
  }
  EXPECT_EQ(throttled_for(counter, back), milliseconds{0});
  EXPECT_EQ(counter.window_started, back);
}

// SECURITY I05: never 100 tries in an hour without a ban, whatever the guesser's pace.
TEST(Throttle, GuessesWithoutABanStayBelowOneHundred) {
  constexpr ThrottleRate fifty_an_hour{50, hours{1}};
  for (const int pace : {1, 7, 36, 60, 71, 72, 73, 74, 120}) {
    ThrottleCounter counter;
    std::vector<Time> tries;
    for (Time now = start; now < start + hours{6}; now += seconds{pace}) {
      if (throttled_for(counter, now) > milliseconds{0}) {
        tries.clear();
        continue;
      }
      tries.push_back(now);
      note_failure(counter, fifty_an_hour, ban, now);
      const auto first = std::upper_bound(tries.begin(), tries.end(), now - hours{1});
      ASSERT_LE(tries.end() - first, 98) << "pace " << pace;
    }
  }
}

// SECURITY I06: an attacker at one address is stopped by the counter of that address long before
// the account's, and the account's ban ends although the attacker goes on.
TEST(Throttle, OwnerGetsInWhileAnAttackerGoesOn) {
  constexpr ThrottleRate fifty_an_hour{50, hours{1}};
  ThrottleCounter at_address;
  ThrottleCounter account;
  milliseconds locked{0};
  milliseconds longest{0};
  for (Time now = start; now < start + hours{12}; now += seconds{1}) {
    const bool is_locked = throttled_for(account, now) > milliseconds{0};
    locked = is_locked ? locked + seconds{1} : milliseconds{0};
    longest = std::max(longest, locked);
    if (is_locked || throttled_for(at_address, now) > milliseconds{0}) continue;
    note_failure(at_address, five_in_two_minutes, ban, now);
    note_failure(account, fifty_an_hour, ban, now);
  }
  EXPECT_GT(longest, milliseconds{0});
  EXPECT_LE(longest, minutes{15});
}

}  // namespace
}  // namespace auth
