// See syntax.h.
#include "config/syntax.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include <arpa/inet.h>

#include "config/scalar.h"

namespace config {
namespace {

bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_unreserved(char c) {
  return is_alpha(c) || is_digit(c) || std::string_view("-._~").find(c) != std::string_view::npos;
}

// RFC 3986 section 3.3 without `;`, which Java backends take for the start of a parameter.
bool is_segment_char(char c) {
  return is_unreserved(c) || std::string_view("!$&'()*+,=:@").find(c) != std::string_view::npos;
}

int upper_hex(char c) {
  if (is_digit(c)) { return c - '0'; }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// An escape that could be read in one way only.
bool is_canonical_escape(std::string_view three) {
  if (three.size() < 3) { return false; }
  const int high = upper_hex(three[1]);
  const int low = upper_hex(three[2]);
  if (high < 0 || low < 0) { return false; }
  const char c = static_cast<char>(high * 16 + low);
  const bool means_something = std::string_view("/\\%;").find(c) != std::string_view::npos;
  return !is_unreserved(c) && c != '\0' && !means_something;
}

std::string check_segment(std::string_view segment) {
  if (segment.empty()) { return "has an empty segment"; }
  if (segment == "." || segment == "..") { return "has a `.` or `..` segment"; }
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] == '%') {
      if (!is_canonical_escape(segment.substr(i, 3))) {
        return "has an escape that is invalid, in lower case, or of a character that must not or "
               "need not be escaped";
      }
      i += 2;
    } else if (segment[i] == '?' || segment[i] == '#') {
      return "must not hold a query or a fragment; only paths are matched";
    } else if (!is_segment_char(segment[i])) {
      return "holds a character that no canonical path has; escape it as %XX";
    }
  }
  return "";
}

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> segments;
  path.remove_prefix(1);
  if (path.empty()) { return segments; }
  while (true) {
    const auto slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) { return segments; }
    path.remove_prefix(slash + 1);
  }
}

bool is_port(std::string_view text) {
  const auto port = parse_integer(text);
  return port && *port <= 65'535;
}

// The bits of an address, or nothing: 4 or 16 bytes.
std::vector<std::uint8_t> address_bytes(const std::string& text) {
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) {
    return {bytes.begin(), bytes.begin() + 4};
  }
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) {
    return {bytes.begin(), bytes.end()};
  }
  return {};
}

bool is_ipv4(const std::string& text) { return address_bytes(text).size() == 4; }
bool is_ipv6(const std::string& text) { return address_bytes(text).size() == 16; }

std::string check_unix_path(std::string_view path) {
  constexpr std::size_t sun_path_max = 107;  // sockaddr_un, less its final NUL
  if (path.empty() || path.front() != '/') { return "takes an absolute path behind `unix:`"; }
  return path.size() > sun_path_max ? "is a longer path than a unix socket can have" : "";
}

}  // namespace

std::string check_path(std::string_view path) {
  if (path.empty() || path.front() != '/') { return "must begin with `/`"; }
  for (const auto segment : segments_of(path)) {
    if (auto wrong = check_segment(segment); !wrong.empty()) { return wrong; }
    if (segment.find('*') != std::string_view::npos) { return "takes no `*`"; }
  }
  return "";
}

std::string check_pattern(std::string_view pattern) {
  if (pattern.empty() || pattern.front() != '/') { return "must begin with `/`"; }
  const auto segments = segments_of(pattern);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (auto wrong = check_segment(segments[i]); !wrong.empty()) { return wrong; }
    if (segments[i] == "**" && i + 1 < segments.size()) { return "takes `**` only at its end"; }
    const bool is_wildcard = segments[i] == "*" || segments[i] == "**";
    if (!is_wildcard && segments[i].find('*') != std::string_view::npos) {
      return "takes `*` only as a whole segment: `/files/*`, not `/files/*.png`";
    }
  }
  return "";
}

bool covers(std::string_view wide, std::string_view narrow) {
  const auto outer = segments_of(wide);
  const auto inner = segments_of(narrow);
  for (std::size_t i = 0; i < outer.size(); ++i) {
    if (outer[i] == "**") { return true; }  // also matches no further segment
    if (i >= inner.size() || inner[i] == "**") { return false; }
    if (outer[i] != "*" && outer[i] != inner[i]) { return false; }
  }
  return outer.size() == inner.size();
}

bool is_token(std::string_view text) {
  for (const char c : text) {
    const bool ok = is_alpha(c) || is_digit(c) ||
                    std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    if (!ok) { return false; }
  }
  return !text.empty();
}

std::string lowered(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') { c = static_cast<char>(c - 'A' + 'a'); }
  }
  return result;
}

std::string folded(std::string_view header_name) {
  std::string name = lowered(header_name);
  name.erase(std::remove_if(name.begin(), name.end(),
                            [](char c) { return !is_alpha(c) && !is_digit(c); }),
             name.end());
  return name;
}

bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > 253 || text.front() == '.' || text.back() == '.') {
    return false;
  }
  char before = '.';
  for (const char c : text) {
    if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '_' && c != '.') { return false; }
    if (c == '.' && before == '.') { return false; }
    before = c;
  }
  return true;
}

bool is_plain_text(std::string_view text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ') { return false; }
  for (const char c : text) {
    if (c < 0x20 || c > 0x7E) { return false; }
  }
  return true;
}

std::optional<HostPort> parse_host_port(std::string_view text) {
  HostPort result;
  if (!text.empty() && text.front() == '[') {
    const auto end = text.find(']');
    if (end == std::string_view::npos) { return std::nullopt; }
    result.host = text.substr(1, end - 1);
    result.is_ip = is_ipv6(result.host);
    if (!result.is_ip) { return std::nullopt; }
    text.remove_prefix(end + 1);
  } else {
    const auto colon = text.find(':');
    result.host = text.substr(0, colon);
    result.is_ip = is_ipv4(result.host);
    if (!result.is_ip && !is_host_name(result.host)) { return std::nullopt; }
    // `10.0.0.300` and `127.1` are numbers to some resolvers and names to others.
    if (!result.is_ip && is_digit(result.host[result.host.rfind('.') + 1])) {
      return std::nullopt;
    }
    text.remove_prefix(colon == std::string_view::npos ? text.size() : colon);
  }
  if (text.empty()) { return result; }
  if (text.front() != ':' || !is_port(text.substr(1))) { return std::nullopt; }
  result.port = text.substr(1);
  return result;
}

bool is_loopback(const HostPort& address) {
  if (!address.is_ip) { return address.host == "localhost"; }
  const auto bytes = address_bytes(address.host);
  if (bytes.size() == 4) { return bytes[0] == 127; }
  const std::string_view v6_loopback("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), 16) == v6_loopback;
}

std::string check_listen_address(std::string_view address) {
  constexpr std::string_view unix_mark = "unix:";
  if (address.substr(0, unix_mark.size()) == unix_mark) {
    return check_unix_path(address.substr(unix_mark.size()));
  }
  const auto parsed = parse_host_port(address);
  if (!parsed || parsed->port.empty() || (!parsed->is_ip && parsed->host != "localhost")) {
    return "takes an IP address and a port, such as 0.0.0.0:8080 or [::]:8080, or "
           "unix:/run/gatehouse.sock";
  }
  return "";
}

std::string check_upstream_endpoint(std::string_view endpoint) {
  constexpr std::string_view unix_mark = "unix:";
  constexpr std::string_view http_mark = "http://";
  constexpr std::string_view https_mark = "https://";
  if (endpoint.substr(0, unix_mark.size()) == unix_mark) {
    return check_unix_path(endpoint.substr(unix_mark.size()));
  }
  const bool is_https = endpoint.substr(0, https_mark.size()) == https_mark;
  if (!is_https && endpoint.substr(0, http_mark.size()) != http_mark) {
    return "takes http://host:port, https://host:port or unix:/path";
  }
  const auto authority = endpoint.substr(is_https ? https_mark.size() : http_mark.size());
  if (authority.find_first_of("/?#") != std::string_view::npos) {
    return "takes no path: requests keep their own";
  }
  if (authority.find('@') != std::string_view::npos) { return "takes no user or password"; }
  const auto parsed = parse_host_port(authority);
  if (parsed && parsed->port != "0") { return ""; }
  return "takes http://host:port, https://host:port or unix:/path";
}

std::string check_origin(std::string_view url) {
  const auto mark = url.find("://");
  const auto scheme = url.substr(0, mark);
  if (mark == std::string_view::npos || (scheme != "http" && scheme != "https")) {
    return "takes a URL such as https://app.example.com";
  }
  const auto authority = url.substr(mark + 3);
  if (authority.find_first_of("/?#") != std::string_view::npos) {
    return "takes scheme, host and port only, without a path or a final `/`";
  }
  const auto parsed = parse_host_port(authority);
  return parsed && parsed->port != "0" ? "" : "takes a URL such as https://app.example.com";
}

std::string check_network(std::string_view cidr) {
  constexpr const char* expected = "takes a network such as 10.2.0.15/32 or fd00::/8";
  const auto slash = cidr.find('/');
  const auto bytes = address_bytes(std::string(cidr.substr(0, slash)));
  if (bytes.empty()) { return expected; }
  const std::size_t bits = bytes.size() * 8;
  if (slash == std::string_view::npos) { return ""; }
  const auto prefix = parse_integer(cidr.substr(slash + 1));
  if (!prefix || *prefix > bits) { return expected; }
  if (*prefix == 0) {
    return "would trust everybody: any client could claim any address; name your proxies";
  }
  for (std::size_t bit = *prefix; bit < bits; ++bit) {
    if ((bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) {
      return "has bits set behind its prefix, so it is unclear which network is meant";
    }
  }
  return "";
}

}  // namespace config
