// See table.h. One function for each section, leaves first. `later` marks what this version does
// not serve: such a key is refused rather than ignored, so that nobody believes in a protection
// that is not there.
#include "config/table.h"

#include <array>
#include <string_view>

namespace config {

template <>
struct Words<Access> {
  static constexpr std::array<std::string_view, 2> list{"token", "public"};
};
template <>
struct Words<Paths> {
  static constexpr std::array<std::string_view, 2> list{"strict", "legacy"};
};
template <>
struct Words<Delivery> {
  static constexpr std::array<std::string_view, 3> list{"cookie", "body", "both"};
};
template <>
struct Words<SameSite> {
  static constexpr std::array<std::string_view, 3> list{"lax", "strict", "none"};
};
template <>
struct Words<IdentityPreset> {
  static constexpr std::array<std::string_view, 4> list{"oauth2_proxy", "authelia",
                                                        "x_auth_request", "none"};
};
template <>
struct Words<Authorization> {
  static constexpr std::array<std::string_view, 3> list{"remove", "keep", "access_token"};
};
template <>
struct Words<LogLevel> {
  static constexpr std::array<std::string_view, 4> list{"debug", "info", "warning", "error"};
};
template <>
struct Words<LogFormat> {
  static constexpr std::array<std::string_view, 2> list{"json", "text"};
};

namespace {

using namespace std::chrono_literals;

constexpr milliseconds day = 24h;

Section<Listener> listener_keys() {
  using T = Listener;
  return {
      key("address", &T::address,
          "Where to accept clients: an IP address with a port, or `unix:` and an absolute path.")
          .required(),
      later<T>("tls", "Certificates, client certificates and protocol versions of this listener."),
      later<T>("proxy_protocol", "Take the client's address from a PROXY protocol header.",
               "false"),
  };
}

Section<Admin> admin_keys() {
  using T = Admin;
  return {
      key("address", &T::address,
          "Where session administration listens; without it there is none.").required(),
      secret_file("token_file", &T::token,
                  "Holds the bearer token that administrators send; required unless the address "
                  "is loopback or a unix socket."),
  };
}

Section<Health> health_keys() {
  using T = Health;
  return {
      key("address", &T::address,
          "Where `/livez`, `/readyz`, `/metrics` and `/prestop` listen; without it they do not.")
          .required(),
  };
}

Section<Upstream> upstream_keys() {
  using T = Upstream;
  return {
      key("endpoints", &T::endpoints,
          "Where the application listens: one `http://host:port` or `unix:/path`; `https://` and "
          "more than one endpoint are not supported yet.").required(),
      key("preserve_host", &T::preserve_host,
          "Send the client's `Host`; false sends the endpoint's own host and port."),
      key("connect_timeout", &T::connect_timeout, "How long connecting may take.")
          .range(1ms, 10min)
          .raising("A client waits that much longer for the 502 of a dead application."),
      key("response_timeout", &T::response_timeout,
          "From the end of the request to the head of the response; 504 after it.")
          .range(1ms, day)
          .raising("A stuck application holds that many more connections open."),
      key("stream_idle_timeout", &T::stream_idle_timeout,
          "How long a body, an event stream or a websocket may be silent.")
          .range(1ms, day)
          .raising("Connections whose client vanished are kept that much longer."),
      key("idle_connection_timeout", &T::idle_connection_timeout,
          "How long an unused connection is kept; stay below the application's own keep-alive "
          "time (5 s in Node), or reused connections fail.")
          .range(1ms, 1h)
          .raising("Above the application's keep-alive time requests fail on closed connections."),
      key("max_idle_connections", &T::max_idle_connections,
          "How many unused connections each worker keeps.")
          .range(0, 65'535)
          .raising("One descriptor each, here and in the application."),
      later<T>("tls", "TLS towards the application."),
      later<T>("health_check", "Asking the application regularly whether it is well."),
      later<T>("balance", "How endpoints are chosen among several."),
      later<T>("host", "A fixed `Host` to send."),
      later<T>("dns_refresh", "How often host names are looked up again."),
      later<T>("max_connections", "An upper bound on connections to the application."),
      later<T>("max_pending", "An upper bound on requests that wait for a connection."),
      later<T>("ejection", "Leaving out endpoints that fail."),
      later<T>("retry_budget", "A bound on the share of requests that are retried."),
  };
}

Section<Require> require_keys() {
  using T = Require;
  return {
      key("groups", &T::groups, "The user is in any of these groups."),
      key("scopes", &T::scopes, "The token has any of these scopes."),
      key("claims", &T::claims,
          "Claims by name; each must have the value, or any value of a list."),
  };
}

Section<Route> route_keys() {
  using T = Route;
  return {
      key("name", &T::name, "What logs and metrics call the rule.")
          .by_default("its methods, host and path"),
      key("host", &T::host, "The host the rule is for, without port; absent: any."),
      key("path", &T::path,
          "The path: literal segments, `*` for one segment, `**` at the end for the rest."),
      key("methods", &T::methods,
          "Divides neighbouring rules of equal host and path by method; other methods get 405.")
          .by_default("[GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS]"),
      choice("access", &T::access, "Whether a token is needed."),
      section("require", &T::require, require_keys(),
              "What the user must have; all of the three must hold."),
      key("websocket", &T::websocket, "Allow an upgrade to a websocket."),
      key("strip_prefix", &T::strip_prefix,
          "Taken off the path before forwarding; the stripped path is matched once more and both "
          "rules must hold."),
      choice("paths", &T::paths,
             "`legacy` lets `//`, `;x` and `%2F` pass unchanged where the path as sent and its "
             "reduced form choose the same rule; never on public rules."),
      key("upstream", &T::upstream, "Which upstream gets the request.")
          .by_default("the only one, or the one named app"),
      later<T>("rewrite", "Changing the path before forwarding."),
      later<T>("browser", "Whether this rule answers with the login page."),
      later<T>("csrf", "Cross-site request protection of this rule."),
      later<T>("cors", "Cross-origin answers of this rule."),
      later<T>("rate_limit", "How many requests a client may send."),
      later<T>("retry", "Sending a failed request again."),
      later<T>("close_code", "The websocket close code of a revoked session."),
  };
}

Section<Endpoints> endpoint_keys() {
  using T = Endpoints;
  return {
      key("prefix", &T::prefix, "Put before the paths of all endpoints."),
      endpoint("login", &T::login, "Where users log in."),
      endpoint("token", &T::token, "Where refresh tokens are exchanged."),
      endpoint("logout", &T::logout, "Where sessions end."),
      endpoint("jwks", &T::jwks, "Where the public keys of access tokens are published."),
      endpoint("session", &T::session, "Says when the session and the access token end."),
      endpoint("userinfo", &T::userinfo, "Says who the user is."),
      endpoint("sessions", &T::sessions, "Lists and ends the user's own sessions."),
      later<T>("auth", "The decision endpoint for other proxies.", "false"),
      later<T>("session_js", "A script that keeps a page's session alive.", "false"),
  };
}

Section<Users> users_keys() {
  using T = Users;
  return {
      file("file", &T::file,
           "Who may log in: a `users.yaml` or an htpasswd file, read again when it changes."),
      later<T>("http", "Asking the application whether a password is right."),
  };
}

Section<Key> access_key_keys() {
  using T = Key;
  return {
      key("kid", &T::kid, "The key's name in tokens and in the key set.").required(),
      key("algorithm", &T::algorithm, "What the key signs with, such as ES256.").required(),
      file("key_file", &T::key_file, "Private key (PEM): signs and verifies."),
      file("public_key_file", &T::public_key_file,
           "Public key or certificate (PEM): only verifies, for a key that is being retired."),
      secret("secret", &T::secret, "The secret of an HS algorithm, at least 32 bytes."),
      secret_file("secret_file", &T::secret, "Holds the secret of an HS algorithm."),
  };
}

Section<Key> refresh_key_keys() {
  using T = Key;
  return {
      key("kid", &T::kid, "The key's name in refresh tokens.").required(),
      secret("secret", &T::secret, "The secret, at least 32 bytes; not one of the access keys."),
      secret_file("secret_file", &T::secret, "Holds the secret."),
  };
}

Section<Key> issuer_key_keys() {
  using T = Key;
  return {
      key("kid", &T::kid, "The key's name in the issuer's tokens; not with `jwks_file`."),
      key("algorithm", &T::algorithm, "What the key signs with.")
          .by_default("the one algorithm in `algorithms`"),
      file("public_key_file", &T::public_key_file, "Public key or certificate (PEM)."),
      secret("secret", &T::secret, "The shared secret of an HS algorithm, at least 32 bytes."),
      secret_file("secret_file", &T::secret, "Holds the shared secret of an HS algorithm."),
      file("jwks_file", &T::jwks_file, "A JSON Web Key Set with the issuer's public keys."),
      later<T>("jwks_url", "Fetching the issuer's public keys."),
  };
}

Section<AccessTokens> access_keys() {
  using T = AccessTokens;
  return {
      key("life", &T::life, "How long an access token is valid.")
          .range(1s, 24h)
          .raising("Changed groups and disabled users take effect that much later, and a revoked "
                   "token lives on that long where the revocation is not known."),
      key("sign_with", &T::sign_with, "The `kid` of the key that signs.")
          .by_default("the first key that can sign"),
      list("keys", &T::keys, access_key_keys(),
           "The keys of access tokens; without any, one is made at start and a restart ends all "
           "sessions."),
  };
}

Section<RefreshTokens> refresh_keys() {
  using T = RefreshTokens;
  return {
      key("idle_life", &T::idle_life, "A session that is not used for this long ends.")
          .range(1s, 400 * day)
          .raising("Forgotten devices stay logged in that much longer."),
      key("absolute_life", &T::absolute_life, "A session ends at the latest this long after login.")
          .range(1s, 400 * day)
          .raising("A stolen device stays logged in that much longer; browsers cut at 400 days."),
      key("grace", &T::grace,
          "How long a used refresh token is still answered with the same successor.")
          .range(0ms, 5min)
          .raising("A thief may use a stolen token that much longer before it is noticed."),
      choice("delivery", &T::delivery,
             "How login hands out the refresh token: HttpOnly cookie, response body, or both."),
      key("sign_with", &T::sign_with, "The `kid` of the key that signs.")
          .by_default("the first key"),
      list("keys", &T::keys, refresh_key_keys(),
           "The keys of refresh tokens; without any, one is made at start and a restart ends all "
           "sessions."),
  };
}

Section<TrustedIssuer> issuer_keys() {
  using T = TrustedIssuer;
  return {
      key("issuer", &T::issuer, "The `iss` of its tokens, compared byte by byte.").required(),
      key("audience", &T::audience, "Its tokens must name any of these in `aud`.").required(),
      list("keys", &T::keys, issuer_key_keys(), "The keys its tokens are verified with.")
          .required(),
      key("algorithms", &T::algorithms, "For keys that name none."),
      key("token_types", &T::token_types,
          "The `typ` values that are taken; an ID token is refused by default."),
      key("claims", &T::claims,
          "Our claim names and theirs; dots go into objects (`groups: realm_access.roles`)."),
      key("subject_prefix", &T::subject_prefix,
          "Put before their `sub`, so that their `admin` is not ours."),
  };
}

Section<Tokens> token_keys() {
  using T = Tokens;
  return {
      key("issuer", &T::issuer, "The `iss` of our tokens."),
      key("audience", &T::audience, "The `aud` of our tokens."),
      section("access", &T::access, access_keys(), "Short-lived signed tokens."),
      section("refresh", &T::refresh, refresh_keys(), "Long-lived tokens, rotated at every use."),
      list("trusted_issuers", &T::trusted_issuers, issuer_keys(),
           "Whose tokens are accepted beside our own."),
      key("cache_entries", &T::cache_entries, "How many verified tokens each worker remembers.")
          .range(0, 1'000'000)
          .raising("About 1 KiB each, in every worker."),
  };
}

Section<Cookies> cookie_keys() {
  using T = Cookies;
  return {
      key("name", &T::name,
          "Cookies are `__Host-<name>_refresh` and `__Host-<name>_access`; `__Secure-` with a "
          "domain or another path, no prefix where `secure` is false."),
      key("secure", &T::secure, "Send cookies over https only.")
          .by_default("what external_url says, else true"),
      choice("same_site", &T::same_site, "Whether other sites' requests carry the cookies."),
      key("domain", &T::domain, "Share the cookies with the subdomains of this domain.")
          .raising("Every subdomain can read and set them."),
      key("path", &T::path, "Below which path the cookies are sent."),
  };
}

Section<MemoryStore> memory_keys() {
  using T = MemoryStore;
  return {
      key("sessions_max", &T::sessions_max, "How many sessions are kept; then logins get 503.")
          .range(1, 100'000'000)
          .raising("About 256 bytes each."),
      file("snapshot_file", &T::snapshot_file,
           "Sessions are saved here at the end and taken up at the start; needs configured keys."),
  };
}

Section<IdentityHeader> header_keys() {
  using T = IdentityHeader;
  return {
      key("name", &T::header, "The header's name.").required(),
      key("claim", &T::claim, "The claim it carries.").required(),
  };
}

Section<Identity> identity_keys() {
  using T = Identity;
  return {
      choice("preset", &T::preset, "Whose headers the application expects."),
      list("headers", &T::headers, header_keys(), "Further headers beside the preset's."),
      choice("authorization", &T::authorization,
             "What the application sees in `Authorization`: nothing, what the client sent, or the "
             "access token."),
  };
}

Section<Throttle> throttle_keys() {
  using T = Throttle;
  constexpr const char* cost = "That many more guesses.";
  return {
      key("account_and_address", &T::account_and_address,
          "Failed logins of one account from one address.").range(1, 1'000'000'000).raising(cost),
      key("account", &T::account, "Failed logins of one account from anywhere.")
          .range(1, 1'000'000'000).raising(cost),
      key("address", &T::address, "Failed logins from one address (IPv6: one /64).")
          .range(1, 1'000'000'000).raising(cost),
      key("ban", &T::ban, "How long the answer is 429 then.")
          .range(1s, day)
          .raising("A user who mistyped waits that much longer."),
  };
}

Section<Limits> limit_keys() {
  using T = Limits;
  return {
      key("request_head", &T::request_head, "Request line and headers together; 431 beyond it.")
          .range(1024, 1024 * 1024)
          .raising("Memory of each connection while a head is read."),
      key("header_count", &T::header_count, "Header lines of a request; 431 beyond it.")
          .range(1, 10'000)
          .raising("Work for each request."),
      key("request_body", &T::request_body,
          "Size of a request's body, 0 is unlimited; 413 beyond it.")
          .raising("None here, bodies are streamed; the application gets them."),
      key("connections", &T::connections, "Client connections of the whole process.")
          .range(1, 10'000'000)
          .raising("Two descriptors and up to 50 KiB each while busy."),
      later<T>("memory", "A bound on the memory of all buffers."),
      later<T>("pending", "A bound on requests in progress."),
  };
}

Section<Timeouts> timeout_keys() {
  using T = Timeouts;
  return {
      key("request_head", &T::request_head, "From a request's first byte to the end of its head.")
          .range(1ms, 1h)
          .raising("Slow clients hold their connections that much longer."),
      key("keep_alive", &T::keep_alive, "Between two requests of a connection.")
          .range(1ms, day)
          .raising("One descriptor for each idle client."),
      key("request_body", &T::request_body, "Without a byte of a request's body.")
          .range(1ms, day)
          .raising("Slow clients hold the application's connections that much longer."),
      key("write", &T::write, "Without a byte of progress towards the client.")
          .range(1ms, day)
          .raising("Slow clients hold the application's connections that much longer."),
      later<T>("tls_handshake", "How long a TLS handshake may take."),
  };
}

Section<Drain> drain_keys() {
  using T = Drain;
  return {
      key("delay", &T::delay, "At the end `/readyz` says 503 this long while requests are served.")
          .range(0ms, 1h)
          .raising("Together with `timeout` stay below Kubernetes' 30 s, or the end is a kill."),
      key("timeout", &T::timeout, "Then requests in progress have this long to finish.")
          .range(0ms, 1h)
          .raising("Together with `delay` stay below Kubernetes' 30 s, or the end is a kill."),
  };
}

Section<Log> log_keys() {
  using T = Log;
  return {
      choice("level", &T::level, "The least important lines that are written."),
      choice("format", &T::format, "One JSON object a line, or text."),
      key("access", &T::access, "One line for each request."),
      file("file", &T::file, "Write everything to this file.")
          .by_default("standard error; access and audit lines to standard output"),
      later<T>("access_format", "The fields of an access line."),
      later<T>("sample", "Writing only some of the access lines."),
  };
}

// Sections that share the struct of the whole.
Section<Config> login_keys() {
  return {section("throttle", &Config::throttle, throttle_keys(),
                  "How many failed logins are answered before 429; successes do not count.")};
}

Section<Config> store_keys() {
  using T = Config;
  return {
      later<T>("kind", "Where sessions are kept: `memory`; `redis` is to come.", "memory"),
      section("memory", &T::memory, memory_keys(), "Sessions in this process."),
      later<T>("redis", "Sessions shared by several replicas."),
      later<T>("on_outage", "What holds while the store does not answer."),
  };
}

Section<Config> browser_keys() {
  using T = Config;
  return {
      later<T>("enabled", "Login page, access cookie and transparent refresh.", "false"),
      later<T>("csrf", "Cross-site request protection."),
      later<T>("allowed_redirects", "Where a login may lead."),
      later<T>("pages", "Pages of your own."),
  };
}

Section<Config> config_keys() {
  using T = Config;
  return {
      list("listeners", &T::listeners, listener_keys(), "Where clients connect.").required(),
      section("admin", &T::admin, admin_keys(), "Session administration."),
      section("health", &T::health, health_keys(), "Probes and metrics."),
      key("workers", &T::workers,
          "Event loops; 0 takes the CPU quota of the control group rounded up, at most 4.")
          .range(0, 256)
          .raising("Memory for caches and idle connections, which are kept for each worker."),
      key("trusted_proxies", &T::trusted_proxies,
          "Networks (`10.2.0.15/32`) of the proxies in front whose `X-Forwarded-*` are believed.")
          .raising("Everybody in these networks can claim any client address."),
      key("external_url", &T::external_url,
          "How users reach the application, such as `https://app.example.com`."),
      named("upstreams", &T::upstreams, upstream_keys(), "The applications, by name.").required(),
      list("routes", &T::routes, route_keys(),
           "Rules; the first match wins, and without a match a token is required."),
      section("endpoints", &T::endpoints, endpoint_keys(),
              "The paths of our own endpoints; `false` switches one off."),
      section("users", &T::users, users_keys(), "Who may log in."),
      section("tokens", &T::tokens, token_keys(), "Access and refresh tokens."),
      section("cookies", &T::cookies, cookie_keys(), "The cookies that carry tokens."),
      group("browser", browser_keys(), "Logging in with a browser."),
      group("store", store_keys(), "Where sessions are kept."),
      section("identity", &T::identity, identity_keys(),
              "How the application learns who the user is."),
      group("login", login_keys(), "Protection against guessing."),
      section("limits", &T::limits, limit_keys(), "Upper bounds; beyond them requests fail."),
      section("timeouts", &T::timeouts, timeout_keys(), "How long clients may take."),
      section("drain", &T::drain, drain_keys(), "How the program ends."),
      section("log", &T::log, log_keys(), "What is written, and where."),
      later<T>("sessions", "What is recorded about sessions (`activity`, `remember_me`)."),
      later<T>("alerts", "A webhook that is told about stolen tokens (`webhook`)."),
      later<T>("tracing", "Traces over OTLP (`otlp_url`, `sample`)."),
      later<T>("watch", "Loading the configuration again when it changes.", "false"),
  };
}

}  // namespace

const Section<Config>& config_table() {
  static const Section<Config> table = config_keys();
  return table;
}

const std::vector<Description>& config_descriptions() {
  static const std::vector<Description> descriptions = describe(config_table());
  return descriptions;
}

}  // namespace config
