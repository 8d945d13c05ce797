// The configuration without a file.
#include "config/quick.h"

#include <gtest/gtest.h>

#include "tests/config/loading.h"

namespace config {
namespace {

TEST(QuickConfig, ListensOnLoopbackWithPlainCookies) {
  const auto loaded = quick_config("http://127.0.0.1:3000", "");
  EXPECT_TRUE(loaded.problems.empty());
  EXPECT_EQ(loaded.config.listeners.at(0).address, "127.0.0.1:8080");
  EXPECT_EQ(loaded.config.upstreams.at(0).name, "app");
  EXPECT_EQ(loaded.config.upstreams.at(0).endpoints,
            std::vector<std::string>{"http://127.0.0.1:3000"});
  EXPECT_EQ(loaded.config.cookies.secure, false);
  EXPECT_EQ(loaded.config.file, "");
  EXPECT_EQ(loaded.warnings.size(), 1U);
}

TEST(QuickConfig, TakesAFinalSlashAndAnotherAddress) {
  const auto loaded = quick_config("http://localhost:3000/", "0.0.0.0:80");
  EXPECT_TRUE(loaded.problems.empty());
  EXPECT_EQ(loaded.config.upstreams.at(0).endpoints.at(0), "http://localhost:3000");
  EXPECT_EQ(loaded.config.listeners.at(0).address, "0.0.0.0:80");
}

TEST(QuickConfig, NamesTheArgumentThatIsWrong) {
  EXPECT_EQ(lines_of(quick_config("3000", "8080").problems),
            (std::vector<std::string>{
                "--upstream: takes http://host:port, https://host:port or unix:/path",
                "--listen: takes an IP address and a port, such as 0.0.0.0:8080 or [::]:8080, or "
                "unix:/run/gatehouse.sock"}));
  EXPECT_FALSE(quick_config("", "").problems.empty());
  EXPECT_FALSE(quick_config("ftp://127.0.0.1:3000", "").problems.empty());
}

}  // namespace
}  // namespace config
