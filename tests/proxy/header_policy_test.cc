// What the application sees of a client's fields, and what of ours. Heads are read from bytes by
// the real parser; rows A, C and D of the security model are named where they are tested.
#include "proxy/header_policy.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiling.h"
#include "http/reading.h"

namespace proxy {
namespace {

HeaderPolicy policy_of(const config::Config& config) {
  return HeaderPolicy(config, {"__Host-gatehouse_refresh", "__Host-gatehouse_access"});
}

HeaderPolicy policy_with(config::IdentityPreset preset, std::string extra = "",
                         std::string claim = "sub") {
  config::Config config = small_config();
  config.identity.preset = preset;
  if (!extra.empty()) config.identity.headers.push_back({std::move(extra), std::move(claim), {}});
  return policy_of(config);
}

HeaderPolicy authorizing(config::Authorization mode) {
  config::Config config = small_config();
  config.identity.authorization = mode;
  return policy_of(config);
}

// The lines of `fields` that the application gets; each field ends with CRLF.
std::string passed(const HeaderPolicy& policy, std::string_view fields, bool has_identity = true) {
  const http::Request request = http::read_fields(fields, "GET");
  EXPECT_EQ(request.error, http::ParseError::none) << fields;
  http::Buffer out;
  policy.append_client_fields(request.head, has_identity, out);
  return std::string(out.view());
}

std::string passed(std::string_view fields) { return passed(policy_of(small_config()), fields); }

// The same for an answer of the application.
std::string answered(std::string_view fields, const AnswerChanges& changes = {}) {
  std::string text = "HTTP/1.1 200 OK\r\n";
  text.append(fields).append("\r\n");
  const http::Response response = http::read_response(text);
  EXPECT_EQ(response.error, http::ParseError::none) << fields;
  http::Buffer out;
  policy_of(small_config()).append_response_fields(response.head, changes, out);
  return std::string(out.view());
}

auth::PrincipalRef principal(std::string subject) {
  auto who = std::make_unique<auth::Principal>();
  who->subject = std::move(subject);
  who->email = "alice@example.com";
  who->preferred_username = "ali";
  who->name = "Alice";
  who->groups = {"staff", "admins"};
  who->claims["department"] = "it";
  return auth::PrincipalRef(who.release());
}

TEST(HeaderPolicy, OrdinaryFieldsPassAsTheyCameAndInTheirOrder) {
  const std::string fields =
      "User-Agent: x\r\naccept: */*\r\nX-Custom: a  b\r\nX-Custom: c\r\nOrigin: https://a\r\n"
      "Content-Type: text/plain\r\nX-Auth-Token: mine\r\nX-Http-Method-Override: DELETE\r\n"
      "X-Forward: no\r\nRemote: no\r\nEmpty:\r\n";
  EXPECT_EQ(passed(fields),
            "User-Agent: x\r\naccept: */*\r\nX-Custom: a  b\r\nX-Custom: c\r\nOrigin: https://a\r\n"
            "Content-Type: text/plain\r\nX-Auth-Token: mine\r\nX-Http-Method-Override: DELETE\r\n"
            "X-Forward: no\r\nRemote: no\r\nEmpty: \r\n");
}

TEST(HeaderPolicy, IdentityHeadersAreDroppedInEverySpelling) {  // A01, A02
  for (const char* name :
       {"X-Forwarded-User", "x-forwarded-user", "X_Forwarded_User", "X.Forwarded.User",
        "x-FORWARDED_user", "X~Forwarded!User", "XForwardedUser", "X--Forwarded--User",
        "X-Forwarded-User-", "_X-Forwarded-User", "X-Forwarded-Email", "X_Forwarded-Groups",
        "X-Forwarded-Preferred.Username", "X#Forwarded$User", "X%Forwarded&User"}) {
    EXPECT_EQ(passed(std::string(name) + ": admin\r\nA: 1\r\n"), "A: 1\r\n") << name;
  }
}

TEST(HeaderPolicy, TheHeadersOfEveryPresetAreDroppedWhicheverIsConfigured) {
  using enum config::IdentityPreset;
  for (const auto preset : {oauth2_proxy, authelia, x_auth_request, none}) {
    const HeaderPolicy policy = policy_with(preset);
    for (const char* name : {"X-Forwarded-User", "X-Forwarded-Groups", "Remote-User",
                             "Remote_Groups", "Remote-Email", "Remote-Name", "X-Auth-Request-User",
                             "X_Auth_Request.Groups", "X-Auth-Request-Preferred-Username"}) {
      EXPECT_EQ(passed(policy, std::string(name) + ": admin\r\n"), "") << name;
    }
  }
}

TEST(HeaderPolicy, AConfiguredHeaderIsDroppedInAnyCaseOfItsLetters) {  // A03
  const HeaderPolicy policy = policy_with(config::IdentityPreset::none, "x-aUtH-uSeR");
  const std::string letters = "xauthuser";
  for (unsigned mask = 0; mask < 1U << letters.size(); ++mask) {
    std::string name;
    for (std::size_t i = 0; i < letters.size(); ++i) {
      if (i == 1 || i == 5) name.push_back('-');
      const bool upper = (mask >> i & 1U) != 0;
      name.push_back(upper ? static_cast<char>(letters[i] - 'a' + 'A') : letters[i]);
    }
    ASSERT_EQ(passed(policy, name + ": admin\r\n"), "") << name;
  }
  EXPECT_EQ(passed(policy, "X-Auth-Users: a\r\n"), "X-Auth-Users: a\r\n");
}

TEST(HeaderPolicy, AConfiguredHeaderMayHaveANameThatTheProxyKnows) {
  const HeaderPolicy policy = policy_with(config::IdentityPreset::none, "User-Agent");
  EXPECT_EQ(passed(policy, "user-agent: admin\r\nUser_Agent: admin\r\nAccept: a\r\n"),
            "Accept: a\r\n");
}

TEST(HeaderPolicy, TheClientsCopyIsDroppedEvenWhereTheIdentityHasNoValue) {  // A13
  auth::Principal nobody;
  nobody.subject = "carol";
  const HeaderPolicy policy = policy_of(small_config());
  EXPECT_EQ(policy.identity_lines(nobody), "X-Forwarded-User: carol\r\n");
  EXPECT_EQ(passed(policy, "X-Forwarded-Groups: admin\r\nX-Forwarded-Email: root@corp\r\n"), "");
  EXPECT_EQ(passed(policy, "X-Forwarded-Groups: admin\r\n", false), "");  // A07: no token at all
}

TEST(HeaderPolicy, ForwardingFieldsAreDroppedWhateverTheirEnding) {  // C01, C02
  for (const char* name :
       {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
        "X-Forwarded-Prefix", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Anything",
        "X-Forwarded", "X_Forwarded_For", "X-Original-URL", "X-Original-URI", "X_Original.Url",
        "X-Original-Method", "X-Rewrite-URL", "X-Real-IP", "X_Real_Ip", "Forwarded", "For-warded",
        "X-Envoy-Original-Path", "X-Envoy-Internal", "X-Request-Id", "X_Request_Id", "X-Client-IP",
        "True-Client-IP", "Client-Cert", "Proxy"}) {
    EXPECT_EQ(passed(std::string(name) + ": evil\r\nA: 1\r\n"), "A: 1\r\n") << name;
  }
}

TEST(HeaderPolicy, LookAlikesOfManagedFieldsAreDropped) {  // P6, D26
  for (const char* name : {"Author_ization", "Authorization_", "Coo-kie", "Cookie.", "Ho-st",
                           "Con_nection", "Content_Type", "Trans-fer", "Up_grade", "T.E",
                           "Ex-pect", "Keep_Alive", "Proxy_Authorization", "Trail-er"}) {
    const bool is_ordinary = std::string_view(name) == "Trans-fer";
    const std::string field = std::string(name) + ": x\r\n";
    EXPECT_EQ(passed(field), is_ordinary ? field : "") << name;
  }
}

TEST(HeaderPolicy, LookAlikesOfFramingFieldsNeverGetThatFar) {  // D26
  for (const char* name : {"Content_Length", "Transfer_Encoding", "Content.Length",
                           "Transfer-Encoding-", "ContentLength", "_Transfer_Encoding"}) {
    const http::Request request = http::read_fields(std::string(name) + ": 99\r\n");
    EXPECT_NE(request.error, http::ParseError::none) << name;
    EXPECT_TRUE(policy_of(small_config()).drops({http::HeaderId::other, name, "99"})) << name;
  }
}

TEST(HeaderPolicy, ANameWithABytePastAsciiIsRefusedBeforeItCouldBeFolded) {  // A09
  EXPECT_NE(http::read_fields("X-Forwarded-User\xa0: admin\r\n").error, http::ParseError::none);
  EXPECT_NE(http::read_fields("X-Forwarded-Us\xc3\xa9r: admin\r\n").error, http::ParseError::none);
  EXPECT_EQ(passed("X-Forwarded-User: \x85" "admin\xa0\r\n"), "");
}

TEST(HeaderPolicy, FieldsOfThisHopEndHere) {
  EXPECT_EQ(passed("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\n"
                   "TE: trailers\r\nTrailer: X-Forwarded-User\r\nUpgrade: h2c\r\n"
                   "HTTP2-Settings: AAMAAABkAAQAAP__\r\nProxy-Authorization: Basic eDp5\r\n"
                   "Content-Length: 0\r\nA: 1\r\n"),
            "A: 1\r\n");
}

TEST(HeaderPolicy, WhatConnectionNamesEndsHere) {
  EXPECT_EQ(passed("Connection: X-Mine\r\nX-Mine: 1\r\nX-Yours: 2\r\n"), "X-Yours: 2\r\n");
  EXPECT_EQ(passed("X-MINE: 1\r\nConnection: close ,\t x-mine ,,\r\n"), "");
  EXPECT_EQ(passed("Connection: X-Mine, X-Other\r\nx-other: 1\r\nx-mine: 2\r\nx-min: 3\r\n"),
            "x-min: 3\r\n");
}

TEST(HeaderPolicy, EveryConnectionLineCounts) {  // RFC 9110 section 7.6.1
  for (const char* first : {"keep-alive", "close", "upgrade", ""}) {
    const std::string line = std::string("Connection: ") + first + "\r\n";
    const std::string fields = line + "Connection: X-Mine\r\nX-Mine: 1\r\nA: 1\r\n";
    EXPECT_EQ(passed(fields), "A: 1\r\n") << first;
    EXPECT_EQ(answered(fields), "A: 1\r\n") << first;
  }
}

TEST(HeaderPolicy, ConnectionCannotTakeTheIdentityAway) {  // A05
  // Naming what we add or decide by is refused with the head ...
  for (const char* name : {"X-Forwarded-User", "x-forwarded-for", "X-Real-Ip", "authorization",
                           "host", "cookie", "Remote-User", "X_Auth_Request_User"}) {
    EXPECT_EQ(http::read_fields("Connection: close, " + std::string(name) + "\r\n").error,
              http::ParseError::bad_connection)
        << name;
  }
  // ... and for any other name our line is made apart from the client's fields.
  const HeaderPolicy policy = policy_with(config::IdentityPreset::none, "X-Employee");
  EXPECT_EQ(passed(policy, "Connection: X-Employee\r\nX-Employee: admin\r\n"), "");
  EXPECT_EQ(policy.identity_lines(*principal("alice")), "X-Employee: alice\r\n");
}

TEST(HeaderPolicy, OurCookiesAreCutOutAndOthersStayByteForByte) {
  EXPECT_EQ(passed("Cookie: theme=dark; __Host-gatehouse_refresh=gh1.x; id=\"1\"\r\n"),
            "Cookie: theme=dark; id=\"1\"\r\n");
  EXPECT_EQ(passed("Cookie: __Host-gatehouse_access=a; __Host-gatehouse_refresh=b\r\nA: 1\r\n"),
            "A: 1\r\n");
  EXPECT_EQ(passed("Cookie: a=1\r\ncookie: __Host-gatehouse_refresh=b\r\nCookie: c=2;d\r\n"),
            "Cookie: a=1\r\nCookie: c=2;d\r\n");
  const std::string_view others = "Cookie: __host-gatehouse_refresh=b; gatehouse_refresh=c; ;x\r\n";
  EXPECT_EQ(passed(others), others);
}

TEST(HeaderPolicy, AuthorizationIsRemovedByDefault) {
  EXPECT_EQ(passed("Authorization: Bearer t\r\nA: 1\r\n"), "A: 1\r\n");
  EXPECT_EQ(passed("authorization: Basic eDp5\r\n"), "");
  EXPECT_EQ(policy_of(small_config()).authorization(), config::Authorization::remove);
}

TEST(HeaderPolicy, AuthorizationIsPassedOnWhereItWasVerified) {
  const HeaderPolicy policy = authorizing(config::Authorization::access_token);
  EXPECT_EQ(passed(policy, "Authorization: Bearer t\r\n", true), "Authorization: Bearer t\r\n");
  // On a public route a bad token, or another scheme, is nobody's.
  EXPECT_EQ(passed(policy, "Authorization: Bearer t\r\n", false), "");
}

TEST(HeaderPolicy, AuthorizationIsKeptForAnApplicationWithItsOwn) {
  const HeaderPolicy policy = authorizing(config::Authorization::keep);
  const std::string_view basic = "Authorization: Basic eDp5\r\n";
  EXPECT_EQ(passed(policy, basic, false), basic);
  EXPECT_EQ(passed(policy, "Authorization: Bearer t\r\n", true), "Authorization: Bearer t\r\n");
  EXPECT_EQ(passed(policy, "Author_ization: Basic eDp5\r\n", true), "");
}

TEST(HeaderPolicy, EveryPresetWritesItsOwnNames) {
  using enum config::IdentityPreset;
  const auth::PrincipalRef alice = principal("alice");
  EXPECT_EQ(policy_with(oauth2_proxy).identity_lines(*alice),
            "X-Forwarded-User: alice\r\nX-Forwarded-Email: alice@example.com\r\n"
            "X-Forwarded-Groups: staff,admins\r\nX-Forwarded-Preferred-Username: ali\r\n");
  EXPECT_EQ(policy_with(authelia).identity_lines(*alice),
            "Remote-User: alice\r\nRemote-Email: alice@example.com\r\n"
            "Remote-Groups: staff,admins\r\nRemote-Name: Alice\r\n");
  EXPECT_EQ(policy_with(x_auth_request).identity_lines(*alice),
            "X-Auth-Request-User: alice\r\nX-Auth-Request-Email: alice@example.com\r\n"
            "X-Auth-Request-Groups: staff,admins\r\n"
            "X-Auth-Request-Preferred-Username: ali\r\n");
  EXPECT_EQ(policy_with(none).identity_lines(*alice), "");
}

TEST(HeaderPolicy, ConfiguredHeadersComeBesideThePreset) {
  const HeaderPolicy policy = policy_with(config::IdentityPreset::none, "X-Dept", "department");
  EXPECT_EQ(policy.identity_lines(*principal("alice")), "X-Dept: it\r\n");
  EXPECT_EQ(policy_with(config::IdentityPreset::none, "X-Dept", "nothing")
                .identity_lines(*principal("alice")),
            "");
}

TEST(HeaderPolicy, AValueThatCouldNotStandInAHeaderRefusesTheIdentity) {  // A08
  const HeaderPolicy policy = policy_of(small_config());
  using namespace std::string_literals;
  for (const std::string& subject :
       {"a\r\nX-Forwarded-User: admin"s, "a\nb"s, "a\0b"s, "a\x85"s, "a\xa0"s, " alice"s, "alice "s,
        "al\tice"s, "Zo\xc3\xab"s, std::string(9'000, 'a')}) {
    EXPECT_EQ(policy.identity_lines(*principal(subject)), std::nullopt) << subject.size();
  }
  EXPECT_TRUE(policy.identity_lines(*principal("alice liddell")).has_value());
  // One line for each header: two groups cannot be made out of one.
  auth::Principal sly;
  sly.subject = "sly";
  sly.groups = {"staff", "x,admins", "y\r\nX-Forwarded-Groups: admins"};
  EXPECT_EQ(policy.identity_lines(sly), std::nullopt);
  sly.groups.pop_back();
  EXPECT_EQ(policy.identity_lines(sly), "X-Forwarded-User: sly\r\nX-Forwarded-Groups: staff\r\n");
}

TEST(HeaderPolicy, ANameForShowThatCouldNotStandInAHeaderIsLeftOut) {
  auth::Principal zoe;
  zoe.subject = "zoe";
  zoe.name = "Zo\xc3\xab";
  EXPECT_EQ(policy_with(config::IdentityPreset::authelia).identity_lines(zoe),
            "Remote-User: zoe\r\n");
}

TEST(HeaderPolicy, WritesItsOwnForwardingFields) {
  http::Buffer out;
  HeaderPolicy::append_forwarding(
      {"192.0.2.7", "", "http", "app.example.com:8080", "8080", "id1", ""}, out);
  EXPECT_EQ(out.view(),
            "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n"
            "X-Forwarded-Host: app.example.com:8080\r\nX-Forwarded-Port: 8080\r\n"
            "X-Request-Id: id1\r\n");
  out.clear();
  HeaderPolicy::append_forwarding(
      {"10.0.0.1", "192.0.2.7, 10.0.0.2", "https", "", "443", "id2", ""}, out);
  EXPECT_EQ(out.view(),
            "X-Forwarded-For: 192.0.2.7, 10.0.0.2, 10.0.0.1\r\nX-Forwarded-Proto: https\r\n"
            "X-Forwarded-Port: 443\r\nX-Request-Id: id2\r\n");
}

TEST(HeaderPolicy, AnAnswerLosesTheFieldsOfItsHopOnly) {
  EXPECT_EQ(answered("Date: x\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
                     "Proxy-Connection: x\r\nTE: x\r\nTrailer: y\r\nTransfer-Encoding: chunked\r\n"
                     "Upgrade: h2c\r\nServer: app\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
                     "WWW-Authenticate: Basic realm=\"app\"\r\nX-Forwarded-User: from the app\r\n"),
            "Date: x\r\nServer: app\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
            "WWW-Authenticate: Basic realm=\"app\"\r\nX-Forwarded-User: from the app\r\n");
  EXPECT_EQ(answered("Content-Length: 2\r\nETag: \"a\"\r\n"), "ETag: \"a\"\r\n");
  EXPECT_EQ(answered("Connection: X-Hop, close\r\nx-hop: 1\r\nX-End: 2\r\n"), "X-End: 2\r\n");
}

TEST(HeaderPolicy, OnlyWhatDecidesNothingMayTrail) {
  const HeaderPolicy policy;
  for (const char* name : {"X-Checksum", "grpc-status", "ETag", "Server-Timing", "Digest"}) {
    EXPECT_TRUE(policy.may_trail(name)) << name;
  }
  for (const char* name :
       {"", "Authorization", "cookie", "Set-Cookie", "Host", "Content-Length", "content-encoding",
        "Transfer-Encoding", "TE", "Trailer", "Connection", "Keep-Alive", "Cache-Control",
        "Expires", "Location", "Vary", "If-None-Match", "Range", "Sec-Fetch-Site",
        "Access-Control-Allow-Origin", "Proxy-Authenticate",
        "X-Forwarded-For", "X-Request-Id", "Via", "Date"}) {
    EXPECT_FALSE(policy.may_trail(name)) << name;
  }
}

TEST(HeaderPolicy, TrailersAndTheirNamesAreFilteredAlike) {
  const HeaderPolicy policy;
  http::Buffer out;
  policy.append_trailer_names(" X-A , Cookie,,Host", out);
  policy.append_trailer_names("Cookie", out);
  policy.append_trailers("X-A:1\r\nCookie: a\r\nx-b: \r\n", out);
  EXPECT_EQ(out.view(), "Trailer: X-A\r\nX-A:1\r\nx-b: \r\n");
}

TEST(HeaderPolicy, AnAnswerWithOurCookiesIsKeptByNobody) {
  const AnswerChanges changes{"Set-Cookie: own=1\r\n", true};
  EXPECT_EQ(answered("Cache-Control: public\r\nExpires: 0\r\nCDN-Cache-Control: max-age=9\r\n"
                     "Pragma: x\r\nETag: 1\r\n",
                     changes),
            "ETag: 1\r\nCache-Control: private, no-store\r\nSet-Cookie: own=1\r\n");
}

TEST(HeaderPolicy, AnAnswerToACookieIsPrivateUnlessTheApplicationSaysOtherwise) {
  const AnswerChanges changes{"", true};
  EXPECT_EQ(answered("ETag: 1\r\n", changes), "ETag: 1\r\nCache-Control: private\r\n");
  EXPECT_EQ(answered("Cache-Control: max-age=5\r\n", changes), "Cache-Control: max-age=5\r\n");
}

TEST(HeaderPolicy, TheApplicationCannotSetOurCookies) {
  EXPECT_EQ(answered("Set-Cookie: __Host-gatehouse_access=x\r\nSet-Cookie: a=b\r\n"
                     "Set-Cookie: __Host-gatehouse_refresh =; Max-Age=0\r\n"
                     "Set-Cookie: __Host-gatehouse_access2=x\r\n"),
            "Set-Cookie: a=b\r\nSet-Cookie: __Host-gatehouse_access2=x\r\n");
}

}  // namespace
}  // namespace proxy
