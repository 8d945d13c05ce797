// `${NAME}` and `${NAME:-default}` inside values, `$${` for a literal `${`. Values are replaced in
// the parsed tree, so that what a variable holds can never become structure. Used while starting.
#pragma once

#include <string>

#include "config/load.h"
#include "config/report.h"
#include "config/yaml.h"

namespace config {

// Replaces variables in every value below `node`; keys are taken as they stand. A variable that is
// not set and has no default is a problem.
void expand_variables(Node& node, const std::string& key, const Environment& environment,
                      Report& report);

// `text` so that expanding it gives `text` again.
[[nodiscard]] std::string escape_variables(const std::string& text);

}  // namespace config
