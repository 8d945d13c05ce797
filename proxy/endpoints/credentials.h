// Where a request carries our tokens, and how it is answered with new ones. Shared by login, token
// and logout. Pure but for the random `jti` of an access token; the thread of the context.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/endpoints/endpoint.h"

namespace proxy::endpoints {

// A value that may stand in several places of a request; more than one is ambiguous.
struct Found {
  int count = 0;
  std::string_view value;  // of the first; a view into the head
};
[[nodiscard]] Found find_refresh_cookie(const Runtime& runtime, const http::RequestHead& head);
// Only with browser.enabled; without it nobody has such a cookie from us.
[[nodiscard]] Found find_access_cookie(const Runtime& runtime, const http::RequestHead& head);
// The token of `Authorization: Bearer` (scheme in any case, RFC 9110 section 11.1). `count` is of
// all Authorization fields; the value is empty for other schemes.
[[nodiscard]] Found find_bearer(const http::RequestHead& head);
[[nodiscard]] bool looks_like_refresh_token(std::string_view text);

// The most that a store dates a session ahead of now, by one clock (session_store.h).
inline constexpr std::chrono::seconds clock_ahead_max{2};

// What an access token is made for.
struct Grant {
  const auth::User& user;
  auth::FamilyId family{};
  std::uint64_t generation = 0;       // of the refresh token it is answered with
  auth::Time authenticated_at{};
  auth::Time session_ends_at{};       // the token never outlives it
  // The session's beginning where the store dates it ahead of now: a user-wide revocation refuses
  // every token of its second, so a login right behind it is dated into the next.
  auth::Time not_before{};
  std::vector<std::string> scopes;
  bool passive = false;  // nobody was there: the next visit renews it at once
};
struct AccessToken {
  std::string text;
  std::chrono::seconds expires_in{0};
};
[[nodiscard]] auth::Result<AccessToken> issue_access(const Context& context, const Grant& grant);

// Which names the members of an answer have.
enum class Shape { plain, oauth };  // accessToken ...; access_token ... (RFC 6749 section 5.1)
struct Delivered {
  Shape shape = Shape::plain;
  bool refresh_in_cookie = true;
  bool refresh_in_body = false;
  bool ends_with_browser = false;  // cookies without a life of their own
};

// Whether the access token's cookie stays under 1 KiB; browsers and servers in between drop more.
[[nodiscard]] bool fits_cookie(const Runtime& runtime, std::string_view access_token);
// The Set-Cookie lines of a session: refresh, and with browser.enabled access. A token that does
// not fit is left out, so that the browser asks for a new one each time.
[[nodiscard]] std::string session_cookie_lines(const Context& context, const AccessToken& access,
                                               const auth::RefreshToken& refresh,
                                               bool ends_with_browser);
// The Set-Cookie lines that end the cookies of the application (app_cookies).
[[nodiscard]] std::string app_cookie_lines(const Runtime& runtime);
// 200 with the access token, and the refresh token where `delivered` says.
[[nodiscard]] Reply tokens_reply(const Context& context, const Delivered& delivered,
                                 const AccessToken& access, const auth::RefreshToken& refresh);

}  // namespace proxy::endpoints
