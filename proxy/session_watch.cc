// See session_watch.h.
#include "proxy/session_watch.h"

#include <algorithm>

#include "proxy/net/timer.h"

namespace proxy {
namespace {

constexpr std::chrono::milliseconds look_interval{1'000};
constexpr std::chrono::milliseconds outage_interval{5'000};

// Families of streams whose turn has come; each once.
std::vector<auth::FamilyId> due_families(const WorkerState& worker, auth::Time now) {
  std::vector<auth::FamilyId> due;
  for (const SessionStream& stream : worker.session_streams) {
    if (stream.revoked || stream.check_at > now) continue;
    const auto family = auth::family_from_text(stream.session_id);
    if (family && std::find(due.begin(), due.end(), *family) == due.end()) due.push_back(*family);
  }
  return due;
}

void look_again(WorkerState& worker, const std::string& session_id, auth::Time when) {
  for (SessionStream& stream : worker.session_streams) {
    if (stream.session_id == session_id) stream.check_at = when;
  }
}

store::Revocation expiry_of(const WorkerState& worker, const std::string& session_id,
                            auth::Time now) {
  store::Revocation revocation;
  revocation.session_id = session_id;
  revocation.at = now;
  revocation.forget_at = now + worker.local->runtime->config.tokens.access.life;
  revocation.reason = store::RevokeReason::expired;
  return revocation;
}

}  // namespace

net::Task<void> watch_session_streams(WorkerState& worker) {
  net::Timer timer(worker.executor);
  for (;;) {
    timer.expires_after(look_interval);
    const auto [error] = co_await timer.async_wait(net::as_result);
    if (error) co_return;
    const auth::Time now = wall_clock();
    const std::vector<auth::FamilyId> due = due_families(worker, now);
    for (const auth::FamilyId& family : due) {
      const std::string session_id = auth::to_text(family);
      const auto found = co_await worker.store.find(family, now);
      if (!found) {
        look_again(worker, session_id, now + outage_interval);
      } else if (*found) {
        look_again(worker, session_id,
                   std::min((*found)->idle_expires_at, (*found)->absolute_expires_at));
      } else {
        worker.apply(expiry_of(worker, session_id, now));
      }
    }
  }
}

}  // namespace proxy
