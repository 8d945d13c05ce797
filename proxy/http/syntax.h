// Character classes of RFC 9110, 9112 and 3986, as one table, and the few conversions that go with
// them. ASCII only, no locale. Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace proxy::http::syntax {

enum Class : std::uint8_t {
  token_char = 1,    // RFC 9110 section 5.6.2: methods, field names, list members
  target_char = 2,   // RFC 3986 section 2 without '%': what a request target may hold raw
  value_char = 4,    // RFC 9110 section 5.5: field content, with obs-text and white space
  hex_digit = 8,
  host_char = 16,    // a registered name, stricter than RFC 3986: letters, digits, '-._~'
  cookie_octet = 32  // RFC 6265bis section 4.1.1
};

namespace detail {

constexpr bool in(std::string_view set, char c) { return set.find(c) != std::string_view::npos; }
constexpr bool is_letter(unsigned c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> table{};
  for (unsigned i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    const bool digit = i >= '0' && i <= '9';
    const bool alnum = digit || is_letter(i);
    const bool visible = i > 0x20 && i < 0x7f;
    unsigned bits = 0;
    if (alnum || (visible && in("!#$%&'*+-.^_`|~", c))) bits |= token_char;
    if (alnum || (visible && in("-._~:/?[]@!$&'()*+,;=", c))) bits |= target_char;
    if (i == '\t' || (i >= 0x20 && i != 0x7f)) bits |= value_char;
    if (digit || (i >= 'a' && i <= 'f') || (i >= 'A' && i <= 'F')) bits |= hex_digit;
    if (alnum || (visible && in("-._~", c))) bits |= host_char;
    if (visible && !in("\",;\\", c)) bits |= cookie_octet;
    table[i] = static_cast<std::uint8_t>(bits);
  }
  return table;
}

inline constexpr std::array<std::uint8_t, 256> classes = make_classes();

}  // namespace detail

[[nodiscard]] constexpr bool is(Class wanted, char c) {
  return (detail::classes[static_cast<unsigned char>(c)] & wanted) != 0;
}

[[nodiscard]] constexpr bool all(Class wanted, std::string_view text) {
  for (const char c : text) {
    if (!is(wanted, c)) return false;
  }
  return true;
}

[[nodiscard]] constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
[[nodiscard]] constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }
[[nodiscard]] constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
// 0 to 15, or -1 when it is no hexadecimal digit.
[[nodiscard]] constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

// Without blanks and tabs at both ends (OWS, RFC 9110 section 5.6.3), and nothing else.
[[nodiscard]] constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace proxy::http::syntax
