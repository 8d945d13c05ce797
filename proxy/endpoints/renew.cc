// See renew.h. Nothing here touches a cookie where it fails: a late answer would delete a newer
// login's, and an outage would log everybody out.
#include "proxy/endpoints/renew.h"

#include <algorithm>
#include <optional>

#include "proxy/endpoints/reply.h"

namespace proxy::endpoints {

namespace {

// RFC 6749 section 6: the scope may be narrowed, never widened. False: widened.
bool narrow(std::string_view asked, std::vector<std::string>& scopes) {
  if (asked.empty()) return true;
  std::vector<std::string> narrowed;
  while (!asked.empty()) {
    const std::size_t end = asked.find(' ');
    const std::string_view scope = asked.substr(0, end);
    asked = end == std::string_view::npos ? std::string_view{} : asked.substr(end + 1);
    if (scope.empty()) continue;
    if (std::find(scopes.begin(), scopes.end(), scope) == scopes.end()) return false;
    narrowed.emplace_back(scope);
  }
  scopes = std::move(narrowed);
  return true;
}

// Whose session it is, as of now.
struct FoundUser {
  bool is_known = true;  // false: the store cannot say
  const auth::User* listed = nullptr;
  std::optional<auth::User> kept;
  [[nodiscard]] const auth::User* user() const { return kept ? &*kept : listed; }
};

// In the users file, which may have changed. Nobody can be asked about a user of users.http without
// the password, so what the login said goes on to hold.
net::Task<FoundUser> find_user(const Context& context, const auth::RefreshToken& shown,
                               const std::string& username) {
  FoundUser found;
  found.listed = context.runtime.users->find_username(username);
  if (found.listed != nullptr || !context.runtime.user_service) co_return found;
  const auto profile = co_await context.store.profile(shown.family, context.now);
  found.is_known = profile.has_value();
  if (profile && !profile->empty()) found.kept = read_user(*profile);
  co_return found;
}

// Why a session of that user does not go on; none: it does. A password that changed while nobody
// could tell the store (across a restart, or during its outage) is found by its mark.
std::optional<std::string_view> ended_because(const auth::User* user,
                                              const store::Session& session) {
  if (user == nullptr) return auth::name(auth::Error::unknown_user);
  if (user->disabled) return auth::name(auth::Error::disabled_user);
  const std::uint32_t mark = auth::password_mark(*user);
  if (mark != 0 && session.password_mark != 0 && mark != session.password_mark) {
    return store::name(store::RevokeReason::user_changed);
  }
  return std::nullopt;
}

// The user is gone, disabled or has another password since: so ends the session.
net::Task<void> end_session(const Context& context, const Request& request,
                            const store::Session& session, Renewal& renewal) {
  const auto revoked = co_await context.store.revoke(
      session.family, store::RevokeReason::user_changed, context.now);
  audit(context, request,
        {.event = "revoke", .outcome = revoked ? "ok" : "failed", .reason = "user_changed",
         .user = session.username, .session_id = renewal.session_id});
  renewal.is_over = revoked.has_value();
  if (revoked) co_return;
  renewal.outcome = Renewal::Outcome::unavailable;
  renewal.reason = store::name(revoked.error());
}

// A session that goes on: the access token carries the generation that is answered with.
void issue(const Context& context, const RenewalWish& wish, const auth::User& user,
           const store::Rotated& rotated, Renewal& renewal) {
  Grant grant{.user = user,
              .family = renewal.refresh.family,
              .generation = rotated.rotation.generation,
              .authenticated_at = rotated.session.created_at,
              .session_ends_at = renewal.refresh.expires_at,
              .not_before = std::min(rotated.session.created_at, context.now + clock_ahead_max),
              .scopes = user.scopes,
              .passive = !wish.active};
  if (!narrow(wish.scope, grant.scopes)) {
    renewal.outcome = Renewal::Outcome::wrong_scope;
    return;
  }
  auth::Result<AccessToken> access = issue_access(context, grant);
  if (!access) {
    renewal.outcome = Renewal::Outcome::failed;
    renewal.reason = auth::name(access.error());
    return;
  }
  renewal.outcome = Renewal::Outcome::renewed;
  renewal.access = std::move(*access);
  // A pure function of the shown token's family and end, so that every replica and every parallel
  // request gives the same bytes.
  renewal.refresh.generation = rotated.rotation.generation;
}

}  // namespace

net::Task<Renewal> renew(const Context& context, const Request& request, const RenewalWish& wish) {
  Renewal renewal;
  AuditEvent event{.event = "refresh", .outcome = "failed"};
  const auto shown = context.runtime.refresh_keys.read(wish.token, context.now);
  if (!shown) {
    event.reason = renewal.reason = auth::name(shown.error());
    audit(context, request, event);
    co_return renewal;
  }
  renewal.refresh = *shown;
  renewal.session_id = auth::to_text(shown->family);
  event.session_id = renewal.session_id;
  const auto rotated = co_await context.store.rotate(shown->family, shown->generation, wish.active,
                                                     context.now);
  if (!rotated) {
    renewal.outcome = Renewal::Outcome::unavailable;
    event.reason = renewal.reason = store::name(rotated.error());
    audit(context, request, event);
    co_return renewal;
  }
  renewal.username = rotated->session.username;
  event.user = renewal.username;
  const auth::Outcome outcome = rotated->rotation.outcome;
  if (outcome == auth::Outcome::dead || outcome == auth::Outcome::reuse) {
    renewal.reason = auth::name(outcome);
    renewal.is_over = true;
    // Reuse has an outcome of its own: alerts are made from it.
    (outcome == auth::Outcome::reuse ? event.outcome : event.reason) = auth::name(outcome);
    audit(context, request, event);
    co_return renewal;
  }
  const FoundUser found = co_await find_user(context, *shown, renewal.username);
  if (!found.is_known) {
    renewal.outcome = Renewal::Outcome::unavailable;
    event.reason = renewal.reason = auth::name(auth::Error::store_unavailable);
    audit(context, request, event);
    co_return renewal;
  }
  const auth::User* const user = found.user();
  if (const auto why = ended_because(user, rotated->session)) {
    event.reason = renewal.reason = *why;
    audit(context, request, event);
    co_await end_session(context, request, rotated->session, renewal);
    co_return renewal;
  }
  issue(context, wish, *user, *rotated, renewal);
  event.outcome = auth::name(outcome);
  audit(context, request, event);
  co_return renewal;
}

}  // namespace proxy::endpoints
