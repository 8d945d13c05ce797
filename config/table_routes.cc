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
struct Words<RateKey> {
  static constexpr std::array<std::string_view, 3> list{"principal", "address", "route"};
};
template <>
struct Words<RateScope> {
  static constexpr std::array<std::string_view, 2> list{"local", "cluster"};
};
template <>
struct Words<Paths> {
  static constexpr std::array<std::string_view, 2> list{"strict", "legacy"};
};

template <>
struct Words<Trailers> {
  static constexpr std::array<std::string_view, 2> list{"drop", "forward"};
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

Section<Cors> cors_keys() {
  using T = Cors;
  return {
      key("allow_origins", &T::allow_origins,
          "Origins whose scripts may read answers: `https://app.example.com`, all subdomains as "
          "`https://*.example.com`, or `*` for everybody.")
          .required(),
      key("allow_methods", &T::allow_methods, "What a preflight is told.")
          .by_default("the methods that the rules of this host and path serve"),
      key("allow_headers", &T::allow_headers, "The request headers a preflight is told."),
      key("expose_headers", &T::expose_headers, "The response headers scripts may read."),
      key("allow_credentials", &T::allow_credentials,
          "Let scripts send cookies along; not with `*` as an origin."),
      key("max_age", &T::max_age, "How long a browser may keep the answer to a preflight.")
          .range(0ms, day),
  };
}

Section<RateLimit> rate_limit_keys() {
  using T = RateLimit;
  return {
      choice("key", &T::key,
             "Whose requests are counted together: those of a user (of an address where nobody is "
             "known), of an address (IPv6 by /64), or all of the rule."),
      key("rate", &T::rate, "How many requests in which time, such as `100/1m`; refilled evenly.")
          .required()
          .range(1, 1'000'000),
      key("burst", &T::burst, "How many may come at once; 0 is the rate's count.")
          .range(0, 1'000'000),
      choice("scope", &T::scope,
             "Counted in each process, or in the store for all replicas (`cluster`), which costs a "
             "call of the store for each request."),
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
      key("close_code", &T::close_code,
          "What a websocket is closed with when its session is revoked: 1000, 1001, 1008, or 3000 "
          "to 4999 for the application's own scripts.")
          .range(1000, 4999),
      key("strip_prefix", &T::strip_prefix,
          "Taken off the path before forwarding; the stripped path is matched once more and both "
          "rules must hold."),
      choice("paths", &T::paths,
             "`legacy` lets `//`, `;x` and `%2F` pass unchanged where the path as sent and its "
             "reduced form choose the same rule; never on public rules."),
      key("upstream", &T::upstream, "Which upstream gets the request.")
          .by_default("the only one, or the one named app"),
      key("rewrite", &T::rewrite,
          "The path the application sees; `*` and `**` stand for what those of `path` matched. It "
          "is matched once more and both rules must hold."),
      choice("browser", &T::browser,
             "Whether a request without a session gets the login page: `auto` asks the request, "
             "`always` a page, `never` JSON."),
      choice("csrf", &T::csrf,
             "Cross-site request protection of this rule; `inherit` takes `browser.csrf`."),
      section("cors", &T::cors, cors_keys(),
              "Cross-origin answers: preflights are answered without a token, and every answer of "
              "the rule, our own ones too, says whether the origin may read it."),
      section("rate_limit", &T::rate_limit, rate_limit_keys(),
              "How many requests a client may send; further ones are 429 with `Retry-After`."),
      section("retry", &T::retry, retry_keys(),
              "Sending a request again, to another endpoint where there is one: GET, HEAD, PUT, "
              "DELETE and OPTIONS of which no body byte was sent. Never POST."),
      choice("trailers", &T::trailers,
             "What becomes of the fields behind a chunked body, of requests and answers: `forward` "
             "passes on those that no head field could mean (answers: where the client sent `TE: "
             "trailers`)."),
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
      endpoint("session_js", &T::session_js,
               "A script that keeps a page's session alive, such as `/session.js`."),
  };
}

}  // namespace config
