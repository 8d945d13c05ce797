// POST /token: a refresh token becomes an access token and the next refresh token. The rotation
// rule is the store's (auth/family.h); here it is decided where the token came from and in which
// shape the answer goes back. No 403 or 503 touches a cookie: a late answer would delete a newer
// login's, and an outage would log everybody out.
#include <algorithm>
#include <array>
#include <optional>

#include "proxy/endpoints/credentials.h"
#include "proxy/endpoints/endpoint.h"
#include "proxy/endpoints/fields.h"
#include "proxy/endpoints/reply.h"

namespace proxy::endpoints {

// What was asked for and how the answer goes back.
struct TokenAsk {
  std::string token;
  std::string scope;
  Delivered delivered;
};

namespace {

constexpr std::array<std::string_view, 5> token_names{"token", "refreshToken", "refresh_token",
                                                 "grant_type", "scope"};
constexpr std::array<std::string_view, 9> not_in_query{
    "token", "refreshToken", "refresh_token", "access_token", "grant_type",
    "username", "email", "name", "password"};

// RFC 6749 section 5.2 names the sentence differently.
Reply refusal(Shape shape, int status, std::string_view code, std::string_view message) {
  if (shape == Shape::plain) return error_reply(status, code, message);
  return json_reply(status, JsonText().text("error", code).text("error_description", message));
}

Reply bad_request(Shape shape, std::string_view message) {
  return refusal(shape, 400, "invalid_request", message);
}

// One answer for every reason: a thief learns nothing about why.
Reply invalid_token_reply(Shape shape, std::string_view reason) {
  Reply reply = shape == Shape::oauth
                    ? refusal(shape, 400, "invalid_grant", "The refresh token is not valid.")
                    : error_reply(403, "Forbidden", "Invalid refresh token");
  reply.reason = reason;
  return reply;
}

Reply missing_token_reply(Shape shape) {
  if (shape == Shape::oauth) return bad_request(shape, "A refresh token is required.");
  Reply reply = unauthorized_reply(auth::Error::missing);
  reply.body = error_reply(401, "missing_token", "A refresh token is required.").body;
  return reply;
}

// Takes `found` as the token unless another one was found before; false: two different ones.
bool take(std::string_view found, std::string& token) {
  if (found.empty()) return true;
  if (token.empty()) token = found;
  return token == found;
}

// The token from its one place: the cookie, a body member, or Bearer.
std::optional<Reply> find_token(const Context& context, const Request& request,
                                const Fields& fields, TokenAsk& ask) {
  const Shape shape = ask.delivered.shape;
  const Found cookie = find_refresh_cookie(context.runtime, request.head);
  const Found bearer = find_bearer(request.head);
  if (cookie.count > 1) return bad_request(shape, "The refresh cookie is sent twice.");
  if (bearer.count > 1) return bad_request(shape, "Authorization is sent twice.");

  bool is_single = take(cookie.value, ask.token);
  for (const std::string_view name : {"token", "refreshToken", "refresh_token"}) {
    const std::string_view value = fields.value(name);
    ask.delivered.refresh_in_body |= !value.empty();
    is_single &= take(value, ask.token);
  }
  // Scripts attach their access token everywhere, so a Bearer of another kind only counts when it
  // is all there is, and is refused then.
  if (looks_like_refresh_token(bearer.value) || ask.token.empty()) {
    ask.delivered.refresh_in_body |= !bearer.value.empty();
    is_single &= take(bearer.value, ask.token);
  }
  if (!is_single) return bad_request(shape, "Two different refresh tokens are sent.");
  ask.delivered.refresh_in_cookie = !cookie.value.empty();
  if (ask.token.empty()) return missing_token_reply(shape);
  return std::nullopt;
}

std::optional<Reply> read_ask(const Context& context, const Request& request, TokenAsk& ask) {
  if (request.head.method != http::Method::post) return method_not_allowed_reply("POST");
  if (is_cross_site(context.runtime, request.head)) return cross_site_reply();
  if (query_names_any(request.head, not_in_query)) {
    return bad_request(Shape::plain, "Tokens belong into the body, not into the URL.");
  }
  Fields fields;
  const FieldsProblem problem = read_fields(request.head, request.body, token_names, fields);
  if (problem.status != 0) {
    // Whether an unreadable body was meant as OAuth can only be guessed.
    const bool oauth =
        is_form(request.head) && request.body.find("grant_type") != std::string_view::npos;
    return refusal(oauth ? Shape::oauth : Shape::plain, problem.status, problem.code,
                   problem.message);
  }
  const std::string_view grant_type = fields.value("grant_type");
  if (!grant_type.empty()) {
    ask.delivered.shape = Shape::oauth;
    // RFC 9700 section 2.4: the password grant must not be served.
    if (grant_type != "refresh_token") {
      return refusal(Shape::oauth, 400, "unsupported_grant_type",
                     "Only the grant type refresh_token is served.");
    }
    ask.scope = fields.value("scope");
  }
  return find_token(context, request, fields, ask);
}

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

// The user is gone or disabled since: so is the session.
net::Task<Reply> end_session(const Context& context, const Request& request, Shape shape,
                             const store::Session& session, auth::Error why) {
  const auto revoked = co_await context.store.revoke(
      session.family, store::RevokeReason::user_changed, context.now);
  const std::string session_id = auth::to_text(session.family);
  audit(context, request,
        {.event = "revoke", .outcome = revoked ? "ok" : "failed", .reason = "user_changed",
         .user = session.username, .session_id = session_id});
  Reply reply = revoked ? invalid_token_reply(shape, auth::name(why))
                        : unavailable_reply(store::name(revoked.error()));
  reply.user = session.username;
  reply.session_id = session_id;
  co_return reply;
}

// A session that goes on: the access token carries the generation that is answered with.
Reply answer(const Context& context, const TokenAsk& ask, const auth::User& user,
             const auth::RefreshToken& shown, const store::Rotated& rotated) {
  Grant grant{.user = user,
              .family = shown.family,
              .generation = rotated.rotation.generation,
              .authenticated_at = rotated.session.created_at,
              .session_ends_at = shown.expires_at,
              .not_before = rotated.session.created_at,
              .scopes = user.scopes};
  if (!narrow(ask.scope, grant.scopes)) {
    return refusal(Shape::oauth, 400, "invalid_scope", "The scope may not be widened.");
  }
  const auth::Result<AccessToken> access = issue_access(context, grant);
  if (!access) return no_token_reply(access.error());
  // A pure function of the shown token's family and end, so that every replica and every parallel
  // request gives the same bytes.
  auth::RefreshToken successor = shown;
  successor.generation = rotated.rotation.generation;
  return tokens_reply(context, ask.delivered, *access, successor);
}

}  // namespace

net::Task<Reply> token(const Context& context, const Request& request) {
  TokenAsk ask;
  std::optional<Reply> refused = read_ask(context, request, ask);
  if (refused) co_return std::move(*refused);
  const Shape shape = ask.delivered.shape;

  const auto shown = context.runtime.refresh_keys.read(ask.token, context.now);
  if (!shown) {
    const std::string_view reason = auth::name(shown.error());
    audit(context, request, {.event = "refresh", .outcome = "failed", .reason = reason});
    co_return invalid_token_reply(shape, reason);
  }
  const std::string session_id = auth::to_text(shown->family);
  const auto rotated = co_await context.store.rotate(shown->family, shown->generation, true,
                                                     context.now);
  AuditEvent event{.event = "refresh", .outcome = "failed", .session_id = session_id};
  if (!rotated) {
    event.reason = store::name(rotated.error());
    audit(context, request, event);
    co_return unavailable_reply(event.reason);
  }
  const auth::Outcome outcome = rotated->rotation.outcome;
  event.user = rotated->session.username;
  if (outcome == auth::Outcome::dead || outcome == auth::Outcome::reuse) {
    // Reuse has an outcome of its own: alerts are made from it.
    (outcome == auth::Outcome::reuse ? event.outcome : event.reason) = auth::name(outcome);
    audit(context, request, event);
    Reply reply = invalid_token_reply(shape, auth::name(outcome));
    reply.user = rotated->session.username;
    reply.session_id = session_id;
    co_return reply;
  }

  const auth::User* user = context.runtime.users->find_username(rotated->session.username);
  if (user == nullptr || user->disabled) {
    const auth::Error why =
        user == nullptr ? auth::Error::unknown_user : auth::Error::disabled_user;
    event.reason = auth::name(why);
    audit(context, request, event);
    co_return co_await end_session(context, request, shape, rotated->session, why);
  }
  Reply reply = answer(context, ask, *user, *shown, *rotated);
  reply.user = user->username;
  reply.session_id = session_id;
  event.outcome = auth::name(outcome);
  audit(context, request, event);
  co_return reply;
}

}  // namespace proxy::endpoints
