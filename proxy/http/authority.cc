// Host and port of an authority (RFC 3986 section 3.2), stricter than the RFC: no userinfo, no
// escapes, no empty labels, no IPv6 zones, so that one authority has one reading (SECURITY E01).
#include "proxy/http/guard.h"
#include "proxy/http/syntax.h"

namespace proxy::http {
namespace {

constexpr std::size_t host_bytes_max = 254;  // RFC 1035's 253 and a trailing dot

bool is_ipv4(std::string_view text) {
  int parts = 0;
  while (true) {
    const std::size_t dot = text.find('.');
    const std::string_view part = text.substr(0, dot);
    int value = 0;
    if (part.empty() || part.size() > 3 || (part.size() > 1 && part.front() == '0')) return false;
    for (const char c : part) {
      if (!syntax::is_digit(c)) return false;
      value = value * 10 + (c - '0');
    }
    if (value > 255 || ++parts > 4) return false;
    if (dot == std::string_view::npos) return parts == 4;
    text.remove_prefix(dot + 1);
  }
}

// RFC 4291 section 2.2, all three forms.
bool is_ipv6(std::string_view text) {
  int groups = 0;
  bool gap = text.starts_with("::");
  if (gap) text.remove_prefix(2);
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    const bool last = colon == std::string_view::npos;
    if (last && is_ipv4(group)) {
      groups += 2;
      break;
    }
    if (group.empty() || group.size() > 4 || !syntax::all(syntax::hex_digit, group)) return false;
    ++groups;
    if (last) break;
    text.remove_prefix(colon + 1);
    if (text.empty()) return false;
    if (text.front() != ':') continue;
    if (gap) return false;
    gap = true;
    text.remove_prefix(1);
  }
  return gap ? groups < 8 : groups == 8;
}

bool is_host_name(std::string_view host) {
  if (host.empty() || host.size() > host_bytes_max) return false;
  if (!syntax::all(syntax::host_char, host)) return false;
  return host.front() != '.' && host.find("..") == std::string_view::npos;
}

// The port may be missing behind its colon (RFC 3986); "080" is 80.
bool is_port(std::string_view port) {
  if (port.size() > 5) return false;
  int value = 0;
  for (const char c : port) {
    if (!syntax::is_digit(c)) return false;
    value = value * 10 + (c - '0');
  }
  return value <= 65535;
}

}  // namespace

std::optional<HostPort> split_authority(std::string_view authority) {
  HostPort result;
  const bool bracketed = authority.starts_with('[');
  const std::size_t end = bracketed ? authority.find(']') : authority.find(':');
  if (bracketed && end == std::string_view::npos) return std::nullopt;
  result.host = authority.substr(0, bracketed ? end + 1 : end);
  std::string_view rest = authority.substr(result.host.size());
  const bool host_ok = bracketed ? is_ipv6(result.host.substr(1, end - 1))
                                 : is_host_name(result.host);
  if (!host_ok) return std::nullopt;
  if (rest.empty()) return result;
  if (rest.front() != ':') return std::nullopt;
  rest.remove_prefix(1);
  if (!is_port(rest)) return std::nullopt;
  result.port = rest;
  return result;
}

}  // namespace proxy::http
