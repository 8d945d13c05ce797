// What the tests of this folder share: a small configuration built in code, the runtime compiled
// from it, and tokens of every state. Nothing here reads a clock.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/jwt.h"
#include "config/config.h"
#include "config/load.h"
#include "proxy/runtime.h"

namespace proxy {

inline constexpr std::string_view access_secret = "the access secret of these tests, 47 bytes long";
inline constexpr std::string_view refresh_secret = "the refresh secret of these tests, quite long";

// The moment at which the tests happen.
inline constexpr auth::Time noon =
    std::chrono::sys_days{std::chrono::year{2026} / 3 / 14} + std::chrono::hours{12};

inline config::Key secret_key(std::string kid, std::string_view secret) {
  config::Key key;
  key.kid = std::move(kid);
  key.algorithm = "HS256";
  key.secret.value = secret;
  return key;
}

inline config::Upstream upstream_at(std::string name, std::string url) {
  config::Upstream upstream;
  upstream.name = std::move(name);
  upstream.endpoints = {std::move(url)};
  return upstream;
}

inline config::Route route_for(std::string path) {
  config::Route route;
  route.path = std::move(path);
  return route;
}

inline config::Route public_route(std::string path) {
  config::Route route = route_for(std::move(path));
  route.access = config::Access::is_public;
  return route;
}

// One upstream, HMAC keys, no routes.
inline config::Config small_config() {
  config::Config config;
  config.listeners.push_back({"127.0.0.1:8080", {}, false, {}});
  config.upstreams.push_back(upstream_at("app", "http://127.0.0.1:3000"));
  config.tokens.access.keys.push_back(secret_key("a", access_secret));
  config.tokens.refresh.keys.push_back(secret_key("r", refresh_secret));
  return config;
}

inline std::shared_ptr<const Runtime> runtime_of(const config::Config& config,
                                                 const Runtime* previous = nullptr) {
  Compiled compiled = compile(config, previous);
  for (const auto& problem : compiled.problems) ADD_FAILURE() << config::to_string(problem);
  return compiled.runtime;
}

inline auth::AccessClaims claims_of(std::string subject) {
  auth::AccessClaims claims;
  claims.subject = std::move(subject);
  claims.session_id = "AAAAAAAAAAAAAAAAAAAAAA";
  claims.generation = 3;
  claims.authenticated_at = noon - std::chrono::minutes{5};
  return claims;
}

// A token of ours, made at `at` for a quarter of an hour.
inline std::string token_for(const Runtime& runtime, const auth::AccessClaims& claims,
                             auth::Time at = noon) {
  const auto token =
      auth::issue_access_token(runtime.access_keys, runtime.config.tokens.issuer,
                               runtime.config.tokens.audience, claims, at,
                               runtime.config.tokens.access.life);
  EXPECT_TRUE(token.has_value());
  return token.has_value() ? *token : std::string{};
}

// A directory of its own for each test, gone afterwards.
class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "gatehouse-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  [[nodiscard]] std::string at(std::string_view name) const { return (path_ / name).string(); }
  std::string write(std::string_view name, std::string_view text) const {
    std::ofstream(path_ / name) << text;
    return at(name);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace proxy
