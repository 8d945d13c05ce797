// Configuration -> working parts; see runtime.h. Every file is opened here, and every problem that
// one of them has is reported beside the others.
#include "proxy/runtime.h"

#include <algorithm>

#include "auth/bytes.h"
#include "auth/password.h"
#include "config/secret.h"
#include "config/users_file.h"
#include "proxy/store_options.h"
#include "proxy/upstream.h"

namespace proxy {
namespace {

constexpr std::size_t key_file_bytes_max = 64 * 1024;
constexpr std::size_t users_file_bytes_max = 64 * 1024 * 1024;

class Compiler {
 public:
  Compiler(const config::Config& config, const Runtime* previous, const KeySetTexts* key_sets)
      : config_(config), previous_(previous), runtime_(std::make_shared<Runtime>()) {
    if (key_sets == nullptr && previous != nullptr) key_sets = &previous->key_sets;
    if (key_sets != nullptr) runtime_->key_sets = *key_sets;
  }

  Compiled run(std::shared_ptr<const auth::Users> given_users);

 private:
  void problem(const config::Location& at, std::string key, std::string message) {
    result_.problems.push_back({config_.file, at, std::move(key), std::move(message)});
  }
  void warning(const config::Location& at, std::string key, std::string message) {
    result_.warnings.push_back({config_.file, at, std::move(key), std::move(message)});
  }
  std::optional<std::string> secret_text(const config::Secret& secret, const std::string& key);
  std::vector<auth::Key> make_keys(const config::Key& from, const std::string& where,
                                   const std::vector<std::string>& default_algorithms);
  std::optional<std::string> key_material(const config::Key& from, const std::string& where);
  void access_keys();
  void refresh_keys();
  void verifier();
  void admin_token();
  void session_store();
  void users(std::shared_ptr<const auth::Users> given);
  void cookies();
  void pages();
  void addresses();
  void endpoint(const config::Upstream& upstream, const std::string& url, const std::string& key);
  void upstream_tls();
  void rules();

  const config::Config& config_;
  const Runtime* previous_;
  std::shared_ptr<Runtime> runtime_;
  Compiled result_;
  std::vector<std::string> access_secrets_;  // to be told apart from the refresh keys
};

std::optional<std::string> Compiler::secret_text(const config::Secret& secret,
                                                 const std::string& key) {
  config::SecretText text = config::read_secret(secret);
  if (text.error.empty()) return std::move(text.bytes);
  problem(secret.at, key, text.error);
  return std::nullopt;
}

// The secret or the PEM text of a key.
std::optional<std::string> Compiler::key_material(const config::Key& from,
                                                  const std::string& where) {
  if (!from.secret.empty()) {
    auto secret = secret_text(from.secret, where + ".secret_file");
    if (secret) access_secrets_.push_back(*secret);
    return secret;
  }
  const std::string& file = from.key_file.empty() ? from.public_key_file : from.key_file;
  config::SecretText pem = config::read_file(file, key_file_bytes_max);
  if (pem.error.empty()) return std::move(pem.bytes);
  problem(from.at, where, pem.error);
  return std::nullopt;
}

// One entry of a key list; a JWK set or an entry without an algorithm may stand for several keys.
std::vector<auth::Key> Compiler::make_keys(const config::Key& from, const std::string& where,
                                           const std::vector<std::string>& default_algorithms) {
  const auto algorithms = algorithms_of(from, default_algorithms);
  std::vector<auth::Key> keys;
  if (!from.jwks_url.empty()) {
    const auto fetched = runtime_->key_sets.find(from.jwks_url);
    if (fetched == runtime_->key_sets.end()) return keys;
    auth::JwksKeys set = auth::keys_from_jwks(fetched->second, algorithms);
    if (!set.error.empty()) problem(from.at, where + ".jwks_url", set.error);
    return std::move(set.keys);
  }
  if (!from.jwks_file.empty()) {
    const config::SecretText json = config::read_file(from.jwks_file, key_file_bytes_max * 16);
    if (!json.error.empty()) {
      problem(from.at, where + ".jwks_file", json.error);
      return keys;
    }
    auth::JwksKeys set = auth::keys_from_jwks(json.bytes, algorithms);
    if (!set.error.empty()) problem(from.at, where + ".jwks_file", set.error);
    return std::move(set.keys);
  }
  if (algorithms.empty()) {
    problem(from.at, where, "name the key's algorithm, for example `algorithm: RS256`");
    return keys;
  }
  const auto material = key_material(from, where);
  if (!material) return keys;
  std::string rejected;  // by the last algorithm; a problem only if the key fits none
  for (const auth::Algorithm algorithm : algorithms) {
    auth::Key::Made made = from.secret.empty()
                               ? auth::Key::from_pem(from.kid, algorithm, *material)
                               : auth::Key::from_secret(from.kid, algorithm, *material);
    if (auto* key = std::get_if<auth::Key>(&made)) {
      keys.push_back(std::move(*key));
    } else {
      rejected = std::get<auth::Key::Rejected>(made).why;
    }
  }
  if (keys.empty()) problem(from.at, where, rejected);
  if (!keys.empty() && !from.key_file.empty() && !keys.front().can_sign()) {
    problem(from.at, where + ".key_file",
            from.key_file + " holds no private key; use public_key_file");
    keys.clear();
  }
  return keys;
}

void Compiler::access_keys() {
  const config::AccessTokens& access = config_.tokens.access;
  if (access.keys.empty()) {
    if (previous_ != nullptr && previous_->access_keys_made) {
      runtime_->access_keys = previous_->access_keys;
    } else {
      runtime_->access_keys =
          auth::KeyRing({auth::Key::generate("generated", auth::Algorithm::es256)});
    }
    runtime_->access_keys_made = true;
    return;
  }
  std::vector<auth::Key> keys;
  for (std::size_t i = 0; i < access.keys.size(); ++i) {
    const std::string where = "tokens.access.keys[" + std::to_string(i) + "]";
    for (auth::Key& key : make_keys(access.keys[i], where, {})) keys.push_back(std::move(key));
  }
  runtime_->access_keys = auth::KeyRing(std::move(keys), access.sign_with);
  if (runtime_->access_keys.active() == nullptr && result_.problems.empty()) {
    problem(access.keys.front().at, "tokens.access.keys",
            "none of the keys can sign: one needs a key_file or a secret_file");
  }
}

void Compiler::refresh_keys() {
  const config::RefreshTokens& refresh = config_.tokens.refresh;
  std::vector<auth::RefreshKey> keys;
  if (refresh.keys.empty()) {
    if (previous_ != nullptr && previous_->refresh_keys_made) {
      runtime_->refresh_keys = previous_->refresh_keys;
    } else if (const auto secret = auth::random_bytes(32)) {
      keys.push_back({"generated", *secret});
      runtime_->refresh_keys = auth::RefreshKeys(std::move(keys));
    } else {
      problem({}, "tokens.refresh.keys", "the system's random generator failed");
    }
    runtime_->refresh_keys_made = true;
    return;
  }
  for (std::size_t i = 0; i < refresh.keys.size(); ++i) {
    const config::Key& from = refresh.keys[i];
    const std::string where = "tokens.refresh.keys[" + std::to_string(i) + "]";
    auto secret = secret_text(from.secret, where + ".secret_file");
    if (!secret) continue;
    if (secret->size() < 32) {
      problem(from.at, where,
              "the secret has " + std::to_string(secret->size()) +
                  " bytes and needs at least 32; make one with "
                  "`gatehouse keygen --algorithm HS256`");
    } else if (auth::is_publicly_known_secret(*secret)) {
      problem(from.at, where,
              "this secret is on public lists; make one with "
              "`gatehouse keygen --algorithm HS256`");
    } else if (std::find(access_secrets_.begin(), access_secrets_.end(), *secret) !=
               access_secrets_.end()) {
      problem(from.at, where,
              "is the same secret as an access key; the two kinds of token must "
              "not share one");
    } else {
      keys.push_back({from.kid, std::move(*secret)});
    }
  }
  if (!keys.empty()) {
    runtime_->refresh_keys = auth::RefreshKeys(std::move(keys), refresh.sign_with);
  }
}

void Compiler::verifier() {
  std::vector<auth::IssuerRules> issuers;
  auth::IssuerRules own;
  own.issuer = config_.tokens.issuer;
  own.audience = config_.tokens.audience;
  own.token_types = {"at+jwt"};
  own.keys = runtime_->access_keys;
  own.ours = true;
  issuers.push_back(std::move(own));
  for (std::size_t i = 0; i < config_.tokens.trusted_issuers.size(); ++i) {
    const config::TrustedIssuer& from = config_.tokens.trusted_issuers[i];
    auth::IssuerRules rules;
    rules.issuer = from.issuer;
    rules.audience = from.audience;
    rules.token_types = from.token_types;
    rules.claims = from.claims;
    rules.subject_prefix = from.subject_prefix;
    std::vector<auth::Key> keys;
    for (std::size_t k = 0; k < from.keys.size(); ++k) {
      const std::string where =
          "tokens.trusted_issuers[" + std::to_string(i) + "].keys[" + std::to_string(k) + "]";
      for (auth::Key& key : make_keys(from.keys[k], where, from.algorithms)) {
        keys.push_back(std::move(key));
      }
    }
    rules.keys = auth::KeyRing(std::move(keys));
    issuers.push_back(std::move(rules));
  }
  runtime_->verifier = auth::TokenVerifier(std::move(issuers));
}

void Compiler::users(std::shared_ptr<const auth::Users> given) {
  if (config_.users.http) {
    std::string why;
    runtime_->user_service = UserService::make(*config_.users.http, why);
    if (!runtime_->user_service) problem(config_.users.http->at, "users.http.url", why);
  }
  if (config_.users.file.empty()) {
    runtime_->users = given ? std::move(given) : std::make_shared<const auth::Users>();
    return;
  }
  const config::SecretText text = config::read_file(config_.users.file, users_file_bytes_max);
  if (!text.error.empty()) {
    problem(config_.users.at, "users.file", text.error);
    return;
  }
  config::UsersFile file = config::parse_users(text.bytes, config_.users.file);
  std::vector<auth::User> users;
  for (config::UserEntry& entry : file.users) {
    const std::string why = auth::check_hash(entry.password_hash);
    const std::string key = "users." + entry.username + ".password_hash";
    if (!why.empty()) {
      file.problems.push_back({config_.users.file, entry.at, key, why});
      continue;
    }
    const std::string weak = auth::hash_warning(entry.password_hash);
    if (!weak.empty()) result_.warnings.push_back({config_.users.file, entry.at, key, weak});
    users.push_back({std::move(entry.username), std::move(entry.password_hash),
                     std::move(entry.email), std::move(entry.name), std::move(entry.groups),
                     std::move(entry.scopes), std::move(entry.claims), entry.disabled});
  }
  result_.problems.insert(result_.problems.end(), file.problems.begin(), file.problems.end());
  if (file.problems.empty() && users.empty()) {
    problem(config_.users.at, "users.file",
            config_.users.file + " names no user: nobody could log in");
  }
  runtime_->users = std::make_shared<const auth::Users>(std::move(users));
}

void Compiler::cookies() {
  const config::Cookies& from = config_.cookies;
  const bool is_https = config_.external_url.starts_with("https://");
  const bool secure = from.secure.value_or(config_.external_url.empty() || is_https);
  // RFC 6265bis section 4.1.3: __Host- promises no Domain and Path=/.
  const bool is_host_only = from.domain.empty() && from.path == "/";
  const std::string prefix = !secure ? "" : (is_host_only ? "__Host-" : "__Secure-");
  http::CookieAttributes attributes;
  attributes.domain = from.domain;
  attributes.path = from.path;
  attributes.secure = secure;
  switch (from.same_site) {
    case config::SameSite::strict:
      attributes.same_site = http::SameSite::strict;
      break;
    case config::SameSite::lax:
      attributes.same_site = http::SameSite::lax;
      break;
    case config::SameSite::none:
      attributes.same_site = http::SameSite::none;
      break;
  }
  attributes.name = prefix + from.name + "_refresh";
  runtime_->refresh_cookie = attributes;
  attributes.name = prefix + from.name + "_access";
  runtime_->access_cookie = attributes;
  attributes.name = prefix + from.name + "_login";
  runtime_->login_cookie = attributes;
  runtime_->external_origin = config_.external_url;
  if (runtime_->external_origin.ends_with('/')) runtime_->external_origin.pop_back();
}

// Whether connecting to `target` from here reaches `own`.
bool reaches(const net::Endpoint& target, const net::Endpoint& own) {
  if (!own.unix_path.empty()) return own.unix_path == target.unix_path;
  if (!target.unix_path.empty() || own.port == 0 || own.port != target.port) return false;
  if (own.host == target.host) return true;
  const auto listening = net::parse_address(own.host);
  const auto asked = net::parse_address(target.host);
  const bool any =
      listening && (*listening == net::Address{} || net::to_text(*listening) == "0.0.0.0");
  const bool loopback = own.host == "localhost" || (listening && listening->is_loopback());
  const bool asks_loopback = target.host == "localhost" || (asked && asked->is_loopback());
  return asks_loopback && (any || loopback);
}

// An upstream that is one of our own listeners would make every request go round in circles.
void Compiler::addresses() {
  for (const std::string& cidr : config_.trusted_proxies) {
    if (const auto network = net::parse_network(cidr)) {
      runtime_->trusted_proxies.push_back(*network);
    } else {
      problem({}, "trusted_proxies", "`" + cidr + "` is neither an address nor a network");
    }
  }
  for (const config::Upstream& upstream : config_.upstreams) {
    for (std::size_t i = 0; i < upstream.endpoints.size(); ++i) {
      endpoint(upstream, upstream.endpoints[i],
               "upstreams." + upstream.name + ".endpoints[" + std::to_string(i) + "]");
    }
  }
}

void Compiler::endpoint(const config::Upstream& upstream, const std::string& url,
                        const std::string& key) {
  const auto target = upstream_endpoint(url);
  if (!target) {
    problem(upstream.at, key, "`" + url + "` is not of the form http://HOST:PORT or unix:/PATH");
    return;
  }
  for (const config::Listener& listener : config_.listeners) {
    const auto own = net::parse_endpoint(listener.address);
    if (own && reaches(*target, *own)) {
      problem(upstream.at, key, "is this Gatehouse's own listener " + listener.address);
    }
  }
}

void Compiler::upstream_tls() {
  for (const config::Upstream& upstream : config_.upstreams) {
    auto& made = runtime_->upstream_tls.emplace_back();
    const bool has_https = std::any_of(
        upstream.endpoints.begin(), upstream.endpoints.end(),
        [](const std::string& endpoint) { return endpoint.starts_with("https://"); });
    if (!has_https) continue;
    const config::ClientTls from = upstream.tls.value_or(config::ClientTls{});
    net::TlsClientOptions options;
    options.ca_file = from.ca_file;
    options.server_name = from.server_name;
    options.certificate_file = from.certificate_file;
    options.key_file = from.key_file;
    options.alpn = "http/1.1";
    net::TlsProblem wrong;
    made = net::TlsClient::make(std::move(options), wrong);
    const std::string key = "upstreams." + upstream.name + ".tls";
    if (made) continue;
    problem(from.at, wrong.option.empty() ? key : key + "." + wrong.option, wrong.message);
  }
}

void Compiler::rules() {
  const config::Throttle& throttle = config_.throttle;
  const auto rate = [](const config::Rate& from) {
    return auth::ThrottleRate{from.count, from.window};
  };
  runtime_->throttle = {rate(throttle.account_and_address), rate(throttle.account),
                        rate(throttle.address), throttle.ban};
  runtime_->family_rules = {config_.tokens.refresh.grace, config_.tokens.refresh.idle_life};
  runtime_->routes = RouteTable(config_);
  runtime_->header_policy =
      HeaderPolicy(config_, {runtime_->refresh_cookie.name, runtime_->access_cookie.name,
                             runtime_->login_cookie.name});
  runtime_->form_keys = runtime_->refresh_keys.derived("gatehouse login form 1");
  runtime_->redirects =
      RedirectRules(config_.browser.allowed_redirects, runtime_->external_origin);
  runtime_->log = {static_cast<Level>(config_.log.level),
                   static_cast<Format>(config_.log.format),
                   config_.log.access,
                   static_cast<AccessFormat>(config_.log.access_format),
                   config_.log.sample.millionths,
                   config_.log.file};
  runtime_->trace = {!config_.tracing.otlp_url.empty(), config_.tracing.sample.millionths};
}

void Compiler::admin_token() {
  if (config_.admin.token.empty()) return;
  if (auto token = secret_text(config_.admin.token, "admin.token_file")) {
    runtime_->admin_token = std::move(*token);
  }
}

void Compiler::pages() {
  for (const Pages::Trouble& trouble :
       runtime_->pages.load(config_.browser, config_.sessions.remember_me)) {
    const std::string key = "browser.pages" + (trouble.key.empty() ? "" : "." + trouble.key);
    problem(config_.browser.pages.at, key, trouble.message);
  }
}

void Compiler::session_store() {
  const config::Secret& webhook = config_.alerts.webhook.secret;
  if (!webhook.empty()) {
    if (auto secret = secret_text(webhook, "alerts.webhook.secret_file")) {
      runtime_->webhook_secret = std::move(*secret);
    }
  }
  if (config_.store_kind != config::StoreKind::redis) return;
  std::vector<StoreProblem> problems;
  auto options = redis_options(config_.redis, problems);
  for (const StoreProblem& one : problems) problem(config_.redis.at, one.key, one.message);
  runtime_->redis = std::make_shared<const redis::ClientOptions>(std::move(options));
}

Compiled Compiler::run(std::shared_ptr<const auth::Users> given_users) {
  runtime_->config = config_;
  access_keys();
  verifier();
  refresh_keys();  // after every other key, to be told apart from all of them
  admin_token();
  session_store();
  users(std::move(given_users));
  cookies();
  pages();
  addresses();
  upstream_tls();
  if (!result_.problems.empty()) return std::move(result_);
  rules();
  runtime_->jwks = runtime_->access_keys.jwks();
  if (runtime_->access_keys_made || runtime_->refresh_keys_made) {
    warning({}, "tokens",
            "no keys are configured: they were made at start, and a restart ends all "
            "sessions");
  }
  if (result_.problems.empty()) result_.runtime = std::move(runtime_);
  return std::move(result_);
}

}  // namespace

std::vector<auth::Algorithm> algorithms_of(const config::Key& key,
                                           const std::vector<std::string>& default_algorithms) {
  std::vector<auth::Algorithm> algorithms;
  const auto add = [&algorithms](const std::string& name) {
    if (const auto algorithm = auth::algorithm_from(name)) algorithms.push_back(*algorithm);
  };
  if (!key.algorithm.empty()) {
    add(key.algorithm);
  } else {
    for (const std::string& name : default_algorithms) add(name);
  }
  return algorithms;
}

Compiled compile(const config::Config& config, const Runtime* previous,
                 std::shared_ptr<const auth::Users> given_users, const KeySetTexts* key_sets) {
  try {
    return Compiler(config, previous, key_sets).run(std::move(given_users));
  } catch (const std::exception& error) {
    // A reload must not end what is running.
    Compiled failed;
    failed.problems.push_back(
        {config.file, {}, "", std::string("could not be put into force: ") + error.what()});
    return failed;
  }
}

}  // namespace proxy
