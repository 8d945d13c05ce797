// See validate.h. The rules that need no part of their own stand here.
#include "config/validate.h"

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
void check_tracing(const Config& config, Report& report) {
  const std::string& url = config.tracing.otlp_url;
  if (url.empty()) { return; }
  const auto scheme = url.find("://");
  const auto rest = scheme == std::string::npos ? "" : url.substr(scheme + 3);
  const auto authority = parse_host_port(rest.substr(0, rest.find('/')));
  const bool known = url.rfind("http://", 0) == 0 || url.rfind("https://", 0) == 0;
  if (!known || !authority || !is_plain_text(url) || url.find(' ') != std::string::npos) {
    report.problem("tracing.otlp_url", "must be of the form http://HOST:PORT/v1/traces");
  }
}

}  // namespace

void validate(const Config& config, Report& report) {
  check_outside(config, report);
  validate_listening(config, report);
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
