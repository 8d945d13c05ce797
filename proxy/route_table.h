// Which rule a request falls under: host and path choose, `methods` only divides neighbours of
// equal host and path. First match wins; no match: a token is required and the default upstream is
// meant. Many applications take /Admin, /admin/ and /%40x for /admin and /@x: an earlier rule that
// the path misses only by the case of letters, an escape or a last slash keeps its demands, and
// never opens anything.
// Immutable after building; matching allocates nothing and uses no regular expressions.
#pragma once

#include <bitset>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/policy.h"
#include "config/config.h"
#include "proxy/cors.h"
#include "proxy/http/head.h"
#include "proxy/rate_limit.h"

namespace proxy {

// When a request may be sent again (SECURITY P15 holds beside it).
struct RetryRule {
  std::uint32_t attempts = 1;                      // the first included
  std::chrono::milliseconds per_try_timeout{0};    // 0: the upstream's response_timeout
  bool on_connect = false;
  bool on_reset = false;
  bool on_timeout = false;
  std::bitset<100> on_status;  // 500 to 599
};

struct Route {
  // The path with what `*` and `**` matched of it put in their places of `rewrite`.
  void rewrite_path(std::string_view path, std::string& out) const;

  std::string name;
  std::string host;                   // lower case, no trailing dot; empty: any
  std::vector<std::string> segments;  // literals, "*" or a last "**"
  std::uint32_t methods = 0;          // bit per http::Method; 0: the default list
  bool is_public = false;
  bool websocket = false;
  std::uint16_t close_code = 1008;    // of a websocket whose session was revoked
  bool legacy_paths = false;
  bool forwards_trailers = false;
  config::PageMode browser = config::PageMode::automatic;
  bool checks_origin = true;  // of changing requests that a cookie lets in
  std::string strip_prefix;          // "/api"; empty: none
  std::vector<std::string> rewrite;  // segments like those of the path; empty: none
  std::optional<CorsRule> cors;
  std::optional<RateRule> rate;
  auth::Requirement requirement;
  RetryRule retry;
  std::size_t upstream = 0;  // index into config.upstreams
  std::size_t index = 0;     // of the rule; the default route comes behind the last one
  config::Location at;       // where the rule stands in the file
};

struct RouteMatch {
  enum class Kind : std::uint8_t {
    route,               // `route` says what holds
    default_rule,        // no rule matched: token required
    method_not_allowed,  // rules of that host and path exist, none for this method
  };
  Kind kind = Kind::default_rule;
  const Route* route = nullptr;  // lives as long as the table
  // An earlier rule that is missed by spelling alone, whose demands hold as well; null: none.
  const Route* near_miss = nullptr;
};

class RouteTable {
 public:
  RouteTable() = default;
  explicit RouteTable(const config::Config& config);
  // `host` without port, any case; `path` canonical, without query.
  [[nodiscard]] RouteMatch match(std::string_view host, std::string_view path,
                                 http::Method method) const;
  // The methods of the rules of that host and path, for an Allow header.
  [[nodiscard]] std::string allowed_methods(std::string_view host, std::string_view path) const;
  [[nodiscard]] const Route& default_route() const { return default_route_; }
  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  // Only direct neighbours of the rule at `place` with equal host and path may take the method: a
  // rule further down must never open what this one closes. Null: none of them does.
  [[nodiscard]] const Route* for_method(std::size_t place, http::Method method) const;

  // What the first two segments of a path must be for a rule to be looked at: with a thousand rules
  // nearly all are passed over by two numbers each. 0: anything, or nothing.
  struct Fingerprint {
    std::uint32_t first = 0;
    std::uint32_t second = 0;
    [[nodiscard]] bool admits(const Fingerprint& path) const {
      return (first == 0 || first == path.first) && (second == 0 || second == path.second);
    }
  };
  static Fingerprint fingerprint_of(const std::vector<std::string>& segments);
  static Fingerprint fingerprint_of(std::string_view path);
  // The first rule from `place` on that host and path choose, whatever the spelling; the number of
  // rules where there is none.
  [[nodiscard]] std::size_t next_match(std::size_t place, const Fingerprint& fingerprint,
                                       std::string_view host, std::string_view path) const;

  std::vector<Route> routes_;
  std::vector<Fingerprint> fingerprints_;  // of the rules
  Route default_route_;
};

}  // namespace proxy
