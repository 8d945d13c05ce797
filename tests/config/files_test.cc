// The files that a configuration is made of: what `watch` looks at.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/config/loading.h"

namespace config {
namespace {

TEST(Files, AreTheConfigurationItsKeysSecretsAndUsers) {
  const auto loaded = load_text(minimal(
      "admin: {address: '0.0.0.0:9901', token_file: admin.token}\n"
      "tokens:\n"
      "  access: {keys: [{kid: a, algorithm: ES256, key_file: a.pem}]}\n"
      "  refresh: {keys: [{kid: r, secret_file: /run/r.key}]}\n"));
  ASSERT_EQ(lines_of(loaded.problems), std::vector<std::string>{});
  auto files = files_of(loaded.config);
  std::sort(files.begin(), files.end());
  EXPECT_EQ(files, (std::vector<std::string>{"/etc/gatehouse/a.pem", "/etc/gatehouse/admin.token",
                                             "/etc/gatehouse/users.yaml", "/run/r.key",
                                             "gatehouse.yaml"}));
}

TEST(Files, OnesThatTheProgramWritesAreLeftOut) {
  const auto loaded = load_text(minimal("log: {file: gatehouse.log}\n"));
  ASSERT_EQ(lines_of(loaded.problems), std::vector<std::string>{});
  const auto files = files_of(loaded.config);
  EXPECT_EQ(std::count(files.begin(), files.end(), "/etc/gatehouse/gatehouse.log"), 0);
  EXPECT_EQ(files.size(), 2U);
}

}  // namespace
}  // namespace config
