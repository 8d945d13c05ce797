// Every setting of gatehouse.yaml as a plain value with its default and unit, and what raising it
// costs. Filled by load.cc, checked by validate.cc, translated into working parts by
// proxy/runtime.cc; the request path never reads these structs by name.
// Immutable once loaded; safe to read from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace config {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Where a value stands in its file, counted from 1; 0 means "not written down" (a default).
struct Location {
  int line = 0;
  int column = 0;
};

// One thing that is wrong. Printed as `FILE:LINE:COL: key.path: message`.
struct Problem {
  std::string file;
  Location at;
  std::string key;      // "upstreams.app.endpoints[0]"; empty for the document as a whole
  std::string message;  // one sentence that says what to do
};

// A secret given in place (`secret: ...`) or by file (`secret_file: ...`), never both. The file is
// read when the configuration is compiled, not when it is loaded; see config/secret.h.
struct Secret {
  std::string value;  // taken as it stands
  std::string file;   // absolute, or relative to the working directory after load.cc resolved it
  Location at;
  [[nodiscard]] bool empty() const { return value.empty() && file.empty(); }
};

enum class ClientAuth { none, optional, required };
enum class TlsVersion { v1_2, v1_3 };

struct Certificate {
  std::string certificate_file;  // PEM: the certificate, then its chain
  std::string key_file;
  std::string ocsp_file;         // empty: nothing is stapled
  Location at;
};

struct ListenerTls {
  std::string certificate_file;  // one certificate, written short
  std::string key_file;
  std::string ocsp_file;
  std::vector<Certificate> certificates;  // or several; SNI chooses, the first one is the default
  TlsVersion min_version = TlsVersion::v1_2;
  std::string client_ca_file;
  std::optional<ClientAuth> client_auth;  // loading sets it: required with a client_ca_file
  std::vector<std::string> ticket_key_files;  // empty: keys of our own, which no replica shares
  Location at;
};

struct Listener {
  std::string address;  // "0.0.0.0:8080", "[::]:8080" or "unix:/run/gatehouse.sock"
  std::optional<ListenerTls> tls;
  bool proxy_protocol = false;  // every connection of a trusted proxy begins with its header
  Location at;
};

struct Admin {
  std::string address;  // empty: no admin listener
  Secret token;         // `token_file`; required where the address is not loopback or a unix socket
  Location at;
};

struct Health {
  std::string address;  // empty: no health listener
  Location at;
};

// `5/2m`: five in two minutes.
struct Rate {
  std::uint32_t count = 0;
  milliseconds window{0};
};

// `20%`: 0 to 100.
struct Percent {
  std::uint32_t value = 0;
};

enum class Balance { round_robin, least_requests };

// Asking each endpoint regularly whether it is well.
struct HealthCheck {
  std::string path;
  std::string host;  // empty: the upstream's `host`, or the endpoint's own
  milliseconds interval{5'000};
  milliseconds timeout{2'000};             // for the whole answer's head
  std::uint32_t unhealthy_threshold = 3;   // failures in a row that take an endpoint out
  std::uint32_t healthy_threshold = 2;     // successes in a row that bring it back
  std::uint32_t status = 0;                // the one that counts as well; 0: any 2xx or 3xx
};

// Leaving out an endpoint whose answers to clients fail.
struct Ejection {
  std::uint32_t consecutive_failures = 5;  // 5xx, broken or failed connections; 0: never ejected
  milliseconds base_time{10'000};          // doubled each time it fails again at once
  milliseconds max_time{300'000};
  Percent max_percent{50};                 // of the endpoints; never the last one
};

// TLS as a client.
struct ClientTls {
  std::string ca_file;           // empty: the system's roots
  std::string server_name;       // empty: the host of the address
  std::string certificate_file;  // ours; empty: none
  std::string key_file;
  Location at;
};

struct Upstream {
  std::string name;
  std::vector<std::string> endpoints;        // "http://127.0.0.1:3000"
  Balance balance = Balance::round_robin;
  bool preserve_host = true;                 // false: send the endpoint's own host and port
  std::string host;                          // sent as `Host` instead of either
  milliseconds dns_refresh{10'000};          // how long the addresses of a name are used
  std::uint32_t max_connections = 0;         // shared out to the workers; 0: no bound
  std::uint32_t max_pending = 1'000;         // requests that wait for a connection, likewise
  std::optional<HealthCheck> health_check;
  Ejection ejection;
  Percent retry_budget{20};                  // of the requests under way
  std::optional<ClientTls> tls;              // for https endpoints; without it the defaults hold
  milliseconds connect_timeout{5'000};
  milliseconds response_timeout{60'000};     // from the end of the request to the response head
  milliseconds stream_idle_timeout{300'000}; // between two reads of a body or a stream
  milliseconds idle_connection_timeout{4'000};  // below the 5 s of Node's server
  std::uint32_t max_idle_connections = 64;   // per worker; each holds one descriptor, no buffer
  Location at;
};

enum class Access { token, is_public };
enum class Paths { strict, legacy };
enum class PageMode { automatic, always, never };
enum class Csrf { origin, none };
enum class RouteCsrf { inherit, origin, none };

struct Require {
  std::vector<std::string> groups;  // any of these
  std::vector<std::string> scopes;  // any of these
  std::map<std::string, std::vector<std::string>> claims;  // each name: any of these values
  [[nodiscard]] bool empty() const { return groups.empty() && scopes.empty() && claims.empty(); }
};

// Who is counted by a rate limit.
enum class RateKey { principal, address, route };
enum class RateScope { local, cluster };

struct RateLimit {
  RateKey key = RateKey::principal;  // without a user: the address
  Rate rate;                         // `100/1s`
  std::uint32_t burst = 0;           // requests at once; 0: the rate's count
  RateScope scope = RateScope::local;
};

// Cross-origin answers (the Fetch standard's CORS protocol).
struct Cors {
  std::vector<std::string> allow_origins;  // "https://app.example.com", "https://*.a.example", "*"
  std::vector<std::string> allow_methods;  // empty: what the rule's neighbours serve
  std::vector<std::string> allow_headers{"Authorization", "Content-Type"};
  std::vector<std::string> expose_headers;
  bool allow_credentials = false;
  milliseconds max_age{600'000};           // how long a browser may keep the answer to a preflight
};

struct Retry {
  std::uint32_t attempts = 1;          // how often a request is sent at most, the first included
  milliseconds per_try_timeout{0};     // to the head of the answer; 0: response_timeout
  std::vector<std::string> on{"connect", "reset", "timeout", "502", "503", "504"};
};

enum class Trailers { drop, forward };

struct Route {
  std::string name;                  // for logs and metrics; default: methods, host and path
  std::string host;                  // empty: any
  std::string path = "/**";          // literal segments, * one segment, ** the rest
  std::vector<std::string> methods;  // empty: the default list of the proxy
  Access access = Access::token;
  Require require;
  bool websocket = false;
  std::uint32_t close_code = 1008;   // of a websocket whose session was revoked
  std::string strip_prefix;
  std::string rewrite;               // a path whose * and ** stand for what those of `path` matched
  Paths paths = Paths::strict;
  Trailers trailers = Trailers::drop;
  std::optional<Cors> cors;
  std::optional<RateLimit> rate_limit;
  std::optional<Retry> retry;
  PageMode browser = PageMode::automatic;
  RouteCsrf csrf = RouteCsrf::inherit;
  std::string upstream;              // empty: the only one, or the one named `app`
  Location at;
};

// Paths of our own endpoints; empty means switched off (`false`). Loading puts `prefix` before all
// of them and clears it.
struct Endpoints {
  std::string prefix;
  std::string login = "/login";
  std::string token = "/token";
  std::string logout = "/logout";
  std::string jwks = "/.well-known/jwks.json";
  std::string session = "/.gatehouse/session";
  std::string userinfo = "/.gatehouse/userinfo";
  std::string sessions = "/.gatehouse/sessions";
  std::string auth;        // off: it tells whoever may ask it who the user is
  std::string session_js;  // off
};

// Somebody else who knows whether a password is right.
struct UsersHttp {
  std::string url;
  milliseconds timeout{3'000};  // for the whole question
  Location at;
};

struct Users {
  std::string file;  // users.yaml or an htpasswd file; re-read when it changes
  std::optional<UsersHttp> http;  // who is asked about names that the file does not have
  Location at;
};

// A signing or verifying key. Exactly one of the sources is set.
struct Key {
  std::string kid;
  std::string algorithm;        // "ES256"; empty in trusted issuers: `algorithms` of the issuer
  std::string key_file;         // private PEM
  std::string public_key_file;  // public PEM or certificate: verifies only
  Secret secret;                // HS*
  std::string jwks_file;        // trusted issuers only
  std::string jwks_url;         // trusted issuers only; fetched at start and every few minutes
  Location at;
};

struct AccessTokens {
  milliseconds life{15 * 60 * 1000};  // a revoked token cannot outlive it even in a store outage
  std::string sign_with;              // empty: the first key that can sign
  std::vector<Key> keys;              // empty: made at start (memory store only)
};

enum class Delivery { cookie, body, both };

struct RefreshTokens {
  milliseconds idle_life{7LL * 24 * 3600 * 1000};
  milliseconds absolute_life{30LL * 24 * 3600 * 1000};
  milliseconds grace{30'000};  // 0 to 5 min: how long predecessors get the same successor
  Delivery delivery = Delivery::cookie;
  std::string sign_with;
  std::vector<Key> keys;
};

struct TrustedIssuer {
  std::string issuer;
  std::vector<std::string> audience;
  std::vector<Key> keys;
  std::vector<std::string> algorithms;  // for keys that name none
  std::vector<std::string> token_types{"at+jwt"};
  std::map<std::string, std::string> claims;  // our name: theirs; dots go into objects
  std::string subject_prefix;
  Location at;
};

struct Tokens {
  std::string issuer = "gatehouse";
  std::vector<std::string> audience{"gatehouse"};
  AccessTokens access;
  RefreshTokens refresh;
  std::vector<TrustedIssuer> trusted_issuers;
  std::uint32_t cache_entries = 16'384;  // verified tokens per worker; about 1 KiB each when full
};

enum class SameSite { lax, strict, none };

struct Cookies {
  std::string name = "gatehouse";
  std::optional<bool> secure;  // loading sets it: as written, else as external_url says, else true
  SameSite same_site = SameSite::lax;
  std::string domain;
  std::string path = "/";
};

// A cookie of the application, expired at login and logout.
struct AppCookie {
  std::string name;
  std::string path = "/";
  std::string domain;  // empty: set by the host itself
  Location at;
};

struct PageColors {
  std::string accent = "#1a5fb4";       // buttons, focus; written on in black or white
  std::string accent_dark = "#78aeed";  // the same in dark mode
};

struct Pages {
  std::string title = "Sign in";
  std::string language = "en";
  std::string logo_file;  // put into the page, so it counts towards the page's 20 KiB
  PageColors colors;
  std::map<std::string, std::string> texts;  // by name, instead of the built-in ones
  std::string directory;  // login.html, logout.html and message.html instead of the built-in ones
  Location at;
};

struct Browser {
  bool enabled = false;
  Csrf csrf = Csrf::origin;
  std::vector<std::string> allowed_redirects;  // hosts beside our own: "docs.example.com"
  Pages pages;
  Location at;
};

enum class Activity { interactive, any };

struct Sessions {
  Activity activity = Activity::interactive;  // which requests extend the idle life
  bool remember_me = false;                   // ask at login whether the browser keeps the session
};

struct MemoryStore {
  std::uint32_t sessions_max = 1'000'000;  // about 256 B each
  std::string snapshot_file;               // empty: a restart ends all sessions
  Location at;
};

enum class StoreKind { memory, redis };
enum class RedisMode { standalone, sentinel, cluster };

struct RedisSentinel {
  std::string username;
  Secret password;
};

struct RedisTls {
  bool enabled = false;
  std::string ca_file;  // empty: the system's authorities
  std::string server_name;
  std::string certificate_file;
  std::string key_file;
};

struct Redis {
  std::string url;  // loading puts it into the keys below and clears it
  RedisMode mode = RedisMode::standalone;
  std::vector<std::string> endpoints;  // "redis:6379" or "unix:/path"
  std::string master;
  std::uint32_t database = 0;
  std::string username;
  Secret password;
  RedisSentinel sentinel;
  RedisTls tls;
  milliseconds command_timeout{500};
  std::string key_prefix = "gatehouse:";
  std::uint32_t wait_replicas = 0;
  Location at;
};

enum class OutageAccess { allow, deny };
enum class OutageReadyz { pass, fail };

struct OnOutage {
  OutageAccess access = OutageAccess::allow;
  OutageReadyz readyz = OutageReadyz::pass;
};

struct Webhook {
  std::string url;  // empty: alarms are only audited and counted
  Secret secret;
};

struct Alerts {
  Webhook webhook;
};

struct IdentityHeader {
  std::string header;  // "X-Employee"
  std::string claim;   // "sub"
  Location at;
};

enum class IdentityPreset { oauth2_proxy, authelia, x_auth_request, none };
enum class Authorization { remove, keep, access_token };

struct Identity {
  IdentityPreset preset = IdentityPreset::oauth2_proxy;
  std::vector<IdentityHeader> headers;  // beside the preset's
  Authorization authorization = Authorization::remove;
};

// A part of the whole, `0` to `1`.
struct Fraction {
  std::uint32_t millionths = 1'000'000;
};

struct Throttle {
  Rate account_and_address{5, milliseconds{120'000}};
  Rate account{50, milliseconds{3'600'000}};
  Rate address{100, milliseconds{120'000}};
  milliseconds ban{300'000};
};

struct Limits {
  std::uint64_t request_head = 32 * 1024;  // bytes; memory per connection while a head is read
  std::uint32_t header_count = 100;
  std::uint64_t request_body = 0;          // bytes of one body; 0: unlimited (bodies are streamed)
  std::uint32_t connections = 10'000;      // client connections of the whole process
  std::uint64_t memory = 0;                // anonymous bytes of the whole process; 0: any
  std::uint32_t pending = 0;               // requests under way, shared out to the workers; 0: any
};

struct Timeouts {
  milliseconds request_head{10'000};  // first byte to end of head, absolute
  milliseconds keep_alive{75'000};    // idle between two requests
  milliseconds request_body{30'000};  // without a byte of progress
  milliseconds write{60'000};         // without a byte of progress towards the client
  milliseconds tls_handshake{5'000};  // and as long before it for a PROXY protocol header
};

struct Drain {
  milliseconds delay{5'000};     // readiness is 503 while requests are still taken
  milliseconds timeout{20'000};  // then what still runs is cut
};

enum class LogLevel { debug, info, warning, error };
enum class LogFormat { json, text };
enum class AccessFormat { as_format, json, text, clf, combined };

struct Log {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::json;
  bool access = true;
  AccessFormat access_format = AccessFormat::as_format;
  Fraction sample;   // of the access lines of requests that went well
  std::string file;  // empty: standard error for the log, standard output for access and audit
};

struct Tracing {
  std::string otlp_url;  // empty: no spans
  Fraction sample;       // of the traces that begin here
  Location at;
};

struct Config {
  std::string file;  // the name it was loaded from; empty in --upstream mode
  std::vector<Listener> listeners;
  Admin admin;
  Health health;
  std::uint32_t workers = 0;  // 0: the cgroup's CPU quota rounded up, at most 4
  std::vector<std::string> trusted_proxies;  // CIDR; who may set X-Forwarded-*
  std::string external_url;
  std::vector<Upstream> upstreams;
  std::vector<Route> routes;
  Endpoints endpoints;
  Users users;
  Tokens tokens;
  Cookies cookies;
  std::vector<AppCookie> app_cookies;
  Browser browser;
  Sessions sessions;
  StoreKind store_kind = StoreKind::memory;
  MemoryStore memory;
  Redis redis;
  OnOutage on_outage;
  Alerts alerts;
  Identity identity;
  Throttle throttle;
  Limits limits;
  Timeouts timeouts;
  Drain drain;
  Log log;
  Tracing tracing;
  bool watch = false;  // reload when the configuration or a file that it names changes
};

}  // namespace config
