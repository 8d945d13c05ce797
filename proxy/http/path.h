// Paths are taken as they are or refused, never normalised: what the rules saw is what the backend
// gets (SECURITY section B). Pure; any thread; only what returns a string allocates.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace proxy::http {

enum class PathForm : std::uint8_t {
  canonical,  // one spelling only: safe to match rules against
  legacy,     // `//`, `;x`, `%2F` or an escape in an old charset: only where `paths: legacy`
  refused,    // dot segments in any reading, control bytes, backslash, bad or needless escapes,
              // %25, %23, %3B, %3F, bytes over 0x7F, malformed UTF-8 that could hide ASCII
};

// `path` begins with '/' (anything else is refused), without query. The case of hex digits is free,
// and reserved characters may stand escaped or not: see equal_when_decoded().
[[nodiscard]] PathForm form_of(std::string_view path);

// What a lenient backend makes of a legacy path: parameters cut, %2F decoded, slashes merged. A
// route may take the path as sent only where this form chooses the same route. For a path that is
// not refused; its result is canonical but for escapes in an old charset.
[[nodiscard]] std::string reduce(std::string_view path);

// Whether two segments of canonical paths are one to an application that decodes escapes and does
// not tell upper from lower case.
[[nodiscard]] bool equal_when_decoded(std::string_view a, std::string_view b);
// The same number for all segments that are equal in that sense, and never 0.
[[nodiscard]] std::uint32_t hash_when_decoded(std::string_view segment);

// Every byte escaped that is neither unreserved (RFC 3986 section 2.3) nor one of `kept`.
[[nodiscard]] std::string percent_encoded(std::string_view text, std::string_view kept = "");

}  // namespace proxy::http
