// Type checks are strict and come before use: a claim of the wrong type is a mistake or an attack,
// and both are safer refused than guessed at.
#include "auth/claims.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

namespace auth {
namespace {

constexpr std::size_t text_bytes_max = 4096;
constexpr std::size_t session_id_chars = 22;
constexpr double latest_second = 253'402'300'799.0;  // 9999-12-31

// Claims that have a field of their own in the principal or no meaning for an application.
constexpr std::array<std::string_view, 16> own_fields = {
    "iss",   "sub",       "aud",    "exp",   "nbf",
    "iat",   "auth_time", "sid",    "gen",   "preferred_username",
    "email", "name",      "groups", "scope", "scopes", "passive"};

// A path like realm_access.roles: the literal name first, since some claims have dots in it
// ("https://example.com/roles"), then every way to cut it into a member and a rest.
Json at_path(const Json& object, std::string_view path) {
  if (const auto literal = object.member(path); literal.exists()) return literal;
  for (auto dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.', dot + 1)) {
    const auto inner = object.member(path.substr(0, dot));
    if (!inner.is_object()) continue;
    if (const auto found = at_path(inner, path.substr(dot + 1)); found.exists()) return found;
  }
  return {};
}

// The claim that stands for our name. null is a way to say that there is none.
Json find_claim(const Json& claims, const IssuerRules& rules, const std::string& ours) {
  const auto mapped = rules.claims.find(ours);
  const auto claim =
      mapped == rules.claims.end() ? claims.member(ours) : at_path(claims, mapped->second);
  return claim.is_null() ? Json() : claim;
}

bool read_text(const Json& claim, std::string& out) {
  if (!claim.exists()) return true;
  const auto text = claim.text();
  if (!text || !is_clean_text(*text)) return false;
  out = *text;
  return true;
}

// As read_text, for what decides rights or stands in a header by default.
bool read_plain_text(const Json& claim, std::string& out) {
  if (!read_text(claim, out)) return false;
  if (!is_safe_header_value(out)) {
    out.clear();
  }
  return true;
}

bool add_plain_text(std::optional<std::string_view> text, std::vector<std::string>& out) {
  if (!text || !is_clean_text(*text)) return false;
  if (!text->empty() && is_safe_header_value(*text)) {
    out.emplace_back(*text);
  }
  return true;
}

bool read_list(const Json& claim, std::vector<std::string>& out) {
  if (!claim.exists()) return true;
  if (!claim.is_array()) return add_plain_text(claim.text(), out);
  for (std::size_t i = 0; i < claim.size(); ++i) {
    if (!add_plain_text(claim.element(i).text(), out)) return false;
  }
  return true;
}

// One string with blanks between the scopes (RFC 9068 section 2.2.3), or an array of them.
bool read_scopes(const Json& claim, std::vector<std::string>& out) {
  const auto text = claim.text();
  if (!text) return read_list(claim, out);
  std::string_view rest = *text;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(' '), rest.size());
    if (end > 0 && !add_plain_text(rest.substr(0, end), out)) return false;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return true;
}

bool is_session_id(std::string_view text) {
  return text.size() == session_id_chars && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
         });
}

// Session and generation mean something in our own tokens only: a foreign `sid` could otherwise
// name one of our sessions.
bool read_session(const Json& claims, Principal& principal) {
  if (const auto sid = claims.member("sid"); sid.exists()) {
    const auto text = sid.text();
    if (!text || !is_session_id(*text)) return false;
    principal.session_id = *text;
  }
  if (const auto gen = claims.member("gen"); gen.exists()) {
    const auto generation = gen.whole();
    if (!generation) return false;
    principal.generation = *generation;
  }
  principal.passive = claims.member("passive").scalar_text() == "true";
  return true;
}

// Everything else, for demands on claims and for headers that name one. What has no plain form
// (objects, mixed arrays, control characters) is not offered.
void keep_claim(const std::string& name, const Json& claim, Principal& principal) {
  if (const auto text = claim.scalar_text()) {
    if (is_clean_text(*text)) {
      principal.claims[name] = *text;
    }
    return;
  }
  if (!claim.is_array()) return;
  std::vector<std::string> list;
  for (std::size_t i = 0; i < claim.size(); ++i) {
    const auto text = claim.element(i).text();
    if (!text || !is_clean_text(*text)) return;
    list.emplace_back(*text);
  }
  principal.claim_lists[name] = std::move(list);
}

bool has_own_field(std::string_view name) {
  return std::find(own_fields.begin(), own_fields.end(), name) != own_fields.end();
}

void keep_other_claims(const Json& claims, const IssuerRules& rules, Principal& principal) {
  for (std::size_t i = 0; i < claims.size(); ++i) {
    const auto [member, claim] = claims.entry(i);
    std::string name(member);
    // A mapped name comes from where the operator said and from nowhere else.
    if (has_own_field(name) || rules.claims.contains(name)) continue;
    keep_claim(name, claim, principal);
  }
  for (const auto& [ours, theirs] : rules.claims) {
    if (has_own_field(ours)) continue;
    keep_claim(ours, at_path(claims, theirs), principal);
  }
}

bool read_subject(const Json& claim, const IssuerRules& rules, Principal& principal) {
  const auto subject = claim.text();
  if (!subject || subject->empty() || !is_safe_header_value(*subject)) return false;
  principal.subject = rules.subject_prefix + std::string(*subject);
  return is_safe_header_value(principal.subject);
}

}  // namespace

bool is_clean_text(std::string_view text) {
  return text.size() <= text_bytes_max && std::none_of(text.begin(), text.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte < 0x20 || byte == 0x7f;
         });
}

std::optional<Time> numeric_date(const Json& claim) {
  const auto seconds = claim.number();
  if (!seconds || std::abs(*seconds) > latest_second) return std::nullopt;
  return Time(milliseconds(static_cast<std::int64_t>(std::floor(*seconds * 1000.0))));
}

Result<void> read_identity(const Json& claims, const IssuerRules& rules, Principal& principal) {
  const auto find = [&](const std::string& ours) { return find_claim(claims, rules, ours); };
  const auto scope = find(rules.claims.contains("scopes") ? "scopes" : "scope");
  if (!read_subject(find("sub"), rules, principal) ||
      !read_plain_text(find("preferred_username"), principal.preferred_username) ||
      !read_plain_text(find("email"), principal.email) ||
      !read_text(find("name"), principal.name) || !read_list(find("groups"), principal.groups) ||
      !read_scopes(scope, principal.scopes)) {
    return Error::wrong_claims;
  }
  if (const auto auth_time = claims.member("auth_time"); auth_time.exists()) {
    const auto time = numeric_date(auth_time);
    if (!time) return Error::wrong_claims;
    principal.authenticated_at = *time;
  }
  if (rules.ours && !read_session(claims, principal)) return Error::wrong_claims;
  keep_other_claims(claims, rules, principal);
  return {};
}

}  // namespace auth
