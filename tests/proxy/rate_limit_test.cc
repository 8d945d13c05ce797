// Token buckets in a table of fixed size. Time is an argument.
#include "proxy/rate_limit.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace proxy {
namespace {

using namespace std::chrono_literals;
using Time = std::chrono::steady_clock::time_point;

RateRule rule_of(std::uint32_t count, config::milliseconds window, std::uint32_t burst = 0) {
  config::RateLimit config;
  config.rate = {count, window};
  config.burst = burst;
  return rate_rule(config, "route");
}

class RateTableTest : public ::testing::Test {
 protected:
  std::chrono::nanoseconds take(const RateRule& rule, std::string_view who = "alice") {
    return table_.take(rule, who, now_);
  }
  int taken(const RateRule& rule, int tries, std::string_view who = "alice") {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += take(rule, who).count() == 0;
    return count;
  }
  RateTable table_{42};
  Time now_{1'000s};
};

TEST_F(RateTableTest, ABurstThenTheRate) {
  const RateRule rule = rule_of(10, 1'000ms, 5);
  EXPECT_EQ(taken(rule, 20), 5);
  EXPECT_EQ(take(rule), 100ms);
  now_ += 100ms;
  EXPECT_EQ(taken(rule, 20), 1);
  now_ += 10s;
  EXPECT_EQ(taken(rule, 20), 5);
}

TEST_F(RateTableTest, ABurstOfManyDaysIsNotTakenForNone) {
  const RateRule rule = rule_of(1, 24h, 213'505);  // 2^64 nanoseconds and a few
  EXPECT_EQ(taken(rule, 1'000), 1'000);
  EXPECT_EQ(taken(rule_of(1, 24h, 4'294'967'295), 1'000, "bob"), 1'000);
}

TEST_F(RateTableTest, WithoutABurstTheWholeWindowMayComeAtOnce) {
  EXPECT_EQ(taken(rule_of(7, 60'000ms), 20), 7);
}

TEST_F(RateTableTest, EverybodyHasABucketOfTheirOwnInEachRule) {
  RateRule one = rule_of(2, 1'000ms);
  RateRule other = rule_of(2, 1'000ms);
  other.route = "other";
  EXPECT_EQ(taken(one, 5, "alice"), 2);
  EXPECT_EQ(taken(one, 5, "bob"), 2);
  EXPECT_EQ(taken(other, 5, "alice"), 2);
}

TEST_F(RateTableTest, ARefusalCostsNothing) {
  const RateRule rule = rule_of(1, 1'000ms);
  EXPECT_EQ(taken(rule, 1'000), 1);
  now_ += 1s;
  EXPECT_EQ(taken(rule, 1'000), 1);
}

TEST_F(RateTableTest, AFloodOfOthersMakesNobodysLimitStricter) {
  const RateRule rule = rule_of(3, 1'000ms);
  for (int i = 0; i < 300'000; ++i) (void)take(rule, "flood" + std::to_string(i));
  EXPECT_EQ(taken(rule, 10, "honest"), 3);
}

TEST_F(RateTableTest, AnEmptyBucketOutlivesFullOnes) {
  const RateRule strict = rule_of(1, 3'600'000ms);
  const RateRule loose = rule_of(1'000, 1'000ms);
  EXPECT_EQ(taken(strict, 1), 1);
  for (int i = 0; i < 30'000; ++i) (void)take(loose, "other" + std::to_string(i));
  EXPECT_NE(take(strict).count(), 0);
}

TEST_F(RateTableTest, ThreadsTakeNoMoreThanThereIs) {
  const RateRule rule = rule_of(1'000, 3'600'000ms);
  std::atomic<int> total{0};
  (void)take(rule);  // the bucket is there
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] { total += taken(rule, 2'000); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(total, 999);
}

TEST(RateKey, AnIpv6ClientIsItsNetwork) {
  std::string a;
  std::string b;
  EXPECT_EQ(rate_key_of_address("2001:db8::1", a), rate_key_of_address("2001:db8::ffff:2", b));
  EXPECT_NE(rate_key_of_address("2001:db8::1", a), rate_key_of_address("2001:db8:0:1::1", b));
  EXPECT_NE(rate_key_of_address("192.0.2.1", a), rate_key_of_address("192.0.2.2", b));
  EXPECT_EQ(rate_key_of_address("unix", a), "unix");
}

TEST(RateLimitLines, SayThePolicyAndTheWait) {
  RateRule rule = rule_of(100, 60'000ms);
  EXPECT_EQ(rate_limit_lines(rule, 3s),
            "RateLimit: \"route\";r=0;t=3\r\nRateLimit-Policy: \"route\";q=100;w=60\r\n");
}

}  // namespace
}  // namespace proxy
