// Random operations on a family, held against a plain second transcription of the rotation table.
#include "auth/family.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <utility>

namespace auth {
namespace {

using std::chrono::seconds;

constexpr Time start{seconds{1'800'000'000}};

// The table once more, in integers and without a thought for the code under test.
struct Oracle {
  std::int64_t gen = 0, base = 0, floor = 0, made_at = 0, proven_at = -1;
  std::int64_t idle_end = 0, absolute_end = 0;
  bool revoked = false;

  std::pair<std::string, std::int64_t> show(std::int64_t g, std::int64_t now, std::int64_t grace,
                                            std::int64_t idle) {
    if (revoked || idle_end <= now || absolute_end <= now) return {"dead", 0};
    if (made_at > now) made_at = now;
    if (proven_at > now) proven_at = now;
    std::string outcome;
    if (g > gen) {
      outcome = "repaired"; floor = base; base = g; gen = g + 1; made_at = now; proven_at = -1;
    } else {
      if (now - made_at >= grace) floor = base;
      if (g < floor) {
        outcome = "reuse";
      } else if (now - made_at < grace) {
        outcome = "replayed";
      } else if (g == gen) {
        outcome = "rotated"; floor = base; base = g; gen = gen + 1; made_at = now; proven_at = -1;
      } else if (g == base && proven_at == -1) {
        outcome = "reissued"; gen = gen + 1; made_at = now;
      } else if (g == base && now - proven_at < grace) {
        outcome = "replayed";
      } else {
        outcome = "reuse";
      }
    }
    if (outcome == "reuse") {
      revoked = true;
      return {outcome, 0};
    }
    idle_end = now + idle < absolute_end ? now + idle : absolute_end;
    return {outcome, gen};
  }

  bool prove(std::int64_t g, std::int64_t now, std::int64_t grace) {
    if (revoked || idle_end <= now || absolute_end <= now || g != gen || proven_at != -1) {
      return false;
    }
    if (made_at > now) made_at = now;
    if (now - made_at < grace) return false;
    proven_at = now;
    return true;
  }
};

std::int64_t count(Time time) { return time.time_since_epoch().count(); }

void expect_equal(const FamilyRecord& record, const Oracle& oracle) {
  ASSERT_EQ(record.gen, static_cast<std::uint64_t>(oracle.gen));
  ASSERT_EQ(record.base, static_cast<std::uint64_t>(oracle.base));
  ASSERT_EQ(record.floor, static_cast<std::uint64_t>(oracle.floor));
  ASSERT_EQ(count(record.made_at), oracle.made_at);
  ASSERT_EQ(record.proven_at ? count(*record.proven_at) : -1, oracle.proven_at);
  ASSERT_EQ(count(record.idle_expires_at), oracle.idle_end);
  ASSERT_EQ(record.revoked, oracle.revoked);
}

// A random session of up to forty calls; the outcomes that occurred are added to `seen`.
void compare_once(std::mt19937_64& random, std::set<Outcome>& seen) {
  const auto below = [&random](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
  FamilyRules some{.grace = milliseconds{below(4) * 10'000}, .idle_life = seconds{600}};
  Time now = start;
  FamilyRecord record = new_family(now, seconds{3'000}, some);
  Oracle oracle{.made_at = count(record.made_at), .idle_end = count(record.idle_expires_at),
                .absolute_end = count(record.absolute_expires_at)};
  for (int step = 0; step < 40; ++step) {
    constexpr std::int64_t steps[]{0, 1, 500, 9'999, 10'000, 10'001, 29'999, 30'000, 61'000};
    now += milliseconds{below(60) == 0 ? -steps[below(9)] : steps[below(9)]};
    if (below(200) == 0) now += seconds{500};
    if (below(3) == 0) {
      const std::int64_t g = std::max<std::int64_t>(0, oracle.gen + below(3) - 1);
      ASSERT_EQ(prove(record, static_cast<std::uint64_t>(g), now, some),
                oracle.prove(g, count(now), some.grace.count()));
    } else {
      constexpr std::int64_t offsets[]{0, 0, 0, 0, 0, -1, -1, -1, -2, -3, 1, 3};
      const std::int64_t g = std::max<std::int64_t>(0, oracle.gen + offsets[below(12)]);
      const Rotation rotation = rotate(record, static_cast<std::uint64_t>(g), now, some);
      const auto [outcome, generation] =
          oracle.show(g, count(now), some.grace.count(), some.idle_life.count());
      ASSERT_EQ(name(rotation.outcome), outcome);
      ASSERT_EQ(rotation.generation, static_cast<std::uint64_t>(generation));
      seen.insert(rotation.outcome);
    }
    expect_equal(record, oracle);
  }
}

TEST(Family, AgreesWithThePlainTableOnRandomOperations) {
  std::mt19937_64 random(20'260'101);
  std::set<Outcome> seen;
  for (int run = 0; run < 20'000; ++run) {
    compare_once(random, seen);
    if (HasFatalFailure()) FAIL() << "in run " << run;
  }
  EXPECT_EQ(seen.size(), 6U) << "some outcome was never reached";
}

}  // namespace
}  // namespace auth
