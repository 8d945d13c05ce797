// What scripts may ask about themselves: when the session ends, who the user is, which sessions are
// open; and ending one of them. All of it needs a verified access token. A trusted issuer's token
// has no session here, and its subject is never taken for one of our users.
#include <algorithm>
#include <array>
#include <optional>

#include "proxy/endpoints/endpoint.h"
#include "proxy/endpoints/reply.h"
#include "proxy/endpoints/session_list.h"
#include "proxy/log_line.h"

namespace proxy::endpoints {

namespace {

std::int64_t seconds_left(auth::Time until, auth::Time now) {
  return std::max<std::int64_t>(
      std::chrono::floor<std::chrono::seconds>(until - now).count(), 0);
}

Reply about(const Request& request, const JsonText& json) {
  Reply reply = json_reply(200, json);
  reply.user = request.principal->subject;
  reply.session_id = request.principal->session_id;
  return reply;
}

Reply not_found_reply() { return error_reply(404, "not_found", "There is no such session."); }

// Claims about the token, not about the user.
bool is_registered(std::string_view claim) {
  constexpr std::array<std::string_view, 9> names{"iss", "aud", "exp", "nbf", "iat",
                                                  "jti", "sid", "gen", "auth_time"};
  return std::find(names.begin(), names.end(), claim) != names.end();
}

net::Task<Reply> end_own_session(const Context& context, const Request& request,
                                 const auth::FamilyId& family) {
  const std::string session_id = auth::to_text(family);
  const auto session = co_await context.store.find(family, context.now);
  if (!session) co_return unavailable_reply(store::name(session.error()));
  // Somebody else's session looks like none at all.
  const auth::Principal& principal = *request.principal;
  if (!*session || !principal.ours || (*session)->username != principal.subject) {
    co_return not_found_reply();
  }
  const auto revoked =
      co_await context.store.revoke(family, store::RevokeReason::logout, context.now);
  audit(context, request,
        {.event = "revoke", .outcome = revoked ? "ok" : "failed", .reason = "logout",
         .user = principal.subject, .session_id = session_id});
  if (!revoked) co_return unavailable_reply(store::name(revoked.error()));
  Reply reply = empty_reply();
  reply.user = principal.subject;
  reply.session_id = session_id;
  co_return reply;
}

}  // namespace

std::string session_list(const std::vector<store::Session>& sessions, std::string_view current) {
  std::string list = "[";
  LogClock clock;
  for (const store::Session& session : sessions) {
    const std::string id = auth::to_text(session.family);
    JsonText json;
    json.text("id", id);
    json.text("createdAt", clock.text(session.created_at));
    json.text("lastSeenAt", clock.text(session.last_seen_at));
    json.text("expiresAt", clock.text(session.absolute_expires_at));
    json.text("userAgent", session.user_agent);
    json.text("addressPrefix", session.address_prefix);
    json.boolean("current", id == current);
    if (list.size() > 1) list.push_back(',');
    list.append(json.done());
  }
  return list + "]";
}

std::optional<auth::FamilyId> session_in_path(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return std::nullopt;
  path.remove_prefix(prefix.size());
  if (!path.starts_with('/')) return std::nullopt;
  return auth::family_from_text(path.substr(1));
}

net::Task<Reply> session(const Context& context, const Request& request) {
  if (!is_read(request)) co_return method_not_allowed_reply("GET, HEAD");
  if (request.principal == nullptr) co_return unauthorized_reply(request.principal_error);
  const auth::Principal& principal = *request.principal;
  JsonText json;
  json.text("user", principal.subject);
  json.number("accessExpiresIn", seconds_left(principal.expires_at, context.now));
  const auto family = auth::family_from_text(principal.session_id);
  if (principal.ours && family) {
    const auto found = co_await context.store.find(*family, context.now);
    if (!found) co_return unavailable_reply(store::name(found.error()));
    const bool is_open = found->has_value();
    json.text("sessionId", principal.session_id);
    json.number("sessionExpiresIn",
                is_open ? seconds_left((*found)->absolute_expires_at, context.now) : 0);
    json.number("idleExpiresIn",
                is_open ? seconds_left((*found)->idle_expires_at, context.now) : 0);
  }
  co_return about(request, json);
}

net::Task<Reply> userinfo(const Context&, const Request& request) {
  if (!is_read(request)) co_return method_not_allowed_reply("GET, HEAD");
  if (request.principal == nullptr) co_return unauthorized_reply(request.principal_error);
  const auth::Principal& principal = *request.principal;
  JsonText json;
  json.text("sub", principal.subject);
  json.text_unless_empty("preferred_username", principal.preferred_username);
  json.text_unless_empty("email", principal.email);
  json.text_unless_empty("name", principal.name);
  json.list("groups", principal.groups);
  json.text_unless_empty("scope", auth::claim_text(principal, "scope"));
  for (const auto& [name, value] : principal.claims) {
    if (!is_registered(name)) json.text(name, value);
  }
  for (const auto& [name, values] : principal.claim_lists) {
    if (!is_registered(name)) json.list(name, values);
  }
  co_return about(request, json);
}

net::Task<Reply> sessions(const Context& context, const Request& request) {
  const std::string& path = context.runtime.config.endpoints.sessions;
  if (request.head.path != path) {
    if (request.head.method != http::Method::delete_) co_return method_not_allowed_reply("DELETE");
    if (is_cross_site(context.runtime, request.head)) co_return cross_site_reply();
    if (request.principal == nullptr) co_return unauthorized_reply(request.principal_error);
    const auto family = session_in_path(request.head.path, path);
    if (!family) co_return not_found_reply();
    co_return co_await end_own_session(context, request, *family);
  }
  if (!is_read(request)) co_return method_not_allowed_reply("GET, HEAD");
  if (request.principal == nullptr) co_return unauthorized_reply(request.principal_error);
  const auth::Principal& principal = *request.principal;
  JsonText json;
  if (!principal.ours) {
    json.raw("sessions", "[]");
    co_return about(request, json);
  }
  const auto list = co_await context.store.list(principal.subject, context.now);
  if (!list) co_return unavailable_reply(store::name(list.error()));
  json.raw("sessions", session_list(*list, principal.session_id));
  co_return about(request, json);
}

}  // namespace proxy::endpoints
