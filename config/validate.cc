// See validate.h. The rules that need no part of their own stand here.
#include "config/validate.h"

#include <optional>
#include <string>

#include "config/syntax.h"

namespace config {
namespace {

void check_outside(const Config& config, Report& report) {
  for (std::size_t i = 0; i < config.trusted_proxies.size(); ++i) {
    if (auto wrong = check_network(config.trusted_proxies[i]); !wrong.empty()) {
      report.problem(item_key("trusted_proxies", i), std::move(wrong));
    }
  }
  if (!config.external_url.empty()) {
    if (auto wrong = check_origin(config.external_url); !wrong.empty()) {
      report.problem("external_url", std::move(wrong));
    }
  }
}

// fetch() speaks http and https; what follows the authority is passed on as it stands.
std::optional<HostPort> host_of(const std::string& url) {
  const auto scheme = url.find("://");
  const bool known = url.rfind("http://", 0) == 0 || url.rfind("https://", 0) == 0;
  if (!known || !is_plain_text(url) || url.find_first_of(" #@") != std::string::npos) {
    return std::nullopt;
  }
  const auto rest = url.substr(scheme + 3);
  return parse_host_port(rest.substr(0, rest.find_first_of("/?")));
}

void check_tracing(const Config& config, Report& report) {
  const std::string& url = config.tracing.otlp_url;
  if (!url.empty() && !host_of(url)) {
    report.problem("tracing.otlp_url", "must be of the form http://HOST:PORT/v1/traces");
  }
}

void check_users_http(const Config& config, Report& report) {
  if (!config.users.http) { return; }
  const std::string& url = config.users.http->url;
  const auto host = host_of(url);
  if (!host) {
    report.problem("users.http.url", "must be of the form https://HOST:PORT/PATH");
  } else if (url.rfind("http://", 0) == 0 && !is_loopback(*host)) {
    report.warning("users.http.url", "passwords travel unencrypted; use https://");
  }
}

}  // namespace

void validate(const Config& config, Report& report) {
  check_outside(config, report);
  validate_listening(config, report);
  check_users_http(config, report);
  validate_upstreams(config, report);
  validate_answers(config, report);
  validate_browser(config, report);
  validate_routes(config, report);
  validate_tokens(config, report);
  validate_store(config, report);
  check_tracing(config, report);
  if (config.drain.delay + config.drain.timeout >= seconds{30}) {
    report.warning("drain", "delay and timeout together reach 30 s, after which Kubernetes kills");
  }
}

}  // namespace config
