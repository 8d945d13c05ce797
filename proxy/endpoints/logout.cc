// POST /logout: ends the session of every token that came along and clears the cookies. What is
// already over, forged or unknown is answered 204 as well (RFC 7009 section 2.2); what could not be
// stored is 503 and touches no cookie, so that the client can try again (SECURITY H18).
#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "proxy/endpoints/browser_request.h"
#include "proxy/endpoints/credentials.h"
#include "proxy/endpoints/endpoint.h"
#include "proxy/endpoints/fields.h"
#include "proxy/endpoints/page_reply.h"
#include "proxy/endpoints/reply.h"

namespace proxy::endpoints {

namespace {

constexpr std::array<std::string_view, 3> logout_names{"token", "refreshToken", "refresh_token"};

// The session a token of ours belongs to; access tokens count even when they have expired, because
// a user who comes back to an open page must be able to leave.
void add_family(const Context& context, std::string_view text,
                std::vector<auth::FamilyId>& families) {
  std::optional<auth::FamilyId> family;
  if (looks_like_refresh_token(text)) {
    const auto token = context.runtime.refresh_keys.read(text, context.now);
    if (token) family = token->family;
  } else if (!text.empty()) {
    const auto principal = context.runtime.verifier.verify_expired(text, context.now);
    if (principal && (*principal)->ours) family = auth::family_from_text((*principal)->session_id);
  }
  if (family && std::find(families.begin(), families.end(), *family) == families.end()) {
    families.push_back(*family);
  }
}

std::optional<Reply> read_families(const Context& context, const Request& request,
                                   std::vector<auth::FamilyId>& families) {
  if (request.head.method != http::Method::post) return method_not_allowed_reply("POST");
  if (is_cross_site(context.runtime, request.head)) return cross_site_reply();
  Fields fields;
  const FieldsProblem problem = read_fields(request.head, request.body, logout_names, fields);
  if (problem.status != 0) return error_reply(problem.status, problem.code, problem.message);
  const Found cookie = find_refresh_cookie(context.runtime, request.head);
  const Found bearer = find_bearer(request.head);
  if (cookie.count > 1) {
    return error_reply(400, "invalid_request", "The refresh cookie is sent twice.");
  }
  if (bearer.count > 1) {
    return error_reply(400, "invalid_request", "Authorization is sent twice.");
  }
  add_family(context, cookie.value, families);
  add_family(context, find_access_cookie(context.runtime, request.head).value, families);
  for (const std::string_view name : logout_names) {
    add_family(context, fields.value(name), families);
  }
  add_family(context, bearer.value, families);
  return std::nullopt;
}

// The last page of a session; where nobody is logged in, the only one.
Reply logged_out_page(const Context& context) {
  MessagePage page;
  page.heading = "logged_out";
  page.text = "logged_out_text";
  page.link = context.runtime.config.endpoints.login;
  page.link_text = "login_again";
  return message_page(context, page);
}

Reply show_logout(const Context& context, const Request& request) {
  const bool has_session = request.principal != nullptr ||
                           find_refresh_cookie(context.runtime, request.head).count > 0;
  return has_session ? logout_page(context, request, 200, "") : logged_out_page(context);
}

bool asks_for_all(const http::RequestHead& head) {
  const std::optional<Pairs> pairs = read_pairs(head.query, Plus::is_plus);
  return pairs && std::find(pairs->begin(), pairs->end(),
                            Pairs::value_type("all", "true")) != pairs->end();
}

// One family, or with `all` every family of its user; false when it could not be stored. A token
// of a session that is over says nothing about its user any more, so it cannot end the others.
net::Task<bool> end_family(const Context& context, const Request& request,
                           const auth::FamilyId& family, bool all, Reply& reply) {
  const std::string session_id = auth::to_text(family);
  AuditEvent event{.event = "logout", .outcome = "failed", .reason = "store_unavailable",
                   .session_id = session_id};
  const auto session = co_await context.store.find(family, context.now);
  if (!session) {
    audit(context, request, event);
    co_return false;
  }
  const std::string username = *session ? (*session)->username : std::string();
  event.user = username;
  // All of them first: once this family is over, a second try could not tell whose it was.
  bool is_stored = true;
  if (all && *session) {
    const auto count = co_await context.store.revoke_user(
        username, store::RevokeReason::logout_all, context.now);
    is_stored = count.has_value();
  }
  if (is_stored) {
    const auto revoked =
        co_await context.store.revoke(family, store::RevokeReason::logout, context.now);
    is_stored = revoked.has_value();
  }
  if (is_stored) {
    event.outcome = "ok";
    event.reason = all ? "all" : "";
  }
  if (*session || !is_stored) audit(context, request, event);
  reply.user = username;
  reply.session_id = session_id;
  co_return is_stored;
}

}  // namespace

net::Task<Reply> logout(const Context& context, const Request& request) {
  const bool has_pages = context.runtime.config.browser.enabled;
  if (has_pages && is_read(request)) co_return show_logout(context, request);
  const bool by_page = has_pages && wants_page(request.head);
  std::vector<auth::FamilyId> families;
  std::optional<Reply> refused = read_families(context, request, families);
  if (refused) co_return std::move(*refused);

  const bool all = asks_for_all(request.head);
  Reply reply = empty_reply();
  for (const auth::FamilyId& family : families) {
    const bool is_stored = co_await end_family(context, request, family, all, reply);
    if (is_stored) continue;
    Reply failed = unavailable_reply(auth::name(auth::Error::store_unavailable));
    if (!by_page) co_return failed;
    Reply page = logout_page(context, request, 503, "logout_failed");
    page.headers += failed.headers;
    page.reason = failed.reason;
    co_return page;
  }
  if (by_page) {
    Reply page = logged_out_page(context);
    page.user = reply.user;
    page.session_id = reply.session_id;
    reply = std::move(page);
  }
  constexpr std::chrono::seconds at_once{0};
  reply.headers += http::set_cookie_line(context.runtime.refresh_cookie, "", at_once) +
                   http::set_cookie_line(context.runtime.access_cookie, "", at_once) +
                   (has_pages ? http::set_cookie_line(context.runtime.login_cookie, "", at_once)
                              : std::string()) +
                   app_cookie_lines(context.runtime);
  // What the browser keeps of protected pages must not come back with its back button.
  if (has_pages) reply.headers += "Clear-Site-Data: \"cache\"\r\n";
  co_return reply;
}

}  // namespace proxy::endpoints
