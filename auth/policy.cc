// See policy.h. Everything here fails closed: a demand that cannot be compared is not met, and a
// value that a backend could read as another one is left out.
#include "auth/policy.h"

#include <algorithm>

namespace auth {
namespace {

bool contains(const std::vector<std::string>& list, std::string_view wanted) {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

// None demanded, or any of the demanded held.
bool holds_any(const std::vector<std::string>& held, const std::vector<std::string>& demanded) {
  return demanded.empty() || std::any_of(demanded.begin(), demanded.end(),
                                         [&](const auto& one) { return contains(held, one); });
}

// The registered claims that have a member of their own; nullptr for all others.
const std::string* text_member(const Principal& principal, std::string_view claim) {
  if (claim == "sub") return &principal.subject;
  if (claim == "preferred_username") return &principal.preferred_username;
  if (claim == "email") return &principal.email;
  if (claim == "name") return &principal.name;
  if (claim == "iss") return &principal.issuer;
  if (claim == "sid") return &principal.session_id;
  return nullptr;
}

const std::vector<std::string>* list_member(const Principal& principal, std::string_view claim) {
  if (claim == "groups") return &principal.groups;
  if (claim == "scope") return &principal.scopes;
  return nullptr;
}

bool has_claim(const Principal& principal, const std::string& claim, std::string_view wanted) {
  // An absent member is an empty string here, and absence must never satisfy a demand.
  if (wanted.empty()) return false;
  if (const std::string* text = text_member(principal, claim)) return *text == wanted;
  if (const auto* list = list_member(principal, claim)) return contains(*list, wanted);
  const auto text = principal.claims.find(claim);
  if (text != principal.claims.end()) return text->second == wanted;
  const auto list = principal.claim_lists.find(claim);
  return list != principal.claim_lists.end() && contains(list->second, wanted);
}

// Elements that contain the separator would be read as two by the backend: one group named
// "staff,admins" must not make an administrator. They are left out, as are empty ones.
std::string join(const std::vector<std::string>& list, char separator) {
  std::string text;
  for (const std::string& element : list) {
    if (element.empty() || element.find(separator) != std::string::npos) continue;
    if (!text.empty()) text += separator;
    text += element;
  }
  return text;
}

}  // namespace

Result<void> authorize(const Principal& principal, const Requirement& requirement,
                       std::string_view certificate_subject) {
  if (!holds_any(principal.groups, requirement.groups)) return Error::insufficient_groups;
  if (!holds_any(principal.scopes, requirement.scopes)) return Error::insufficient_scope;
  for (const auto& [claim, values] : requirement.claims) {
    const bool held = std::any_of(values.begin(), values.end(), [&, &name = claim](const auto& v) {
      if (name == certificate_claim) return !v.empty() && v == certificate_subject;
      return has_claim(principal, name, v);
    });
    if (!held) return Error::insufficient_claims;
  }
  return {};
}

std::string claim_text(const Principal& principal, std::string_view claim) {
  if (const std::string* text = text_member(principal, claim)) return *text;
  if (claim == "scope") return join(principal.scopes, ' ');
  if (const auto* list = list_member(principal, claim)) return join(*list, ',');
  const std::string key(claim);
  const auto text = principal.claims.find(key);
  if (text != principal.claims.end()) return text->second;
  const auto list = principal.claim_lists.find(key);
  return list == principal.claim_lists.end() ? std::string{} : join(list->second, ',');
}

bool is_safe_header_value(std::string_view value) {
  constexpr std::size_t bytes_max = 4'096;
  if (value.size() > bytes_max) return false;
  if (value.starts_with(' ') || value.ends_with(' ')) return false;
  return std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c <= 0x7E; });
}

}  // namespace auth
