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
#include "proxy/endpoints/form_guard.h"
#include "proxy/endpoints/renew.h"
#include "proxy/endpoints/reply.h"

namespace proxy::endpoints {

// What was asked for and how the answer goes back.
struct TokenAsk {
  std::string token;
  std::string scope;
  bool active = true;
  Delivered delivered;
};

namespace {

constexpr std::array<std::string_view, 6> token_names{"token", "refreshToken", "refresh_token",
                                                 "grant_type", "scope", "active"};
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
  // A page that refreshes by itself says that nobody is there.
  ask.active = fields.value("active") != "false";
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

Reply reply_for(const Context& context, const TokenAsk& ask, const Renewal& renewal) {
  const Shape shape = ask.delivered.shape;
  switch (renewal.outcome) {
    case Renewal::Outcome::renewed:
      return tokens_reply(context, ask.delivered, renewal.access, renewal.refresh);
    case Renewal::Outcome::wrong_scope:
      return refusal(Shape::oauth, 400, "invalid_scope", "The scope may not be widened.");
    case Renewal::Outcome::unavailable:
      return unavailable_reply(renewal.reason);
    case Renewal::Outcome::failed: {
      Reply reply = no_token_reply(auth::Error::wrong_claims);
      reply.reason = renewal.reason;
      return reply;
    }
    case Renewal::Outcome::refused:
      break;
  }
  return invalid_token_reply(shape, renewal.reason);
}

}  // namespace

net::Task<Reply> token(const Context& context, const Request& request) {
  TokenAsk ask;
  std::optional<Reply> refused = read_ask(context, request, ask);
  if (refused) co_return std::move(*refused);
  RenewalWish wish;
  wish.token = ask.token;
  wish.scope = ask.scope;
  wish.active = ask.active || context.runtime.config.sessions.activity == config::Activity::any;
  const Renewal renewal = co_await renew(context, request, wish);
  if (const auto state = find_login_state(context.runtime, request.head)) {
    ask.delivered.ends_with_browser = state->ends_with_browser;
  }
  Reply reply = reply_for(context, ask, renewal);
  reply.user = renewal.username;
  reply.session_id = renewal.session_id;
  co_return reply;
}

}  // namespace proxy::endpoints
