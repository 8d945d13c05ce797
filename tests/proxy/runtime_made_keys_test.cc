// Keys that are not configured: made at start, kept over a reload, gone once others are configured.
#include <gtest/gtest.h>

#include <string>

#include "compiling.h"
#include "proxy/runtime.h"

namespace proxy {
namespace {

config::Config without_keys() {
  config::Config config = small_config();
  config.tokens.access.keys.clear();
  config.tokens.refresh.keys.clear();
  return config;
}

std::string refresh_token_of(const Runtime& runtime) {
  return runtime.refresh_keys.mint({{}, 0, noon + std::chrono::hours{24}});
}

TEST(RuntimeMadeKeys, WithoutConfiguredKeysTheyAreMadeAtStartWithAWarning) {
  const Compiled compiled = compile(without_keys(), nullptr);
  ASSERT_NE(compiled.runtime, nullptr);
  EXPECT_TRUE(compiled.runtime->access_keys_made);
  ASSERT_EQ(compiled.warnings.size(), 1U);
  EXPECT_NE(compiled.warnings[0].message.find("restart ends all sessions"), std::string::npos);
  EXPECT_EQ(compiled.runtime->access_keys.active()->algorithm(), auth::Algorithm::es256);
  const auto other = runtime_of(without_keys());
  const std::string token = token_for(*other, claims_of("alice"));
  EXPECT_FALSE(compiled.runtime->verifier.verify(token, noon).has_value());
  EXPECT_NE(refresh_token_of(*compiled.runtime), refresh_token_of(*other));
}

TEST(RuntimeMadeKeys, KeysMadeAtStartAreKeptOverAReload) {
  const auto first = runtime_of(without_keys());
  config::Config changed = without_keys();
  changed.routes.push_back(public_route("/new"));
  const auto second = runtime_of(changed, first.get());
  const auto third = runtime_of(changed, second.get());
  const std::string token = token_for(*first, claims_of("alice"));
  EXPECT_TRUE(third->verifier.verify(token, noon).has_value());
  EXPECT_EQ(refresh_token_of(*third), refresh_token_of(*first));
  EXPECT_TRUE(third->access_keys_made);
}

TEST(RuntimeMadeKeys, ConfiguredKeysTakeThePlaceOfThoseMadeAtStart) {
  const auto first = runtime_of(without_keys());
  const auto second = runtime_of(small_config(), first.get());
  EXPECT_FALSE(second->access_keys_made);
  EXPECT_FALSE(second->verifier.verify(token_for(*first, claims_of("a")), noon).has_value());
  EXPECT_EQ(refresh_token_of(*second), refresh_token_of(*runtime_of(small_config())));
}

TEST(RuntimeMadeKeys, AConfiguredKeyThatWasRemovedIsNotKept) {
  config::Config only_access = small_config();
  only_access.tokens.refresh.keys.clear();
  const auto first = runtime_of(only_access);
  const auto second = runtime_of(without_keys(), first.get());
  EXPECT_FALSE(second->verifier.verify(token_for(*first, claims_of("alice")), noon).has_value());
  EXPECT_EQ(refresh_token_of(*second), refresh_token_of(*first));  // this one was made at start

  config::Config only_refresh = small_config();
  only_refresh.tokens.access.keys.clear();
  const auto third = runtime_of(only_refresh);
  const auto fourth = runtime_of(without_keys(), third.get());
  EXPECT_TRUE(fourth->verifier.verify(token_for(*third, claims_of("alice")), noon).has_value());
  EXPECT_NE(refresh_token_of(*fourth), refresh_token_of(*third));
}

}  // namespace
}  // namespace proxy
