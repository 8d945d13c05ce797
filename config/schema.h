// The JSON schema of gatehouse.yaml (draft 2020-12), made from the table: for editors, for the Helm
// chart, and for tests. It knows forms and names; rules across keys are left to validate.
#pragma once

#include <string>

namespace config {

[[nodiscard]] std::string schema();

}  // namespace config
