// Rules about the addresses we listen on.
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

}  // namespace

void validate_listening(const Config& config, Report& report) { check_addresses(config, report); }

}  // namespace config
