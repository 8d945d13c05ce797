// Compiling a configuration: every problem that the files behind it can have, what is kept over a
// reload, and the names of the cookies. Key files are made at start, in a directory of their own.
#include "proxy/runtime.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "auth/password.h"
#include "compiling.h"
#include "tests/auth/forge.h"

namespace proxy {
namespace {

config::Key pem_key(std::string kid, std::string algorithm, std::string file) {
  config::Key key;
  key.kid = std::move(kid);
  key.algorithm = std::move(algorithm);
  key.key_file = std::move(file);
  return key;
}

config::Key public_key(std::string kid, std::string algorithm, std::string file) {
  config::Key key = pem_key(std::move(kid), std::move(algorithm), "");
  key.public_key_file = std::move(file);
  return key;
}

config::Key secret_file_key(std::string kid, std::string file) {
  config::Key key = secret_key(std::move(kid), "");
  key.secret.file = std::move(file);
  return key;
}

config::Config with_access_keys(std::vector<config::Key> keys) {
  config::Config config = small_config();
  config.tokens.access.keys = std::move(keys);
  return config;
}

config::Config with_refresh_key(std::string_view secret) {
  config::Config config = small_config();
  config.tokens.refresh.keys = {secret_key("r", secret)};
  return config;
}

// All problems as lines, without places.
std::string problems_of(const config::Config& config) {
  const Compiled compiled = compile(config, nullptr);
  EXPECT_EQ(compiled.runtime == nullptr, !compiled.problems.empty());
  std::string lines;
  for (const auto& problem : compiled.problems) {
    lines += problem.key + ": " + problem.message + "\n";
  }
  return lines;
}

void expect_problem(const config::Config& config, std::string_view key, std::string_view words) {
  const std::string problems = problems_of(config);
  EXPECT_EQ(std::count(problems.begin(), problems.end(), '\n'), 1) << problems;
  EXPECT_TRUE(problems.starts_with(std::string(key) + ": ")) << problems;
  EXPECT_NE(problems.find(words), std::string::npos) << problems;
}

std::string key_file(const Directory& directory, std::string_view name, auth::Algorithm algorithm) {
  return directory.write(name, auth::Key::generate("x", algorithm).private_pem());
}

TEST(Runtime, ASmallConfigurationCompiles) {
  const Compiled compiled = compile(small_config(), nullptr);
  EXPECT_TRUE(compiled.problems.empty());
  EXPECT_TRUE(compiled.warnings.empty());
  ASSERT_NE(compiled.runtime, nullptr);
  EXPECT_FALSE(compiled.runtime->access_keys_made);
  EXPECT_EQ(compiled.runtime->users->size(), 0U);
  EXPECT_EQ(compiled.runtime->jwks, R"({"keys":[]})");
  ASSERT_NE(compiled.runtime->access_keys.active(), nullptr);
  EXPECT_EQ(compiled.runtime->access_keys.active()->kid(), "a");
}

TEST(Runtime, KeyFilesOfEveryKindAreRead) {
  const Directory directory;
  const config::Config config = with_access_keys(
      {pem_key("es", "ES256", key_file(directory, "es.pem", auth::Algorithm::es256)),
       pem_key("ed", "EdDSA", key_file(directory, "ed.pem", auth::Algorithm::eddsa)),
       secret_file_key("hs", directory.write("hs.key", std::string(48, 'q') + "\n"))});
  const auto runtime = runtime_of(config);
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(runtime->access_keys.active()->kid(), "es");
  EXPECT_EQ(runtime->access_keys.keys().size(), 3U);
  EXPECT_NE(runtime->jwks.find("\"kid\":\"es\""), std::string::npos) << runtime->jwks;
  EXPECT_NE(runtime->jwks.find("\"kid\":\"ed\""), std::string::npos);
  EXPECT_EQ(runtime->jwks.find("\"kid\":\"hs\""), std::string::npos);
}

TEST(Runtime, SignWithChoosesTheActiveKeyAndTheOthersStillVerify) {
  config::Config config =
      with_access_keys({secret_key("old", std::string(48, 'o')), secret_key("new", access_secret)});
  config.tokens.access.sign_with = "new";
  const auto runtime = runtime_of(config);
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(runtime->access_keys.active()->kid(), "new");
  const auto before = runtime_of(with_access_keys({secret_key("old", std::string(48, 'o'))}));
  const std::string token = token_for(*before, claims_of("alice"));
  EXPECT_TRUE(runtime->verifier.verify(token, noon).has_value());
}

TEST(Runtime, AKeyFileThatCannotBeReadIsNamed) {
  const Directory directory;
  const std::string missing = directory.at("missing.pem");
  expect_problem(with_access_keys({pem_key("a", "ES256", missing)}), "tokens.access.keys[0]",
                 missing);
  expect_problem(with_access_keys({secret_file_key("a", missing)}),
                 "tokens.access.keys[0].secret_file", missing);
  expect_problem(with_access_keys({pem_key("a", "ES256", directory.at("."))}),
                 "tokens.access.keys[0]", directory.at("."));
}

TEST(Runtime, AKeyFileWithoutAKeyIsAProblem) {
  const Directory directory;
  for (const char* content : {"", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n"
                              "-----END PRIVATE KEY-----\n"}) {
    const std::string file = directory.write("bad.pem", content);
    expect_problem(with_access_keys({pem_key("a", "ES256", file)}), "tokens.access.keys[0]", "");
  }
  const std::string huge = directory.write("huge.pem", std::string(70'000, 'x'));
  expect_problem(with_access_keys({pem_key("a", "ES256", huge)}), "tokens.access.keys[0]", huge);
}

TEST(Runtime, AnRsaKeyOf1024BitsIsTooWeak) {
  const Directory directory;
  const std::string file = directory.write("rsa.pem", forge::private_pem(forge::rsa(1'024).get()));
  expect_problem(with_access_keys({pem_key("a", "RS256", file)}), "tokens.access.keys[0]", "2048");
}

TEST(Runtime, AKeyOfAnotherKindThanItsAlgorithmIsAProblem) {
  const Directory directory;
  const std::string ec = key_file(directory, "ec.pem", auth::Algorithm::es256);
  for (const char* algorithm : {"RS256", "ES384", "EdDSA"}) {
    expect_problem(with_access_keys({pem_key("a", algorithm, ec)}), "tokens.access.keys[0]", "");
  }
}

TEST(Runtime, APublicKeyIsNoPrivateOne) {
  const Directory directory;
  const std::string file = directory.write("pub.pem", forge::public_pem(forge::ec("P-256").get()));
  expect_problem(with_access_keys({pem_key("a", "ES256", file)}),
                 "tokens.access.keys[0].key_file", "public_key_file");
  expect_problem(with_access_keys({public_key("a", "ES256", file)}), "tokens.access.keys",
                 "can sign");
  EXPECT_EQ(problems_of(with_access_keys(
                {secret_key("a", access_secret), public_key("b", "ES256", file)})),
            "");
}

TEST(Runtime, AnAccessSecretMustBeLongAndNotKnown) {
  expect_problem(with_access_keys({secret_key("a", "short")}), "tokens.access.keys[0]", "32");
  expect_problem(with_access_keys({secret_key("a", "your-256-bit-secret")}),
                 "tokens.access.keys[0]", "");
  config::Key longer = secret_key("a", std::string(40, 'q'));
  longer.algorithm = "HS512";
  expect_problem(with_access_keys({longer}), "tokens.access.keys[0]", "64");
}

TEST(Runtime, ARefreshSecretMustBeLongUnknownAndItsOwn) {
  expect_problem(with_refresh_key(std::string(31, 'q')), "tokens.refresh.keys[0]", "31 bytes");
  EXPECT_EQ(problems_of(with_refresh_key(std::string(32, 'q'))), "");
  expect_problem(with_refresh_key(access_secret), "tokens.refresh.keys[0]", "same secret");
  expect_problem(with_refresh_key("a-string-secret-at-least-256-bits-long"),
                 "tokens.refresh.keys[0]", "public");
}

TEST(Runtime, TheSameSecretIsFoundInTwoFilesToo) {
  const Directory directory;
  config::Config config = small_config();
  config.tokens.access.keys = {secret_file_key("a", directory.write("a", std::string(48, 'q')))};
  config.tokens.refresh.keys = {
      secret_file_key("r", directory.write("r", std::string(48, 'q') + "\n"))};
  expect_problem(config, "tokens.refresh.keys[0]", "same secret");
}

TEST(Runtime, ARefreshSecretThatCannotBeReadIsNamed) {
  const Directory directory;
  config::Config config = small_config();
  config.tokens.refresh.keys = {secret_file_key("r", directory.at("none"))};
  expect_problem(config, "tokens.refresh.keys[0].secret_file", directory.at("none"));
}

config::Config trusting(config::Key key, std::vector<std::string> algorithms = {}) {
  config::Config config = small_config();
  config::TrustedIssuer issuer;
  issuer.issuer = "https://idp.example.com";
  issuer.audience = {"app"};
  issuer.algorithms = std::move(algorithms);
  issuer.keys.push_back(std::move(key));
  config.tokens.trusted_issuers.push_back(std::move(issuer));
  return config;
}

TEST(Runtime, KeysOfTrustedIssuersAreReadInEveryForm) {
  const Directory directory;
  const std::string pem = directory.write("idp.pem", forge::public_pem(forge::ec("P-256").get()));
  const std::string jwk = auth::Key::generate("j", auth::Algorithm::es256).public_jwk();
  config::Key set;
  set.jwks_file = directory.write("idp.json", "{\"keys\":[" + jwk + "]}");
  EXPECT_EQ(problems_of(trusting(public_key("k", "ES256", pem))), "");
  EXPECT_EQ(problems_of(trusting(public_key("k", "", pem), {"ES256"})), "");
  EXPECT_EQ(problems_of(trusting(set, {"ES256"})), "");
}

TEST(Runtime, KeysOfTrustedIssuersHaveTheSameProblems) {
  const Directory directory;
  const std::string where = "tokens.trusted_issuers[0].keys[0]";
  const std::string weak = directory.write("w.pem", forge::public_pem(forge::rsa(1'024).get()));
  expect_problem(trusting(public_key("k", "RS256", weak)), where, "2048");
  expect_problem(trusting(public_key("k", "RS256", directory.at("none"))), where, "none");
  expect_problem(trusting(public_key("k", "", weak)), where, "algorithm");
  expect_problem(trusting(secret_key("k", "short")), where, "32");
  config::Key set;
  set.jwks_file = directory.at("none.json");
  expect_problem(trusting(set, {"ES256"}), where + ".jwks_file", "none.json");
  set.jwks_file = directory.write("bad.json", "{\"keys\":[]}");
  expect_problem(trusting(set, {"ES256"}), where + ".jwks_file", "");
}

config::Config with_users(const std::string& file) {
  config::Config config = small_config();
  config.users.file = file;
  return config;
}

TEST(Runtime, UsersAreReadFromTheirFile) {
  const Directory directory;
  const std::string hash = auth::hash_password("correct horse").value();
  const std::string file = directory.write(
      "users.yaml", "users:\n  - username: alice\n    password_hash: \"" + hash +
                        "\"\n    groups: [staff]\n  - username: bob\n    disabled: true\n"
                        "    password_hash: \"" + hash + "\"\n");
  const auto runtime = runtime_of(with_users(file));
  ASSERT_NE(runtime, nullptr);
  ASSERT_NE(runtime->users->find("alice"), nullptr);
  EXPECT_EQ(runtime->users->find("alice")->groups, std::vector<std::string>{"staff"});
  EXPECT_TRUE(runtime->users->find("bob")->disabled);
}

TEST(Runtime, EveryBadHashIsAProblemAtItsPlace) {
  const Directory directory;
  const std::string file = directory.write(
      "users.yaml",
      "users:\n"
      "  - {username: plain, password_hash: \"hunter2\"}\n"
      "  - {username: huge, password_hash: "
      "\"$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$"
      "6gAzlHMHSrRt8k7dzvuNOcXs9XCPBkFTk9qmIdJ2lbM\"}\n"
      "  - {username: md5, password_hash: \"$1$salt$qJH7.N4xYta3aEG/dfqo/0\"}\n");
  const Compiled compiled = compile(with_users(file), nullptr);
  EXPECT_EQ(compiled.runtime, nullptr);
  ASSERT_EQ(compiled.problems.size(), 3U);
  const std::vector<std::string> names{"plain", "huge", "md5"};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(compiled.problems[i].file, file);
    EXPECT_EQ(compiled.problems[i].key, "users." + names[i] + ".password_hash");
    EXPECT_EQ(compiled.problems[i].at.line, static_cast<int>(i) + 2);
    EXPECT_EQ(compiled.problems[i].message.find("hunter2"), std::string::npos);
  }
}

TEST(Runtime, AUsersFileWithNobodyOrNoFileIsAProblem) {
  const Directory directory;
  expect_problem(with_users(directory.at("none.yaml")), "users.file", "none.yaml");
  expect_problem(with_users(directory.write("empty.yaml", "users: []\n")), "users",
                 "has no users");
}

TEST(Runtime, AWeakHashIsAWarning) {
  const Directory directory;
  const std::string file = directory.write(
      "htpasswd", "alice:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n");
  const Compiled compiled = compile(with_users(file), nullptr);
  EXPECT_NE(compiled.runtime, nullptr);
  ASSERT_EQ(compiled.warnings.size(), 1U);
  EXPECT_EQ(compiled.warnings[0].key, "users.alice.password_hash");
}

TEST(Runtime, AnUpstreamThatIsOurOwnListenerIsAProblem) {
  struct Loop {
    const char* listener;
    const char* upstream;
  };
  for (const Loop& loop : {Loop{"0.0.0.0:8080", "http://127.0.0.1:8080"},
                           Loop{"127.0.0.1:8080", "http://localhost:8080"},
                           Loop{"[::]:8080", "http://[::1]:8080"},
                           Loop{"unix:/run/a.sock", "unix:/run/a.sock"}}) {
    config::Config config = small_config();
    config.listeners = {{loop.listener, {}, false, {}}};
    config.upstreams = {upstream_at("app", loop.upstream)};
    expect_problem(config, "upstreams.app.endpoints[0]", loop.listener);
  }
  for (const Loop& fine : {Loop{"0.0.0.0:8080", "http://127.0.0.1:8081"},
                           Loop{"0.0.0.0:8080", "http://app.internal:8080"},
                           Loop{"unix:/run/a.sock", "unix:/run/b.sock"},
                           Loop{"0.0.0.0:8080", "unix:/run/b.sock"}}) {
    config::Config config = small_config();
    config.listeners = {{fine.listener, {}, false, {}}};
    config.upstreams = {upstream_at("app", fine.upstream)};
    EXPECT_EQ(problems_of(config), "");
  }
}

TEST(Runtime, AnUpstreamOfAnotherFormIsAProblem) {
  for (const char* url :
       {"127.0.0.1:3000", "ftp://127.0.0.1:21", "http://", "unix:", "http://a:b"}) {
    config::Config config = small_config();
    config.upstreams = {upstream_at("app", url)};
    expect_problem(config, "upstreams.app.endpoints[0]", url);
  }
}

TEST(Runtime, ATrustedProxyThatIsNoNetworkIsAProblem) {
  config::Config config = small_config();
  config.trusted_proxies = {"10.0.0.0/8", "10.0.0.0/40"};
  expect_problem(config, "trusted_proxies", "10.0.0.0/40");
  config.trusted_proxies.pop_back();
  ASSERT_NE(runtime_of(config), nullptr);
  EXPECT_EQ(runtime_of(config)->trusted_proxies.size(), 1U);
}

TEST(Runtime, AnAdminTokenThatCannotBeReadIsAProblem) {
  const Directory directory;
  config::Config config = small_config();
  config.admin.address = "127.0.0.1:9901";
  config.admin.token.file = directory.at("none");
  expect_problem(config, "admin.token_file", directory.at("none"));
  config.admin.token.file = directory.write("token", "the token of the administrator\n");
  EXPECT_EQ(runtime_of(config)->admin_token, "the token of the administrator");
}

TEST(Runtime, AllProblemsAreReportedAtOnce) {
  const Directory directory;
  config::Config config = with_users(directory.at("users.yaml"));
  config.tokens.access.keys = {pem_key("a", "ES256", directory.at("a.pem"))};
  config.tokens.refresh.keys = {secret_key("r", "short")};
  config.trusted_proxies = {"nonsense"};
  config.upstreams = {upstream_at("app", "nonsense")};
  config.admin.token.file = directory.at("token");
  const std::string problems = problems_of(config);
  for (const char* key : {"tokens.access.keys[0]: ", "tokens.refresh.keys[0]: ", "users.file: ",
                          "trusted_proxies: ", "upstreams.app.endpoints[0]: ",
                          "admin.token_file: "}) {
    EXPECT_NE(problems.find(key), std::string::npos) << key;
  }
}

TEST(Runtime, UsersOfAFileThatIsNoLongerConfiguredAreGone) {
  const Directory directory;
  const std::string file = directory.write(
      "htpasswd", "alice:$2y$12$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n");
  const auto first = runtime_of(with_users(file));
  EXPECT_EQ(runtime_of(small_config(), first.get())->users->find("alice"), nullptr);
}

TEST(Runtime, OnlyTheSameSocketIsOurOwnListener) {
  config::Config config = small_config();
  config.listeners = {{"10.0.0.5:8080", {}, false, {}}};
  config.upstreams = {upstream_at("app", "http://127.0.0.1:8080")};
  EXPECT_EQ(problems_of(config), "");
  config.upstreams = {upstream_at("app", "http://10.0.0.5:8080")};
  expect_problem(config, "upstreams.app.endpoints[0]", "10.0.0.5:8080");
}

TEST(Runtime, ASecretOfATrustedIssuerIsNoKeyOfOurs) {
  expect_problem(trusting(secret_key("k", refresh_secret)), "tokens.refresh.keys[0]",
                 "same secret");
}

TEST(Runtime, AKeyNeedsToFitOneOfItsIssuersAlgorithmsOnly) {
  const Directory directory;
  const std::string pem = directory.write("idp.pem", forge::public_pem(forge::ec("P-256").get()));
  EXPECT_EQ(problems_of(trusting(public_key("k", "", pem), {"RS256", "ES256"})), "");
  EXPECT_NE(problems_of(trusting(public_key("k", "", pem), {"RS256", "EdDSA"})), "");
}

TEST(Runtime, GivenUsersStandInForAFile) {
  const auto users = std::make_shared<const auth::Users>(
      std::vector<auth::User>{{.username = "admin", .password_hash = "", .email = "", .name = "",
                               .groups = {}, .scopes = {}, .claims = {}}});
  const Compiled first = compile(small_config(), nullptr, users);
  ASSERT_NE(first.runtime, nullptr);
  EXPECT_NE(first.runtime->users->find("admin"), nullptr);
  const Compiled second = compile(small_config(), first.runtime.get(), users);
  ASSERT_NE(second.runtime, nullptr);
  EXPECT_EQ(second.runtime->users, users);
}

TEST(Runtime, CookieNamesPromiseWhatTheirAttributesKeep) {
  struct Case {
    std::optional<bool> secure;
    const char* url;
    const char* domain;
    const char* path;
    const char* prefix;
  };
  for (const Case& cookie :
       {Case{{}, "", "", "/", "__Host-"}, Case{true, "", "", "/", "__Host-"},
        Case{{}, "https://app.example.com", "", "/", "__Host-"},
        Case{{}, "http://app.example.com", "", "/", ""},
        Case{true, "http://app.example.com", "", "/", "__Host-"},
        Case{false, "https://app.example.com", "", "/", ""}, Case{false, "", "", "/", ""},
        Case{true, "", "example.com", "/", "__Secure-"}, Case{true, "", "", "/app", "__Secure-"},
        Case{true, "", "example.com", "/app", "__Secure-"},
        Case{false, "", "example.com", "/app", ""}}) {
    config::Config config = small_config();
    config.cookies.secure = cookie.secure;
    config.cookies.domain = cookie.domain;
    config.cookies.path = cookie.path;
    config.cookies.name = "shop";
    config.cookies.same_site = config::SameSite::strict;
    config.external_url = cookie.url;
    const auto runtime = runtime_of(config);
    const std::string prefix = cookie.prefix;
    EXPECT_EQ(runtime->refresh_cookie.name, prefix + "shop_refresh");
    EXPECT_EQ(runtime->access_cookie.name, prefix + "shop_access");
    EXPECT_EQ(runtime->refresh_cookie.secure, !prefix.empty());
    EXPECT_EQ(runtime->refresh_cookie.domain, cookie.domain);
    EXPECT_EQ(runtime->refresh_cookie.path, cookie.path);
    EXPECT_EQ(runtime->refresh_cookie.same_site, http::SameSite::strict);
  }
}

TEST(Runtime, TheExternalOriginHasNoSlashAtItsEnd) {
  config::Config config = small_config();
  config.external_url = "https://app.example.com/";
  EXPECT_EQ(runtime_of(config)->external_origin, "https://app.example.com");
}

TEST(Runtime, RulesAreTranslated) {
  config::Config config = small_config();
  config.tokens.refresh.grace = std::chrono::seconds{7};
  config.tokens.refresh.idle_life = std::chrono::hours{2};
  config.throttle.account = {9, std::chrono::seconds{3}};
  config.throttle.ban = std::chrono::seconds{11};
  config.log.level = config::LogLevel::error;
  config.log.format = config::LogFormat::text;
  config.log.access = false;
  const auto runtime = runtime_of(config);
  EXPECT_EQ(runtime->family_rules.grace, std::chrono::seconds{7});
  EXPECT_EQ(runtime->family_rules.idle_life, std::chrono::hours{2});
  EXPECT_EQ(runtime->throttle.ban, std::chrono::seconds{11});
  EXPECT_EQ(runtime->log.level, Level::error);
  EXPECT_EQ(runtime->log.format, Format::text);
  EXPECT_FALSE(runtime->log.access);
}

}  // namespace
}  // namespace proxy
