// Which origins may read answers, and what the fields say.
#include "proxy/cors.h"

#include <gtest/gtest.h>

namespace proxy {
namespace {

CorsRule rule_for(std::vector<std::string> origins, bool credentials = false) {
  config::Cors config;
  config.allow_origins = std::move(origins);
  config.allow_credentials = credentials;
  return CorsRule(config);
}

std::string fields(const CorsRule& rule, std::string_view origin, std::string_view vary = {}) {
  http::Buffer out;
  rule.append_fields(origin, vary, out);
  return std::string(out.view());
}

TEST(CorsRule, AnOriginIsComparedByteForByte) {
  const CorsRule rule = rule_for({"https://app.example.com", "http://localhost:3000"});
  EXPECT_TRUE(rule.allows("https://app.example.com"));
  EXPECT_TRUE(rule.allows("http://localhost:3000"));
  for (const char* other :
       {"", "null", "https://app.example.com.evil.com", "http://app.example.com",
        "https://app.example.com:8443", "https://APP.example.com", "https://app.example.com/",
        "https://xapp.example.com", "http://localhost:30000", "http://localhost"}) {
    EXPECT_FALSE(rule.allows(other)) << other;
  }
}

TEST(CorsRule, AStarStandsForSubdomainsOnly) {
  const CorsRule rule = rule_for({"https://*.example.com"});
  EXPECT_TRUE(rule.allows("https://a.example.com"));
  EXPECT_TRUE(rule.allows("https://a.b.example.com"));
  for (const char* other :
       {"https://example.com", "https://.example.com", "https://evilexample.com",
        "https://evil.com/.example.com", "https://evil.com#.example.com", "http://a.example.com",
        "https://a.example.com:8443", "https://evil.com:1.example.com", "https://u@a.example.com",
        "https://a_b.example.com", "null"}) {
    EXPECT_FALSE(rule.allows(other)) << other;
  }
}

TEST(CorsRule, PermissionAndVaryStandOnEveryAnswer) {
  const CorsRule rule = rule_for({"https://a.example"}, true);
  EXPECT_EQ(fields(rule, "https://a.example"),
            "Access-Control-Allow-Origin: https://a.example\r\n"
            "Access-Control-Allow-Credentials: true\r\nVary: Origin\r\n");
  EXPECT_EQ(fields(rule, "https://b.example"), "Vary: Origin\r\n");
  EXPECT_EQ(fields(rule, ""), "Vary: Origin\r\n");
  EXPECT_EQ(fields(rule, "https://b.example", "Accept, origin"), "");
}

TEST(CorsRule, EverybodysAnswerIsTheSameForAll) {
  const CorsRule rule = rule_for({"*"});
  EXPECT_EQ(fields(rule, "https://a.example"), "Access-Control-Allow-Origin: *\r\n");
  EXPECT_EQ(fields(rule, "null"), "Access-Control-Allow-Origin: *\r\n");
  EXPECT_EQ(fields(rule, ""), "");
}

}  // namespace
}  // namespace proxy
