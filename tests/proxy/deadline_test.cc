// The wheel of deadlines. Time is what the test says: the wheel is advanced in steps of a
// millisecond until it has reached a tick, so that no clock can make a test late.
#include "proxy/net/deadline.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <vector>

namespace proxy::net {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

// A deadline that remembers the ticks at which it fired, and does what the test wants then.
struct Alarm final : Deadline {
  explicit Alarm(Wheel& of) : Deadline(of), wheel(of) {}
  void on_expired() override {
    fired.push_back(wheel.now_tick());
    if (then) then();
  }
  Wheel& wheel;
  std::vector<std::int64_t> fired;
  std::function<void()> then;
};

using Ticks = std::vector<std::int64_t>;

class WheelTest : public ::testing::Test {
 protected:
  // One tick after the other.
  void turn_to(std::int64_t tick) {
    while (wheel_.now_tick() < tick) {
      now_ += 1ms;
      wheel_.advance(now_);
    }
  }
  // As if the loop had been busy for all the time in between.
  void jump(milliseconds by) {
    now_ += by;
    wheel_.advance(now_);
  }

 private:
  std::chrono::steady_clock::time_point now_ = std::chrono::steady_clock::now();  // first

 protected:
  Wheel wheel_;
};

TEST_F(WheelTest, FiresOnceNeverEarlyAndWithinATickOfItsTime) {
  Alarm alarm(wheel_);
  alarm.expires_after(1s);
  EXPECT_TRUE(alarm.armed());
  turn_to(10);
  EXPECT_TRUE(alarm.fired.empty());
  turn_to(11);
  EXPECT_EQ(alarm.fired, Ticks({11}));
  EXPECT_FALSE(alarm.armed());
  turn_to(600);
  EXPECT_EQ(alarm.fired, Ticks({11}));
}

TEST_F(WheelTest, RoundsUpToWholeTicks) {
  Alarm one(wheel_);
  Alarm hundred(wheel_);
  Alarm more(wheel_);
  one.expires_after(1ms);
  hundred.expires_after(100ms);
  more.expires_after(101ms);
  turn_to(10);
  EXPECT_EQ(one.fired, Ticks({2}));
  EXPECT_EQ(hundred.fired, Ticks({2}));
  EXPECT_EQ(more.fired, Ticks({3}));
}

TEST_F(WheelTest, ATimeThatHasPassedFiresAtTheNextTick) {
  Alarm zero(wheel_);
  Alarm negative(wheel_);
  zero.expires_after(0ms);
  negative.expires_after(-5s);
  turn_to(1);
  EXPECT_EQ(zero.fired, Ticks({1}));
  EXPECT_EQ(negative.fired, Ticks({1}));
}

TEST_F(WheelTest, MovingItLaterIsSeenWhenItsOldTickComes) {
  Alarm alarm(wheel_);
  alarm.expires_after(200ms);
  turn_to(2);
  alarm.expires_after(1s);
  turn_to(12);
  EXPECT_TRUE(alarm.fired.empty());
  turn_to(13);
  EXPECT_EQ(alarm.fired, Ticks({13}));
}

TEST_F(WheelTest, MovingItEarlierCounts) {
  Alarm alarm(wheel_);
  alarm.expires_after(30s);
  turn_to(5);
  alarm.expires_after(200ms);
  turn_to(8);
  EXPECT_EQ(alarm.fired, Ticks({8}));
  turn_to(400);
  EXPECT_EQ(alarm.fired, Ticks({8}));
}

TEST_F(WheelTest, PushedOnForEverItNeverFires) {
  Alarm alarm(wheel_);
  for (std::int64_t tick = 1; tick < 1'500; ++tick) {
    alarm.expires_after(300ms);
    turn_to(tick);
  }
  EXPECT_TRUE(alarm.fired.empty());
  turn_to(1'502);
  EXPECT_EQ(alarm.fired.size(), 1U);
}

TEST_F(WheelTest, CancelledItDoesNotFireAndCanBeArmedAgain) {
  Alarm alarm(wheel_);
  alarm.expires_after(500ms);
  alarm.cancel();
  EXPECT_FALSE(alarm.armed());
  turn_to(3);
  alarm.expires_after(1s);
  turn_to(13);
  EXPECT_TRUE(alarm.fired.empty());
  turn_to(14);
  EXPECT_EQ(alarm.fired, Ticks({14}));
}

TEST_F(WheelTest, CancelledAndArmedEarlierItFiresAtTheEarlierTime) {
  Alarm alarm(wheel_);
  alarm.expires_after(30s);
  alarm.cancel();
  alarm.expires_after(100ms);
  turn_to(2);
  EXPECT_EQ(alarm.fired, Ticks({2}));
}

TEST_F(WheelTest, DeadlinesBeyondTheWheelFireAtTheirTimeToo) {
  Alarm turn(wheel_);      // just the wheel's 512 slots
  Alarm minute(wheel_);
  Alarm ten_minutes(wheel_);
  turn.expires_after(51'100ms);
  minute.expires_after(60s);
  ten_minutes.expires_after(600s);
  turn_to(7'000);
  EXPECT_EQ(turn.fired, Ticks({512}));
  EXPECT_EQ(minute.fired, Ticks({601}));
  EXPECT_EQ(ten_minutes.fired, Ticks({6'001}));
}

TEST_F(WheelTest, ALongDeadlineArmedLateInATurnIsNotMistakenForAnEarlierOne) {
  turn_to(511);
  Alarm alarm(wheel_);
  alarm.expires_after(51'200ms);  // 513 ticks ahead: its slot comes first at the next tick
  turn_to(1'023);
  EXPECT_TRUE(alarm.fired.empty());
  turn_to(1'024);
  EXPECT_EQ(alarm.fired, Ticks({1'024}));
}

TEST_F(WheelTest, ALateCallCatchesUp) {
  Alarm soon(wheel_);
  Alarm later(wheel_);
  Alarm far(wheel_);
  soon.expires_after(100ms);
  later.expires_after(90s);  // beyond one turn
  far.expires_after(200s);
  jump(100s);
  EXPECT_EQ(soon.fired.size(), 1U);
  EXPECT_EQ(later.fired.size(), 1U);
  EXPECT_TRUE(far.fired.empty());
  jump(101s);
  EXPECT_EQ(far.fired.size(), 1U);
}

TEST_F(WheelTest, TimeThatDoesNotMoveFiresNothing) {
  Alarm alarm(wheel_);
  alarm.expires_after(0ms);
  for (int i = 0; i < 10; ++i) jump(0ms);
  jump(-5s);
  EXPECT_TRUE(alarm.fired.empty());
  EXPECT_EQ(wheel_.now_tick(), 0);
}

TEST_F(WheelTest, ACallbackMayArmItsOwnDeadlineAgain) {
  Alarm alarm(wheel_);
  alarm.then = [&] {
    if (alarm.fired.size() < 3) alarm.expires_after(100ms);
  };
  alarm.expires_after(100ms);
  turn_to(20);
  EXPECT_EQ(alarm.fired, Ticks({2, 4, 6}));
}

TEST_F(WheelTest, ACallbackMayDestroyItsOwnDeadline) {
  auto alarm = std::make_unique<Alarm>(wheel_);
  bool fired = false;
  alarm->then = [&] {
    fired = true;
    alarm.reset();
  };
  alarm->expires_after(100ms);
  turn_to(3);
  EXPECT_TRUE(fired);
  EXPECT_EQ(alarm, nullptr);
}

TEST_F(WheelTest, ACallbackMayDestroyItsNeighboursOfTheSameTick) {
  std::vector<std::unique_ptr<Alarm>> alarms;
  for (int i = 0; i < 5; ++i) {
    alarms.push_back(std::make_unique<Alarm>(wheel_));
    alarms.back()->expires_after(100ms);
  }
  int fired = 0;
  for (auto& alarm : alarms) {
    alarm->then = [&, own = alarm.get()] {
      ++fired;
      // All the others, those before and those behind.
      for (auto& other : alarms) {
        if (other.get() != own) other.reset();
      }
    };
  }
  turn_to(5);
  EXPECT_EQ(fired, 1);
}

TEST_F(WheelTest, ACallbackMayCancelOrMoveItsNeighboursOfTheSameTick) {
  Alarm first(wheel_);
  Alarm cancelled(wheel_);
  Alarm moved(wheel_);
  Alarm untouched(wheel_);
  for (Alarm* alarm : {&first, &cancelled, &moved, &untouched}) alarm->expires_after(100ms);
  first.then = [&] {
    cancelled.cancel();
    moved.expires_after(500ms);
  };
  turn_to(20);
  EXPECT_EQ(first.fired, Ticks({2}));
  EXPECT_TRUE(cancelled.fired.empty());
  EXPECT_EQ(moved.fired, Ticks({8}));
  EXPECT_EQ(untouched.fired, Ticks({2}));
}

TEST_F(WheelTest, ACallbackMayArmOthers) {
  Alarm first(wheel_);
  Alarm second(wheel_);
  first.then = [&] { second.expires_after(0ms); };
  first.expires_after(100ms);
  turn_to(5);
  EXPECT_EQ(second.fired, Ticks({3}));
}

TEST_F(WheelTest, DestroyedWhileArmedItLeavesItsNeighboursAlone) {
  Alarm before(wheel_);
  before.expires_after(100ms);
  {
    Alarm gone(wheel_);
    gone.expires_after(100ms);
    gone.then = [] { ADD_FAILURE() << "fired after its end"; };
  }
  Alarm behind(wheel_);
  behind.expires_after(100ms);
  turn_to(3);
  EXPECT_EQ(before.fired, Ticks({2}));
  EXPECT_EQ(behind.fired, Ticks({2}));
}

}  // namespace
}  // namespace proxy::net
