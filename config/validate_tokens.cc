// Rules about users, keys and tokens. Names are compared here; whether two key files hold the same
// material is seen when they are read.
#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "config/field.h"
#include "config/syntax.h"
#include "config/validate.h"

namespace config {
namespace {

bool has_users(const Config& config) {
  return !config.users.file.empty() || config.users.http.has_value();
}

constexpr std::array<std::string_view, 13> algorithms{
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256",
    "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"};
constexpr const char* algorithms_text =
    "takes one of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, "
    "ES512, EdDSA";

bool is_algorithm(const std::string& name) {
  return std::find(algorithms.begin(), algorithms.end(), name) != algorithms.end();
}

bool is_symmetric(const std::string& algorithm) { return algorithm.rfind("HS", 0) == 0; }

int sources(const Key& key) {
  return int{!key.key_file.empty()} + int{!key.public_key_file.empty()} +
         int{!key.secret.empty()} + int{!key.jwks_file.empty()} + int{!key.jwks_url.empty()};
}

bool can_sign(const Key& key) { return !key.key_file.empty() || !key.secret.empty(); }

// A refresh token carries the id of its key, and is to stay short.
constexpr std::size_t kid_max = 64;
constexpr std::size_t refresh_kid_max = 32;

void check_kids(const std::vector<Key>& keys, const std::string& list, std::size_t max,
                Report& report) {
  std::set<std::string> kids;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto name = item_key(list, i) + ".kid";
    if (keys[i].kid.empty()) { continue; }
    if (!is_plain_text(keys[i].kid) || keys[i].kid.size() > max) {
      report.problem(name, "must be 1 to " + std::to_string(max) + " printable ASCII characters");
    } else if (!kids.insert(keys[i].kid).second) {
      report.problem(name, "is already the kid of another key");
    }
  }
}

void check_algorithm(const std::string& algorithm, const std::string& key, Report& report) {
  if (!algorithm.empty() && !is_algorithm(algorithm)) { report.problem(key, algorithms_text); }
}

// One source, of the kind that the algorithm works with (RFC 8725 section 3.1).
void check_source(const Key& key, const std::string& algorithm, const std::string& name,
                  const char* choices, Report& report) {
  if (sources(key) != 1) {
    report.problem(name, std::string("needs exactly one of ") + choices);
    return;
  }
  if (!is_algorithm(algorithm) || !key.jwks_file.empty() || !key.jwks_url.empty()) { return; }
  if (is_symmetric(algorithm) && key.secret.empty()) {
    report.problem(name, algorithm + " takes a secret_file");
  } else if (!is_symmetric(algorithm) && !key.secret.empty()) {
    report.problem(name, algorithm + " takes a key in PEM, not a secret");
  }
}

// Whoever can change the set on its way can be anybody: https, or this machine.
void check_jwks_url(const std::string& url, const std::string& name, Report& report) {
  constexpr const char* expected = "takes a URL such as https://idp.example.com/jwks.json";
  const auto mark = url.find("://");
  const auto scheme = url.substr(0, mark);
  if (mark == std::string::npos || (scheme != "https" && scheme != "http") ||
      !is_plain_text(url) || url.find_first_of(" #\\\"<>") != std::string::npos) {
    report.problem(name, expected);
    return;
  }
  const auto end = url.find_first_of("/?", mark + 3);
  const auto host = parse_host_port(url.substr(mark + 3, end - (mark + 3)));
  if (!host || host->port == "0") {
    report.problem(name, expected);
  } else if (scheme == "http" && !is_loopback(*host)) {
    report.problem(name, "takes http:// for this machine only (127.0.0.1, ::1 or localhost)");
  }
}

void check_sign_with(const std::vector<Key>& keys, const std::string& sign_with,
                     const std::string& section, Report& report) {
  const auto name = child_key(section, "sign_with");
  if (sign_with.empty()) {
    if (!keys.empty() && std::none_of(keys.begin(), keys.end(), can_sign)) {
      report.problem(child_key(section, "keys"), "has no key that can sign");
    }
    return;
  }
  const auto found = std::find_if(keys.begin(), keys.end(),
                                  [&](const Key& key) { return key.kid == sign_with; });
  if (found == keys.end()) {
    report.problem(name, "names no key of " + child_key(section, "keys"));
  } else if (!can_sign(*found)) {
    report.problem(name, "names a key that can only verify");
  }
}

void check_access_keys(const AccessTokens& access, Report& report) {
  const std::string list = "tokens.access.keys";
  check_kids(access.keys, list, kid_max, report);
  for (std::size_t i = 0; i < access.keys.size(); ++i) {
    const auto& key = access.keys[i];
    const auto name = item_key(list, i);
    check_algorithm(key.algorithm, name + ".algorithm", report);
    check_source(key, key.algorithm, name, "key_file, public_key_file and secret_file", report);
  }
  check_sign_with(access.keys, access.sign_with, "tokens.access", report);
}

void check_refresh_keys(const Tokens& tokens, Report& report) {
  const std::string list = "tokens.refresh.keys";
  check_kids(tokens.refresh.keys, list, refresh_kid_max, report);
  for (std::size_t i = 0; i < tokens.refresh.keys.size(); ++i) {
    const auto& key = tokens.refresh.keys[i];
    const auto name = item_key(list, i);
    if (sources(key) != 1) { report.problem(name, "needs secret_file"); }
    // A refresh token must never be mistaken for an access token or the other way round.
    for (const auto& other : tokens.access.keys) {
      const bool same_file = !key.secret.file.empty() && (key.secret.file == other.secret.file ||
                                                          key.secret.file == other.key_file);
      // Masked ones come from a printed configuration and only look alike.
      const bool same_text = !key.secret.value.empty() && key.secret.value != masked_secret &&
                             key.secret.value == other.secret.value;
      if (same_file || same_text) {
        report.problem(name, "is the same key as an access key; make another one");
      }
    }
  }
  check_sign_with(tokens.refresh.keys, tokens.refresh.sign_with, "tokens.refresh", report);
  if (tokens.refresh.idle_life > tokens.refresh.absolute_life) {
    report.problem("tokens.refresh.idle_life", "is longer than absolute_life");
  }
}

void check_issuer_keys(const TrustedIssuer& issuer, const std::string& section, Report& report) {
  const auto list = child_key(section, "keys");
  if (issuer.keys.empty()) { report.problem(list, "needs at least one key"); }
  check_kids(issuer.keys, list, kid_max, report);
  for (std::size_t i = 0; i < issuer.keys.size(); ++i) {
    const auto& key = issuer.keys[i];
    const auto name = item_key(list, i);
    const auto algorithm = key.algorithm.empty() && issuer.algorithms.size() == 1
                               ? issuer.algorithms.front()
                               : key.algorithm;
    check_algorithm(key.algorithm, name + ".algorithm", report);
    check_source(key, algorithm, name, "public_key_file, secret_file, jwks_file and jwks_url",
                 report);
    if (!key.jwks_url.empty()) { check_jwks_url(key.jwks_url, name + ".jwks_url", report); }
    if (!key.jwks_file.empty() || !key.jwks_url.empty()) {
      if (!key.kid.empty()) { report.problem(name + ".kid", "stands in the key set"); }
    } else if (algorithm.empty()) {
      report.problem(name + ".algorithm",
                     "is required unless `algorithms` of the issuer names exactly one");
    }
  }
}

void check_trusted_issuers(const Config& config, Report& report) {
  const auto& issuers = config.tokens.trusted_issuers;
  std::map<std::string, std::string> owners{{config.tokens.issuer, "tokens.issuer"}};
  for (std::size_t i = 0; i < issuers.size(); ++i) {
    const auto& issuer = issuers[i];
    const auto section = item_key("tokens.trusted_issuers", i);
    const auto name = child_key(section, "issuer");
    if (const auto [first, is_new] = owners.emplace(issuer.issuer, name); !is_new) {
      report.problem(name, "is already used by " + first->second);
    }
    // Without an audience, tokens that the issuer made for other applications would be taken.
    if (issuer.audience.empty()) {
      report.problem(child_key(section, "audience"), "needs at least one audience");
    }
    if (issuer.token_types.empty()) {
      report.problem(child_key(section, "token_types"), "needs at least one type");
    }
    for (std::size_t j = 0; j < issuer.algorithms.size(); ++j) {
      check_algorithm(issuer.algorithms[j], item_key(child_key(section, "algorithms"), j), report);
    }
    check_issuer_keys(issuer, section, report);
    if (issuer.subject_prefix.empty() && has_users(config)) {
      report.warning(section,
                     "has no subject_prefix: its user `admin` is the `admin` of users.file");
    }
  }
}

void check_users(const Config& config, Report& report) {
  if (has_users(config)) { return; }
  if (config.tokens.trusted_issuers.empty()) {
    report.problem("users.file", "is required: without users or trusted issuers nobody gets in");
  } else if (!config.endpoints.login.empty()) {
    report.warning("users.file", "is not set: nobody can log in here, only tokens of trusted "
                                 "issuers are accepted; `endpoints.login: false` says so");
  }
}

void check_made_keys(const Config& config, Report& report) {
  const bool has_all = !config.tokens.access.keys.empty() && !config.tokens.refresh.keys.empty();
  if (has_all || config.store_kind == StoreKind::redis) { return; }
  if (!config.memory.snapshot_file.empty()) {
    report.problem("store.memory.snapshot_file",
                   "needs tokens.access.keys and tokens.refresh.keys: sessions of keys that are "
                   "made at start cannot be taken up again");
  } else if (has_users(config)) {
    report.warning("tokens", "has no keys for access or refresh tokens: they are made at start, "
                             "and a restart ends all sessions");
  }
}

}  // namespace

void validate_tokens(const Config& config, Report& report) {
  const auto& tokens = config.tokens;
  if (!is_plain_text(tokens.issuer)) {
    report.problem("tokens.issuer", "must be printable ASCII and not empty");
  }
  if (tokens.audience.empty()) {
    report.problem("tokens.audience", "needs at least one audience");
  }
  check_users(config, report);
  check_access_keys(tokens.access, report);
  check_refresh_keys(tokens, report);
  check_trusted_issuers(config, report);
  check_made_keys(config, report);
}

}  // namespace config
