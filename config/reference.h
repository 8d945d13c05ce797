// docs/configuration.md: every key with its form, default and meaning, made from the table. Pure.
#pragma once

#include <string>

namespace config {

[[nodiscard]] std::string reference();

}  // namespace config
