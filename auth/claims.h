// Claims of a verified token into a principal, by the names an issuer uses. For jwt.cc; any thread.
#pragma once

#include <optional>
#include <string_view>

#include "auth/json.h"
#include "auth/jwt.h"

namespace auth {

// RFC 7519 section 2, with fractions; nothing for other types and for times beyond the year 9999,
// which no clock reaches and no integer of ours needs to hold.
[[nodiscard]] std::optional<Time> numeric_date(const Json& claim);

// Fills in who it is: subject, names, groups, scopes, session and all other claims. wrong_claims
// for a wrong type, for control characters, and for a subject that cannot stand in a header. Other
// values that cannot (an accent in a group) are left out, which only takes rights away.
[[nodiscard]] Result<void> read_identity(const Json& claims, const IssuerRules& rules,
                                         Principal& principal);

// Printable UTF-8 of at most 4,096 bytes: what may be shown, though perhaps not stand in a header.
[[nodiscard]] bool is_clean_text(std::string_view text);

}  // namespace auth
