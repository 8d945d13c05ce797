// Text of gatehouse.yaml -> Config. Strict: unknown and duplicate keys, wrong units, and keys that
// this version does not serve are problems; all of them are reported at once.
// Opens no file but the configuration itself. Main thread only.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace config {

// Looks up an environment variable; nullopt when it is not set.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

struct Loaded {
  Config config;                  // only meaningful when problems is empty
  std::vector<Problem> problems;  // in the order of the file
  std::vector<Problem> warnings;  // it will start, but the operator should know
};

// `directory` is what relative paths inside the file start from.
[[nodiscard]] Loaded load(std::string_view text, const std::string& file_name,
                          const std::string& directory, const Environment& environment);

// Reads the file and loads it with the process environment; an unreadable file is a problem.
[[nodiscard]] Loaded load_file(const std::string& path);

// The effective configuration as YAML, defaults filled in, secrets masked.
[[nodiscard]] std::string print(const Config& config);

// The files that decide what the configuration means: itself, keys, secrets, certificates, users.
// Not those that the program writes.
struct NamedFile {
  std::string key;  // "tokens.access.keys[0].key_file"; empty: the configuration itself
  std::string path;
};
[[nodiscard]] std::vector<NamedFile> named_files_of(const Config& config);
[[nodiscard]] std::vector<std::string> files_of(const Config& config);

// `FILE:LINE:COL: key.path: message`
[[nodiscard]] std::string to_string(const Problem& problem);

}  // namespace config
