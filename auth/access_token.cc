// Makes our own access tokens (RFC 9068). Written by hand rather than through a JSON library: the
// claims are few, and each is checked for what a header can carry before it is written.
#include <chrono>
#include <string>

#include "auth/bytes.h"
#include "auth/claims.h"
#include "auth/jwt.h"

namespace auth {
namespace {

constexpr std::size_t token_id_bytes = 16;

// Names that a user's own claims must not take: they would speak in our name.
constexpr std::string_view reserved[] = {"iss",
                                         "sub",
                                         "aud",
                                         "exp",
                                         "nbf",
                                         "iat",
                                         "jti",
                                         "sid",
                                         "gen",
                                         "passive",
                                         "auth_time",
                                         "preferred_username",
                                         "email",
                                         "name",
                                         "groups",
                                         "scope",
                                         "scopes",
                                         "client_id",
                                         "cnf",
                                         "act"};

// Appends members to one object.
class ObjectWriter {
 public:
  void add(std::string_view name, std::string_view value) {
    begin(name);
    append_json_string(out_, value);
  }
  void add(std::string_view name, std::int64_t value) {
    begin(name);
    out_ += std::to_string(value);
  }
  // Not another add(): a string literal would become a bool.
  void add_true(std::string_view name) {
    begin(name);
    out_ += "true";
  }
  void add(std::string_view name, std::uint64_t value) {
    begin(name);
    out_ += std::to_string(value);
  }
  void add(std::string_view name, const std::vector<std::string>& values) {
    begin(name);
    out_.push_back('[');
    for (const auto& value : values) {
      if (&value != values.data()) {
        out_.push_back(',');
      }
      append_json_string(out_, value);
    }
    out_.push_back(']');
  }
  void add_filled(std::string_view name, std::string_view value) {
    if (!value.empty()) add(name, value);
  }
  [[nodiscard]] std::string finish() { return out_ + '}'; }

 private:
  void begin(std::string_view name) {
    out_.push_back(out_.empty() ? '{' : ',');
    append_json_string(out_, name);
    out_.push_back(':');
  }
  std::string out_;
};

bool all_safe(const std::vector<std::string>& values) {
  for (const auto& value : values) {
    if (value.empty() || !is_safe_header_value(value)) return false;
  }
  return true;
}

bool is_safe_or_empty(std::string_view value) {
  return value.empty() || is_safe_header_value(value);
}

bool is_reserved(std::string_view name) {
  for (const auto& other : reserved) {
    if (name == other) return true;
  }
  return false;
}

// A scope with a blank would be two (RFC 6749 section 3.3).
std::string joined(const std::vector<std::string>& scopes) {
  std::string out;
  for (const auto& scope : scopes) {
    if (!out.empty()) {
      out.push_back(' ');
    }
    out += scope;
  }
  return out;
}

// The display name and the user's own claims may be any printable text; what decides rights or
// stands in a header by default must be able to.
bool can_be_issued(const AccessClaims& claims) {
  if (claims.subject.empty() || !is_safe_header_value(claims.subject)) return false;
  if (!is_safe_or_empty(claims.preferred_username) || !is_safe_or_empty(claims.email)) return false;
  if (!is_clean_text(claims.name)) return false;
  if (!all_safe(claims.groups) || !all_safe(claims.scopes)) return false;
  for (const auto& scope : claims.scopes) {
    if (scope.find(' ') != std::string::npos) return false;
  }
  for (const auto& [name, value] : claims.claims) {
    if (name.empty() || !is_safe_header_value(name) || is_reserved(name)) return false;
    if (!is_clean_text(value)) return false;
  }
  return true;
}

std::int64_t seconds(Time time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

std::string header_of(const Key& key) {
  ObjectWriter header;
  header.add("alg", name(key.algorithm()));
  header.add("typ", "at+jwt");
  header.add("kid", key.kid());
  return header.finish();
}

}  // namespace

Result<std::string> issue_access_token(const KeyRing& keys, std::string_view issuer,
                                       const std::vector<std::string>& audience,
                                       const AccessClaims& claims, Time now, milliseconds life) {
  const Key* const key = keys.active();
  if (key == nullptr) return Error::unknown_key;
  if (!can_be_issued(claims)) return Error::wrong_claims;
  const auto token_id = random_bytes(token_id_bytes);
  if (!token_id) return token_id.error();

  ObjectWriter payload;
  payload.add("iss", issuer);
  payload.add("sub", claims.subject);
  // Most libraries in front of which we stand compare a single audience as a string.
  if (audience.size() == 1) {
    payload.add("aud", audience.front());
  } else {
    payload.add("aud", audience);
  }
  payload.add("iat", seconds(now));
  payload.add("exp", seconds(now + life));
  payload.add("jti", base64url_encode(*token_id));
  if (!claims.session_id.empty()) {
    payload.add("sid", claims.session_id);
    payload.add("gen", claims.generation);
  }
  if (claims.passive) payload.add_true("passive");
  payload.add("auth_time", seconds(claims.authenticated_at));
  payload.add_filled("preferred_username", claims.preferred_username);
  payload.add_filled("email", claims.email);
  payload.add_filled("name", claims.name);
  if (!claims.groups.empty()) payload.add("groups", claims.groups);
  payload.add_filled("scope", joined(claims.scopes));
  for (const auto& [name, value] : claims.claims) {
    payload.add(name, value);
  }

  std::string token = base64url_encode(header_of(*key)) + '.' + base64url_encode(payload.finish());
  const auto signature = key->sign(token);
  if (!signature) return signature.error();
  token += '.' + base64url_encode(*signature);
  // We would refuse it ourselves.
  if (token.size() > token_bytes_max) return Error::wrong_claims;
  return token;
}

}  // namespace auth
