// What the tests of this folder share: loading a text, and problems as the lines an operator sees.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"

namespace config {

// The variables that tests may use; the process environment is never read.
inline std::optional<std::string> test_environment(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> variables{
      {"GATEHOUSE_TEST_HOST", "app.example.com"},
      {"GATEHOUSE_TEST_EMPTY", ""},
      {"GATEHOUSE_TEST_SECRET", "0123456789abcdef0123456789abcdef"},
  };
  const auto found = variables.find(name);
  if (found == variables.end()) { return std::nullopt; }
  return found->second;
}

inline Loaded load_text(std::string_view text) {
  return load(text, "gatehouse.yaml", "/etc/gatehouse", test_environment);
}

inline std::vector<std::string> lines_of(const std::vector<Problem>& problems) {
  std::vector<std::string> lines;
  for (const auto& problem : problems) { lines.push_back(to_string(problem)); }
  return lines;
}

// The least that loads; `more` is put behind it.
inline std::string minimal(const std::string& more = "") {
  return "listeners: [{address: '127.0.0.1:8080'}]\n"
         "upstreams: {app: {endpoints: [http://127.0.0.1:3000]}}\n"
         "users: {file: users.yaml}\n" + more;
}

}  // namespace config
