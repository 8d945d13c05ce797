// From a token to a principal: signature under an issuer's keys, then that issuer's rules, in the
// order that the errors name. Nothing here allocates before the signature holds but the header.
#include "auth/jwt.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "auth/claims.h"

namespace auth {
namespace {

// "application/at+jwt" and "AT+JWT" are both at+jwt (RFC 7515 section 4.1.9).
std::string plain_type(std::string_view type) {
  std::string plain(type);
  std::transform(plain.begin(), plain.end(), plain.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  constexpr std::string_view prefix = "application/";
  return plain.starts_with(prefix) ? plain.substr(prefix.size()) : plain;
}

// A token without `typ` has no type that could be on the list (RFC 8725 section 3.11).
bool accepts_type(const IssuerRules& rules, std::optional<std::string_view> type) {
  if (!type) return false;
  const auto plain = plain_type(*type);
  return std::find(rules.token_types.begin(), rules.token_types.end(), plain) !=
         rules.token_types.end();
}

bool contains(const std::vector<std::string>& list, std::optional<std::string_view> value) {
  return value && std::find(list.begin(), list.end(), *value) != list.end();
}

// `aud` is a string or an array of strings (RFC 7519 section 4.1.3), compared byte by byte. An
// array with anything else in it is no array of strings (CVE-2020-26160 was a looser reading).
bool is_for_us(const Json& audience, const std::vector<std::string>& ours) {
  if (!audience.is_array()) return contains(ours, audience.text());
  bool found = false;
  for (std::size_t i = 0; i < audience.size(); ++i) {
    const auto element = audience.element(i).text();
    if (!element) return false;
    found = found || contains(ours, element);
  }
  return found;
}

struct Clock {
  Time now;
  milliseconds leeway;
  bool takes_expired;
};

// nbf and iat may lie ahead by the leeway, for clocks that differ; exp has none, because a token
// that ends now must not be good for one more request.
Result<void> check_times(const Json& claims, const Clock& clock, Principal& principal) {
  const auto exp = claims.member("exp");
  if (!exp.exists()) return Error::missing_expiry;
  const auto expires_at = numeric_date(exp);
  if (!expires_at) return Error::wrong_claims;
  if (clock.now >= *expires_at && !clock.takes_expired) return Error::expired;
  principal.expires_at = *expires_at;
  for (const std::string_view name : {"nbf", "iat"}) {
    const auto claim = claims.member(name);
    if (!claim.exists()) continue;
    const auto time = numeric_date(claim);
    if (!time) return Error::wrong_claims;
    if (*time > clock.now + clock.leeway) return Error::not_yet_valid;
    if (name == "iat") {
      principal.issued_at = *time;
    }
  }
  return {};
}

// The issuer's rules on a token whose signature holds and whose `iss` is this issuer.
Result<PrincipalRef> apply(const IssuerRules& rules, const Jws& jws, const Json& claims,
                           const Clock& clock) {
  if (!accepts_type(rules, jws.type())) return Error::unsupported_type;
  if (!is_for_us(claims.member("aud"), rules.audience)) return Error::wrong_audience;
  const boost::intrusive_ptr<Principal> principal(new Principal);
  if (const auto times = check_times(claims, clock, *principal); !times) return times.error();
  principal->issuer = rules.issuer;
  principal->ours = rules.ours;
  if (const auto read = read_identity(claims, rules, *principal); !read) return read.error();
  return PrincipalRef(principal);
}

// Several issuers may share a key (tenants of one provider), so the one that vouches is found by
// both: the signature holds under its ring and `iss` is its name.
Result<PrincipalRef> check(const std::vector<IssuerRules>& issuers, std::string_view token,
                           const Clock& clock) {
  Jws jws;
  if (const auto read = jws.read(token); !read) return read.error();
  Error error = Error::unknown_key;
  JsonDocument payload;
  for (const auto& rules : issuers) {
    if (const auto verified = jws.verify(rules.keys); !verified) {
      if (error == Error::unknown_key) {
        error = verified.error();
      }
      continue;
    }
    if (error != Error::wrong_issuer) {
      const auto text = jws.payload();
      if (!text || !payload.parse(*text)) return Error::malformed;
      error = Error::wrong_issuer;
    }
    const auto iss = payload.root().member("iss").text();
    if (iss && *iss == rules.issuer) return apply(rules, jws, payload.root(), clock);
  }
  return error;
}

}  // namespace

TokenVerifier::TokenVerifier(std::vector<IssuerRules> issuers, milliseconds leeway)
    : issuers_(std::move(issuers)), leeway_(leeway) {
  for (auto& rules : issuers_) {
    for (auto& type : rules.token_types) {
      type = plain_type(type);
    }
  }
}

Result<PrincipalRef> TokenVerifier::verify(std::string_view token, Time now) const {
  return check(issuers_, token, {now, leeway_, false});
}

Result<PrincipalRef> TokenVerifier::verify_expired(std::string_view token, Time now) const {
  return check(issuers_, token, {now, leeway_, true});
}

}  // namespace auth
