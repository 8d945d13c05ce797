// The YAML reader against hostile and odd documents: a result or a problem, never a signal, and
// never long.
#include "config/yaml.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include <gtest/gtest.h>

#include "tests/config/loading.h"

namespace config {
namespace {

std::string first_problem(std::string_view text) {
  const auto document = parse_yaml(text, "f");
  return document.problems.empty() ? "" : to_string(document.problems.front());
}

TEST(Yaml, KeepsOrderPlacesAndQuotes) {
  const auto document = parse_yaml("b: 1\na:\n  - 'x'\n  - y\n", "f");
  ASSERT_TRUE(document.usable);
  ASSERT_EQ(document.root.members.size(), 2U);
  EXPECT_EQ(document.root.members[0].key, "b");
  const auto& list = document.root.members[1].value;
  ASSERT_EQ(list.items.size(), 2U);
  EXPECT_TRUE(list.items[0].quoted);
  EXPECT_FALSE(list.items[1].quoted);
  EXPECT_EQ(list.items[1].at.line, 4);
  EXPECT_EQ(list.items[1].at.column, 5);
}

TEST(Yaml, AnEmptyDocumentIsAnEmptyMap) {
  for (const char* text : {"", "\n", "# only a comment\n", "---\n", "---\n...\n", "~\n"}) {
    const auto document = parse_yaml(text, "f");
    EXPECT_TRUE(document.usable) << text;
    EXPECT_TRUE(document.root.members.empty()) << text;
  }
}

TEST(Yaml, ADuplicateKeyIsAProblemAndTheFirstStays) {
  const auto document = parse_yaml("a: 1\nb: {c: 1, c: 2}\na: 2\n", "f");
  ASSERT_TRUE(document.usable);
  EXPECT_EQ(lines_of(document.problems),
            (std::vector<std::string>{"f:2:11: b.c: duplicate key; it is already set in line 2",
                                      "f:3:1: a: duplicate key; it is already set in line 1"}));
  EXPECT_EQ(document.root.members[0].value.text, "1");
}

TEST(Yaml, AKeyThatIsAWholeFileIsRefused) {
  const auto document = parse_yaml("? \"a: 1\n  " + std::string(300, 'x') + "\"\n: 2\n", "f");
  ASSERT_EQ(document.problems.size(), 1U);
  EXPECT_NE(document.problems.front().message.find("quotation mark"), std::string::npos);
}

TEST(Yaml, AQuotedKeyIsTheSameKey) {
  EXPECT_EQ(first_problem("a: 1\n'a': 2\n"),
            "f:2:1: a: duplicate key; it is already set in line 1");
}

TEST(Yaml, RefusesAliasesAnchorsTagsAndSecondDocuments) {
  EXPECT_NE(first_problem("a: &x [*x]\n").find("anchors"), std::string::npos);
  EXPECT_NE(first_problem("a: &x 1\nb: *x\n").find("f:1:4: anchors"), std::string::npos);
  EXPECT_NE(first_problem("a: !!binary aGk=\n").find("tags"), std::string::npos);
  EXPECT_NE(first_problem("a: 1\n---\nb: 2\n").find("second document"), std::string::npos);
  EXPECT_NE(first_problem("a: *x\n"), "");
}

TEST(Yaml, RefusesABombOfAliasesAtOnce) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 30; ++i) {
    const auto n = std::to_string(i);
    const auto before = "*a" + std::to_string(i - 1);
    text += "a" + n + ": &a" + n + " [" + before;
    for (int j = 0; j < 9; ++j) { text += ", " + before; }
    text += "]\n";
  }
  EXPECT_NE(first_problem(text), "");
}

TEST(Yaml, RefusesDepthWithoutUsingTheStack) {
  EXPECT_NE(first_problem(std::string(33, '[') + std::string(33, ']')), "");
  EXPECT_EQ(first_problem("a: " + std::string(31, '[') + std::string(31, ']')), "");
  EXPECT_EQ(first_problem("a: " + std::string(32, '[') + std::string(32, ']')),
            "f:1:35: is nested deeper than 32 levels");
  for (const std::string piece : {"[", "{a: ", "- ", "? ", "a:\n  ", "!a "}) {
    std::string text;
    while (text.size() < 500'000) { text += piece; }
    EXPECT_NE(first_problem(text), "") << piece;
  }
}

TEST(Yaml, RefusesMoreNodesThanTheBudget) {
  std::string text = "a: [";
  for (int i = 0; i < 10'000; ++i) { text += "1,"; }
  EXPECT_NE(first_problem(text + "]").find("has more than 10000 values"), std::string::npos);
}

TEST(Yaml, CountsBracketsBeforeScanningThem) {
  EXPECT_EQ(first_problem("[" + std::string(20'000, ',') + "]"),
            "f:1:1: has more than 10000 values");
  EXPECT_EQ(first_problem(std::string(1'000'000, '[')), "f:1:1: has more than 10000 values");
  EXPECT_EQ(first_problem("a: '" + std::string(20'000, ',') + "'\n"), "");
}

TEST(Yaml, RefusesMoreBytesThanTheCap) {
  EXPECT_EQ(first_problem("a: " + std::string(1024 * 1024, 'x')),
            "f:1:1: is larger than 1048576 bytes");
}

TEST(Yaml, RefusesADocumentThatIsNoMap) {
  for (const char* text : {"- a\n", "a\n", "'a'\n", "[a]\n"}) {
    EXPECT_NE(first_problem(text).find("expects keys with values"), std::string::npos) << text;
  }
}

TEST(Yaml, RefusesKeysThatAreNotText) {
  for (const char* text : {"{}: 1\n", "[a]: 1\n", "? {a: 1}\n: 1\n", "~: 1\n", "? \n: 1\n"}) {
    EXPECT_NE(first_problem(text), "") << text;
  }
}

TEST(YamlText, IsReadBackAsTheSameTree) {
  const std::string text =
      "a: \"true\"\n"
      "b: [x, \"y, z\", \"\"]\n"
      "c:\n"
      "  - d: \"1\"\n"
      "    e:\n"
      "      f: g\n"
      "  - [a, b]\n"
      "\"no\": {}\n"
      "q: \"\\\"\\\\ \\x0a \\x7f : # é\"\n";
  const auto document = parse_yaml(text, "f");
  ASSERT_TRUE(document.usable) << first_problem(text);
  EXPECT_EQ(to_yaml(document.root), text);
}

// The suite writes characters that matter to YAML visibly.
std::string with_real_characters(std::string text) {
  const std::vector<std::pair<std::string, std::string>> visible{
      {"␣", " "}, {"————»", "\t"}, {"———»", "\t"}, {"——»", "\t"},
      {"—»", "\t"}, {"»", "\t"},
      {"←", "\r"}, {"⇔", "\xEF\xBB\xBF"}, {"↵", ""}, {"∎\n", ""}};
  for (const auto& [shown, real] : visible) {
    for (auto at = text.find(shown); at != std::string::npos; at = text.find(shown, at)) {
      text.replace(at, shown.size(), real);
    }
  }
  return text;
}

// The field `yaml` of each case: an indented literal block.
std::vector<std::string> documents_of(const std::string& content) {
  std::vector<std::string> documents;
  std::istringstream lines(content);
  std::string line;
  std::size_t block_indent = 0;
  while (std::getline(lines, line)) {
    const auto indent = line.find_first_not_of(' ');
    if (block_indent > 0 && (indent == std::string::npos || indent >= block_indent)) {
      documents.back() += (line.size() > block_indent ? line.substr(block_indent) : "") + "\n";
      continue;
    }
    const auto at = line.find("yaml: |");
    block_indent = at == std::string::npos ? 0 : at + 2;
    if (block_indent > 0) { documents.emplace_back(); }
  }
  return documents;
}

// Every case is fed as if it were a configuration; none is one.
TEST(Yaml, SurvivesTheYamlTestSuite) {
  const char* variable = std::getenv("GATEHOUSE_VECTORS");
  const std::filesystem::path vectors =
      variable != nullptr ? std::filesystem::path(variable)
                          : std::filesystem::path(GATEHOUSE_SOURCE_DIR) / "../shared/vectors";
  const auto folder = vectors / "yaml-test-suite/src";
  if (!std::filesystem::exists(folder)) { GTEST_SKIP() << "yaml-test-suite is not there"; }
  int cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream stream(entry.path());
    std::stringstream content;
    content << stream.rdbuf();
    for (const auto& document : documents_of(content.str())) {
      const auto begin = std::chrono::steady_clock::now();
      const auto loaded = load_text(with_real_characters(document));
      EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{1});
      EXPECT_FALSE(loaded.problems.empty()) << entry.path();
      ++cases;
    }
  }
  EXPECT_GE(cases, 351);
}

TEST(Yaml, EveryTruncationOfAConfigurationIsAResult) {
  std::ifstream stream(std::string(GATEHOUSE_SOURCE_DIR) + "/examples/gatehouse.yaml");
  std::stringstream content;
  content << stream.rdbuf();
  const auto text = content.str();
  ASSERT_FALSE(text.empty());
  for (std::size_t length = 0; length < text.size(); length += 7) {
    const auto document = parse_yaml(std::string_view(text).substr(0, length), "f");
    EXPECT_TRUE(document.usable || !document.problems.empty());
  }
}

}  // namespace
}  // namespace config
