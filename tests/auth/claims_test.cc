// What a verified token's claims make of a principal (auth/claims).
#include <map>

#include "forge.h"
#include "token_fixture.h"

namespace auth {
namespace {

using enum Algorithm;

TEST(Claims, SubjectMustBeThereAndSafe) {
  EXPECT_EQ(verify_claims(ClaimsText().drop("sub")), "wrong_claims");
  for (const std::string& sub :
       {std::string("null"), std::string("5"), std::string(R"("")"), std::string(R"(["alice"])"),
        std::string(R"("a\r\nX-Forwarded-User: admin")"), std::string(R"("a\u0000")"),
        std::string(R"("a\u0085")"), std::string(R"("a\u00a0")"), std::string(R"(" alice")"),
        std::string(R"("alice ")"), std::string(R"("\u0061\u0300")"),
        '"' + std::string(4097, 'a') + '"'}) {
    EXPECT_EQ(verify_claims(ClaimsText().set("sub", sub)), "wrong_claims") << sub.substr(0, 40);
  }
  EXPECT_EQ(verify_claims(ClaimsText().set("sub", R"("a b")")), "ok");
}

TEST(Claims, WrongTypesOfKnownClaimsAreRefused) {
  for (const char* const claim : {"preferred_username", "email", "name"}) {
    for (const char* const wrong : {"5", "[]", "{}", "true", R"("a\nb")"}) {
      EXPECT_EQ(verify_claims(ClaimsText().set(claim, wrong)), "wrong_claims") << claim << wrong;
    }
    EXPECT_EQ(verify_claims(ClaimsText().set(claim, "null")), "ok");
  }
  for (const char* const wrong :
       {"5", "{}", "[5]", R"([["a"]])", R"(["a",null])", R"(["a\r\nb"])"}) {
    EXPECT_EQ(verify_claims(ClaimsText().set("groups", wrong)), "wrong_claims") << wrong;
    EXPECT_EQ(verify_claims(ClaimsText().set("scope", wrong)), "wrong_claims") << wrong;
  }
  for (const char* const wrong : {"null", R"("1")", "1e300"}) {
    EXPECT_EQ(verify_claims(ClaimsText().set("auth_time", wrong)), "wrong_claims") << wrong;
  }
  for (const char* const wrong : {"null", "5", R"("short")", R"("AAAAAAAAAAAAAAAAAAAAA=")"}) {
    EXPECT_EQ(verify_claims(ClaimsText().set("sid", wrong)), "wrong_claims") << wrong;
  }
  for (const char* const wrong : {"null", "-1", "1.5", R"("1")", "1e3"}) {
    EXPECT_EQ(verify_claims(ClaimsText().set("gen", wrong)), "wrong_claims") << wrong;
  }
}

TEST(Claims, FillsInThePrincipal) {
  const auto principal =
      principal_of(rules_with({forge::key(es256)}), ClaimsText()
                                                        .set("preferred_username", R"("al")")
                                                        .set("email", R"("al@example.com")")
                                                        .set("name", R"("Alice Ünal")")
                                                        .set("groups", R"(["a","b"])")
                                                        .set("scope", R"("read  write ")")
                                                        .set("sid", R"("AAAAAAAAAAAAAAAAAAAAAA")")
                                                        .set("gen", "18446744073709551615")
                                                        .set("auth_time", "1699999000")
                                                        .set("department", R"("R&D")")
                                                        .set("level", "7")
                                                        .set("admin", "true")
                                                        .set("teams", R"(["x","y"])")
                                                        .set("address", R"({"street":"s"})")
                                                        .set("notes", R"("line\nline")"));
  EXPECT_EQ(principal->preferred_username, "al");
  EXPECT_EQ(principal->email, "al@example.com");
  EXPECT_EQ(principal->name, "Alice Ünal");
  EXPECT_EQ(principal->groups, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(principal->scopes, (std::vector<std::string>{"read", "write"}));
  EXPECT_EQ(principal->session_id, "AAAAAAAAAAAAAAAAAAAAAA");
  EXPECT_EQ(principal->generation, 18446744073709551615u);
  EXPECT_EQ(principal->authenticated_at, Time{milliseconds{1'699'999'000'000}});
  EXPECT_EQ(principal->claims, (std::map<std::string, std::string>{
                                   {"department", "R&D"}, {"level", "7"}, {"admin", "true"}}));
  EXPECT_EQ(principal->claim_lists,
            (std::map<std::string, std::vector<std::string>>{{"teams", {"x", "y"}}}));
}

TEST(Claims, LeavesOutGroupsThatCannotStandInAHeader) {
  const auto principal =
      principal_of(rules_with({forge::key(es256)}),
                   ClaimsText()
                       .set("groups", R"(["users","admin\u00a0"," admin","Développeurs",""])")
                       .set("email", R"("é@example.com")"));
  EXPECT_EQ(principal->groups, std::vector<std::string>{"users"});
  EXPECT_EQ(principal->email, "");
}

PrincipalRef foreign(const IssuerRules& rules, ClaimsText claims) {
  claims.set("iss", R"("https://idp.example.com")").set("aud", R"("app")");
  const auto token = signed_token(claims.text(), R"({"alg":"ES256","typ":"JWT","kid":"k1"})");
  const auto result = TokenVerifier({rules}).verify(token, now);
  EXPECT_EQ(outcome(result), "ok");
  return result ? *result : PrincipalRef(new Principal);
}

TEST(Claims, ForeignTokensGetAPrefixAndNoSessionOfOurs) {
  const auto principal = foreign(
      foreign_rules(), ClaimsText().set("sid", R"("AAAAAAAAAAAAAAAAAAAAAA")").set("gen", "7"));
  EXPECT_EQ(principal->subject, "idp:alice");
  EXPECT_EQ(principal->session_id, "");
  EXPECT_EQ(principal->generation, 0u);
  EXPECT_FALSE(principal->ours);
  EXPECT_TRUE(principal->claims.empty());
  // A blank in front of a subject would hide behind the prefix.
  const auto hidden = signed_token(ClaimsText()
                                       .set("iss", R"("https://idp.example.com")")
                                       .set("aud", R"("app")")
                                       .set("sub", R"(" alice")")
                                       .text(),
                                   R"({"alg":"ES256","typ":"JWT","kid":"k1"})");
  EXPECT_EQ(outcome(TokenVerifier({foreign_rules()}).verify(hidden, now)), "wrong_claims");
  // What is a mistake in our own tokens is no business of ours in theirs.
  EXPECT_EQ(foreign(foreign_rules(), ClaimsText().set("sid", "5").set("gen", R"("x")"))->session_id,
            "");
}

TEST(Claims, MapsClaimsOfForeignIssuers) {
  auto rules = foreign_rules();
  rules.claims = {
      {"groups", "realm_access.roles"}, {"scope", "scp"}, {"name", "https://example.com/full.name"},
      {"department", "org.unit.name"},  {"sub", "oid"},   {"missing", "not.there"}};
  const auto principal = foreign(rules, ClaimsText()
                                            .set("realm_access", R"({"roles":["admin","dev"]})")
                                            .set("scp", R"(["read","write"])")
                                            .set("https://example.com/full.name", R"("Al")")
                                            .set("org", R"({"unit.name":"R","unit":{"other":1}})")
                                            .set("oid", R"("0-1-2")")
                                            .set("groups", R"(["forged"])")
                                            .set("scope", R"("forged")")
                                            .set("name", R"("forged")")
                                            .set("department", R"("forged")")
                                            .set("missing", R"("forged")"));
  EXPECT_EQ(principal->subject, "idp:0-1-2");
  EXPECT_EQ(principal->groups, (std::vector<std::string>{"admin", "dev"}));
  EXPECT_EQ(principal->scopes, (std::vector<std::string>{"read", "write"}));
  EXPECT_EQ(principal->name, "Al");
  EXPECT_EQ(principal->claims.at("department"), "R");
  EXPECT_FALSE(principal->claims.contains("missing"));
}

TEST(Claims, GroupsMayBeOneString) {
  EXPECT_EQ(foreign(foreign_rules(), ClaimsText().set("groups", R"("admin")"))->groups,
            std::vector<std::string>{"admin"});
  EXPECT_TRUE(foreign(foreign_rules(), ClaimsText().set("groups", "null"))->groups.empty());
  EXPECT_TRUE(foreign(foreign_rules(), ClaimsText().set("groups", "[]"))->groups.empty());
}

}  // namespace
}  // namespace auth
