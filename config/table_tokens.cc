// The keys of users, tokens, cookies and login: who logs in and what they carry.
#include "config/table_sections.h"

#include <array>
#include <string_view>

namespace config {

template <>
struct Words<Delivery> {
  static constexpr std::array<std::string_view, 3> list{"cookie", "body", "both"};
};
template <>
struct Words<SameSite> {
  static constexpr std::array<std::string_view, 3> list{"lax", "strict", "none"};
};

namespace {

using namespace std::chrono_literals;

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
      key("kid", &T::kid, "The key's name in the issuer's tokens; not with a key set."),
      key("algorithm", &T::algorithm, "What the key signs with.")
          .by_default("the one algorithm in `algorithms`"),
      file("public_key_file", &T::public_key_file, "Public key or certificate (PEM)."),
      secret("secret", &T::secret, "The shared secret of an HS algorithm, at least 32 bytes."),
      secret_file("secret_file", &T::secret, "Holds the shared secret of an HS algorithm."),
      file("jwks_file", &T::jwks_file, "A JSON Web Key Set with the issuer's public keys."),
      key("jwks_url", &T::jwks_url,
          "Where the issuer publishes its key set: `https://`, or `http://` on this machine. "
          "Fetched at start, every 5 minutes, and for an unknown kid once a minute at most; the "
          "last good keys stay."),
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

}  // namespace

namespace {

Section<UsersHttp> users_http_keys() {
  using T = UsersHttp;
  return {
      key("url", &T::url,
          "Where `{\"username\", \"password\"}` is posted: 200 with `{\"username\", \"email\", "
          "\"name\", \"groups\"}` is right, 401 and 403 are wrong, all else is 503.")
          .required(),
      key("timeout", &T::timeout, "For the whole question; 503 beyond it.")
          .range(1ms, 1min)
          .raising("Logins wait that much longer for a service that hangs."),
  };
}

}  // namespace

Section<Users> users_keys() {
  using T = Users;
  return {
      file("file", &T::file,
           "Who may log in: a `users.yaml` or an htpasswd file, read again when it changes."),
      section("http", &T::http, users_http_keys(),
              "Somebody else who knows whether a password is right; asked about names that `file` "
              "does not have."),
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

// Sections that share the struct of the whole.
Section<Config> login_keys() {
  return {section("throttle", &Config::throttle, throttle_keys(),
                  "How many failed logins are answered before 429; successes do not count.")};
}

}  // namespace config
