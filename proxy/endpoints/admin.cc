// Session administration, for the admin listener: who is logged in, and ending it. Programs only:
// a request that a browser marked is refused, so that no web page can reach a listener on loopback
// through its visitor's browser (also not by DNS rebinding, where Origin and Host agree).
#include <optional>

#include "proxy/endpoints/endpoint.h"
#include "proxy/endpoints/fields.h"
#include "proxy/endpoints/reply.h"
#include "proxy/endpoints/session_list.h"

namespace proxy::endpoints {

namespace {

constexpr std::string_view list_path = "/sessions";

bool is_from_a_page(const http::RequestHead& head) {
  const http::Field* site = head.find(http::HeaderId::sec_fetch_site);
  return head.find(http::HeaderId::origin) != nullptr ||
         (site != nullptr && site->value != "none");
}

// `?user=NAME` and nothing else. A plus is a plus: names are often e-mail addresses.
std::optional<std::string> user_in_query(const http::RequestHead& head) {
  const std::optional<Pairs> pairs = read_pairs(head.query, Plus::is_plus);
  if (!pairs || pairs->size() != 1 || pairs->front().first != "user" ||
      pairs->front().second.empty()) {
    return std::nullopt;
  }
  return pairs->front().second;
}

net::Task<Reply> end_one(const Context& context, const Request& request,
                         const auth::FamilyId& family) {
  const std::string session_id = auth::to_text(family);
  const auto found = co_await context.store.find(family, context.now);
  if (!found) co_return unavailable_reply(store::name(found.error()));
  if (!*found) co_return error_reply(404, "not_found", "There is no such session.");
  const auto revoked =
      co_await context.store.revoke(family, store::RevokeReason::admin, context.now);
  audit(context, request,
        {.event = "admin", .outcome = revoked ? "ok" : "failed", .reason = "session_ended",
         .user = (*found)->username, .session_id = session_id});
  if (!revoked) co_return unavailable_reply(store::name(revoked.error()));
  co_return empty_reply();
}

net::Task<Reply> end_all(const Context& context, const Request& request, const std::string& user) {
  const auto ended =
      co_await context.store.revoke_user(user, store::RevokeReason::admin, context.now);
  audit(context, request,
        {.event = "admin", .outcome = ended ? "ok" : "failed", .reason = "user_ended",
         .user = user});
  if (!ended) co_return unavailable_reply(store::name(ended.error()));
  JsonText json;
  json.text("user", user);
  json.number("ended", static_cast<std::int64_t>(*ended));
  co_return json_reply(200, json);
}

// Whoever is logged in has to log in again.
net::Task<Reply> end_everybody(const Context& context, const Request& request) {
  const auto ended =
      co_await context.store.revoke_everybody(store::RevokeReason::admin, context.now);
  audit(context, request,
        {.event = "admin", .outcome = ended ? "ok" : "failed", .reason = "everybody_ended"});
  if (!ended) co_return unavailable_reply(store::name(ended.error()));
  co_return empty_reply();
}

net::Task<Reply> list_all(const Context& context, const std::string& user) {
  const auto list = co_await context.store.list(user, context.now);
  if (!list) co_return unavailable_reply(store::name(list.error()));
  JsonText json;
  json.text("user", user);
  json.raw("sessions", session_list(*list, ""));
  co_return json_reply(200, json);
}

}  // namespace

net::Task<Reply> administer(const Context& context, const Request& request) {
  const http::RequestHead& head = request.head;
  if (is_from_a_page(head)) co_return cross_site_reply();
  if (head.path != list_path) {
    const auto family = session_in_path(head.path, list_path);
    if (!family) co_return error_reply(404, "not_found", "There is no such path.");
    if (head.method != http::Method::delete_) co_return method_not_allowed_reply("DELETE");
    co_return co_await end_one(context, request, *family);
  }
  const bool ends = head.method == http::Method::delete_;
  if (!ends && !is_read(request)) co_return method_not_allowed_reply("GET, HEAD, DELETE");
  if (ends && head.query == "everybody=true") co_return co_await end_everybody(context, request);
  const std::optional<std::string> user = user_in_query(head);
  if (!user) co_return error_reply(400, "invalid_request", "Name the user: /sessions?user=NAME");
  if (ends) co_return co_await end_all(context, request, *user);
  co_return co_await list_all(context, *user);
}

}  // namespace proxy::endpoints
