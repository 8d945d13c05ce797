// Deadlines of one worker: a wheel of coarse ticks instead of a timer per operation. Setting one is
// two stores unless it becomes earlier; the wheel looks at a slot when its tick comes and moves
// what is due later. One thread; a Deadline must not outlive its wheel.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace proxy::net {

class Deadline;

class Wheel {
 public:
  static constexpr std::chrono::milliseconds tick_length{100};

  Wheel();
  Wheel(const Wheel&) = delete;
  Wheel& operator=(const Wheel&) = delete;

  // Called once a tick_length (late calls catch up); fires what is due.
  void advance(std::chrono::steady_clock::time_point now);
  [[nodiscard]] std::int64_t now_tick() const { return now_tick_; }
  [[nodiscard]] std::chrono::steady_clock::time_point next_tick_at() const {
    return started_ + (now_tick_ + 1) * tick_length;
  }

 private:
  friend class Deadline;
  static constexpr std::size_t slots = 512;  // 51 s; longer deadlines are looked at once a turn
  struct Link {
    Link* previous = nullptr;
    Link* next = nullptr;
  };
  void insert(Deadline& deadline);

  std::array<Link, slots> slots_;
  std::int64_t now_tick_ = 0;
  std::chrono::steady_clock::time_point started_;
};

// Fires at most once per arming, within a tick of its time. The owner derives from it.
class Deadline : private Wheel::Link {
 public:
  explicit Deadline(Wheel& wheel) : wheel_(wheel) {}
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  virtual ~Deadline() { unlink(); }

  void expires_after(std::chrono::milliseconds timeout);
  void cancel() { due_tick_ = never; }
  [[nodiscard]] bool armed() const { return due_tick_ != never; }

 protected:
  // May arm, cancel or destroy any deadline, this one too.
  virtual void on_expired() = 0;

 private:
  friend class Wheel;
  static constexpr std::int64_t never = INT64_MAX;
  void unlink();

  Wheel& wheel_;
  std::int64_t due_tick_ = never;
  std::int64_t slot_tick_ = never;  // when the wheel will look at it; never: not linked
};

}  // namespace proxy::net
