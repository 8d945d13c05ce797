// What a head must satisfy before anything is decided about it: RFC 9112 and 9110 with every MAY on
// the strict side, and the policy choices P1 to P12 of the security model. Ambiguity is an error,
// never repaired (request smuggling, sections A, B, D and E of the security tests).
// Pure; any thread; no allocation.
#pragma once

#include "proxy/http/head.h"
#include "proxy/http/parser.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace proxy::http {

// Checks and completes a parsed request: splits the target into authority, path and query, and sets
// body, keep_alive, expects_continue and wants_websocket. The path's canonical form is not its
// business (path.h), nor are methods per route; identity headers and look-alikes of managed names
// are the header policy's. Several Cookie lines are legal here: RFC 9113 section 8.2.3 makes them,
// and two cookies of our name are found by whoever reads them.
[[nodiscard]] ParseError check_request(RequestHead& head);

// Checks and completes an upstream's answer to a request of `method`. `upgrade_sent`: a 101 is
// legal only then. 1xx heads have no body.
[[nodiscard]] ParseError check_response(ResponseHead& head, Method method, bool upgrade_sent);

// The host part of an authority, without port, lower case rules applied by the caller; nullopt when
// the authority is not valid (RFC 3986 section 3.2; no userinfo).
struct HostPort {
  std::string_view host;  // brackets kept for IPv6
  std::string_view port;  // empty: none
};
[[nodiscard]] std::optional<HostPort> split_authority(std::string_view authority);

// Lower case with everything but letters and digits removed, compared without building it: how PHP,
// CGI and WSGI backends may read a name ("X_Auth.User" is "xauthuser").
[[nodiscard]] bool folded_equal(std::string_view a, std::string_view b);
// Whether the folded name begins with `prefix`, which is folded already.
[[nodiscard]] bool folded_starts_with(std::string_view name, std::string_view prefix);
// A hash of the folded name, the same for every spelling.
[[nodiscard]] std::uint64_t folded_hash(std::string_view name);

}  // namespace proxy::http
