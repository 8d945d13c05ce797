// Rules about the applications behind us.
#include <algorithm>
#include <string>

#include "config/syntax.h"
#include "config/validate.h"

namespace config {
namespace {

constexpr std::size_t endpoints_max = 64;

bool is_upstream_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
             == std::string::npos;
}

void check_endpoints(const Upstream& upstream, const std::string& key, Report& report) {
  const auto name = child_key(key, "endpoints");
  if (upstream.endpoints.empty()) { report.problem(name, "needs an endpoint"); }
  if (upstream.endpoints.size() > endpoints_max) {
    report.problem(name, "takes at most " + std::to_string(endpoints_max) + " endpoints");
  }
  for (std::size_t i = 0; i < upstream.endpoints.size(); ++i) {
    const auto& endpoint = upstream.endpoints[i];
    const auto end = upstream.endpoints.begin() + static_cast<std::ptrdiff_t>(i);
    if (auto wrong = check_upstream_endpoint(endpoint); !wrong.empty()) {
      report.problem(item_key(name, i), std::move(wrong));
    } else if (std::find(upstream.endpoints.begin(), end, endpoint) != end) {
      report.problem(item_key(name, i), "is listed twice");
    }
  }
}

void check_host(const std::string& host, const std::string& key, Report& report) {
  if (host.empty()) { return; }
  const auto parsed = parse_host_port(host);
  if (!parsed || parsed->port == "0") {
    report.problem(key, "takes a host name, with or without port");
  }
}

void check_health(const Upstream& upstream, const std::string& key, Report& report) {
  if (!upstream.health_check) { return; }
  const auto& check = *upstream.health_check;
  const auto name = child_key(key, "health_check");
  const auto path = check.path.substr(0, check.path.find('?'));
  if (auto wrong = check_path(path); !wrong.empty()) {
    report.problem(child_key(name, "path"), std::move(wrong));
  } else if (!is_plain_text(check.path) || check.path.find_first_of(" #") != std::string::npos) {
    report.problem(child_key(name, "path"), "must be printable ASCII without blanks and `#`");
  }
  check_host(check.host, child_key(name, "host"), report);
}

void check_tls(const Upstream& upstream, const std::string& key, Report& report) {
  if (!upstream.tls) { return; }
  const auto name = child_key(key, "tls");
  const bool has_https = std::any_of(
      upstream.endpoints.begin(), upstream.endpoints.end(),
      [](const std::string& endpoint) { return endpoint.rfind("https://", 0) == 0; });
  if (!has_https) { report.problem(name, "has no effect without an https:// endpoint"); }
  if (upstream.tls->certificate_file.empty() != upstream.tls->key_file.empty()) {
    report.problem(name, "needs certificate_file and key_file together");
  }
}

}  // namespace

void validate_upstreams(const Config& config, Report& report) {
  if (config.upstreams.empty() && config.endpoints.auth.empty()) {
    report.problem("upstreams", "needs at least one upstream");
  }
  bool has_app = config.upstreams.size() <= 1;
  for (const auto& upstream : config.upstreams) {
    const auto key = child_key("upstreams", upstream.name);
    has_app = has_app || upstream.name == "app";
    if (!is_upstream_name(upstream.name)) {
      report.problem(key, "has a name of other than 1 to 64 letters, digits, `_` and `-`");
    }
    check_endpoints(upstream, key, report);
    check_host(upstream.host, child_key(key, "host"), report);
    check_health(upstream, key, report);
    check_tls(upstream, key, report);
    if (upstream.ejection.max_time < upstream.ejection.base_time) {
      report.problem(child_key(key, "ejection.max_time"), "must not be below base_time");
    }
  }
  if (!has_app) {
    report.problem("upstreams", "needs one named `app` among several: it gets what no route names");
  }
}

}  // namespace config
