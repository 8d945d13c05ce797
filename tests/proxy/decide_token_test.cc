// Decisions that depend on what happened to a token: revocation, expiry, the cache, other issuers.
#include "proxy/decide.h"

#include "deciding.h"

namespace proxy {
namespace {

TEST_F(Decide, ARevokedSessionIsOverEvenForACachedToken) {
  EXPECT_EQ(decided("GET /a", Shows::revoked), "forward /a for alice by default");
  revocations_.add({std::string(revoked_session), "alice", noon, noon + std::chrono::hours{1},
                    store::RevokeReason::logout});
  hold({
      {"GET /a", Shows::revoked, "401 unauthorized (revoked)"},
      {"GET /assets/a", Shows::revoked, "forward /assets/a for nobody (revoked) by /assets/**"},
      {"POST /token", Shows::revoked, "serve token for nobody (revoked)"},
      {"GET /a", Shows::alice, "forward /a for alice by default"},  // another session of hers
      // A foreign `sid` of the same text is no session of ours.
      {"GET /a", Shows::foreign, "forward /a for idp:alice by default"},
  });
}

TEST_F(Decide, AUserWideRevocationRefusesWhatWasIssuedNotAfterItsSecond) {
  auth::AccessClaims claims = claims_of("alice");
  const auto asked = [&](auth::Time issued) {
    const std::string token = token_for(*runtime_, claims, issued);
    return decided("GET /a", Shows::nothing, "Authorization: Bearer " + token + "\r\n",
                   noon + std::chrono::seconds{5});
  };
  revocations_.add({"", "alice", noon + std::chrono::milliseconds{500},
                    noon + std::chrono::hours{1}, store::RevokeReason::logout_all});
  EXPECT_EQ(asked(noon - std::chrono::minutes{1}), "401 unauthorized (revoked)");
  EXPECT_EQ(asked(noon), "401 unauthorized (revoked)");
  EXPECT_EQ(asked(noon + std::chrono::milliseconds{900}), "401 unauthorized (revoked)");
  EXPECT_EQ(asked(noon + std::chrono::seconds{1}), "forward /a for alice by default");
  EXPECT_EQ(decided("GET /a", Shows::bob), "forward /a for bob by default");
  EXPECT_EQ(decided("GET /a", Shows::foreign), "forward /a for idp:alice by default");
}

TEST_F(Decide, ARevocationIsAboutOurUserNotAboutAnotherIssuersOfThatName) {
  config::Config config = house_config();
  config.tokens.trusted_issuers.front().subject_prefix = "";
  compile_again(config);
  revocations_.add({"", "alice", noon + std::chrono::minutes{1}, noon + std::chrono::hours{1},
                    store::RevokeReason::logout_all});
  hold({
      {"GET /a", Shows::alice, "401 unauthorized (revoked)"},
      {"GET /a", Shows::foreign, "forward /a for alice by default"},
  });
}

TEST_F(Decide, ATokenExpiresInTheCacheToo) {
  const auto exp = noon + runtime_->config.tokens.access.life;
  const auto before = exp - std::chrono::milliseconds{1};
  EXPECT_EQ(decided("GET /a", Shows::bob), "forward /a for bob by default");
  EXPECT_EQ(tokens_.size(), 1U);
  EXPECT_EQ(decided("GET /a", Shows::bob, "", before), "forward /a for bob by default");
  EXPECT_EQ(decided("GET /a", Shows::bob, "", exp), "401 unauthorized (expired)");
  EXPECT_EQ(decided("GET /a", Shows::bob, "", before), "forward /a for bob by default");
}

TEST_F(Decide, OnlyTokensThatVerifiedAreCached) {
  for (const Shows shows : {Shows::expired, Shows::forged, Shows::garbage, Shows::stranger,
                            Shows::refresh_token, Shows::basic, Shows::nothing}) {
    (void)decided("GET /a", shows);
  }
  EXPECT_EQ(tokens_.size(), 0U);
  (void)decided("GET /a", Shows::alice);
  const auth::CachedTokenRef first = decision_.token;
  (void)decided("GET /a", Shows::alice);
  EXPECT_EQ(decision_.token, first);
  EXPECT_EQ(tokens_.size(), 1U);
}

TEST_F(Decide, ATrustedIssuersTokenIsAcceptedUnderItsOwnSubject) {
  hold({
      {"GET /a", Shows::foreign, "forward /a for idp:alice by default"},
      {"GET /admin/x", Shows::foreign, "forward /admin/x for idp:alice by /admin/**"},
      {"GET /staff/x", Shows::foreign, "403 forbidden (insufficient_claims)"},
  });
  (void)decided("GET /a", Shows::foreign);
  EXPECT_FALSE(decision_.token->principal->ours);
  EXPECT_EQ(decision_.token->prove_at, auth::Time::max());
  EXPECT_EQ(decision_.token->identity_headers,
            "X-Forwarded-User: idp:alice\r\nX-Forwarded-Groups: admins\r\n");
}

TEST_F(Decide, OurTokensProveTheirGenerationOnceGraceIsOver) {
  (void)decided("GET /a", Shows::alice);
  EXPECT_EQ(decision_.token->prove_at,
            noon + runtime_->family_rules.grace + std::chrono::seconds{1});
  EXPECT_EQ(decision_.token->identity_headers,
            "X-Forwarded-User: alice\r\nX-Forwarded-Groups: staff\r\n");
}

TEST_F(Decide, AnIdentityThatCouldNotStandInAHeaderIsRefused) {  // A08
  config::Config config = house_config();
  config.identity.headers.push_back({"X-Department", "department", {}});
  compile_again(config);
  auth::AccessClaims claims = claims_of("zoe");
  claims.claims["department"] = "f\xc3\xaate";
  const std::string field = "Authorization: Bearer " + token_for(*runtime_, claims) + "\r\n";
  const std::string refused = decided("GET /a", Shows::nothing, field);
  EXPECT_TRUE(refused.starts_with("401") || refused.starts_with("403")) << refused;
  EXPECT_EQ(decision_.token, nullptr);
  EXPECT_EQ(tokens_.size(), 0U);
}

TEST_F(Decide, ARejectionNamesItsRuleForTheAccessLine) {
  (void)decided("GET /admin/x", Shows::bob);
  ASSERT_NE(decision_.route, nullptr);
  EXPECT_EQ(decision_.route->name, "/admin/**");
  (void)decided("DELETE /pub", Shows::bob);
  ASSERT_NE(decision_.route, nullptr);
  EXPECT_EQ(decision_.route->name, "/pub");
}

}  // namespace
}  // namespace proxy
