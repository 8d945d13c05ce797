// The decision table: (rules, request, token) -> decision, the whole policy on a few pages.
// deciding.h has the rules and tokens; decide_token_test.cc the life of a token.
#include "proxy/decide.h"

#include "deciding.h"

namespace proxy {
namespace {

TEST_F(Decide, PublicRoutesTakeEverybodyAndIgnoreABadToken) {
  hold({
      {"GET /assets/a.css", Shows::nothing,
       "forward /assets/a.css for nobody (missing) by /assets/**"},
      {"GET /assets", Shows::nothing, "forward /assets for nobody (missing) by /assets/**"},
      {"GET /assets/a", Shows::alice, "forward /assets/a for alice by /assets/**"},
      {"GET /assets/a", Shows::expired, "forward /assets/a for nobody (expired) by /assets/**"},
      {"GET /assets/a", Shows::forged,
       "forward /assets/a for nobody (bad_signature) by /assets/**"},
      {"GET /assets/a", Shows::basic, "forward /assets/a for nobody (missing) by /assets/**"},
      {"GET /assets/a?path=/admin", Shows::nothing,
       "forward /assets/a for nobody (missing) by /assets/**"},
      // A query never opens anything (B01), nor does an agent or a header (B11, C01).
      {"GET /private?path=/assets/a", Shows::nothing, "401 unauthorized (missing)"},
      {"GET /admin/x", Shows::nothing, "401 unauthorized (missing)",
       "User-Agent: kube-probe/1.29\r\nX-Original-URL: /assets/a\r\nX-Forwarded-Uri: /assets/a\r\n"
       "X-Rewrite-URL: /assets/a\r\nX-HTTP-Method-Override: GET\r\n"},
      {"GET /assetsx", Shows::nothing, "401 unauthorized (missing)"},
      {"GET /Assets/a", Shows::nothing, "401 unauthorized (missing)"},
  });
}

TEST_F(Decide, EverythingElseNeedsAToken) {
  hold({
      {"GET /", Shows::nothing, "401 unauthorized (missing)"},
      {"GET /anything", Shows::basic, "401 unauthorized (missing)"},
      {"GET /anything", Shows::garbage, "401 unauthorized (malformed)"},
      {"GET /anything", Shows::refresh_token, "401 unauthorized (malformed)"},
      {"GET /anything", Shows::forged, "401 unauthorized (bad_signature)"},
      {"GET /anything", Shows::expired, "401 unauthorized (expired)"},
      {"GET /anything", Shows::stranger, "401 unauthorized (wrong_issuer)"},
      {"GET /anything", Shows::bob, "forward /anything for bob by default"},
      {"POST /anything?x=1", Shows::alice, "forward /anything for alice by default"},
      {"OPTIONS /anything", Shows::nothing, "401 unauthorized (missing)",
       "Origin: https://other.example\r\nAccess-Control-Request-Method: GET\r\n"},
      {"GET http://a.example/anything", Shows::bob, "forward /anything for bob by default"},
      {"GET http://a.example", Shows::bob, "forward / for bob by default"},
      {"GET http://a.example?x", Shows::nothing, "401 unauthorized (missing)"},
  });
}

TEST_F(Decide, TheSchemeIsReadInAnyCaseAndNothingElseIsABearer) {
  const std::string& token = shown_[Shows::bob];
  for (const std::string& field :
       {"Authorization: Bearer " + token, "authorization: bearer " + token,
        "AUTHORIZATION: BEARER   " + token}) {
    EXPECT_EQ(decided("GET /a", Shows::nothing, field + "\r\n"), "forward /a for bob by default");
  }
  for (const std::string& field :
       {std::string("Authorization: Bearer"), std::string("Authorization:"),
        "Authorization: Bearer" + token, "Authorization: Token " + token,
        "Authorization: " + token, "X-Authorization: Bearer " + token,
        "Cookie: token=" + token + "; __Host-gatehouse_access=" + token}) {
    EXPECT_EQ(decided("GET /a", Shows::nothing, field + "\r\n"), "401 unauthorized (missing)");
  }
  EXPECT_EQ(decided("GET /a", Shows::nothing, "Authorization: Bearer " + token + " x\r\n"),
            "401 unauthorized (malformed)");
  EXPECT_EQ(decided("GET /a?access_token=" + token, Shows::nothing), "401 unauthorized (missing)");
}

TEST_F(Decide, GroupsScopesAndClaimsMustHold) {
  hold({
      {"GET /admin/x", Shows::admin, "forward /admin/x for root by /admin/**"},
      {"GET /admin", Shows::alice, "403 forbidden (insufficient_groups)"},
      {"GET /admin/x", Shows::bob, "403 forbidden (insufficient_groups)"},
      {"GET /admin/x", Shows::expired, "401 unauthorized (expired)"},
      {"GET /reports/1", Shows::alice, "forward /reports/1 for alice by /reports/**"},
      {"GET /reports/1", Shows::admin, "403 insufficient_scope (insufficient_scope)"},
      {"GET /staff/1", Shows::alice, "forward /staff/1 for alice by /staff/**"},
      {"GET /staff/1", Shows::admin, "403 forbidden (insufficient_claims)"},
      {"GET /both/1", Shows::alice, "forward /both/1 for alice by /both/**"},
      {"GET /both/1", Shows::admin, "403 insufficient_scope (insufficient_scope)"},
      {"GET /both/1", Shows::bob, "403 forbidden (insufficient_groups)"},
  });
}

// Express, IIS and many others take these for /admin and /pub: A12's lesson for paths.
TEST_F(Decide, AnotherSpellingOfARulesPathEscapesNothing) {
  hold({
      {"GET /ADMIN/x", Shows::admin, "forward /ADMIN/x for root by default"},
      {"GET /ADMIN/x", Shows::bob, "403 forbidden (insufficient_groups)"},
      {"GET /Admin", Shows::bob, "403 forbidden (insufficient_groups)"},
      {"GET /aDmIn/", Shows::alice, "403 forbidden (insufficient_groups)"},
      {"GET /REPORTS/1", Shows::admin, "403 insufficient_scope (insufficient_scope)"},
      {"GET /ADMIN/x", Shows::nothing, "401 unauthorized (missing)"},
      {"GET /api/ADMIN/x", Shows::bob, "403 forbidden (insufficient_groups)"},
      {"GET /open/ADMIN/x", Shows::nothing, "401 unauthorized (missing)"},
      {"PUT /pub/", Shows::admin, "405 method_not_allowed with Allow"},
      // And it opens nothing.
      {"GET /ASSETS/x", Shows::nothing, "401 unauthorized (missing)"},
      {"GET /pub/", Shows::nothing, "401 unauthorized (missing)"},
  });
}

TEST_F(Decide, MethodsDivideARuleAndClosedOnesAreNamed) {
  hold({
      {"GET /pub", Shows::nothing, "forward /pub for nobody (missing) by /pub"},
      {"HEAD /pub", Shows::nothing, "forward /pub for nobody (missing) by /pub"},
      {"POST /pub", Shows::nothing, "401 unauthorized (missing)"},
      {"POST /pub", Shows::bob, "forward /pub for bob by /pub"},
      {"DELETE /pub", Shows::nothing, "405 method_not_allowed with Allow"},
      {"DELETE /pub", Shows::admin, "405 method_not_allowed with Allow"},
      {"OPTIONS /pub", Shows::nothing, "405 method_not_allowed with Allow"},
      {"TRACE /assets/a", Shows::nothing, "405 method_not_allowed with Allow and close"},
      {"TRACE /anything", Shows::admin, "405 method_not_allowed with Allow and close"},
      {"CONNECT a.example:443", Shows::admin, "405 method_not_allowed with Allow and close"},
      {"OPTIONS *", Shows::nothing, "204  with Allow"},
      {"OPTIONS http://a.example", Shows::nothing, "204  with Allow"},
  });
}

TEST_F(Decide, TheHostChoosesTheRule) {
  const std::string request = "GET /guide HTTP/1.1\r\nHost: ";
  for (const char* host : {"docs.example", "DOCS.Example", "docs.example.", "docs.example:8080",
                           "docs.example.:80"}) {
    EXPECT_EQ(described(ask(request + host + "\r\n\r\n")),
              "forward /guide for nobody (missing) by /**")
        << host;
  }
  for (const char* host : {"a.example", "docs.example.evil.com", "xdocs.example", "[::1]:80",
                           "docs.example:443.evil.com"}) {
    if (http::read_request(request + host + "\r\n\r\n").error != http::ParseError::none) continue;
    EXPECT_EQ(described(ask(request + host + "\r\n\r\n")), "401 unauthorized (missing)") << host;
  }
  EXPECT_EQ(described(ask("GET /guide HTTP/1.0\r\n\r\n")), "401 unauthorized (missing)");
  EXPECT_EQ(described(ask("GET http://docs.example/guide HTTP/1.1\r\nHost: docs.example\r\n\r\n")),
            "forward /guide for nobody (missing) by /**");
}

TEST_F(Decide, APathThatIsNotCanonicalIsRefusedBeforeAnythingElse) {  // B03, B06, B08
  for (const char* path :
       {"/assets/..%2fadmin", "/assets/%2e%2e/admin", "/assets/../admin", "/assets/./a",
        "/assets/..", "/assets%2f..%2fadmin", "/assets/..%5cadmin", "/assets/%252e%252e/admin",
        "/assets/..;/admin", "/assets/.%00./admin", "/assets/%c0%ae%c0%ae/admin", "/assets//a",
        "/assets/a;x=1", "/assets%2Fa", "/assets/%61", "/assets/%23", "/assets/%3f", "/./assets/a",
        "/assets/a%00", "/assets/%ef%bc%8e%ef%bc%8e/admin"}) {
    const std::string request = std::string("GET ") + path;
    EXPECT_EQ(decided(request, Shows::nothing), "400 bad_path") << path;
    EXPECT_EQ(decided(request, Shows::admin), "400 bad_path") << path;
  }
}

TEST_F(Decide, LegacyPathsPassUnchangedWhereBothReadingsChooseTheSameRule) {
  hold({
      {"GET /old/a//b", Shows::bob, "forward /old/a//b for bob by /old/**"},
      {"GET /old/a;x=1/b", Shows::bob, "forward /old/a;x=1/b for bob by /old/**"},
      {"GET /old/a%2Fb", Shows::bob, "forward /old/a%2Fb for bob by /old/**"},
      {"GET /old/a//b", Shows::nothing, "401 unauthorized (missing)"},
      {"GET /old/plain", Shows::bob, "forward /old/plain for bob by /old/**"},
      // Another rule in one of the readings, a public rule, a dot segment in any reading.
      {"GET /old;x/a", Shows::bob, "400 bad_path"},
      {"GET /old%2Fa", Shows::bob, "400 bad_path"},
      {"GET /admin//x", Shows::admin, "400 bad_path"},
      {"GET /old-public/a//b", Shows::nothing, "400 bad_path"},
      {"GET /old-public/a//b", Shows::admin, "400 bad_path"},
      {"GET /old-public/a", Shows::nothing,
       "forward /old-public/a for nobody (missing) by /old-public/**"},
      {"GET /old/..;/admin", Shows::admin, "400 bad_path"},
      {"GET /old/a%2F..%2Fadmin", Shows::admin, "400 bad_path"},
      {"GET /old/%2e%2e/admin", Shows::admin, "400 bad_path"},
      {"TRACE /old/a//b", Shows::bob, "405 method_not_allowed with Allow and close"},
  });
}

TEST_F(Decide, AStrippedPathIsMatchedOnceMoreAndBothRulesMustHold) {  // B04
  hold({
      {"GET /api/things", Shows::bob, "forward /things for bob by /api/**"},
      {"GET /api/things?x=/api", Shows::bob, "forward /things for bob by /api/**"},
      {"GET /api", Shows::bob, "forward / for bob by /api/**"},
      {"GET /api/", Shows::bob, "forward / for bob by /api/**"},
      {"GET /api/things", Shows::nothing, "401 unauthorized (missing)"},
      // The inner rule demands more.
      {"GET /api/admin/x", Shows::bob, "403 forbidden (insufficient_groups)"},
      {"GET /api/admin/x", Shows::admin, "forward /admin/x for root by /api/**"},
      {"GET /api/reports/x", Shows::admin, "403 insufficient_scope (insufficient_scope)"},
      {"DELETE /api/pub", Shows::bob, "405 method_not_allowed with Allow"},
      // The inner rule is public: the outer one still asks.
      {"GET /api/assets/a", Shows::nothing, "401 unauthorized (missing)"},
      {"GET /api/assets/a", Shows::bob, "forward /assets/a for bob by /api/**"},
      // The outer rule is public: the inner one still asks.
      {"GET /open/assets/a", Shows::nothing, "forward /assets/a for nobody (missing) by /open/**"},
      {"GET /open/admin/x", Shows::nothing, "401 unauthorized (missing)"},
      {"GET /open/admin/x", Shows::bob, "403 forbidden (insufficient_groups)"},
      {"GET /open/elsewhere", Shows::nothing, "401 unauthorized (missing)"},
      // Another segment is another path: nothing is stripped.
      {"GET /api../admin", Shows::admin, "forward /api../admin for root by default"},
      {"GET /api/../admin", Shows::admin, "400 bad_path"},
      {"GET /api%2f..%2fadmin", Shows::admin, "400 bad_path"},
      {"GET /apiadmin", Shows::nothing, "401 unauthorized (missing)"},
  });
}

TEST_F(Decide, AStrippedLegacyPathOpensNoRuleBehindAnotherReading) {  // B03, B04
  config::Config config = house_config();
  config.routes.insert(config.routes.begin(), legacy(stripping(route_for("/site/**"), "/site")));
  compile_again(config);
  hold({
      {"GET /site/admin/x", Shows::bob, "403 forbidden (insufficient_groups)"},
      {"GET /site/admin/x", Shows::admin, "forward /admin/x for root by /site/**"},
      // A lenient application reads each of these as /admin/x.
      {"GET /site//admin/x", Shows::bob, "400 bad_path"},
      {"GET /site/%2Fadmin/x", Shows::bob, "400 bad_path"},
      {"GET /site/admin;v=1/x", Shows::bob, "400 bad_path"},
      {"GET /site/;v=1/admin/x", Shows::bob, "400 bad_path"},
      {"GET /site/admin%2Fx", Shows::bob, "400 bad_path"},
  });
}

constexpr const char* handshake =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

TEST_F(Decide, OnlyRoutesThatSaySoLetAWebsocketPass) {
  hold({
      {"GET /live/feed", Shows::bob, "tunnel /live/feed for bob by /live/**", handshake},
      {"GET /live/feed", Shows::nothing, "401 unauthorized (missing)", handshake},
      {"GET /live/feed", Shows::expired, "401 unauthorized (expired)", handshake},
      {"GET /public-live", Shows::nothing,
       "tunnel /public-live for nobody (missing) by /public-live", handshake},
      {"GET /elsewhere", Shows::bob, "403 upgrade_not_allowed (missing)", handshake},
      {"GET /assets/a", Shows::nothing, "403 upgrade_not_allowed (missing)", handshake},
      // Who may not is not told what else is wrong.
      {"GET /elsewhere", Shows::nothing, "401 unauthorized (missing)", handshake},
      {"GET /admin/x", Shows::bob, "403 forbidden (insufficient_groups)", handshake},
      // No handshake: an ordinary request.
      {"GET /live/feed", Shows::bob, "forward /live/feed for bob by /live/**"},
      {"GET /live/feed", Shows::bob, "forward /live/feed for bob by /live/**",
       "Connection: Upgrade\r\nUpgrade: h2c\r\n"},
  });
}

TEST_F(Decide, TwoOfOurCookiesAreAmbiguousEverywhere) {  // H09
  const std::string refresh = "__Host-gatehouse_refresh=gh1.x";
  const std::string access = "__Host-gatehouse_access=a.b.c";
  for (const std::string& fields :
       {"Cookie: " + refresh + "; " + refresh + "\r\n",
        "Cookie: " + refresh + "\r\nCookie: a=1; " + refresh + "\r\n",
        "Cookie: " + access + "; b=2; " + access + "\r\n"}) {
    for (const char* request : {"GET /assets/a", "POST /login", "POST /token", "GET /anything"}) {
      EXPECT_EQ(decided(request, Shows::admin, fields), "400 ambiguous_credentials");
    }
  }
  EXPECT_EQ(decided("GET /a", Shows::bob,
                    "Cookie: " + refresh + "; " + access + "; theme=a; theme=b\r\n"),
            "forward /a for bob by default");
  // Two Authorization lines do not even get this far.
  EXPECT_EQ(http::read_fields("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n").error,
            http::ParseError::duplicate_header);
}

TEST_F(Decide, OurEndpointsAreServedByTheirExactPath) {
  hold({
      {"POST /login", Shows::nothing, "serve login for nobody (missing)"},
      {"GET /login", Shows::nothing, "serve login for nobody (missing)"},
      {"POST /login?next=/x", Shows::nothing, "serve login for nobody (missing)"},
      {"POST /token", Shows::expired, "serve token for nobody (expired)"},
      {"POST /token", Shows::refresh_token, "serve token for nobody (malformed)"},
      {"POST /logout", Shows::alice, "serve logout for alice"},
      {"GET /.well-known/jwks.json", Shows::nothing, "serve jwks for nobody (missing)"},
      {"GET /.gatehouse/session", Shows::alice, "serve session for alice"},
      {"GET /.gatehouse/userinfo", Shows::forged, "serve userinfo for nobody (bad_signature)"},
      {"GET /.gatehouse/sessions", Shows::alice, "serve sessions for alice"},
      {"DELETE /.gatehouse/sessions/AAAAAAAAAAAAAAAAAAAAAA", Shows::alice,
       "serve sessions for alice"},
      // Near misses are the application's, and need a token.
      {"POST /login/", Shows::nothing, "401 unauthorized (missing)"},
      {"POST /Login", Shows::nothing, "401 unauthorized (missing)"},
      {"POST /loginx", Shows::nothing, "401 unauthorized (missing)"},
      {"POST /x/login", Shows::nothing, "401 unauthorized (missing)"},
      {"GET /.gatehouse/sessions/", Shows::nothing, "401 unauthorized (missing)"},
      {"GET /.gatehouse/sessions/a/b", Shows::nothing, "401 unauthorized (missing)"},
      {"GET /.gatehouse/sessionsx", Shows::nothing, "401 unauthorized (missing)"},
      {"GET /.gatehouse/other", Shows::nothing, "401 unauthorized (missing)"},
      {"POST /login;x", Shows::nothing, "400 bad_path"},
      {"POST /login%2f", Shows::nothing, "400 bad_path"},
      {"TRACE /login", Shows::nothing, "405 method_not_allowed with Allow and close"},
  });
}

TEST_F(Decide, EndpointsThatAreSwitchedOffBelongToTheApplication) {
  config::Config config = house_config();
  config.endpoints = {"", "", "", "", "", "", "", "", "", ""};
  config.routes.insert(config.routes.begin(), public_route("/login"));
  compile_again(config);
  hold({
      {"POST /login", Shows::nothing, "forward /login for nobody (missing) by /login"},
      {"POST /token", Shows::nothing, "401 unauthorized (missing)"},
      {"POST /logout", Shows::bob, "forward /logout for bob by default"},
      {"GET /.well-known/jwks.json", Shows::nothing, "401 unauthorized (missing)"},
      {"GET /.gatehouse/sessions/AAAAAAAAAAAAAAAAAAAAAA", Shows::nothing,
       "401 unauthorized (missing)"},
      {"GET /", Shows::nothing, "401 unauthorized (missing)"},
  });
}

TEST_F(Decide, EndpointsStandWhereTheConfigurationPutsThem) {
  config::Config config = house_config();
  config.endpoints.login = "/auth/login";
  config.endpoints.sessions = "/auth/sessions";
  compile_again(config);
  hold({
      {"POST /auth/login", Shows::nothing, "serve login for nobody (missing)"},
      {"POST /login", Shows::nothing, "401 unauthorized (missing)"},
      {"DELETE /auth/sessions/x", Shows::alice, "serve sessions for alice"},
      {"DELETE /.gatehouse/sessions/x", Shows::nothing, "401 unauthorized (missing)"},
  });
}

}  // namespace
}  // namespace proxy
