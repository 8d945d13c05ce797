// The effective configuration: everything with its default, nothing secret, and loadable.
#include <gtest/gtest.h>

#include "tests/config/loading.h"

namespace config {
namespace {

constexpr const char* rich = R"(
listeners: [{address: 0.0.0.0:8080}, {address: unix:/run/gatehouse.sock}]
admin: {address: 127.0.0.1:9901, token_file: admin.token}
upstreams:
  app: {endpoints: [http://127.0.0.1:3000], connect_timeout: 90s}
  other: {endpoints: [unix:/run/other.sock]}
users: {file: users.yaml}
routes:
  - {path: /assets/**, access: public}
  - {path: /x, methods: [GET], require: {claims: {department: [it, "a, b"], "odd: name": "yes"}}}
  - {path: /x, methods: [PUT], upstream: other}
endpoints: {prefix: /auth, logout: false}
tokens:
  issuer: "$${literal}"
  access: {keys: [{kid: a, algorithm: HS256, secret: do-not-print-this-secret-ever-00}]}
  refresh: {keys: [{kid: r, secret: nor-this-one-which-is-also-secret}]}
  trusted_issuers:
    - issuer: https://idp.example.com
      audience: [app]
      keys: [{kid: k1, algorithm: RS256, public_key_file: idp.pem}]
      subject_prefix: "idp:"
cookies: {secure: false}
limits: {request_head: 9000B}
)";

TEST(Print, LoadsAgainToTheSameText) {
  for (const std::string& text : {minimal(), std::string(rich)}) {
    const auto first = load_text(text);
    ASSERT_EQ(lines_of(first.problems), std::vector<std::string>{});
    const auto printed = print(first.config);
    const auto second = load_text(printed);
    EXPECT_EQ(lines_of(second.problems), std::vector<std::string>{}) << printed;
    EXPECT_EQ(print(second.config), printed);
  }
}

TEST(Print, LoadsAgainToTheSameValues) {
  const auto first = load_text(rich).config;
  const auto second = load_text(print(first)).config;
  EXPECT_EQ(second.endpoints.login, "/auth/login");
  EXPECT_EQ(second.endpoints.logout, "");
  EXPECT_EQ(second.tokens.issuer, "${literal}");
  EXPECT_EQ(second.users.file, first.users.file);
  EXPECT_EQ(second.routes.at(1).require.claims, first.routes.at(1).require.claims);
  EXPECT_EQ(second.upstreams.at(0).connect_timeout, seconds{90});
  EXPECT_EQ(second.limits.request_head, 9'000U);
  EXPECT_EQ(second.admin.token.file, "/etc/gatehouse/admin.token");
}

TEST(Print, MasksSecretsAndShowsTheirFiles) {
  const auto text = print(load_text(rich).config);
  EXPECT_EQ(text.find("do-not-print"), std::string::npos);
  EXPECT_EQ(text.find("nor-this-one"), std::string::npos);
  EXPECT_NE(text.find("secret: \"***\""), std::string::npos);
  EXPECT_NE(text.find("token_file: /etc/gatehouse/admin.token"), std::string::npos);
}

TEST(Print, FillsInDefaults) {
  const auto text = print(load_text(minimal()).config);
  for (const char* line : {"workers: 0\n", "    connect_timeout: 5s\n", "  request_head: 32KiB\n",
                           "    account_and_address: 5/2m\n", "  secure: true\n",
                           "  delivery: cookie\n", "  login: /login\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace config
