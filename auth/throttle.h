// Login throttle and request rates: pure rules over one counter and a time. The throttle counts
// failures only; three counters are asked for each login: account and address, account, address
// (IPv6 by /64). A bucket lets `count` through in each `window`, up to `burst` of them at once.
#pragma once

#include <cstdint>

#include "auth/policy.h"

namespace auth {

struct ThrottleRate {
  std::uint32_t count = 0;  // failures allowed ...
  milliseconds window{0};   // ... in this time
};

struct ThrottleCounter {
  std::uint32_t failures = 0;
  Time window_started{};
  Time banned_until{};
};

// Zero: a try is allowed. Otherwise how long to wait, for Retry-After.
[[nodiscard]] milliseconds throttled_for(const ThrottleCounter& counter, Time now);
void note_failure(ThrottleCounter& counter, const ThrottleRate& rate, milliseconds ban, Time now);
// True when the counter says nothing any more and may be forgotten.
[[nodiscard]] bool is_stale(const ThrottleCounter& counter, const ThrottleRate& rate, Time now);

struct BucketRate {
  std::uint32_t count = 0;  // refilled evenly ...
  milliseconds window{0};   // ... over this time
  std::uint32_t burst = 1;  // what a full bucket holds
};

// Full, until something is taken.
struct Bucket {
  std::int64_t full_at_us = 0;  // when it will be full again, in microseconds
};

// Zero: one was taken. Otherwise how long to wait until one can be; nothing was taken then.
[[nodiscard]] milliseconds take(Bucket& bucket, const BucketRate& rate, Time now);

}  // namespace auth
