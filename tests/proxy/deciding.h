// The fixture of the decision tables: a runtime compiled from a configuration with rules of every
// kind, tokens of every state, and requests read from bytes by the real parser and guard.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compiling.h"
#include "http/reading.h"
#include "proxy/decide.h"
#include "tests/auth/forge.h"

namespace proxy {

inline constexpr std::string_view idp_secret = "the secret of an identity provider, 44 bytes";
inline constexpr std::string_view revoked_session = "BBBBBBBBBBBBBBBBBBBBBB";

inline config::Route requiring(std::string path, config::Require require) {
  config::Route route = route_for(std::move(path));
  route.require = std::move(require);
  return route;
}

inline config::Route stripping(config::Route route, std::string prefix) {
  route.strip_prefix = std::move(prefix);
  return route;
}

inline config::Route for_methods(config::Route route, std::vector<std::string> methods) {
  route.methods = std::move(methods);
  return route;
}

inline config::Route legacy(config::Route route) {
  route.paths = config::Paths::legacy;
  return route;
}

inline config::Route with_websocket(config::Route route) {
  route.websocket = true;
  return route;
}

inline config::Route for_host(std::string host, config::Route route) {
  route.host = std::move(host);
  return route;
}

// The rules that most rows are about.
inline std::vector<config::Route> house_rules() {
  return {public_route("/assets/**"),
          for_methods(public_route("/pub"), {"GET", "HEAD"}),
          for_methods(route_for("/pub"), {"POST"}),
          requiring("/admin/**", {{"admins"}, {}, {}}),
          requiring("/reports/**", {{}, {"reports:read", "reports:all"}, {}}),
          requiring("/staff/**", {{}, {}, {{"department", {"it", "hr"}}}}),
          requiring("/both/**", {{"staff"}, {"reports:read"}, {}}),
          with_websocket(route_for("/live/**")),
          with_websocket(public_route("/public-live")),
          for_host("docs.example", public_route("/**")),
          stripping(route_for("/api/**"), "/api"),
          stripping(public_route("/open/**"), "/open"),
          legacy(route_for("/old/**")),
          legacy(public_route("/old-public/**")),
          public_route("/old/**")};
}

inline config::Config house_config() {
  config::Config config = small_config();
  config.routes = house_rules();
  config::TrustedIssuer idp;
  idp.issuer = "https://idp.example.com";
  idp.audience = {"app"};
  idp.keys.push_back(secret_key("k1", idp_secret));
  idp.subject_prefix = "idp:";
  config.tokens.trusted_issuers.push_back(idp);
  return config;
}

// What a request shows.
enum class Shows {
  nothing, alice, admin, bob, expired, forged, garbage, refresh_token, basic, foreign, stranger,
  revoked
};

struct Row {
  const char* request;   // "METHOD target", HTTP/1.1 and Host: a.example are added
  Shows shows;
  const char* expected;
  const char* fields = "";
};

inline std::string_view name_of(endpoints::Endpoint endpoint) {
  using endpoints::Endpoint;
  switch (endpoint) {
    case Endpoint::login: return "login";
    case Endpoint::token: return "token";
    case Endpoint::logout: return "logout";
    case Endpoint::session: return "session";
    case Endpoint::userinfo: return "userinfo";
    case Endpoint::sessions: return "sessions";
    case Endpoint::jwks: return "jwks";
    case Endpoint::auth: return "auth";
    case Endpoint::session_js: return "session_js";
    case Endpoint::none: break;
  }
  return "none";
}

// A decision as one line: what is done, for whom (or why for nobody), by which rule.
inline std::string described(const Decision& decision) {
  const std::string who = decision.token
                              ? "for " + decision.token->principal->subject
                              : "for nobody (" + std::string(auth::name(decision.auth_error)) + ")";
  if (decision.kind == Decision::Kind::serve) {
    return "serve " + std::string(name_of(decision.endpoint)) + " " + who;
  }
  if (decision.kind == Decision::Kind::forward) {
    return (decision.tunnel ? "tunnel " : "forward ") + std::string(decision.path) + " " + who +
           " by " + decision.route->name;
  }
  std::string text = std::to_string(decision.status) + " " + std::string(decision.error);
  if (decision.status == 401 || decision.status == 403) {
    text += " (" + std::string(auth::name(decision.auth_error)) + ")";
  }
  if (decision.list_methods) text += " with Allow";
  if (decision.close) text += " and close";
  return text;
}

class Decide : public ::testing::Test {
 protected:
  explicit Decide(const config::Config& config = house_config()) { compile_again(config); }

  void compile_again(const config::Config& config) {
    runtime_ = runtime_of(config);
    ASSERT_NE(runtime_, nullptr);
    tokens_.clear();
    auth::AccessClaims alice = claims_of("alice");
    alice.groups = {"staff"};
    alice.scopes = {"reports:read"};
    alice.claims["department"] = "it";
    auth::AccessClaims admin = claims_of("root");
    admin.groups = {"admins", "staff"};
    auth::AccessClaims revoked = alice;
    revoked.session_id = revoked_session;
    shown_[Shows::alice] = token_for(*runtime_, alice);
    shown_[Shows::admin] = token_for(*runtime_, admin);
    shown_[Shows::bob] = token_for(*runtime_, claims_of("bob"));
    shown_[Shows::expired] = token_for(*runtime_, alice, noon - std::chrono::hours{1});
    shown_[Shows::revoked] = token_for(*runtime_, revoked);
    shown_[Shows::forged] = shown_[Shows::alice];
    char& last = shown_[Shows::forged][shown_[Shows::forged].size() - 5];
    last = last == 'A' ? 'B' : 'A';
    shown_[Shows::garbage] = "no.token.at-all";
    shown_[Shows::refresh_token] = "gh1.AAAAAAAA";
    shown_[Shows::foreign] = idp_token("https://idp.example.com");
    shown_[Shows::stranger] = idp_token("https://elsewhere.example.com");
  }

  static std::string idp_token(std::string_view issuer, std::string_view subject = "alice") {
    const auto second = std::chrono::floor<std::chrono::seconds>(noon).time_since_epoch().count();
    return forge::token(R"({"alg":"HS256","typ":"at+jwt","kid":"k1"})",
                        R"({"iss":")" + std::string(issuer) + R"(","sub":")" +
                            std::string(subject) + R"(","aud":"app","iat":)" +
                            std::to_string(second) + R"(,"exp":)" + std::to_string(second + 600) +
                            R"(,"sid":")" + std::string(revoked_session) +
                            R"(","groups":["admins"]})",
                        forge::hmac(std::string(idp_secret)));
  }

  std::string authorization(Shows shows) {
    if (shows == Shows::nothing) return "";
    if (shows == Shows::basic) return "Authorization: Basic YWxpY2U6eA==\r\n";
    return "Authorization: Bearer " + shown_[shows] + "\r\n";
  }

  // The decision about one request; it lives until the next.
  const Decision& ask(std::string_view bytes, auth::Time now = noon) {
    request_ = http::read_request(bytes);
    EXPECT_EQ(request_.progress, http::Progress::complete) << bytes;
    EXPECT_EQ(request_.error, http::ParseError::none) << bytes;
    decision_ = decide({*runtime_, tokens_, revocations_, now, false, &rewritten_}, request_.head);
    return decision_;
  }

  std::string decided(std::string_view request, Shows shows, std::string_view fields = "",
                      auth::Time now = noon) {
    return described(ask(std::string(request) + " HTTP/1.1\r\nHost: a.example\r\n" +
                             authorization(shows) + std::string(fields) + "\r\n",
                         now));
  }

  void hold(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
      // Cold and from the cache: the same.
      EXPECT_EQ(decided(row.request, row.shows, row.fields), row.expected) << row.request;
      EXPECT_EQ(decided(row.request, row.shows, row.fields), row.expected) << row.request;
    }
  }

  std::shared_ptr<const Runtime> runtime_;
  auth::TokenCache tokens_{1'000};
  store::Revocations revocations_;
  std::string rewritten_;
  std::map<Shows, std::string> shown_;
  http::Request request_;
  Decision decision_;
};

}  // namespace proxy
