// See event_metrics.h. The labels are words of our own code, never something a client sent.
#include "proxy/event_metrics.h"

#include "proxy/metrics.h"

namespace proxy {

void count_event(const AuditEvent& event) {
  const bool done = event.outcome == "ok";
  const bool failed = event.outcome == "failed";
  const std::string_view what = failed && !event.reason.empty() ? event.reason : event.outcome;
  if (event.event == "login") {
    count(Metric::logins, what);
  } else if (event.event == "throttle") {
    count(Metric::logins, "throttled");
  } else if (event.event == "refresh") {
    count(Metric::token_refresh, what);
    if (event.outcome == "reuse") count(Metric::sessions_revoked, "reuse");
  } else if (event.event == "logout") {
    count(Metric::logouts, event.outcome);
    if (done) count(Metric::sessions_revoked, "logout");
  } else if (event.event == "revoke") {
    if (done) count(Metric::sessions_revoked, event.reason);
  } else if (event.event == "admin") {
    if (done) count(Metric::sessions_revoked, "admin");
  }
}

}  // namespace proxy
