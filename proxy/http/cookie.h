// Reading our cookies out of a Cookie field, leaving everybody else's alone, and writing Set-Cookie
// (RFC 6265bis). Names are compared byte by byte; nothing is decoded or unquoted (SECURITY H09).
// Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace proxy::http {

struct CookieLookup {
  int count = 0;           // how many pairs have that name: more than one is ambiguous
  std::string_view value;  // of the first; a view into the field
};
[[nodiscard]] CookieLookup find_cookie(std::string_view field, std::string_view name);

// Appends the pairs of `field` but those named in `names` to `out`, byte for byte and in order,
// separated as they were; false when nothing is left.
bool append_without(std::string_view field, std::span<const std::string> names, std::string& out);

enum class SameSite : std::uint8_t { strict, lax, none };
struct CookieAttributes {
  std::string name;  // with its __Host- or __Secure- prefix
  std::string domain;
  std::string path = "/";
  bool secure = true;
  SameSite same_site = SameSite::lax;
};
// "Set-Cookie: ...\r\n", always HttpOnly. `max_age` zero expires the cookie; without one it lives
// until the browser closes.
[[nodiscard]] std::string set_cookie_line(const CookieAttributes& attributes,
                                          std::string_view value,
                                          std::optional<std::chrono::seconds> max_age);
// Whether a Set-Cookie value sets a cookie of that name.
[[nodiscard]] bool sets_cookie(std::string_view value, std::string_view name);

}  // namespace proxy::http
