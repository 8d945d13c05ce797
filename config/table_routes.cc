// The keys of routes and endpoints: what is asked of which request, and our own paths.
#include "config/table_sections.h"

#include <array>
#include <string_view>

namespace config {

template <>
struct Words<Access> {
  static constexpr std::array<std::string_view, 2> list{"token", "public"};
};
template <>
struct Words<Paths> {
  static constexpr std::array<std::string_view, 2> list{"strict", "legacy"};
};

template <>
struct Words<PageMode> {
  static constexpr std::array<std::string_view, 3> list{"auto", "always", "never"};
};
template <>
struct Words<RouteCsrf> {
  static constexpr std::array<std::string_view, 3> list{"inherit", "origin", "none"};
};

namespace {

using namespace std::chrono_literals;

Section<Require> require_keys() {
  using T = Require;
  return {
      key("groups", &T::groups, "The user is in any of these groups."),
      key("scopes", &T::scopes, "The token has any of these scopes."),
      key("claims", &T::claims,
          "Claims by name; each must have the value, or any value of a list."),
  };
}

Section<Retry> retry_keys() {
  using T = Retry;
  return {
      key("attempts", &T::attempts, "How often a request is sent at most, the first time included.")
          .range(1, 10)
          .raising("A failing application gets up to that many times its load, within "
                   "`retry_budget`."),
      key("per_try_timeout", &T::per_try_timeout,
          "From the end of the request to the head of the answer, for each try; 504 after the "
          "last.")
          .range(0ms, day)
          .by_default("`response_timeout` of the upstream"),
      key("on", &T::on,
          "What is tried again: `connect` (no connection), `reset` (it broke before the answer), "
          "`timeout`, and statuses of 500 and above."),
  };
}

}  // namespace

Section<Route> route_keys() {
  using T = Route;
  return {
      key("name", &T::name, "What logs and metrics call the rule.")
          .by_default("its methods, host and path"),
      key("host", &T::host, "The host the rule is for, without port; absent: any."),
      key("path", &T::path,
          "The path: literal segments, `*` for one segment, `**` at the end for the rest."),
      key("methods", &T::methods,
          "Divides neighbouring rules of equal host and path by method; other methods get 405.")
          .by_default("[GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS]"),
      choice("access", &T::access, "Whether a token is needed."),
      section("require", &T::require, require_keys(),
              "What the user must have; all of the three must hold."),
      key("websocket", &T::websocket, "Allow an upgrade to a websocket."),
      key("strip_prefix", &T::strip_prefix,
          "Taken off the path before forwarding; the stripped path is matched once more and both "
          "rules must hold."),
      choice("paths", &T::paths,
             "`legacy` lets `//`, `;x` and `%2F` pass unchanged where the path as sent and its "
             "reduced form choose the same rule; never on public rules."),
      key("upstream", &T::upstream, "Which upstream gets the request.")
          .by_default("the only one, or the one named app"),
      later<T>("rewrite", "Changing the path before forwarding."),
      choice("browser", &T::browser,
             "Whether a request without a session gets the login page: `auto` asks the request, "
             "`always` a page, `never` JSON."),
      choice("csrf", &T::csrf,
             "Cross-site request protection of this rule; `inherit` takes `browser.csrf`."),
      later<T>("cors", "Cross-origin answers of this rule."),
      later<T>("rate_limit", "How many requests a client may send."),
      section("retry", &T::retry, retry_keys(),
              "Sending a request again, to another endpoint where there is one: GET, HEAD, PUT, "
              "DELETE and OPTIONS of which no body byte was sent. Never POST."),
      later<T>("trailers", "Passing trailers on."),
      later<T>("close_code", "The websocket close code of a revoked session."),
  };
}

Section<Endpoints> endpoint_keys() {
  using T = Endpoints;
  return {
      key("prefix", &T::prefix, "Put before the paths of all endpoints."),
      endpoint("login", &T::login, "Where users log in."),
      endpoint("token", &T::token, "Where refresh tokens are exchanged."),
      endpoint("logout", &T::logout, "Where sessions end."),
      endpoint("jwks", &T::jwks, "Where the public keys of access tokens are published."),
      endpoint("session", &T::session, "Says when the session and the access token end."),
      endpoint("userinfo", &T::userinfo, "Says who the user is."),
      endpoint("sessions", &T::sessions, "Lists and ends the user's own sessions."),
      endpoint("auth", &T::auth,
               "Where `trusted_proxies` ask what to do with a request: `/.gatehouse/auth` for "
               "nginx, Traefik, Caddy, HAProxy and Apache, and below it `/envoy`."),
      later<T>("session_js", "A script that keeps a page's session alive.", "false"),
  };
}

}  // namespace config
