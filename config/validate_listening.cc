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

// Less than this is gone before the first client has come.
constexpr std::uint64_t memory_min = 16 * 1024 * 1024;

void check_memory(const Limits& limits, Report& report) {
  if (limits.memory != 0 && limits.memory < memory_min) {
    report.problem("limits.memory", "must be 0 (unlimited) or at least 16MiB");
  }
}

void check_certificates(const ListenerTls& tls, const std::string& key, Report& report) {
  const bool is_short = !tls.certificate_file.empty() || !tls.key_file.empty();
  if (is_short && !tls.certificates.empty()) {
    report.problem(child_key(key, "certificates"),
                   "is set beside certificate_file; put all of them into the list");
  }
  if (!is_short && tls.certificates.empty()) {
    report.problem(key, "needs certificate_file and key_file, or certificates");
  }
  if (is_short && tls.certificate_file.empty()) {
    report.problem(child_key(key, "certificate_file"), "is required beside key_file");
  }
  if (is_short && tls.key_file.empty()) {
    report.problem(child_key(key, "key_file"), "is required beside certificate_file");
  }
  if (!tls.ocsp_file.empty() && !is_short) {
    report.problem(child_key(key, "ocsp_file"), "belongs to a certificate_file beside it");
  }
}

void check_listener(const Config& config, std::size_t index, Report& report) {
  const Listener& listener = config.listeners[index];
  const auto key = item_key("listeners", index);
  const bool is_unix = listener.address.rfind("unix:", 0) == 0;
  if (listener.proxy_protocol && config.trusted_proxies.empty() && !is_unix) {
    report.problem(child_key(key, "proxy_protocol"),
                   "needs trusted_proxies: who may say what the client's address is");
  }
  if (!listener.tls) { return; }
  const auto tls = child_key(key, "tls");
  check_certificates(*listener.tls, tls, report);
  const auto auth = listener.tls->client_auth.value_or(ClientAuth::none);
  if (auth != ClientAuth::none && listener.tls->client_ca_file.empty()) {
    report.problem(child_key(tls, "client_auth"), "needs a client_ca_file");
  }
  if (listener.tls->client_auth == ClientAuth::none && !listener.tls->client_ca_file.empty()) {
    report.problem(child_key(tls, "client_ca_file"), "has no effect with `client_auth: none`");
  }
}

}  // namespace

void validate_listening(const Config& config, Report& report) {
  check_addresses(config, report);
  check_memory(config.limits, report);
  for (std::size_t i = 0; i < config.listeners.size(); ++i) { check_listener(config, i, report); }
}

}  // namespace config
