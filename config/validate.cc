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

}  // namespace

void validate(const Config& config, Report& report) {
  check_outside(config, report);
  validate_listening(config, report);
  validate_answers(config, report);
  validate_routes(config, report);
  validate_tokens(config, report);
  if (config.drain.delay + config.drain.timeout >= seconds{30}) {
    report.warning("drain", "delay and timeout together reach 30 s, after which Kubernetes kills");
  }
}

}  // namespace config
