// Rules about routes. A rule that can never be reached is refused: it may be the one that was meant
// to protect something, and the first match would silently win.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "config/syntax.h"
#include "config/validate.h"

namespace config {
namespace {

constexpr std::array<std::string_view, 7> known_methods{"GET",   "HEAD",   "POST",   "PUT",
                                                        "PATCH", "DELETE", "OPTIONS"};

std::string line_of(const Route& route) {
  return route.at.line > 0 ? " in line " + std::to_string(route.at.line) : "";
}

void check_methods(const Route& route, const std::string& key, Report& report) {
  for (std::size_t i = 0; i < route.methods.size(); ++i) {
    const auto& method = route.methods[i];
    const auto name = item_key(child_key(key, "methods"), i);
    const auto end = route.methods.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::find(known_methods.begin(), known_methods.end(), method) == known_methods.end()) {
      report.problem(name, "takes GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, in upper case");
    } else if (std::find(route.methods.begin(), end, method) != end) {
      report.problem(name, "is listed twice");
    }
  }
}

void check_strip_prefix(const Route& route, const std::string& key, Report& report) {
  if (route.strip_prefix.empty()) { return; }
  const auto name = child_key(key, "strip_prefix");
  auto wrong = check_path(route.strip_prefix);
  if (wrong.empty() && route.strip_prefix == "/") { wrong = "must not be `/`: it strips nothing"; }
  if (wrong.empty() && route.path != route.strip_prefix &&
      route.path.rfind(route.strip_prefix + "/", 0) != 0) {
    wrong = "must be how the path of the rule begins, up to a `/`";
  }
  if (!wrong.empty()) { report.problem(name, std::move(wrong)); }
}

void check_access(const Route& route, const std::string& key, Report& report) {
  if (route.access != Access::is_public) { return; }
  if (!route.require.empty()) {
    report.problem(child_key(key, "require"), "has no effect with `access: public`; remove one");
  }
  if (route.paths == Paths::legacy) {
    report.problem(child_key(key, "paths"), "`legacy` is not possible with `access: public`");
  }
}

void check_requirement(const Require& require, const std::string& key, Report& report) {
  const auto name = child_key(key, "require");
  for (const auto& [claim, values] : require.claims) {
    if (values.empty()) {
      report.problem(child_key(child_key(name, "claims"), claim),
                     "needs a value; an empty list would let nobody in");
    }
  }
}

void check_upstream_name(const Config& config, const Route& route, const std::string& key,
                         Report& report) {
  if (route.upstream.empty()) { return; }
  const bool known = std::any_of(
      config.upstreams.begin(), config.upstreams.end(),
      [&](const Upstream& upstream) { return upstream.name == route.upstream; });
  if (!known) { report.problem(child_key(key, "upstream"), "names no upstream"); }
}

bool shares_method(const Route& a, const Route& b) {
  if (a.methods.empty() || b.methods.empty()) { return true; }
  return std::any_of(a.methods.begin(), a.methods.end(), [&](const std::string& method) {
    return std::find(b.methods.begin(), b.methods.end(), method) != b.methods.end();
  });
}

// Whether the rule `earlier` leaves nothing for the rule `later`.
void check_reachable(const Config& config, std::size_t later, Report& report) {
  const auto& route = config.routes[later];
  const auto key = item_key("routes", later);
  bool are_neighbours = true;  // no other host and path between the two
  for (std::size_t i = later; i-- > 0;) {
    const auto& earlier = config.routes[i];
    if (!check_pattern(earlier.path).empty()) { continue; }
    const auto name = item_key("routes", i) + line_of(earlier);
    const bool same_host = lowered(earlier.host) == lowered(route.host);
    if (same_host && earlier.path == route.path) {
      if (!are_neighbours) {
        report.problem(key, "must stand directly behind " + name +
                                ", which has the same host and path");
      } else if (shares_method(earlier, route)) {
        report.problem(key, "is never reached: " + name + " has the same host, path and method");
      }
      continue;
    }
    are_neighbours = false;
    if ((earlier.host.empty() || same_host) && covers(earlier.path, route.path)) {
      report.problem(key, "is never reached: " + name + " matches all of its paths; put it before");
    }
  }
}

}  // namespace

void validate_routes(const Config& config, Report& report) {
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const auto& route = config.routes[i];
    const auto key = item_key("routes", i);
    if (!route.name.empty()) {
      for (std::size_t j = 0; j < i; ++j) {
        if (config.routes[j].name == route.name) {
          report.problem(child_key(key, "name"), "is already the name of " + item_key("routes", j));
        }
      }
      if (!is_plain_text(route.name)) {
        report.problem(child_key(key, "name"), "must be printable ASCII");
      }
    }
    if (!route.host.empty()) {
      const auto host = parse_host_port(route.host);
      if (!host || !host->port.empty()) {
        report.problem(child_key(key, "host"), "takes a host name without port");
      }
    }
    check_methods(route, key, report);
    check_access(route, key, report);
    check_requirement(route.require, key, report);
    check_upstream_name(config, route, key, report);
    if (auto wrong = check_pattern(route.path); !wrong.empty()) {
      report.problem(child_key(key, "path"), std::move(wrong));
      continue;
    }
    check_strip_prefix(route, key, report);
    validate_route_options(config, route, key, report);
    check_reachable(config, i, report);
  }
}

}  // namespace config
