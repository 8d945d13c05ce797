// One pass that reads a path the way the most confused backend might: escapes decoded, parameters
// cut, full-width dots and slashes folded, overlong UTF-8 taken. Where that reading holds a dot
// segment or hides a byte, the path is refused; where it only differs in shape, it is `legacy`.
#include "proxy/http/path.h"

#include "proxy/http/syntax.h"

#include <array>
#include <cstddef>

namespace proxy::http {
namespace {

// Characters of Unicode that a best-fit or compatibility mapping turns into dots and slashes
// (IIS, NFKC): they count as such in the search for dot segments, and only there.
constexpr std::array dot_like = std::to_array<std::uint32_t>(
    {0x2024, 0x2025, 0x2026, 0xfe19, 0xfe30, 0xfe52, 0xff0e});
constexpr std::array slash_like = std::to_array<std::uint32_t>(
    {0x2044, 0x2215, 0x2216, 0x29f8, 0xfe68, 0xff0f, 0xff3c});

template <std::size_t N>
bool holds(const std::array<std::uint32_t, N>& set, std::uint32_t character) {
  for (const std::uint32_t member : set) {
    if (member == character) return true;
  }
  return false;
}

// The byte escaped at `at`, or -1 when there is no valid escape.
int escaped_byte(std::string_view path, std::size_t at) {
  if (at + 2 >= path.size() || path[at] != '%') return -1;
  const int high = syntax::hex_value(path[at + 1]);
  const int low = syntax::hex_value(path[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool is_continuation(int byte) { return byte >= 0x80 && byte <= 0xbf; }

// The escaped character of two to four bytes at `at`; size 0 when it is not well-formed UTF-8
// (RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF).
struct Character {
  std::uint32_t value = 0;
  std::size_t size = 0;  // in bytes, each three characters of the path
};
Character escaped_character(std::string_view path, std::size_t at) {
  const int lead = escaped_byte(path, at);
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) return {};
  auto value = static_cast<std::uint32_t>(lead) & (0xffU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    const int byte = escaped_byte(path, at + 3 * i);
    if (!is_continuation(byte)) return {};
    value = value << 6 | (static_cast<std::uint32_t>(byte) & 0x3f);
  }
  const bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (overlong || surrogate || value > 0x10ffff) return {};
  return {value, size};
}

// Cuts the first character off; letters come back in lower case.
int take_decoded(std::string_view& text) {
  const int escaped = escaped_byte(text, 0);
  int byte = escaped;
  if (escaped < 0) byte = static_cast<unsigned char>(text.front());
  text.remove_prefix(escaped < 0 ? 1 : 3);
  return byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte;
}

class Reading {
 public:
  explicit Reading(std::string_view path) : path_(path) {}

  PathForm form() {
    if (path_.empty() || path_.front() != '/') return PathForm::refused;
    while (at_ < path_.size()) {
      const char c = path_[at_];
      const bool ok = c == '%' ? take_escape() : take(c);
      if (!ok) return PathForm::refused;
    }
    if (is_dot_segment()) return PathForm::refused;
    return legacy_ ? PathForm::legacy : PathForm::canonical;
  }

 private:
  [[nodiscard]] bool is_dot_segment() const { return dots_ && !others_; }

  // False when the segment that ends here is a dot segment. "..." counts as one: it is no file
  // anybody has, and "two up" to some servers.
  bool end_segment() {
    if (is_dot_segment()) return false;
    dots_ = others_ = parameters_ = false;
    return true;
  }

  bool take(char c) {
    if (!syntax::is(syntax::target_char, c) || c == '?') return false;
    ++at_;
    if (c == '/') {
      // A last empty segment is only the slash at the end.
      if (at_ < path_.size() && path_[at_] == '/') legacy_ = true;
      return end_segment();
    }
    if (c == ';') {
      legacy_ = parameters_ = true;
    } else if (c == '.') {
      dot();
    } else {
      other();
    }
    return true;
  }

  // Behind a ';' everything is a parameter, and "..;x" is ".." to those who cut it.
  void dot() { dots_ |= !parameters_; }
  void other() { others_ |= !parameters_; }

  bool take_escape() {
    const int byte = escaped_byte(path_, at_);
    if (byte < 0) return false;
    if (byte >= 0x80) return take_character(byte);
    at_ += 3;
    if (byte == '/') {
      // Inside parameters nobody can say which of the two is read first.
      if (parameters_) return false;
      legacy_ = true;
      return end_segment();
    }
    const char c = static_cast<char>(byte);
    const bool control = byte < 0x20 || byte == 0x7f;
    const bool unreserved = syntax::is(syntax::host_char, c);
    if (control || unreserved || c == '\\' || c == '%' || c == '#' || c == ';' || c == '?') {
      return false;
    }
    other();
    return true;
  }

  bool take_character(int lead) {
    const Character character = escaped_character(path_, at_);
    if (character.size == 0) {
      // One byte of an old charset is a letter to some. A continuation byte, though, may be the end
      // of the overlong '/' or '.' of others (SECURITY B03).
      if (is_continuation(lead)) return false;
      at_ += 3;
      legacy_ = true;
      other();
      return true;
    }
    at_ += 3 * character.size;
    if (holds(slash_like, character.value)) return end_segment();
    if (holds(dot_like, character.value)) {
      dot();
    } else {
      other();
    }
    return true;
  }

  std::string_view path_;
  std::size_t at_ = 0;
  bool legacy_ = false;
  // Of the current segment, without its parameters.
  bool dots_ = false;
  bool others_ = false;
  bool parameters_ = false;
};

}  // namespace

PathForm form_of(std::string_view path) { return Reading(path).form(); }

std::string reduce(std::string_view path) {
  std::string reduced;
  reduced.reserve(path.size());
  bool parameters = false;
  for (std::size_t i = 0; i < path.size();) {
    const bool escaped_slash = escaped_byte(path, i) == '/';
    const char c = escaped_slash ? '/' : path[i];
    i += escaped_slash ? 3 : 1;
    if (c == '/') parameters = false;
    if (c == ';') parameters = true;
    const bool merged = c == '/' && !reduced.empty() && reduced.back() == '/';
    if (!parameters && !merged) reduced.push_back(c);
  }
  return reduced;
}

bool equal_when_decoded(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    if (take_decoded(a) != take_decoded(b)) return false;
  }
  return a.empty() && b.empty();
}

// FNV-1a: short inputs, and nobody gains anything by two segments of one number.
std::uint32_t hash_when_decoded(std::string_view segment) {
  std::uint32_t hash = 2'166'136'261U;
  while (!segment.empty()) {
    hash = (hash ^ static_cast<unsigned char>(take_decoded(segment))) * 16'777'619U;
  }
  return hash == 0 ? 1 : hash;
}

std::string percent_encoded(std::string_view text, std::string_view kept) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (syntax::is(syntax::host_char, c) || kept.find(c) != std::string_view::npos) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.append({'%', digits[byte >> 4], digits[byte & 15]});
  }
  return out;
}

}  // namespace proxy::http
