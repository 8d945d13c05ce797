// What passes behind a body where a rule forwards trailers; part of header_policy.h. The lines were
// read by http::ChunkedDecoder, so that each has a name, a colon and a clean value.
#include <algorithm>
#include <string_view>

#include "proxy/header_policy.h"
#include "proxy/http/chunked.h"
#include "proxy/http/head.h"

namespace proxy {
namespace {

// Families of names that decide about a message, its sender or who may read it.
constexpr std::string_view deciding_prefixes[] = {"access-control-", "content-", "if-", "proxy-",
                                                  "sec-", "x-forwarded-", "x-gatehouse-"};
constexpr std::string_view deciding_names[] = {
    "accept-encoding", "age", "allow", "alt-svc", "clear-site-data", "expires", "from", "pragma",
    "range", "refresh", "retry-after", "strict-transport-security", "vary", "warning"};

std::string_view trimmed(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

bool HeaderPolicy::may_trail(std::string_view name) const {
  http::Field field;
  field.id = http::header_id(name);
  field.name = name;
  // Every name that the proxy itself looks at decides something.
  if (name.empty() || field.id != http::HeaderId::other || drops(field)) return false;
  const auto is_it = [name](std::string_view other) {
    return http::equal_ignoring_case(name, other);
  };
  const auto begins = [name](std::string_view prefix) {
    return http::equal_ignoring_case(name.substr(0, prefix.size()), prefix);
  };
  return std::none_of(std::begin(deciding_names), std::end(deciding_names), is_it) &&
         std::none_of(std::begin(deciding_prefixes), std::end(deciding_prefixes), begins);
}

void HeaderPolicy::append_trailer_names(std::string_view list, http::Buffer& out) const {
  bool is_first = true;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view name = trimmed(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (!may_trail(name)) continue;
    out.append(is_first ? std::string_view("Trailer: ") : std::string_view(", "));
    out.append(name);
    is_first = false;
  }
  if (!is_first) out.append("\r\n");
}

void HeaderPolicy::append_trailers(std::string_view lines, http::Buffer& out) const {
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size() - 1);
    const std::string_view line = lines.substr(0, end + 1);
    lines.remove_prefix(end + 1);
    const std::string_view name = line.substr(0, line.find(':'));
    if (may_trail(name)) out.append(line);
  }
}

}  // namespace proxy
