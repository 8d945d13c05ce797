// Variables become values, never structure.
#include "config/environment.h"

#include <gtest/gtest.h>

#include "tests/config/loading.h"

namespace config {
namespace {

std::string issuer_of(const std::string& value) {
  return load_text(minimal("tokens: {issuer: '" + value + "'}\n")).config.tokens.issuer;
}

TEST(Variables, AreReplacedWhereverTheyStandInAValue) {
  EXPECT_EQ(issuer_of("${GATEHOUSE_TEST_HOST}"), "app.example.com");
  EXPECT_EQ(issuer_of("a-${GATEHOUSE_TEST_HOST}-${GATEHOUSE_TEST_HOST}-b"),
            "a-app.example.com-app.example.com-b");
}

TEST(Variables, DefaultStandsInForUnsetAndEmpty) {
  EXPECT_EQ(issuer_of("${GATEHOUSE_TEST_UNSET:-x}"), "x");
  EXPECT_EQ(issuer_of("${GATEHOUSE_TEST_EMPTY:-x}"), "x");
  EXPECT_EQ(issuer_of("${GATEHOUSE_TEST_HOST:-x}"), "app.example.com");
  EXPECT_EQ(issuer_of("a${GATEHOUSE_TEST_UNSET:-}b"), "ab");
}

TEST(Variables, DoubledDollarIsALiteral) {
  EXPECT_EQ(issuer_of("$${GATEHOUSE_TEST_HOST}"), "${GATEHOUSE_TEST_HOST}");
  EXPECT_EQ(issuer_of("$5 and $ and $$"), "$5 and $ and $$");
}

TEST(Variables, UnsetWithoutDefaultIsAProblemAtItsPlace) {
  const auto loaded = load_text(minimal("external_url: ${GATEHOUSE_TEST_UNSET}\n"));
  EXPECT_EQ(lines_of(loaded.problems),
            std::vector<std::string>{"gatehouse.yaml:4:15: external_url: needs the environment "
                                     "variable GATEHOUSE_TEST_UNSET, which is not set"});
}

TEST(Variables, NeverBecomeStructureOrAreExpandedTwice) {
  const Environment hostile = [](std::string_view) -> std::optional<std::string> {
    return "x\", audience: [evil]} ${HOME}";
  };
  const auto loaded =
      load(minimal("tokens: {issuer: \"${A}\"}\n"), "gatehouse.yaml", "/etc", hostile);
  EXPECT_EQ(loaded.config.tokens.issuer, "x\", audience: [evil]} ${HOME}");
  EXPECT_EQ(loaded.config.tokens.audience, std::vector<std::string>{"gatehouse"});
}

TEST(Variables, ServeNumbersDurationsAndTruth) {
  const Environment numbers = [](std::string_view name) -> std::optional<std::string> {
    if (name == "N") { return "3"; }
    return name == "T" ? "90s" : "true";
  };
  const auto loaded = load(minimal("workers: ${N}\nlog: {access: '${B}'}\n"
                                   "timeouts: {keep_alive: '${T}'}\n"),
                           "gatehouse.yaml", "/etc", numbers);
  EXPECT_TRUE(loaded.problems.empty());
  EXPECT_EQ(loaded.config.workers, 3U);
  EXPECT_EQ(loaded.config.timeouts.keep_alive, seconds{90});
}

TEST(Variables, EscapingIsUndoneByExpanding) {
  for (const char* text : {"${A}", "a$${A}", "$", "$$", "{}", "a${"}) {
    Node node = Node::scalar(escape_variables(text), true);
    Report report("f");
    expand_variables(node, "k", test_environment, report);
    EXPECT_TRUE(report.problems().empty()) << text;
    EXPECT_EQ(node.text, text);
  }
}

}  // namespace
}  // namespace config
