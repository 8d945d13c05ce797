// See credentials.h.
#include "proxy/endpoints/credentials.h"

#include <algorithm>

#include "proxy/endpoints/json_text.h"
#include "proxy/endpoints/reply.h"
#include "proxy/http/cookie.h"

namespace proxy::endpoints {

namespace {

constexpr std::size_t cookie_bytes_max = 1'023;

Found find_cookie(const http::RequestHead& head, std::string_view name) {
  Found found;
  for (const http::Field& field : head.fields) {
    if (field.id != http::HeaderId::cookie) continue;
    const http::CookieLookup lookup = http::find_cookie(field.value, name);
    if (found.count == 0) found.value = lookup.value;
    found.count += lookup.count;
  }
  return found;
}

}  // namespace

Found find_refresh_cookie(const Runtime& runtime, const http::RequestHead& head) {
  return find_cookie(head, runtime.refresh_cookie.name);
}

Found find_access_cookie(const Runtime& runtime, const http::RequestHead& head) {
  if (!runtime.config.browser.enabled) return {};
  return find_cookie(head, runtime.access_cookie.name);
}

Found find_bearer(const http::RequestHead& head) {
  constexpr std::string_view scheme = "bearer ";
  Found found;
  for (const http::Field& field : head.fields) {
    if (field.id != http::HeaderId::authorization) continue;
    ++found.count;
    if (!http::equal_ignoring_case(field.value.substr(0, scheme.size()), scheme)) continue;
    std::string_view token = field.value.substr(scheme.size());
    token.remove_prefix(std::min(token.find_first_not_of(' '), token.size()));
    if (found.value.empty()) found.value = token;
  }
  return found;
}

bool looks_like_refresh_token(std::string_view text) {
  return text.starts_with(auth::refresh_token_prefix);
}

auth::Result<AccessToken> issue_access(const Context& context, const Grant& grant) {
  const config::Tokens& tokens = context.runtime.config.tokens;
  const auto left = std::chrono::floor<std::chrono::seconds>(grant.session_ends_at - context.now);
  const auto life = std::max(
      std::min(std::chrono::floor<std::chrono::seconds>(tokens.access.life), left),
      std::chrono::seconds{1});
  auth::AccessClaims claims;
  claims.subject = grant.user.username;
  claims.preferred_username = grant.user.username;
  claims.email = grant.user.email;
  claims.name = grant.user.name;
  claims.groups = grant.user.groups;
  claims.scopes = grant.scopes;
  claims.claims = grant.user.claims;
  claims.session_id = auth::to_text(grant.family);
  claims.generation = grant.generation;
  claims.passive = grant.passive;
  claims.authenticated_at = grant.authenticated_at;
  auto token = auth::issue_access_token(context.runtime.access_keys, tokens.issuer, tokens.audience,
                                        claims, std::max(context.now, grant.not_before), life);
  if (!token) {
    // A user whose entry cannot stand in a header would be locked out without a word otherwise.
    context.log.write(Level::error, "no access token could be made",
                      {{"user", grant.user.username}, {"reason", auth::name(token.error())}});
    return token.error();
  }
  return AccessToken{std::move(*token), life};
}

bool fits_cookie(const Runtime& runtime, std::string_view access_token) {
  return runtime.access_cookie.name.size() + 1 + access_token.size() <= cookie_bytes_max;
}

std::string session_cookie_lines(const Context& context, const AccessToken& access,
                                 const auth::RefreshToken& refresh, bool ends_with_browser) {
  const Runtime& runtime = context.runtime;
  const auto life = std::chrono::floor<std::chrono::seconds>(refresh.expires_at - context.now);
  const std::string text = runtime.refresh_keys.mint(refresh);
  const auto as_asked = [ends_with_browser](std::chrono::seconds age) {
    return ends_with_browser ? std::nullopt : std::optional<std::chrono::seconds>(age);
  };
  std::string lines = http::set_cookie_line(runtime.refresh_cookie, text, as_asked(life));
  if (!runtime.config.browser.enabled) return lines;
  if (fits_cookie(runtime, access.text)) {
    return lines +
           http::set_cookie_line(runtime.access_cookie, access.text, as_asked(access.expires_in));
  }
  context.log.write(Level::warning,
                    "an access token does not fit into a cookie of 1 KiB: every request of its "
                    "user asks the store; shorten groups and claims, or sign with ES256",
                    {{"session", auth::to_text(refresh.family)},
                     {"bytes", std::to_string(access.text.size())}});
  return lines;
}

std::string app_cookie_lines(const Runtime& runtime) {
  std::string lines;
  for (const config::AppCookie& cookie : runtime.config.app_cookies) {
    http::CookieAttributes attributes;
    attributes.name = cookie.name;
    attributes.path = cookie.path;
    attributes.domain = cookie.domain;
    attributes.secure = runtime.access_cookie.secure;
    lines += http::set_cookie_line(attributes, "", std::chrono::seconds{0});
  }
  return lines;
}

Reply tokens_reply(const Context& context, const Delivered& delivered, const AccessToken& access,
                   const auth::RefreshToken& refresh) {
  const bool oauth = delivered.shape == Shape::oauth;
  const std::string refresh_text = context.runtime.refresh_keys.mint(refresh);
  JsonText json;
  json.text(oauth ? "access_token" : "accessToken", access.text)
      .text(oauth ? "token_type" : "tokenType", "Bearer")
      .number(oauth ? "expires_in" : "expiresIn", access.expires_in.count());
  if (delivered.refresh_in_body) {
    json.text(oauth ? "refresh_token" : "refreshToken", refresh_text);
  }
  Reply reply = json_reply(200, json);
  if (delivered.refresh_in_cookie) {
    reply.headers = session_cookie_lines(context, access, refresh, delivered.ends_with_browser);
  }
  reply.session_id = auth::to_text(refresh.family);
  return reply;
}

}  // namespace proxy::endpoints
