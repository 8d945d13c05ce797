// Every rule, by files: bad/*.yaml end with the exact lines that `gatehouse check` prints for them,
// as comments `# expects problem LINE:COL: key: message` (or warning). Beside them the near misses
// that must stay allowed.
#include "config/validate.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <tuple>

#include <gtest/gtest.h>

#include "tests/config/loading.h"

namespace config {
namespace {

const std::filesystem::path bad_folder =
    std::filesystem::path(GATEHOUSE_SOURCE_DIR) / "tests/config/bad";

std::vector<std::string> bad_files() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(bad_folder)) {
    names.push_back(entry.path().stem().string());
  }
  return names;
}

class BadFile : public testing::TestWithParam<std::string> {};

TEST_P(BadFile, HasExactlyTheExpectedProblems) {
  std::ifstream stream(bad_folder / (GetParam() + ".yaml"));
  std::stringstream content;
  content << stream.rdbuf();
  std::vector<std::string> problems;
  std::vector<std::string> warnings;
  for (std::string line; std::getline(content, line);) {
    if (line.rfind("# expects problem ", 0) == 0) { problems.push_back("f:" + line.substr(18)); }
    if (line.rfind("# expects warning ", 0) == 0) { warnings.push_back("f:" + line.substr(18)); }
  }
  ASSERT_FALSE(problems.empty());
  const auto loaded = load(content.str(), "f", "/etc/gatehouse", test_environment);
  EXPECT_EQ(lines_of(loaded.problems), problems);
  EXPECT_EQ(lines_of(loaded.warnings), warnings);
}

INSTANTIATE_TEST_SUITE_P(Bad, BadFile, testing::ValuesIn(bad_files()),
                         [](const auto& file) { return file.param; });

std::vector<std::string> rule_problems(const std::string& more) {
  return lines_of(load_text(minimal(more)).problems);
}

const std::vector<std::string> none;

// The first warning beside the one about keys that are made at start.
std::string warning_of(const std::string& more) {
  for (const auto& warning : load_text(minimal(more)).warnings) {
    if (warning.key != "tokens") { return warning.key + ": " + warning.message; }
  }
  return "";
}

TEST(Routes, NeighboursMayDivideMethods) {
  EXPECT_EQ(rule_problems("routes:\n"
                        "  - {path: /a, methods: [GET], access: public}\n"
                        "  - {path: /a, methods: [POST, PUT]}\n"
                        "  - {path: /a/**}\n"),
            none);
}

TEST(Routes, ASpecialRuleMayStandBeforeAGeneralOne) {
  EXPECT_EQ(rule_problems("routes:\n"
                        "  - {path: /a/b}\n"
                        "  - {path: /a/*}\n"
                        "  - {path: /a/**}\n"
                        "  - {path: /**, host: a.example}\n"
                        "  - {path: /**, host: b.example}\n"
                        "  - {path: /**}\n"),
            none);
}

TEST(Routes, HostsAreComparedWithoutCase) {
  EXPECT_EQ(
      rule_problems("routes: [{path: /a, host: A.example}, {path: /a, host: a.EXAMPLE}]\n").size(),
      1U);
}

TEST(Routes, StripPrefixMayBeTheWholeLiteralPart) {
  EXPECT_EQ(rule_problems("routes: [{path: /a/b/**, strip_prefix: /a/b}]\n"), none);
  EXPECT_EQ(rule_problems("routes: [{path: /a/b, strip_prefix: /a}]\n"), none);
  EXPECT_EQ(rule_problems("routes: [{path: /ab/**, strip_prefix: /a}]\n").size(), 1U);
}

TEST(Routes, LegacyPathsNeedAToken) {
  EXPECT_EQ(rule_problems("routes: [{path: /a, paths: legacy}]\n"), none);
  EXPECT_EQ(rule_problems("routes: [{path: /a, paths: legacy, access: public}]\n").size(), 1U);
}

TEST(Admin, NeedsATokenWhereOthersCanReachIt) {
  EXPECT_EQ(rule_problems("admin: {address: '127.0.0.1:9901'}\n"), none);
  EXPECT_EQ(rule_problems("admin: {address: 'unix:/run/admin.sock'}\n"), none);
  EXPECT_EQ(rule_problems("admin: {address: '0.0.0.0:9901', token_file: t}\n"), none);
  EXPECT_EQ(rule_problems("admin: {address: '0.0.0.0:9901'}\n").size(), 1U);
  EXPECT_EQ(rule_problems("admin: {address: '[::]:9901'}\n").size(), 1U);
}

TEST(Keys, RetiringKeysMayOnlyVerify) {
  EXPECT_EQ(rule_problems("tokens: {access: {keys: [{kid: a, algorithm: ES256, public_key_file: a},"
                        " {kid: b, algorithm: EdDSA, key_file: b}]}}\n"),
            none);
}

TEST(Keys, RefreshAndAccessMayNotShareASecret) {
  const std::string access = "tokens: {access: {keys: [{kid: a, algorithm: HS256, ";
  const std::string refresh = "}]}, refresh: {keys: [{kid: r, ";
  EXPECT_EQ(rule_problems(access + "secret: x" + refresh + "secret: x}]}}\n").size(), 1U);
  EXPECT_EQ(rule_problems(access + "secret_file: x" + refresh + "secret_file: ./x}]}}\n").size(),
            1U);
  EXPECT_EQ(rule_problems(access + "secret_file: x" + refresh + "secret_file: y}]}}\n"), none);
}

TEST(Keys, RequiredTextIsNotEmpty) {
  EXPECT_EQ(rule_problems("tokens: {refresh: {keys: [{kid: '', secret_file: a}]}}\n"),
            std::vector<std::string>{
                "gatehouse.yaml:4:33: tokens.refresh.keys[0].kid: must not be empty"});
}

TEST(Users, AreNotNeededWithTrustedIssuers) {
  const std::string text =
      "listeners: [{address: '127.0.0.1:8080'}]\n"
      "upstreams: {app: {endpoints: [http://127.0.0.1:3000]}}\n"
      "tokens: {trusted_issuers: [{issuer: i, audience: [a], keys: [{jwks_file: k}]}]}\n";
  const auto loaded = load_text(text);
  EXPECT_EQ(lines_of(loaded.problems), none);
  ASSERT_EQ(loaded.warnings.size(), 1U);
  EXPECT_EQ(loaded.warnings[0].key, "users.file");
  EXPECT_TRUE(load_text(text + "endpoints: {login: false}\n").warnings.empty());
}

TEST(Warnings, NameWhatWillSurprise) {
  EXPECT_EQ(warning_of("drain: {delay: 10s, timeout: 19s}\n"), "");
  EXPECT_EQ(warning_of("drain: {delay: 10s, timeout: 20s}\n"),
            "drain: delay and timeout together reach 30 s, after which Kubernetes kills");
  EXPECT_NE(warning_of("external_url: https://a.example\ncookies: {secure: false}\n"), "");
  EXPECT_NE(warning_of("external_url: http://a.example\ncookies: {secure: true}\n"), "");
  EXPECT_NE(warning_of("cookies: {path: /app}\n"), "");
  EXPECT_EQ(warning_of("cookies: {path: /app}\nendpoints: {prefix: /app}\n"), "");
  EXPECT_EQ(warning_of("cookies: {path: /app}\ntokens: {refresh: {delivery: body}}\n"), "");
  EXPECT_NE(warning_of("tokens: {trusted_issuers: [{issuer: i, audience: [a],"
                       " keys: [{jwks_file: k}]}]}\n"), "");
}

TEST(Identity, AnotherPresetFreesItsNames) {
  const std::string headers = "headers: [{name: X-Forwarded-User, claim: sub}]}\n";
  EXPECT_EQ(rule_problems("identity: {" + headers).size(), 1U);
  EXPECT_EQ(rule_problems("identity: {preset: none, " + headers), none);
}

TEST(Defaults, PortZeroMayBeListenedOnTwice) {
  EXPECT_EQ(rule_problems("admin: {address: '127.0.0.1:0'}\nhealth: {address: '127.0.0.1:0'}\n"),
            none);
  EXPECT_EQ(rule_problems("health: {address: '127.0.0.1:8080'}\n").size(), 1U);
}

}  // namespace
}  // namespace config
