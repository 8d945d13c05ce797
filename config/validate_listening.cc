// Rules about the addresses we listen on and those of the application.
#include <map>
#include <string>

#include "config/syntax.h"
#include "config/validate.h"

namespace config {
namespace {

bool is_local_only(const std::string& address) {
  if (address.rfind("unix:", 0) == 0) { return true; }
  const auto parsed = parse_host_port(address);
  return parsed && is_loopback(*parsed);
}

// Port 0 is a new port each time, so the same text is not the same place.
bool is_any_port(const std::string& address) {
  return address.size() > 2 && address.compare(address.size() - 2, 2, ":0") == 0;
}

void check_addresses(const Config& config, Report& report) {
  std::map<std::string, std::string> users;  // address -> key
  const auto check = [&](const std::string& key, const std::string& address) {
    if (auto wrong = check_listen_address(address); !wrong.empty()) {
      report.problem(key, std::move(wrong));
      return;
    }
    const auto [first, is_new] = users.emplace(address, key);
    if (!is_new && !is_any_port(address)) {
      report.problem(key, "is already used by " + first->second);
    }
  };
  if (config.listeners.empty()) { report.problem("listeners", "needs at least one listener"); }
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    check(item_key("listeners", i) + ".address", config.listeners[i].address);
  }
  if (!config.admin.address.empty()) { check("admin.address", config.admin.address); }
  if (!config.health.address.empty()) { check("health.address", config.health.address); }
  if (!config.admin.address.empty() && config.admin.token.empty() &&
      !is_local_only(config.admin.address)) {
    report.problem("admin.token_file",
                   "is required where admin.address is neither loopback nor a unix socket");
  }
}

bool is_upstream_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
             == std::string::npos;
}

void check_upstreams(const Config& config, Report& report) {
  if (config.upstreams.empty()) { report.problem("upstreams", "needs at least one upstream"); }
  bool has_app = config.upstreams.size() <= 1;
  for (const auto& upstream : config.upstreams) {
    const auto key = child_key("upstreams", upstream.name);
    const auto endpoints = child_key(key, "endpoints");
    has_app = has_app || upstream.name == "app";
    if (!is_upstream_name(upstream.name)) {
      report.problem(key, "has a name of other than 1 to 64 letters, digits, `_` and `-`");
    }
    if (upstream.endpoints.empty()) {
      report.problem(endpoints, "needs an endpoint");
    } else if (upstream.endpoints.size() > 1) {
      report.problem(endpoints, "more than one endpoint is not supported yet");
    }
    for (std::size_t i = 0; i < upstream.endpoints.size(); ++i) {
      if (auto wrong = check_upstream_endpoint(upstream.endpoints[i]); !wrong.empty()) {
        report.problem(item_key(endpoints, i), std::move(wrong));
      }
    }
  }
  if (!has_app) {
    report.problem("upstreams", "needs one named `app` among several: it gets what no route names");
  }
}

}  // namespace

void validate_listening(const Config& config, Report& report) {
  check_addresses(config, report);
  check_upstreams(config, report);
}

}  // namespace config
