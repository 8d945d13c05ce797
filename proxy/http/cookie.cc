// A Cookie field is cut at ';' and nowhere else: no quotes, no commas, no escapes, so that a value
// of somebody else can never grow a cookie of ours, nor swallow one (SECURITY H09, H10).
#include "proxy/http/cookie.h"

#include "proxy/http/syntax.h"

#include <algorithm>

namespace proxy::http {
namespace {

// One piece between semicolons, with its white space.
std::string_view take_piece(std::string_view& rest, bool& last) {
  const std::size_t end = rest.find(';');
  const std::string_view piece = rest.substr(0, end);
  last = end == std::string_view::npos;
  rest.remove_prefix(last ? rest.size() : end + 1);
  return piece;
}

std::string_view without_leading_blanks(std::string_view piece) {
  while (!piece.empty() && syntax::is_blank(piece.front())) piece.remove_prefix(1);
  return piece;
}

// True for "name=...", exactly: "name =x", "Name=x" and a piece without '=' are others.
bool is_named(std::string_view piece, std::string_view name) {
  return !name.empty() && piece.size() > name.size() && piece.starts_with(name) &&
         piece[name.size()] == '=';
}

std::string_view text(SameSite same_site) {
  switch (same_site) {
    case SameSite::strict: return "Strict";
    case SameSite::lax: return "Lax";
    case SameSite::none: break;
  }
  return "None";
}

bool is_attribute_text(std::string_view value) {
  return value.find(';') == std::string_view::npos && syntax::all(syntax::value_char, value);
}

}  // namespace

CookieLookup find_cookie(std::string_view field, std::string_view name) {
  CookieLookup found;
  for (bool last = false; !last;) {
    const std::string_view piece = without_leading_blanks(take_piece(field, last));
    if (!is_named(piece, name)) continue;
    if (found.count++ == 0) found.value = piece.substr(name.size() + 1);
  }
  return found;
}

bool append_without(std::string_view field, std::span<const std::string> names, std::string& out) {
  const std::size_t start = out.size();
  bool first = true;
  bool dropped = false;
  bool something = false;
  for (bool last = false; !last;) {
    const std::string_view piece = take_piece(field, last);
    const std::string_view pair = without_leading_blanks(piece);
    if (std::any_of(names.begin(), names.end(),
                    [pair](const std::string& name) { return is_named(pair, name); })) {
      dropped = true;
      continue;
    }
    // The blank behind the ';' of a dropped cookie goes with it when nothing stands in front.
    if (!first) out.push_back(';');
    out.append(first && dropped ? pair : piece);
    first = false;
    something |= !pair.empty();
  }
  if (!something) out.resize(start);
  return something;
}

bool sets_cookie(std::string_view value, std::string_view name) {
  std::string_view pair = without_leading_blanks(value.substr(0, value.find(';')));
  // A browser cuts blanks off the name before it stores it (RFC 6265bis section 5.6).
  const std::size_t equals = pair.find('=');
  if (equals == std::string_view::npos) return false;
  pair = pair.substr(0, equals);
  while (!pair.empty() && syntax::is_blank(pair.back())) pair.remove_suffix(1);
  return pair == name;
}

std::string set_cookie_line(const CookieAttributes& attributes, std::string_view value,
                            std::optional<std::chrono::seconds> max_age) {
  // What does not fit the grammar would write fields of its own into our answer; no cookie then.
  if (!syntax::all(syntax::cookie_octet, value) || attributes.name.empty() ||
      !syntax::all(syntax::token_char, attributes.name) || !is_attribute_text(attributes.path) ||
      !is_attribute_text(attributes.domain)) {
    return {};
  }
  std::string line = "Set-Cookie: ";
  line.append(attributes.name).append("=").append(value);
  line.append("; Path=").append(attributes.path);
  if (!attributes.domain.empty()) line.append("; Domain=").append(attributes.domain);
  if (max_age) {
    const std::chrono::seconds age = std::max(*max_age, std::chrono::seconds(0));
    line.append("; Max-Age=").append(std::to_string(age.count()));
    if (age.count() == 0) line.append("; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
  }
  line.append("; HttpOnly");
  if (attributes.secure) line.append("; Secure");
  line.append("; SameSite=").append(text(attributes.same_site)).append("\r\n");
  return line;
}

}  // namespace proxy::http
