// JSON Web Tokens in compact form (RFC 7515, 7519, 8725, 9068). Signature first, claims afterwards;
// nothing in a token chooses a key source, an algorithm or a network call. Pure; any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "auth/jws.h"
#include "auth/keys.h"
#include "auth/policy.h"

namespace auth {

// Tokens may have token_bytes_max bytes (jws.h) and json_levels_max levels of JSON (json.h).

// Whose tokens are taken, and how they are read.
struct IssuerRules {
  std::string issuer;
  std::vector<std::string> audience;     // any of these must be in `aud`
  std::vector<std::string> token_types;  // accepted `typ`, compared without case and "application/"
  KeyRing keys;
  std::map<std::string, std::string> claims;  // our name: theirs, dots go into objects
  std::string subject_prefix;
  bool ours = false;
};

// Checks one token against the issuers, first match by `iss` after the signature holds under that
// issuer's keys. `leeway` is for nbf and iat; exp has none (SECURITY G10: exp == now is expired).
class TokenVerifier {
 public:
  TokenVerifier() = default;
  explicit TokenVerifier(std::vector<IssuerRules> issuers,
                         milliseconds leeway = milliseconds{30'000});
  [[nodiscard]] Result<PrincipalRef> verify(std::string_view token, Time now) const;
  // The same without the expiry check, for logout with a token that has just expired.
  [[nodiscard]] Result<PrincipalRef> verify_expired(std::string_view token, Time now) const;

 private:
  std::vector<IssuerRules> issuers_;
  milliseconds leeway_{30'000};
};

// What goes into an access token of ours.
struct AccessClaims {
  std::string subject;
  std::string preferred_username;
  std::string email;
  std::string name;
  std::vector<std::string> groups;
  std::vector<std::string> scopes;
  std::map<std::string, std::string> claims;
  std::string session_id;
  std::uint64_t generation = 0;
  Time authenticated_at{};
  bool passive = false;
};

// `typ: at+jwt`, signed with the ring's active key. wrong_claims when a value could not stand in a
// header (SECURITY A08); no_entropy when no `jti` can be drawn.
[[nodiscard]] Result<std::string> issue_access_token(const KeyRing& keys, std::string_view issuer,
                                                     const std::vector<std::string>& audience,
                                                     const AccessClaims& claims, Time now,
                                                     milliseconds life);

}  // namespace auth
