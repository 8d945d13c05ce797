// See throttle.h. A fixed window that starts with its first failure: `count` failures in it begin
// a ban, after which counting starts anew. So at most 2 * count - 2 tries fit into one window's
// length without a ban, 98 at the default of 50 an hour (NIST 800-63B 3.2.2 allows 100). Counting
// anew is what lets the owner in: otherwise one more failure of the attacker would renew the ban
// for ever (SECURITY I06).
#include "auth/throttle.h"

#include <algorithm>

namespace auth {
namespace {

// A window that lies in the future belongs to a clock that has gone back since.
bool is_open(const ThrottleCounter& counter, const ThrottleRate& rate, Time now) {
  return counter.failures > 0 && counter.window_started <= now &&
         now - counter.window_started < rate.window;
}

}  // namespace

milliseconds throttled_for(const ThrottleCounter& counter, Time now) {
  return counter.banned_until > now ? counter.banned_until - now : milliseconds{0};
}

void note_failure(ThrottleCounter& counter, const ThrottleRate& rate, milliseconds ban, Time now) {
  // No rate, no limit; and a ban is never made longer by what was already under way.
  if (rate.count == 0 || counter.banned_until > now) return;
  if (!is_open(counter, rate, now)) {
    counter.failures = 0;
    counter.window_started = now;
  }
  ++counter.failures;
  if (counter.failures >= rate.count) {
    counter.failures = 0;
    counter.banned_until = now + ban;
  }
}

// The generic cell rate algorithm: one number says how full the bucket is.
milliseconds take(Bucket& bucket, const BucketRate& rate, Time now) {
  if (rate.count == 0) return milliseconds{0};
  const std::int64_t now_us = now.time_since_epoch().count() * 1'000;
  const std::int64_t each_us = rate.window.count() * 1'000 / rate.count;
  const std::int64_t span_us = each_us * std::max<std::int64_t>(rate.burst, 1);
  // Never later than an empty bucket would be full: a clock that went back locks nobody out.
  const std::int64_t full_at_us = std::clamp(bucket.full_at_us, now_us, now_us + span_us);
  const std::int64_t wait_us = full_at_us + each_us - span_us - now_us;
  if (wait_us > 0) return milliseconds{(wait_us + 999) / 1'000};
  bucket.full_at_us = full_at_us + each_us;
  return milliseconds{0};
}

bool is_stale(const ThrottleCounter& counter, const ThrottleRate& rate, Time now) {
  return counter.banned_until <= now && !is_open(counter, rate, now);
}

}  // namespace auth
