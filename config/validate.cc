// See validate.h.
#include "config/validate.h"

namespace config {

void validate(const Config& config, Report& report) {
  validate_listening(config, report);
  validate_routes(config, report);
  validate_tokens(config, report);
}

}  // namespace config
