// Tokens around one set of good claims, for tests of what changes when one thing about them does.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "auth/jwt.h"
#include "forge.h"

namespace auth {

inline const Time now{milliseconds{1'700'000'000'000}};
inline const std::string at_header = R"({"alg":"ES256","typ":"at+jwt","kid":"k1"})";

inline IssuerRules rules_with(std::vector<Key> keys) {
  IssuerRules rules;
  rules.issuer = "gatehouse";
  rules.audience = {"app", "us"};
  rules.token_types = {"at+jwt"};
  rules.keys = KeyRing(std::move(keys));
  rules.ours = true;
  return rules;
}

// A claims object: good ones, with `changes` put in place of members or added.
struct ClaimsText {
  std::vector<std::pair<std::string, std::string>> members = {{"iss", "\"gatehouse\""},
                                                              {"sub", "\"alice\""},
                                                              {"aud", "\"us\""},
                                                              {"exp", "1700000900"},
                                                              {"iat", "1700000000"}};

  ClaimsText& set(const std::string& name, const std::string& json) {
    drop(name);
    members.emplace_back(name, json);
    return *this;
  }
  ClaimsText& drop(const std::string& name) {
    std::erase_if(members, [&](const auto& member) { return member.first == name; });
    return *this;
  }
  [[nodiscard]] std::string text() const {
    std::string out = "{";
    for (const auto& [name, json] : members) {
      out += (out.size() > 1 ? ",\"" : "\"") + name + "\":" + json;
    }
    return out + "}";
  }
};

inline std::string signed_token(const std::string& payload, const std::string& header = at_header) {
  return forge::token(header, payload, forge::with(forge::key(Algorithm::es256)));
}

inline TokenVerifier verifier(std::vector<Key> keys = {forge::key(Algorithm::es256)}) {
  return TokenVerifier({rules_with(std::move(keys))});
}

inline std::string outcome(const Result<PrincipalRef>& result) {
  return result ? "ok" : std::string(name(result.error()));
}

inline std::string verify(const std::string& token) {
  return outcome(verifier().verify(token, now));
}

inline std::string verify_claims(const ClaimsText& claims) {
  return verify(signed_token(claims.text()));
}

inline PrincipalRef principal_of(const IssuerRules& rules, const ClaimsText& claims) {
  const auto result = TokenVerifier({rules}).verify(signed_token(claims.text()), now);
  EXPECT_EQ(outcome(result), "ok");
  return result ? *result : PrincipalRef(new Principal);
}

inline IssuerRules foreign_rules() {
  IssuerRules rules;
  rules.issuer = "https://idp.example.com";
  rules.audience = {"app"};
  rules.token_types = {"JWT"};
  rules.keys = KeyRing({forge::key(Algorithm::es256)});
  rules.subject_prefix = "idp:";
  return rules;
}

}  // namespace auth
