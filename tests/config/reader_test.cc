// Suggestions and places: what makes a problem quick to fix.
#include "config/reader.h"

#include <gtest/gtest.h>

#include "tests/config/loading.h"

namespace config {
namespace {

std::string only_problem(const std::string& more) {
  const auto lines = lines_of(load_text(minimal(more)).problems);
  return lines.size() == 1 ? lines.front() : std::to_string(lines.size()) + " problems";
}

TEST(UnknownKey, SuggestsTheNearestKnownOne) {
  EXPECT_EQ(only_problem("worker: 3\n"),
            "gatehouse.yaml:4:1: worker: unknown key; the nearest known key is `workers`");
  EXPECT_EQ(only_problem("log: {acess: true}\n"),
            "gatehouse.yaml:4:7: log.acess: unknown key; the nearest known key is `access`");
  EXPECT_EQ(only_problem("drain: {time_out: 5s}\n"),
            "gatehouse.yaml:4:9: drain.time_out: unknown key; the nearest known key is `timeout`");
}

TEST(Range, IncludesItsBounds) {
  EXPECT_TRUE(load_text(minimal("tokens: {refresh: {grace: 5m}}\n")).problems.empty());
  EXPECT_EQ(only_problem("tokens: {refresh: {grace: 5m1ms}}\n"),
            "gatehouse.yaml:4:27: tokens.refresh.grace: is more than 5m");
  EXPECT_TRUE(load_text(minimal("workers: 256\n")).problems.empty());
  EXPECT_EQ(only_problem("workers: 257\n"), "gatehouse.yaml:4:10: workers: is more than 256");
  EXPECT_TRUE(load_text(minimal("limits: {request_head: 1KiB}\n")).problems.empty());
  EXPECT_EQ(only_problem("limits: {request_head: 1023B}\n"),
            "gatehouse.yaml:4:24: limits.request_head: is less than 1KiB");
}

TEST(UnknownKey, AHugeOneCostsNothing) {
  const auto line = only_problem("? " + std::string(100'000, 'k') + "\n: 1\n");
  EXPECT_NE(line.find("this key is longer than any is"), std::string::npos);
}

TEST(Report, ComplainsOncePerKeyInFileOrder) {
  Report report("f");
  report.problem({3, 1}, "b", "later");
  report.problem({1, 1}, "a", "first");
  report.problem({1, 1}, "a", "again");
  EXPECT_EQ(lines_of(report.problems()),
            (std::vector<std::string>{"f:1:1: a: first", "f:3:1: b: later"}));
}

TEST(Report, FindsTheNearestEnclosingPlace) {
  Report report("f");
  const auto document = parse_yaml("a:\n  b:\n    - c: 1\n", "f");
  report.learn_places(document.root);
  EXPECT_EQ(report.place("a.b[0].c").column, 10);
  EXPECT_EQ(report.place("a.b[0].missing").line, 3);
  EXPECT_EQ(report.place("a.missing.x").line, 1);
  EXPECT_EQ(report.place("missing").line, 1);
}

}  // namespace
}  // namespace config
