// Matching rules; see route_table.h.
#include "proxy/route_table.h"

#include <algorithm>

#include "config/syntax.h"
#include "proxy/http/path.h"

namespace proxy {
namespace {

constexpr std::uint32_t bit(http::Method method) { return 1U << static_cast<unsigned>(method); }

constexpr std::uint32_t default_methods = bit(http::Method::get) | bit(http::Method::head) |
                                          bit(http::Method::post) | bit(http::Method::put) |
                                          bit(http::Method::patch) | bit(http::Method::delete_) |
                                          bit(http::Method::options);

std::vector<std::string> split_segments(std::string_view pattern) {
  std::vector<std::string> segments;
  pattern.remove_prefix(1);
  for (;;) {
    const auto slash = pattern.find('/');
    segments.emplace_back(pattern.substr(0, slash));
    if (slash == std::string_view::npos) return segments;
    pattern.remove_prefix(slash + 1);
  }
}

// A host rule is compared without case and without the root's dot (SECURITY B09).
std::string_view without_root_dot(std::string_view host) {
  return host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
}

enum class Spelling : std::uint8_t { exact, loose };

bool is_spelled(std::string_view segment, std::string_view part, Spelling spelling) {
  return spelling == Spelling::exact ? segment == part : http::equal_when_decoded(segment, part);
}

// Loose: whatever the case of letters, escaped or not, with or without a last slash.
bool matches_path(const std::vector<std::string>& segments, std::string_view path,
                  Spelling spelling) {
  if (path.empty() || path.front() != '/') return false;
  path.remove_prefix(1);
  bool more = true;  // whether the path has another segment
  for (const std::string& segment : segments) {
    if (segment == "**") return true;  // the rest, and also nothing: /assets/** is also /assets
    if (!more) {
      const bool is_last_slash = segment.empty() && &segment == &segments.back();
      return is_last_slash && spelling == Spelling::loose;
    }
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    if (segment == "*" ? part.empty() : !is_spelled(segment, part, spelling)) return false;
    more = slash != std::string_view::npos;
    path.remove_prefix(more ? slash + 1 : path.size());
  }
  return !more || (spelling == Spelling::loose && path.empty());
}

// The segment of that number, counted from 0; the path has it.
std::string_view segment_of(std::string_view path, std::size_t number) {
  path.remove_prefix(1);
  for (; number > 0; --number) path.remove_prefix(path.find('/') + 1);
  return path.substr(0, path.find('/'));
}

// What is behind the first `count` segments, with its slash; empty where there is nothing.
std::string_view rest_behind(std::string_view path, std::size_t count) {
  for (; count > 0 && !path.empty(); --count) {
    const auto slash = path.find('/', 1);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash);
  }
  return path;
}

bool is_same_place(const Route& a, const Route& b) {
  return a.host == b.host && a.segments == b.segments;
}

std::size_t upstream_index(const config::Config& config, const std::string& name) {
  const std::string& wanted = name.empty() ? "app" : name;
  for (std::size_t i = 0; i < config.upstreams.size(); ++i) {
    if (config.upstreams[i].name == wanted) return i;
  }
  return 0;  // the only one: validate.cc refuses anything else
}

RetryRule retry_rule(const std::optional<config::Retry>& from) {
  RetryRule rule;
  if (!from) return rule;
  rule.attempts = from->attempts;
  rule.per_try_timeout = from->per_try_timeout;
  for (const std::string& cause : from->on) {
    if (cause == "connect") {
      rule.on_connect = true;
    } else if (cause == "reset") {
      rule.on_reset = true;
    } else if (cause == "timeout") {
      rule.on_timeout = true;
    } else {
      rule.on_status.set(static_cast<std::size_t>(std::stoi(cause) - 500));  // checked
    }
  }
  return rule;
}

bool checks_origin(const config::Config& config, config::RouteCsrf of_route) {
  if (of_route != config::RouteCsrf::inherit) return of_route == config::RouteCsrf::origin;
  return config.browser.csrf == config::Csrf::origin;
}

}  // namespace

RouteTable::RouteTable(const config::Config& config) {
  for (const config::Route& from : config.routes) {
    Route route;
    route.name = from.name.empty() ? from.path : from.name;
    route.host = config::lowered(without_root_dot(from.host));
    route.segments = split_segments(from.path);
    for (const std::string& method : from.methods) route.methods |= bit(http::method_from(method));
    route.is_public = from.access == config::Access::is_public;
    route.websocket = from.websocket;
    route.close_code = static_cast<std::uint16_t>(from.close_code);
    route.forwards_trailers = from.trailers == config::Trailers::forward;
    route.legacy_paths = from.paths == config::Paths::legacy;
    route.browser = from.browser;
    route.checks_origin = checks_origin(config, from.csrf);
    route.strip_prefix = from.strip_prefix;
    if (!from.rewrite.empty()) route.rewrite = split_segments(from.rewrite);
    if (from.cors) route.cors.emplace(*from.cors);
    if (from.rate_limit) route.rate = rate_rule(*from.rate_limit, route.name);
    route.requirement = {from.require.groups, from.require.scopes, from.require.claims};
    route.retry = retry_rule(from.retry);
    route.upstream = upstream_index(config, from.upstream);
    route.at = from.at;
    route.index = routes_.size();
    fingerprints_.push_back(fingerprint_of(route.segments));
    routes_.push_back(std::move(route));
  }
  default_route_.name = "default";
  default_route_.segments = {"**"};
  default_route_.checks_origin = checks_origin(config, config::RouteCsrf::inherit);
  default_route_.upstream = upstream_index(config, "");
  default_route_.index = routes_.size();
}

namespace {

bool takes(const Route& route, http::Method method) {
  return ((route.methods == 0 ? default_methods : route.methods) & bit(method)) != 0;
}

bool matches_host(const Route& route, std::string_view host) {
  return route.host.empty() || http::equal_ignoring_case(route.host, without_root_dot(host));
}

}  // namespace

void Route::rewrite_path(std::string_view path, std::string& out) const {
  out.clear();
  std::size_t from = 0;  // the segment of `segments` behind the last star that was used
  for (const std::string& segment : rewrite) {
    if (segment == "**") {
      out += rest_behind(path, segments.size() - 1);
      break;
    }
    out += '/';
    if (segment != "*") {
      out += segment;
      continue;
    }
    while (segments[from] != "*") ++from;  // there are as many: validate.cc
    out += segment_of(path, from++);
  }
  if (out.empty()) out = "/";
}

const Route* RouteTable::for_method(std::size_t place, http::Method method) const {
  const Route& first = routes_[place];
  for (std::size_t i = place; i < routes_.size() && is_same_place(routes_[i], first); ++i) {
    if (takes(routes_[i], method)) return &routes_[i];
  }
  return nullptr;
}

// A star takes any segment, and a last slash may be missing.
RouteTable::Fingerprint RouteTable::fingerprint_of(const std::vector<std::string>& segments) {
  const auto is_literal = [](const std::string& segment) {
    return segment != "*" && segment != "**";
  };
  Fingerprint result;
  if (!is_literal(segments[0])) return result;
  result.first = http::hash_when_decoded(segments[0]);
  if (segments.size() < 2 || !is_literal(segments[1])) return result;
  const bool is_last_slash = segments.size() == 2 && segments[1].empty();
  if (!is_last_slash) result.second = http::hash_when_decoded(segments[1]);
  return result;
}

RouteTable::Fingerprint RouteTable::fingerprint_of(std::string_view path) {
  Fingerprint result;
  if (path.empty()) return result;
  path.remove_prefix(1);
  const auto slash = path.find('/');
  result.first = http::hash_when_decoded(path.substr(0, slash));
  if (slash == std::string_view::npos) return result;
  path.remove_prefix(slash + 1);
  result.second = http::hash_when_decoded(path.substr(0, path.find('/')));
  return result;
}

std::size_t RouteTable::next_match(std::size_t place, const Fingerprint& fingerprint,
                                   std::string_view host, std::string_view path) const {
  for (; place < routes_.size(); ++place) {
    if (!fingerprints_[place].admits(fingerprint)) continue;
    const Route& route = routes_[place];
    if (matches_host(route, host) && matches_path(route.segments, path, Spelling::loose)) break;
  }
  return place;
}

RouteMatch RouteTable::match(std::string_view host, std::string_view path,
                             http::Method method) const {
  using Kind = RouteMatch::Kind;
  const Route* near_miss = nullptr;
  const Fingerprint fingerprint = fingerprint_of(path);
  for (std::size_t i = 0;; ++i) {
    i = next_match(i, fingerprint, host, path);
    if (i == routes_.size()) break;
    const Route& route = routes_[i];
    const Route* const taken = for_method(i, method);
    if (matches_path(route.segments, path, Spelling::exact)) {
      if (taken == nullptr) return {Kind::method_not_allowed, &route, nullptr};
      return {Kind::route, taken, near_miss};
    }
    if (near_miss != nullptr) continue;
    if (taken == nullptr) return {Kind::method_not_allowed, &route, nullptr};
    near_miss = taken;
  }
  const bool known = takes(default_route_, method);
  return {known ? Kind::default_rule : Kind::method_not_allowed, &default_route_, near_miss};
}

std::string RouteTable::allowed_methods(std::string_view host, std::string_view path) const {
  std::uint32_t mask = 0;
  const std::size_t first = next_match(0, fingerprint_of(path), host, path);
  for (std::size_t i = first; i < routes_.size() && is_same_place(routes_[first], routes_[i]);
       ++i) {
    mask |= routes_[i].methods == 0 ? default_methods : routes_[i].methods;
  }
  if (mask == 0) mask = default_methods;
  std::string list;
  for (const auto method :
       {http::Method::get, http::Method::head, http::Method::post, http::Method::put,
        http::Method::patch, http::Method::delete_, http::Method::options}) {
    if ((mask & bit(method)) == 0) continue;
    if (!list.empty()) list += ", ";
    list += http::name(method);
  }
  return list;
}

}  // namespace proxy
