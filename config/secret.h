// Reading a secret: given in place or in a file, raw or `base64:`. One newline at the end of a file
// is cut. Reads the file each time it is called; callers keep the result in memory only.
#pragma once

#include <string>
#include <variant>

#include "config/config.h"

namespace config {

// The secret's bytes, or a sentence that says why it could not be read (names the file, never the
// content).
struct SecretText {
  std::string bytes;
  std::string error;  // empty on success
};

[[nodiscard]] SecretText read_secret(const Secret& secret);

// A whole file as text, for keys and user files; same contract.
[[nodiscard]] SecretText read_file(const std::string& path, std::size_t bytes_max);

}  // namespace config
