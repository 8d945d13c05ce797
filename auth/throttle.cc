// See throttle.h. A fixed window that starts with its first failure: `count` failures in it begin
// a ban, after which counting starts anew. So at most 2 * count - 2 tries fit into one window's
// length without a ban, 98 at the default of 50 an hour (NIST 800-63B 3.2.2 allows 100). Counting
// anew is what lets the owner in: otherwise one more failure of the attacker would renew the ban
// for ever (SECURITY I06).
#include "auth/throttle.h"

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

bool is_stale(const ThrottleCounter& counter, const ThrottleRate& rate, Time now) {
  return counter.banned_until <= now && !is_open(counter, rate, now);
}

}  // namespace auth
