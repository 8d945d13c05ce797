// The access tokens that we make (auth/jwt, issue_access_token).
#include <set>

#include "auth/json.h"
#include "forge.h"

namespace auth {
namespace {

const Time now{milliseconds{1'700'000'000'999}};
constexpr milliseconds life{900'000};

AccessClaims alice() {
  AccessClaims claims;
  claims.subject = "alice";
  claims.session_id = "AAAAAAAAAAAAAAAAAAAAAA";
  claims.generation = 3;
  claims.authenticated_at = now;
  return claims;
}

Result<std::string> issue(const AccessClaims& claims,
                          const Key& key = forge::key(Algorithm::es256)) {
  return issue_access_token(KeyRing({key}), "gatehouse", {"app"}, claims, now, life);
}

std::string part(const std::string& token, int index) {
  const auto first = token.find('.');
  const auto second = token.rfind('.');
  return base64url_decode(index == 0 ? token.substr(0, first)
                                     : token.substr(first + 1, second - first - 1))
      .value();
}

TEST(AccessToken, VerifiesWithEveryAlgorithm) {
  for (const auto algorithm : forge::all_algorithms()) {
    SCOPED_TRACE(name(algorithm));
    auto claims = alice();
    claims.preferred_username = "al";
    claims.email = "al@example.com";
    claims.name = "Alice \"Al\" \\ Ünal";
    claims.groups = {"a", "b c"};
    claims.scopes = {"read", "write"};
    claims.claims = {{"department", "R&D"}};
    const auto token = issue(claims, forge::key(algorithm)).value();
    IssuerRules rules;
    rules.issuer = "gatehouse";
    rules.audience = {"app"};
    rules.token_types = {"at+jwt"};
    rules.keys = KeyRing({forge::key(algorithm)});
    rules.ours = true;
    const auto principal = TokenVerifier({rules}).verify(token, now).value();
    EXPECT_EQ(principal->subject, claims.subject);
    EXPECT_EQ(principal->preferred_username, claims.preferred_username);
    EXPECT_EQ(principal->email, claims.email);
    EXPECT_EQ(principal->name, claims.name);
    EXPECT_EQ(principal->groups, claims.groups);
    EXPECT_EQ(principal->scopes, claims.scopes);
    EXPECT_EQ(principal->session_id, claims.session_id);
    EXPECT_EQ(principal->generation, 3u);
    EXPECT_EQ(principal->claims.at("department"), "R&D");
    EXPECT_EQ(principal->issued_at, Time{milliseconds{1'700'000'000'000}});
    EXPECT_EQ(principal->expires_at, Time{milliseconds{1'700'000'900'000}});
    EXPECT_EQ(principal->authenticated_at, Time{milliseconds{1'700'000'000'000}});
  }
}

TEST(AccessToken, HasTheClaimsOfRfc9068AndNoEmptyOnes) {
  const auto token = issue(alice()).value();
  EXPECT_EQ(part(token, 0), R"({"alg":"ES256","typ":"at+jwt","kid":"k1"})");
  JsonDocument payload;
  ASSERT_TRUE(payload.parse(part(token, 1)));
  std::set<std::string> names;
  for (std::size_t i = 0; i < payload.root().size(); ++i) {
    names.emplace(payload.root().entry(i).first);
  }
  EXPECT_EQ(names, (std::set<std::string>{"iss", "sub", "aud", "iat", "exp", "jti", "sid", "gen",
                                          "auth_time"}));
  EXPECT_EQ(payload.root().member("exp").whole(), 1'700'000'900u);
  EXPECT_EQ(payload.root().member("aud").text(), "app");
}

TEST(AccessToken, SeveralAudiencesAreAnArray) {
  const auto token = issue_access_token(KeyRing({forge::key(Algorithm::es256)}), "gatehouse",
                                        {"a", "b"}, alice(), now, life)
                         .value();
  EXPECT_NE(part(token, 1).find(R"("aud":["a","b"])"), std::string::npos);
}

TEST(AccessToken, H19IdentifiersAreLongAndNeverTheSame) {
  std::set<std::string> seen;
  const auto key = Key::generate("k1", Algorithm::hs256);
  for (int i = 0; i < 20'000; ++i) {
    JsonDocument payload;
    ASSERT_TRUE(payload.parse(part(issue(alice(), key).value(), 1)));
    const std::string jti(payload.root().member("jti").text().value());
    EXPECT_EQ(base64url_decode(jti)->size(), 16u);
    seen.insert(jti);
  }
  EXPECT_EQ(seen.size(), 20'000u);
}

TEST(AccessToken, A08RefusesValuesThatCouldNotStandInAHeader) {
  for (const std::string& bad :
       {std::string("a\r\nX-Auth-User: admin"), std::string("a\0b", 3), std::string("a\xc2\x85"),
        std::string("a\xc2\xa0"), std::string(" a"), std::string("a "), std::string(9000, 'a'),
        std::string("\xc3\xa9"), std::string("a\xff"), std::string("a\x7f"), std::string("a\tb")}) {
    auto claims = alice();
    claims.subject = bad;
    EXPECT_EQ(issue(claims).error(), Error::wrong_claims);
    claims = alice();
    claims.groups = {"users", bad};
    EXPECT_EQ(issue(claims).error(), Error::wrong_claims);
    claims = alice();
    claims.scopes = {bad};
    EXPECT_EQ(issue(claims).error(), Error::wrong_claims);
    claims = alice();
    claims.email = bad;
    EXPECT_EQ(issue(claims).error(), Error::wrong_claims);
    claims = alice();
    claims.preferred_username = bad;
    EXPECT_EQ(issue(claims).error(), Error::wrong_claims);
    claims = alice();
    claims.claims = {{bad, "x"}};
    EXPECT_EQ(issue(claims).error(), Error::wrong_claims);
  }
  auto claims = alice();
  claims.name = "a\nb";
  EXPECT_EQ(issue(claims).error(), Error::wrong_claims);
  claims = alice();
  claims.claims = {{"x", "a\nb"}};
  EXPECT_EQ(issue(claims).error(), Error::wrong_claims);
}

TEST(AccessToken, RefusesEmptySubjectsAndScopesWithBlanks) {
  auto claims = alice();
  claims.subject = "";
  EXPECT_EQ(issue(claims).error(), Error::wrong_claims);
  claims = alice();
  claims.scopes = {"read write"};
  EXPECT_EQ(issue(claims).error(), Error::wrong_claims);
  claims = alice();
  claims.groups = {""};
  EXPECT_EQ(issue(claims).error(), Error::wrong_claims);
}

TEST(AccessToken, UsersClaimsCannotSpeakInOurName) {
  for (const char* const name : {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "gen",
                                 "auth_time", "groups", "scope", "email", "name"}) {
    auto claims = alice();
    claims.claims = {{name, "x"}};
    EXPECT_EQ(issue(claims).error(), Error::wrong_claims) << name;
  }
}

TEST(AccessToken, RefusesWhatWeWouldNotTakeBack) {
  auto claims = alice();
  for (int i = 0; i < 1000; ++i) {
    claims.groups.push_back("group-" + std::to_string(i));
  }
  EXPECT_EQ(issue(claims).error(), Error::wrong_claims);
}

TEST(AccessToken, NeedsAKeyThatSigns) {
  EXPECT_EQ(issue_access_token(KeyRing(), "g", {"a"}, alice(), now, life).error(),
            Error::unknown_key);
}

}  // namespace
}  // namespace auth
