// What a good configuration becomes: values, defaults and derived values.
#include "config/load.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/config/loading.h"

namespace config {
namespace {

TEST(Load, TheLeastConfigurationHasTheDefaultsOfTheStructs) {
  const auto loaded = load_text(minimal());
  EXPECT_EQ(lines_of(loaded.problems), std::vector<std::string>{});
  const Config& config = loaded.config;
  EXPECT_EQ(config.file, "gatehouse.yaml");
  ASSERT_EQ(config.listeners.size(), 1U);
  EXPECT_EQ(config.listeners[0].address, "127.0.0.1:8080");
  ASSERT_EQ(config.upstreams.size(), 1U);
  EXPECT_EQ(config.upstreams[0].name, "app");
  EXPECT_TRUE(config.upstreams[0].preserve_host);
  EXPECT_EQ(config.tokens.access.life, seconds{900});
  EXPECT_EQ(config.limits.request_head, 32U * 1024U);
  EXPECT_EQ(config.endpoints.login, "/login");
  EXPECT_TRUE(config.trusted_proxies.empty());
}

// Every key that is served, each with a value that is not its default.
constexpr const char* everything = R"(
listeners: [{address: 0.0.0.0:8080}, {address: unix:/run/gatehouse.sock}]
admin: {address: 127.0.0.1:9901, token_file: admin.token}
health: {address: 0.0.0.0:9902}
workers: 3
trusted_proxies: [10.2.0.15/32]
external_url: https://app.example.com
upstreams:
  app:
    endpoints: [http://127.0.0.1:3000]
    preserve_host: false
    connect_timeout: 1s
    response_timeout: 2s
    stream_idle_timeout: 3s
    idle_connection_timeout: 4s
    max_idle_connections: 5
  other: {endpoints: [unix:/run/other.sock]}
routes:
  - {name: assets, path: /assets/**, access: public}
  - path: /api/**
    host: api.example.com
    methods: [GET, POST]
    require: {groups: [admins], scopes: [read], claims: {department: it, site: [a, b]}}
    websocket: true
    strip_prefix: /api
    paths: legacy
    upstream: other
endpoints: {login: /in, logout: false}
users: {file: /srv/users.yaml}
tokens:
  issuer: us
  audience: [them, others]
  access:
    life: 5m
    sign_with: b
    keys:
      - {kid: a, algorithm: ES256, public_key_file: a.pem}
      - {kid: b, algorithm: HS256, secret: "${GATEHOUSE_TEST_SECRET}"}
  refresh:
    idle_life: 1d
    absolute_life: 2d
    grace: 0
    delivery: both
    sign_with: r
    keys: [{kid: r, secret_file: refresh.key}]
  trusted_issuers:
    - issuer: https://idp.example.com
      audience: [app]
      keys: [{kid: k1, public_key_file: idp.pem}, {jwks_file: keys.json}]
      algorithms: [RS256]
      token_types: [at+jwt, JWT]
      claims: {groups: realm_access.roles}
      subject_prefix: "idp:"
  cache_entries: 9
cookies: {name: gh, secure: true, same_site: strict, domain: example.com, path: /}
store: {kind: memory, memory: {sessions_max: 10, snapshot_file: sessions.bin}}
identity: {preset: authelia, headers: [{name: X-Employee, claim: sub}], authorization: keep}
login: {throttle: {account_and_address: 1/1s, account: 2/2s, address: 3/3s, ban: 4s}}
limits: {request_head: 8KiB, header_count: 7, request_body: 1MiB, connections: 8}
timeouts: {request_head: 1s, keep_alive: 2s, request_body: 3s, write: 4s}
drain: {delay: 1s, timeout: 2s}
log: {level: debug, format: text, access: false, file: gatehouse.log, access_format: clf,
      sample: 0.5}
tracing: {otlp_url: "http://127.0.0.1:4318/v1/traces", sample: 0.125}
watch: true
)";

TEST(EveryKey, IsTakenWithoutComplaint) {
  const auto loaded = load_text(everything);
  EXPECT_EQ(lines_of(loaded.problems), std::vector<std::string>{});
  EXPECT_EQ(lines_of(loaded.warnings), std::vector<std::string>{});
}

TEST(EveryKey, ReachesItsMemberListenersAndUpstreams) {
  const Config c = load_text(everything).config;
  EXPECT_EQ(c.listeners[1].address, "unix:/run/gatehouse.sock");
  EXPECT_EQ(c.listeners[1].at.line, 2);
  EXPECT_EQ(c.admin.token.file, "/etc/gatehouse/admin.token");
  EXPECT_EQ(c.health.address, "0.0.0.0:9902");
  EXPECT_EQ(c.workers, 3U);
  EXPECT_EQ(c.trusted_proxies, std::vector<std::string>{"10.2.0.15/32"});
  EXPECT_EQ(c.external_url, "https://app.example.com");
  EXPECT_FALSE(c.upstreams[0].preserve_host);
  EXPECT_EQ(c.upstreams[0].connect_timeout, seconds{1});
  EXPECT_EQ(c.upstreams[0].response_timeout, seconds{2});
  EXPECT_EQ(c.upstreams[0].stream_idle_timeout, seconds{3});
  EXPECT_EQ(c.upstreams[0].idle_connection_timeout, seconds{4});
  EXPECT_EQ(c.upstreams[0].max_idle_connections, 5U);
  EXPECT_EQ(c.upstreams[1].name, "other");
}

TEST(EveryKey, ReachesItsMemberRoutesAndEndpoints) {
  const Config c = load_text(everything).config;
  EXPECT_EQ(c.routes[0].access, Access::is_public);
  EXPECT_EQ(c.routes[1].host, "api.example.com");
  EXPECT_EQ(c.routes[1].methods, (std::vector<std::string>{"GET", "POST"}));
  EXPECT_EQ(c.routes[1].require.groups, std::vector<std::string>{"admins"});
  EXPECT_EQ(c.routes[1].require.scopes, std::vector<std::string>{"read"});
  EXPECT_EQ(c.routes[1].require.claims.at("department"), std::vector<std::string>{"it"});
  EXPECT_EQ(c.routes[1].require.claims.at("site"), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(c.routes[1].websocket);
  EXPECT_EQ(c.routes[1].strip_prefix, "/api");
  EXPECT_EQ(c.routes[1].paths, Paths::legacy);
  EXPECT_EQ(c.routes[1].upstream, "other");
  EXPECT_EQ(c.endpoints.login, "/in");
  EXPECT_EQ(c.endpoints.logout, "");
  EXPECT_EQ(c.users.file, "/srv/users.yaml");
}

TEST(EveryKey, ReachesItsMemberTokens) {
  const Config c = load_text(everything).config;
  EXPECT_EQ(c.tokens.issuer, "us");
  EXPECT_EQ(c.tokens.audience, (std::vector<std::string>{"them", "others"}));
  EXPECT_EQ(c.tokens.access.life, seconds{300});
  EXPECT_EQ(c.tokens.access.sign_with, "b");
  EXPECT_EQ(c.tokens.access.keys[0].public_key_file, "/etc/gatehouse/a.pem");
  EXPECT_EQ(c.tokens.access.keys[1].secret.value, "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(c.tokens.refresh.idle_life, seconds{86'400});
  EXPECT_EQ(c.tokens.refresh.absolute_life, seconds{172'800});
  EXPECT_EQ(c.tokens.refresh.grace, seconds{0});
  EXPECT_EQ(c.tokens.refresh.delivery, Delivery::both);
  EXPECT_EQ(c.tokens.refresh.keys[0].secret.file, "/etc/gatehouse/refresh.key");
  const auto& issuer = c.tokens.trusted_issuers.at(0);
  EXPECT_EQ(issuer.keys[1].jwks_file, "/etc/gatehouse/keys.json");
  EXPECT_EQ(issuer.token_types, (std::vector<std::string>{"at+jwt", "JWT"}));
  EXPECT_EQ(issuer.claims.at("groups"), "realm_access.roles");
  EXPECT_EQ(issuer.subject_prefix, "idp:");
  EXPECT_EQ(c.tokens.cache_entries, 9U);
}

TEST(EveryKey, ReachesItsMemberTheRest) {
  const Config c = load_text(everything).config;
  EXPECT_EQ(c.cookies.name, "gh");
  EXPECT_EQ(c.cookies.same_site, SameSite::strict);
  EXPECT_EQ(c.cookies.domain, "example.com");
  EXPECT_EQ(c.memory.sessions_max, 10U);
  EXPECT_EQ(c.memory.snapshot_file, "/etc/gatehouse/sessions.bin");
  EXPECT_EQ(c.identity.preset, IdentityPreset::authelia);
  EXPECT_EQ(c.identity.headers[0].header, "X-Employee");
  EXPECT_EQ(c.identity.headers[0].claim, "sub");
  EXPECT_EQ(c.identity.authorization, Authorization::keep);
  EXPECT_EQ(c.throttle.account_and_address.count, 1U);
  EXPECT_EQ(c.throttle.account.window, seconds{2});
  EXPECT_EQ(c.throttle.address.count, 3U);
  EXPECT_EQ(c.throttle.ban, seconds{4});
  EXPECT_EQ(c.limits.request_head, 8192U);
  EXPECT_EQ(c.limits.header_count, 7U);
  EXPECT_EQ(c.limits.request_body, 1'048'576U);
  EXPECT_EQ(c.limits.connections, 8U);
  EXPECT_EQ(c.timeouts.request_head, seconds{1});
  EXPECT_EQ(c.timeouts.keep_alive, seconds{2});
  EXPECT_EQ(c.timeouts.request_body, seconds{3});
  EXPECT_EQ(c.timeouts.write, seconds{4});
  EXPECT_EQ(c.drain.delay, seconds{1});
  EXPECT_EQ(c.drain.timeout, seconds{2});
  EXPECT_EQ(c.log.level, LogLevel::debug);
  EXPECT_EQ(c.log.format, LogFormat::text);
  EXPECT_FALSE(c.log.access);
  EXPECT_EQ(c.log.file, "/etc/gatehouse/gatehouse.log");
}

TEST(Load, HarmlessValuesOfUnservedKeysAreTaken) {
  const auto loaded = load_text(R"(
listeners: [{address: '127.0.0.1:8080', proxy_protocol: false}]
upstreams: {app: {endpoints: [http://127.0.0.1:3000]}}
users: {file: users.yaml}
endpoints: {auth: false, session_js: false}
browser: {enabled: false}
store: {kind: memory}
watch: false
)");
  EXPECT_EQ(lines_of(loaded.problems), std::vector<std::string>{});
}

TEST(Load, PrefixMovesEveryEndpointThatIsOn) {
  const auto config =
      load_text(minimal("endpoints: {prefix: /auth, login: /in, userinfo: false}\n")).config;
  EXPECT_EQ(config.endpoints.prefix, "");
  EXPECT_EQ(config.endpoints.login, "/auth/in");
  EXPECT_EQ(config.endpoints.token, "/auth/token");
  EXPECT_EQ(config.endpoints.jwks, "/auth/.well-known/jwks.json");
  EXPECT_EQ(config.endpoints.sessions, "/auth/.gatehouse/sessions");
  EXPECT_EQ(config.endpoints.userinfo, "");
}

TEST(Load, SecureCookiesFollowTheExternalUrl) {
  EXPECT_EQ(load_text(minimal()).config.cookies.secure, true);
  EXPECT_EQ(load_text(minimal("external_url: https://a.example\n")).config.cookies.secure, true);
  EXPECT_EQ(load_text(minimal("external_url: http://a.example\n")).config.cookies.secure, false);
  EXPECT_EQ(load_text(minimal("cookies: {secure: false}\n")).config.cookies.secure, false);
}

TEST(Load, RoutesGetANameAndTheDefaultUpstream) {
  const auto config = load_text(R"(
listeners: [{address: '127.0.0.1:8080'}]
upstreams:
  other: {endpoints: [http://127.0.0.1:3000]}
  app: {endpoints: [http://127.0.0.1:3001]}
users: {file: users.yaml}
routes:
  - {path: /a, methods: [GET, POST]}
  - {path: /a, methods: [PUT], upstream: other}
  - {path: /b/**, host: b.example, name: bees}
)").config;
  EXPECT_EQ(config.routes[0].name, "GET,POST /a");
  EXPECT_EQ(config.routes[0].upstream, "app");
  EXPECT_EQ(config.routes[1].name, "PUT /a");
  EXPECT_EQ(config.routes[1].upstream, "other");
  EXPECT_EQ(config.routes[2].name, "bees");
}

TEST(Load, ProblemsComeInTheOrderOfTheFile) {
  const auto loaded = load_text("zzz: 1\nworkers: x\nlisteners: []\nzzz: 2\n");
  int line = 0;
  for (const auto& problem : loaded.problems) {
    EXPECT_GE(problem.at.line, line);
    line = problem.at.line;
  }
  EXPECT_GE(loaded.problems.size(), 4U);
}

TEST(Load, AMessageNeverShowsASecret) {
  const auto loaded = load_text(minimal(
      "tokens: {access: {keys: [{kid: a, algorithm: ES256, secret: topsecret},"
      " {kid: b, algorithm: HS256, secret: topsecret, secret_file: b}]},"
      " refresh: {keys: [{kid: r, secret: topsecret}]}}\n"));
  ASSERT_FALSE(loaded.problems.empty());
  for (const auto& line : lines_of(loaded.problems)) {
    EXPECT_EQ(line.find("topsecret"), std::string::npos) << line;
  }
}

TEST(LoadFile, RelativePathsStartAtTheFile) {
  const auto folder = std::filesystem::path(testing::TempDir()) /
                      ("gatehouse_load_test." + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "gatehouse.yaml") << minimal();
  const auto loaded = load_file((folder / "gatehouse.yaml").string());
  EXPECT_EQ(lines_of(loaded.problems), std::vector<std::string>{});
  EXPECT_EQ(loaded.config.users.file, (folder / "users.yaml").lexically_normal().string());
  std::filesystem::remove_all(folder);
}

TEST(LoadFile, AMissingFileAndADirectoryAreProblems) {
  EXPECT_EQ(lines_of(load_file("/nonexistent/gatehouse.yaml").problems),
            std::vector<std::string>{"/nonexistent/gatehouse.yaml: cannot read "
                                     "/nonexistent/gatehouse.yaml: No such file or directory"});
  EXPECT_FALSE(load_file("/").problems.empty());
  EXPECT_FALSE(load_file("/dev/zero").problems.empty());
}

// The one complete example that the documentation shows.
TEST(Example, LoadsWithoutProblemsOrWarnings) {
  const auto loaded = load_file(std::string(GATEHOUSE_SOURCE_DIR) + "/examples/gatehouse.yaml");
  EXPECT_EQ(lines_of(loaded.problems), std::vector<std::string>{});
  EXPECT_EQ(lines_of(loaded.warnings), std::vector<std::string>{});
}

}  // namespace
}  // namespace config
