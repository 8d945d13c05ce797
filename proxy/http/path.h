// Paths are taken as they are or refused, never normalised: what the rules saw is what the backend
// gets (SECURITY section B). Pure; any thread; no allocation but in reduce().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace proxy::http {

enum class PathForm : std::uint8_t {
  canonical,  // one spelling only: safe to match rules against
  legacy,     // `//`, `;x` or `%2F` in it: only for routes with `paths: legacy`
  refused,    // dot segments, %00, backslash, bad escapes, escaped unreserved bytes, bytes over 0x7F
};

// `path` begins with '/', without query.
[[nodiscard]] PathForm form_of(std::string_view path);

// What a lenient backend makes of a legacy path: parameters cut, %2F decoded, slashes merged. A
// route may take the path as sent only where this form chooses the same route.
[[nodiscard]] std::string reduce(std::string_view path);

}  // namespace proxy::http
