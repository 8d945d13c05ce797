// The one table of everything that may stand in gatehouse.yaml. Loading, the suggestions for
// unknown keys, the effective configuration, the JSON schema and the reference are all made from
// it: a new key is a member in config.h and a line in the table_*.cc of its section.
// Built at first use, immutable afterwards; safe from any thread.
#pragma once

#include <vector>

#include "config/config.h"
#include "config/field.h"

namespace config {

[[nodiscard]] const Section<Config>& config_table();

// The same as plain data, with defaults as text.
[[nodiscard]] const std::vector<Description>& config_descriptions();
// The same of users.yaml, whose table stands in users_file.cc.
[[nodiscard]] const std::vector<Description>& users_descriptions();

}  // namespace config
