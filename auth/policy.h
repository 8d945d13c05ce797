// Who a request turned out to be, what a route demands, and whether the one satisfies the other.
// Pure values; any thread.
#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "auth/error.h"

namespace auth {

using Time = std::chrono::sys_time<std::chrono::milliseconds>;
using std::chrono::milliseconds;

// A verified token's content. Counted without atomics: made, kept and dropped on one thread.
struct Principal : boost::intrusive_ref_counter<Principal, boost::thread_unsafe_counter> {
  std::string subject;
  std::string preferred_username;
  std::string email;
  std::string name;
  std::vector<std::string> groups;
  std::vector<std::string> scopes;
  std::map<std::string, std::string> claims;  // every other string, number or boolean claim
  std::map<std::string, std::vector<std::string>> claim_lists;  // every other array of strings
  std::string issuer;
  std::string session_id;      // `sid` as 22 characters of base64url; empty in foreign tokens
  std::uint64_t generation = 0;
  Time issued_at{};
  Time expires_at{};
  Time authenticated_at{};
  bool ours = false;           // our own token, not a trusted issuer's
  bool passive = false;        // made for a page that refreshes by itself: nobody was there
};
using PrincipalRef = boost::intrusive_ptr<const Principal>;

struct Requirement {
  std::vector<std::string> groups;  // any of these; empty: no demand
  std::vector<std::string> scopes;
  std::map<std::string, std::vector<std::string>> claims;
};

// The name under which a requirement asks for the subject of the client's certificate. No token can
// say what it is: it belongs to the connection.
inline constexpr std::string_view certificate_claim = "client_certificate";

// All parts must hold. Errors: insufficient_groups, insufficient_scope, insufficient_claims.
// `certificate_subject` is that of the connection's verified client certificate; empty: none.
[[nodiscard]] Result<void> authorize(const Principal& principal, const Requirement& requirement,
                                     std::string_view certificate_subject = {});

// A value of the principal by claim name ("sub", "email", "groups" joined by commas, ...); empty
// when it has none.
[[nodiscard]] std::string claim_text(const Principal& principal, std::string_view claim);

// Bytes that may stand in a header we write: 0x21 to 0x7E and inner spaces, at most 4,096 of them
// (SECURITY A08). UTF-8 is refused: legacy backends disagree about it.
[[nodiscard]] bool is_safe_header_value(std::string_view value);

}  // namespace auth
