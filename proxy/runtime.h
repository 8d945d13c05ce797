// The compiled configuration: everything a request needs, made once by compile() from config and
// the files it names. Immutable and shared by all workers; an exchange keeps the one it began with,
// so a reload never changes a request half way.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "auth/family.h"
#include "auth/jwt.h"
#include "auth/users.h"
#include "config/config.h"
#include "proxy/header_policy.h"
#include "proxy/pages.h"
#include "proxy/redirects.h"
#include "proxy/http/cookie.h"
#include "proxy/net/address.h"
#include "proxy/net/tls.h"
#include "proxy/redis/client.h"
#include "proxy/route_table.h"
#include "proxy/store/session_store.h"
#include "proxy/telemetry.h"
#include "proxy/user_service.h"
#include "proxy/trace.h"

namespace proxy {

// Key sets of trusted issuers that were fetched, by URL.
using KeySetTexts = std::map<std::string, std::string>;

struct Runtime {
  config::Config config;
  auth::KeyRing access_keys;
  auth::RefreshKeys refresh_keys;
  auth::FamilyRules family_rules;
  auth::TokenVerifier verifier;              // our own tokens and those of trusted issuers
  std::shared_ptr<const auth::Users> users;  // replaced with the runtime when the file changes
  std::shared_ptr<const UserService> user_service;  // null: only `users` know
  store::ThrottleRules throttle;
  http::CookieAttributes refresh_cookie;
  http::CookieAttributes access_cookie;  // its name is stripped even where it is not issued
  http::CookieAttributes login_cookie;   // of the login page: the browser's half of a double submit
  std::vector<std::string> form_keys;    // the active one first
  Pages pages;
  RedirectRules redirects;
  std::string external_origin;           // "https://app.example.com"; empty: not configured
  std::string jwks;                      // the body of the key set endpoint
  std::vector<net::Network> trusted_proxies;
  // For https endpoints, by upstream; null where an upstream has none.
  std::vector<std::shared_ptr<const net::TlsClient>> upstream_tls;
  RouteTable routes;
  HeaderPolicy header_policy;
  LogOptions log;
  TraceRules trace;
  std::shared_ptr<const redis::ClientOptions> redis;  // null: the memory store
  std::string webhook_secret;
  std::string admin_token;  // empty: the admin listener asks for none
  KeySetTexts key_sets;     // those that were fetched
  // Not configured, so a restart makes others.
  bool access_keys_made = false;
  bool refresh_keys_made = false;
};

// The runtime, or every problem that the files behind the configuration have (unreadable or weak
// keys, bad user entries, unknown upstreams). `previous` hands over keys made at start, so that a
// reload without configured keys ends no session. `given_users` stands in for a users file that is
// not configured; `key_sets` for those of `previous`. Reads files; not for an event loop.
struct Compiled {
  std::shared_ptr<const Runtime> runtime;  // null when there are problems
  std::vector<config::Problem> problems;
  std::vector<config::Problem> warnings;
};
[[nodiscard]] Compiled compile(const config::Config& config, const Runtime* previous,
                               std::shared_ptr<const auth::Users> given_users = nullptr,
                               const KeySetTexts* key_sets = nullptr);

// What a key of a trusted issuer may be used for.
[[nodiscard]] std::vector<auth::Algorithm> algorithms_of(
    const config::Key& key, const std::vector<std::string>& default_algorithms);

}  // namespace proxy
