// Token buckets of the memory store: their bound and their rule at the edges.
#include "proxy/store/token_buckets.h"

#include <gtest/gtest.h>

#include <string>

namespace proxy::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auth::Time start{seconds{1'800'000'000}};

TEST(TokenBuckets, AreBounded) {
  TokenBuckets buckets(100);
  const auth::BucketRate rate{.count = 1, .window = seconds{10}, .burst = 1};
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_EQ(buckets.take("client" + std::to_string(i), rate, start).count(), 0);
  }
  EXPECT_EQ(buckets.size(), 100U);
}

TEST(TokenBuckets, FullOnesAreForgottenBeforeEmptyOnes) {
  TokenBuckets buckets(2);
  const auth::BucketRate slow{.count = 1, .window = seconds{100}, .burst = 1};
  const auth::BucketRate quick{.count = 1, .window = seconds{1}, .burst = 1};
  EXPECT_EQ(buckets.take("slow", slow, start).count(), 0);
  EXPECT_EQ(buckets.take("quick", quick, start).count(), 0);
  EXPECT_EQ(buckets.take("new", quick, start + seconds{2}).count(), 0);
  EXPECT_GT(buckets.take("slow", slow, start + seconds{2}).count(), 0);
}

TEST(Bucket, SustainsItsRateExactly) {
  auth::Bucket bucket;
  const auth::BucketRate rate{.count = 5, .window = seconds{1}, .burst = 1};
  int taken = 0;
  for (int ms = 0; ms < 10'000; ++ms) {
    taken += auth::take(bucket, rate, start + milliseconds{ms}).count() == 0 ? 1 : 0;
  }
  EXPECT_EQ(taken, 50);
}

TEST(Bucket, WaitIsLongEnoughAndNotLonger) {
  auth::Bucket bucket;
  const auth::BucketRate rate{.count = 3, .window = seconds{1}, .burst = 2};
  auth::Time now = start;
  for (int i = 0; i < 100; ++i) {
    const auto wait = auth::take(bucket, rate, now);
    if (wait.count() == 0) continue;
    auth::Bucket early = bucket;
    EXPECT_GT(auth::take(early, rate, now + wait - milliseconds{1}).count(), 0);
    now += wait;
    EXPECT_EQ(auth::take(bucket, rate, now).count(), 0);
  }
}

TEST(Bucket, ClockThatGoesBackLocksNobodyOut) {
  auth::Bucket bucket;
  const auth::BucketRate rate{.count = 1, .window = seconds{1}, .burst = 3};
  EXPECT_EQ(auth::take(bucket, rate, start).count(), 0);
  EXPECT_LE(auth::take(bucket, rate, start - std::chrono::hours{1}), seconds{1});
}

}  // namespace
}  // namespace proxy::store
