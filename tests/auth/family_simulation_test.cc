// Whole sessions in simulated time against the rotation rule: a browser with tabs, slow and lost
// packets, lost and late answers, retries and crashes must never be logged out; a thief beside it
// must be found. Everything random comes from a seed and from whole numbers alone (the logarithm of
// one processor differs from another's in the last bit), so a seed is the same run everywhere.
#include "auth/family.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <queue>
#include <random>
#include <vector>

namespace auth {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Time start{seconds{1'800'000'000}};
constexpr FamilyRules rules{};

// Events in the order of their time.
class Timeline {
 public:
  using Action = std::function<void()>;

  [[nodiscard]] Time now() const { return now_; }
  void after(milliseconds delay, Action action) {
    events_.push({now_ + std::max(delay, milliseconds{0}), serial_++, std::move(action)});
  }
  void run_until(Time end) {
    while (!events_.empty() && events_.top().at <= end) {
      const Event event = events_.top();
      events_.pop();
      now_ = event.at;
      event.action();
    }
  }

 private:
  struct Event {
    Time at;
    std::uint64_t serial;
    Action action;
    bool operator<(const Event& other) const {
      return at != other.at ? at > other.at : serial > other.serial;
    }
  };
  std::priority_queue<Event> events_;
  Time now_ = start;
  std::uint64_t serial_ = 0;
};

struct Habits {
  milliseconds access_life = minutes{15};
  milliseconds between_bursts = minutes{4};
  bool each_load_refreshes = false;  // a single-page application that keeps its token in memory
  bool has_slow_answers = false;     // up to 10 s in the application behind
  int lost_requests = 10;  // of a thousand, as the two below
  int lost_answers = 20;
  int lost_proofs = 0;
  int crashes = 0;
};

struct Jar {
  std::uint64_t refresh = 0;
  Time access_made = start;
  std::uint64_t access = 0;
};

// One browser and the store that keeps its family.
class HonestSession {
 public:
  HonestSession(const Habits& habits, std::uint64_t seed)
      : habits_(habits), random_(seed), record_(new_family(start, hours{24 * 30}, rules)) {}

  void run(milliseconds length) {
    for (milliseconds at{0}; at < length; at += exponential(habits_.between_bursts)) {
      constexpr int tab_counts[]{1, 1, 1, 2, 4, 12};
      for (int tab = 0; tab < tab_counts[below(6)]; ++tab) {
        time_.after(at + milliseconds{below(3'000)},
                    [this] { send(0, habits_.each_load_refreshes); });
      }
    }
    for (int i = 0; i < habits_.crashes; ++i) {
      time_.after(milliseconds{below(static_cast<std::uint64_t>(length.count()))},
                  [this] { crash(); });
    }
    time_.run_until(start + length + hours{1});
  }

  int refreshes = 0;
  int ended = 0;  // reuse alarms and logouts

 private:
  std::int64_t below(std::uint64_t n) { return static_cast<std::int64_t>(random_() % n); }
  bool chance(int per_mille) { return below(1'000) < per_mille; }
  // The middles of sixteen equally likely parts of an exponential distribution, in thousandths of
  // its mean, and a little beside them.
  milliseconds exponential(milliseconds mean) {
    constexpr std::int64_t parts[]{32,  99,  170, 247, 330, 421,   521,   632,
                                   758, 901, 1'068, 1'269, 1'520, 1'856, 2'367, 3'466};
    return milliseconds{1 + mean.count() * (parts[below(16)] + below(64)) / 1'032};
  }
  // About 55 ms; one packet in fifty is sent again after 1, 3 or 7 seconds.
  milliseconds network() {
    constexpr int usual[]{15, 22, 28, 33, 39, 45, 51, 57, 64, 72, 82, 93, 108, 130, 167, 300};
    constexpr int resent[]{1'000, 3'000, 7'000};
    return milliseconds{usual[below(16)] + below(10) + (chance(20) ? resent[below(3)] : 0)};
  }

  void send(int tries, bool wants_refresh) {
    const bool is_old = time_.now() - jar_.access_made >= habits_.access_life * 9 / 10;
    const bool refreshes_now = wants_refresh || is_old;
    if (chance(habits_.lost_requests)) {
      retry(tries, refreshes_now);
      return;
    }
    // What it carries is what the jar held when it left.
    time_.after(network(), [this, tries, refreshes_now, carried = jar_, life = lives_] {
      arrive(carried, tries, refreshes_now, life);
    });
  }

  void retry(int tries, bool wants_refresh) {
    if (tries >= 6) return;
    time_.after(seconds{15}, [this, tries, wants_refresh, life = lives_] {
      if (life == lives_) send(tries + 1, wants_refresh);
    });
  }

  void arrive(const Jar& carried, int tries, bool refreshes_now, int life) {
    if (!refreshes_now) {
      note_proof(carried.access);
      return;
    }
    ++refreshes;
    const Rotation rotation = rotate(record_, carried.refresh, time_.now(), rules);
    if (rotation.outcome == Outcome::reuse || rotation.outcome == Outcome::dead) {
      ++ended;
      return;
    }
    if (chance(habits_.lost_answers)) {
      retry(tries, true);
      return;
    }
    constexpr int work[]{20, 50, 200, 2'000, 10'000};
    const milliseconds answer_time =
        network() + milliseconds{work[below(habits_.has_slow_answers ? 5 : 4)]};
    const Jar answer{rotation.generation, time_.now(), rotation.generation};
    time_.after(answer_time, [this, answer, life] { receive(answer, life); });
  }

  // Late answers overwrite newer cookies, as they do in a browser.
  void receive(const Jar& answer, int life) {
    if (life != lives_) return;
    jar_ = answer;
    time_.after(seconds{30}, [this, answer, life] {
      if (life == lives_) disk_ = answer;
    });
    for (std::int64_t i = below(4); i > 0; --i) {
      time_.after(milliseconds{10 + below(5'000)}, [this] { send(0, false); });
    }
  }

  void note_proof(std::uint64_t generation) {
    if (chance(habits_.lost_proofs)) return;
    time_.after(milliseconds{50 + below(2'000)},
                [this, generation] { prove(record_, generation, time_.now(), rules); });
  }

  // The browser dies and comes back with the cookies that it had written to its disk.
  void crash() {
    ++lives_;
    jar_ = disk_;
  }

  Habits habits_;
  std::mt19937_64 random_;
  Timeline time_;
  FamilyRecord record_;
  Jar jar_;
  Jar disk_;
  int lives_ = 0;
};

struct Crowd {
  int refreshes = 0;
  int ended = 0;  // sessions that were logged out
};

Crowd run_honest(const Habits& habits, int sessions) {
  Crowd crowd;
  for (int seed = 0; seed < sessions; ++seed) {
    HonestSession session(habits, static_cast<std::uint64_t>(seed));
    session.run(hours{1});
    crowd.refreshes += session.refreshes;
    crowd.ended += session.ended > 0 ? 1 : 0;
  }
  return crowd;
}

// SECURITY X-33: no false alarm in more than 100,000 honest refreshes.
TEST(FamilySimulation, SinglePageApplicationIsNeverLoggedOut) {
  const Crowd crowd = run_honest(
      {.between_bursts = seconds{60}, .each_load_refreshes = true, .lost_answers = 50}, 1'000);
  EXPECT_GT(crowd.refreshes, 100'000);
  EXPECT_EQ(crowd.ended, 0);
}

TEST(FamilySimulation, ProxiedApplicationIsNeverLoggedOut) {
  EXPECT_EQ(run_honest({}, 400).ended, 0);
}

// The limit of the rule: a reissued token voids the one before it, which a late answer may still
// bring back into the jar, and a browser may crash after it showed its newest token and before it
// wrote it down. In networks as bad as these that ends one session in thousands of hours (5 and 8
// of 20,000 sessions of an hour, 27 in 200,000 crashes), so the bound is a rate and not none.
TEST(FamilySimulation, LateAnswersEndNoSessionInAThousandHours) {
  const Crowd crowd = run_honest({.access_life = seconds{60},
                                  .between_bursts = seconds{20},
                                  .has_slow_answers = true},
                                 4'000);
  EXPECT_GT(crowd.refreshes, 100'000);
  EXPECT_LE(crowd.ended, 4);
}

TEST(FamilySimulation, LostAnswersAndProofsEndNoSessionInAThousandHours) {
  EXPECT_LE(run_honest({.access_life = seconds{60},
                        .between_bursts = seconds{30},
                        .lost_requests = 50,
                        .lost_answers = 50,
                        .lost_proofs = 300},
                       4'000)
                .ended,
            4);
}

TEST(FamilySimulation, BrowserKeepsItsSessionInAThousandCrashes) {
  EXPECT_LE(run_honest({.between_bursts = seconds{60}, .crashes = 10}, 400).ended, 4);
}

// Two holders of one stolen token, each refreshing at its own pace and using what it got. How many
// refreshes it took until the family was revoked, 0 when it never was.
int refreshes_until_found(std::uint64_t seed, bool thief_is_first) {
  std::mt19937_64 random(seed);
  const auto pause = [&random] { return seconds{60 + random() % 600}; };
  FamilyRecord record = new_family(start, hours{24 * 30}, rules);
  struct Holder {
    std::uint64_t token = 0;
    Time next{};
  };
  Holder victim{0, start + pause()};
  Holder thief{0, thief_is_first ? start : victim.next + pause()};
  for (int refreshes = 1; refreshes <= 30; ++refreshes) {
    Holder& actor = thief.next < victim.next ? thief : victim;
    const Rotation rotation = rotate(record, actor.token, actor.next, rules);
    if (rotation.outcome == Outcome::reuse) return refreshes;
    actor.token = rotation.generation;
    // Half of the holders use the access token that came along.
    if (random() % 2 == 0) prove(record, actor.token, actor.next + seconds{31}, rules);
    actor.next += pause();
  }
  return 0;
}

// SECURITY X-33 and H03: in either order all thefts are found, most at the second refresh.
TEST(FamilySimulation, EachTheftIsFoundSoonAfterGrace) {
  for (const bool thief_is_first : {true, false}) {
    int late = 0;
    for (std::uint64_t seed = 0; seed < 10'000; ++seed) {
      const int refreshes = refreshes_until_found(seed, thief_is_first);
      ASSERT_NE(refreshes, 0) << "seed " << seed;
      late += refreshes > 6 ? 1 : 0;
    }
    EXPECT_LT(late, 500) << "thief first: " << thief_is_first;
  }
}

// SECURITY X-33: a replayed predecessor ends every family, without exception.
TEST(FamilySimulation, EachReplayAfterGraceRevokes) {
  std::mt19937_64 random(3);
  for (int family = 0; family < 10'000; ++family) {
    FamilyRecord record = new_family(start, hours{24 * 30}, rules);
    Time now = start;
    std::uint64_t token = 0;
    const std::uint64_t stolen = random() % 5;
    for (std::uint64_t i = 0; i < stolen + 2 + random() % 5; ++i) {
      token = rotate(record, token, now, rules).generation;
      now += seconds{31 + random() % 1'000};
    }
    ASSERT_EQ(rotate(record, stolen, now, rules).outcome, Outcome::reuse);
    ASSERT_EQ(rotate(record, token, now, rules).outcome, Outcome::dead);
  }
}

}  // namespace
}  // namespace auth
