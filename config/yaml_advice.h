// What to do about text that is no YAML. yaml-cpp says where it stopped understanding, which is
// seldom what a person has to change: a tab, a `*`, a `${NAME}` between braces. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "config/yaml.h"

namespace config {

// A sentence about the most likely cause of an error at that place; empty when there is none.
[[nodiscard]] std::string yaml_advice(std::string_view text, Location at);

}  // namespace config
