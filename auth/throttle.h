// Login throttle: pure rules over one counter and a time. Counts failures only. Three counters are
// asked for each login: account and address, account, address (IPv6 by /64).
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

}  // namespace auth
