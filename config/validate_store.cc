// Rules about store and alerts: where sessions are kept, and who is told of a theft.
#include <string>

#include "config/field.h"
#include "config/syntax.h"
#include "config/validate.h"

namespace config {
namespace {

bool is_here(const std::string& endpoint) {
  if (endpoint.rfind("unix:", 0) == 0) { return true; }
  const auto place = parse_host_port(endpoint);
  return place && is_loopback(*place);
}

void check_places(const Redis& redis, Report& report) {
  if (redis.endpoints.empty()) {
    report.problem("store.redis", "needs a url or endpoints: where Redis is");
  }
  for (std::size_t i = 0; i < redis.endpoints.size(); ++i) {
    const auto& endpoint = redis.endpoints[i];
    const auto key = item_key("store.redis.endpoints", i);
    const bool is_unix = endpoint.rfind("unix:/", 0) == 0;
    const auto place = parse_host_port(endpoint);
    if (!is_unix && (!place || place->port.empty())) {
      report.problem(key, "is not of the form HOST:PORT or unix:/PATH");
    } else if (is_unix && redis.mode == RedisMode::cluster) {
      report.problem(key, "a cluster is not reached over unix sockets");
    }
  }
}

void check_mode(const Redis& redis, Report& report) {
  if (redis.mode == RedisMode::sentinel && redis.master.empty()) {
    report.problem("store.redis.master", "is required with sentinels: the name of the master");
  }
  if (redis.mode != RedisMode::sentinel && !redis.master.empty()) {
    report.problem("store.redis.master", "is for `mode: sentinel`");
  }
  if (redis.mode == RedisMode::cluster && redis.database != 0) {
    report.problem("store.redis.database", "a cluster has database 0 only");
  }
  if (!redis.username.empty() && redis.password.empty()) {
    report.problem("store.redis.username", "needs a password_file");
  }
  if (!redis.sentinel.username.empty() && redis.sentinel.password.empty()) {
    report.problem("store.redis.sentinel.username", "needs a password_file");
  }
  if (redis.tls.certificate_file.empty() != redis.tls.key_file.empty()) {
    report.problem("store.redis.tls", "needs both certificate_file and key_file, or none");
  }
  const bool is_tls_used = !redis.tls.ca_file.empty() || !redis.tls.server_name.empty() ||
                           !redis.tls.certificate_file.empty();
  if (is_tls_used && !redis.tls.enabled) {
    report.problem("store.redis.tls.enabled", "is false: say true, or use rediss://");
  }
}

// SECURITY K05.
void warn_about_neighbours(const Redis& redis, Report& report) {
  bool is_far = false;
  for (const auto& endpoint : redis.endpoints) { is_far = is_far || !is_here(endpoint); }
  if (!is_far) { return; }
  if (redis.password.empty()) {
    report.warning("store.redis", "has no password: whoever reaches Redis can end and invent "
                                  "sessions; set username and password_file (docs/redis.md has "
                                  "the ACL line)");
  }
  if (!redis.tls.enabled) {
    report.warning("store.redis", "has no TLS outside of this host: use rediss:// with a ca_file");
  }
}

void check_webhook(const Webhook& webhook, Report& report) {
  if (webhook.url.empty()) {
    if (!webhook.secret.empty()) {
      report.problem("alerts.webhook.url", "is required beside a secret");
    }
    return;
  }
  const bool is_https = webhook.url.rfind("https://", 0) == 0;
  if (!is_https && webhook.url.rfind("http://", 0) != 0) {
    report.problem("alerts.webhook.url", "begins with https:// or http://");
  }
  if (webhook.secret.empty()) {
    report.problem("alerts.webhook.secret_file",
                   "is required: the receiver has to know that an alarm is ours");
  }
}

}  // namespace

void validate_store(const Config& config, Report& report) {
  check_webhook(config.alerts.webhook, report);
  if (config.store_kind == StoreKind::memory) {
    if (!config.redis.endpoints.empty()) {
      report.problem("store.redis", "is not used with `kind: memory`; say `kind: redis`");
    }
    return;
  }
  if (!config.memory.snapshot_file.empty()) {
    report.problem("store.memory.snapshot_file", "is for `kind: memory`");
  }
  if (config.tokens.access.keys.empty() || config.tokens.refresh.keys.empty()) {
    report.problem("tokens",
                   "needs access.keys and refresh.keys with `store.kind: redis`: keys made at "
                   "start would differ between replicas");
  }
  check_places(config.redis, report);
  check_mode(config.redis, report);
  warn_about_neighbours(config.redis, report);
}

}  // namespace config
