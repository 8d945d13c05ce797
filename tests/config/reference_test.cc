// docs/configuration.md is what the program prints: it cannot go stale.
#include "config/reference.h"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "config/table.h"

namespace config {
namespace {

TEST(Reference, IsTheDocumentInTheTree) {
  std::ifstream stream(std::string(GATEHOUSE_SOURCE_DIR) + "/docs/configuration.md");
  std::stringstream content;
  content << stream.rdbuf();
  EXPECT_EQ(content.str(), reference())
      << "run: gatehouse config --reference > docs/configuration.md";
}

void expect_explained(const std::vector<Description>& keys, const std::string& text) {
  for (const auto& about : keys) {
    EXPECT_NE(text.find(about.name), std::string::npos) << about.name;
    EXPECT_FALSE(about.meaning.empty()) << about.name;
    EXPECT_EQ(about.meaning.back(), '.') << about.name;
    EXPECT_EQ(about.meaning.find('|'), std::string::npos) << about.name;
    expect_explained(about.children, text);
  }
}

TEST(Reference, ExplainsEveryKeyInASentence) {
  expect_explained(config_descriptions(), reference());
}

}  // namespace
}  // namespace config
