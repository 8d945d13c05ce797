// The forms that text in a configuration takes: paths and patterns, header names, hosts, addresses,
// networks and URLs. Each check gives a sentence for the operator, empty when the text is right.
// Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace config {

// A path with exactly one spelling: begins with `/`, no empty, `.` or `..` segment, no `;`, no
// escape of a character that needs none (SECURITY section B). Without query and fragment.
[[nodiscard]] std::string check_path(std::string_view path);
// The same with `*` and a last `**` as whole segments.
[[nodiscard]] std::string check_pattern(std::string_view pattern);
// True if every path that `narrow` matches is also matched by `wide`; both are well-formed.
[[nodiscard]] bool covers(std::string_view wide, std::string_view narrow);

// RFC 9110 section 5.6.2: header and cookie names.
[[nodiscard]] bool is_token(std::string_view text);
// Letters A to Z in lower case, whatever the locale.
[[nodiscard]] std::string lowered(std::string_view text);
// Lower case with everything but letters and digits removed: what backends may take for equal.
[[nodiscard]] std::string folded(std::string_view header_name);
// A DNS name of letters, digits, hyphens and dots; no final dot.
[[nodiscard]] bool is_host_name(std::string_view text);
// Printable ASCII without blanks at its ends.
[[nodiscard]] bool is_plain_text(std::string_view text);

struct HostPort {
  std::string host;  // without brackets
  std::string port;  // empty: none
  bool is_ip = false;
};
// "10.0.0.1:80", "[::1]:80", "app:3000", "app"
[[nodiscard]] std::optional<HostPort> parse_host_port(std::string_view text);
[[nodiscard]] bool is_loopback(const HostPort& address);

// "0.0.0.0:8080", "[::]:8080", "localhost:8080" or "unix:/path".
[[nodiscard]] std::string check_listen_address(std::string_view address);
// "http://host:port" or "unix:/path".
[[nodiscard]] std::string check_upstream_endpoint(std::string_view endpoint);
// "https://app.example.com", without path.
[[nodiscard]] std::string check_origin(std::string_view url);
// "10.2.0.0/16" or a single address; the bits behind the prefix must be zero.
[[nodiscard]] std::string check_network(std::string_view cidr);

}  // namespace config
