// Signing and verifying keys. A key has exactly one algorithm (RFC 8725 section 3.1): what a token
// says in `alg` is compared with the key's, never obeyed. The ring is immutable after building and
// is shared by all workers.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "auth/error.h"

namespace auth {

enum class Algorithm {
  hs256,
  hs384,
  hs512,
  rs256,
  rs384,
  rs512,
  ps256,
  ps384,
  ps512,
  es256,
  es384,
  es512,
  eddsa
};

inline constexpr std::size_t key_id_bytes_max = 256;

[[nodiscard]] std::string_view name(Algorithm algorithm);                      // "ES256"
[[nodiscard]] std::optional<Algorithm> algorithm_from(std::string_view name);  // exact case
[[nodiscard]] bool is_symmetric(Algorithm algorithm);

// One key. Copying shares the key material.
class Key {
 public:
  // A sentence for the operator instead of a key: wrong type, curve or size for the algorithm, a
  // short or publicly known secret, unreadable PEM.
  struct Rejected {
    std::string why;
  };
  using Made = std::variant<Key, Rejected>;

  // `pem` is a private key (can sign) or a public key or certificate (verifies only).
  [[nodiscard]] static Made from_pem(std::string kid, Algorithm algorithm, std::string_view pem);
  // RFC 7518 section 3.2: at least as long as the hash.
  [[nodiscard]] static Made from_secret(std::string kid, Algorithm algorithm,
                                        std::string_view secret);
  [[nodiscard]] static Key generate(std::string kid, Algorithm algorithm);

  [[nodiscard]] const std::string& kid() const;
  [[nodiscard]] Algorithm algorithm() const;
  [[nodiscard]] bool can_sign() const;

  // True only for a valid signature of this key's algorithm over `input`. ECDSA signatures are
  // R || S of fixed length (RFC 7518 section 3.4); DER is refused. Throws std::bad_alloc where
  // there was no memory to tell.
  [[nodiscard]] bool verify(std::string_view input, std::string_view signature) const;
  [[nodiscard]] Result<std::string> sign(std::string_view input) const;

  [[nodiscard]] std::string private_pem() const;  // for `keygen`; base64 for secrets
  // One member of a JWK set (RFC 7517), public parts only; empty for symmetric keys.
  [[nodiscard]] std::string public_jwk() const;
  // Tells two key files with the same material apart from different ones.
  [[nodiscard]] std::string thumbprint() const;

  struct Material;  // OpenSSL's side, in keys.cc

 private:
  Key(std::string kid, Algorithm algorithm, std::shared_ptr<const Material> material);
  std::string kid_;
  Algorithm algorithm_;
  std::shared_ptr<const Material> material_;
  friend struct KeyFactory;
};

// A fixed map from (kid, algorithm) to a key. Without a kid in the token the only key of that
// algorithm is taken; two candidates are unknown_key.
class KeyRing {
 public:
  KeyRing() = default;
  // `sign_with` names the active key; empty: the first that can sign. Keys must have distinct kids.
  explicit KeyRing(std::vector<Key> keys, std::string_view sign_with = "");

  [[nodiscard]] const Key* find(std::optional<std::string_view> kid, Algorithm algorithm) const;
  [[nodiscard]] const Key* active() const;  // nullptr: this ring only verifies
  [[nodiscard]] const std::vector<Key>& keys() const;
  [[nodiscard]] std::string jwks() const;  // {"keys":[...]}, rendered at each call

 private:
  std::vector<Key> keys_;
  std::size_t active_ = static_cast<std::size_t>(-1);
};

// A JWK set (RFC 7517 section 5). Private members, an unsupported type, an invalid key or a
// duplicate kid make the whole set refused, by a sentence; so does a set without any key that can
// be used. Keys for encryption (by `use`, `key_ops` or `alg`) are left out. `algorithms` are for
// keys without `alg`.
struct JwksKeys {
  std::vector<Key> keys;
  std::string error;  // empty on success
};
[[nodiscard]] JwksKeys keys_from_jwks(std::string_view json,
                                      const std::vector<Algorithm>& algorithms);

// Public HMAC secrets of tutorials and examples that are long enough to pass the length rule.
[[nodiscard]] bool is_publicly_known_secret(std::string_view secret);

}  // namespace auth
