// What keys.cc and jwk.cc know about keys and nobody else should: OpenSSL's handles and the
// properties of each algorithm. Not for other files; OpenSSL's headers stay out of it all the same.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "auth/keys.h"

struct evp_pkey_st;
struct evp_mac_ctx_st;

namespace auth {

enum class KeyKind { secret, rsa, rsa_pss, ecdsa, ed25519 };

// RFC 7518 section 3.1 and RFC 8037, one line an algorithm.
struct AlgorithmTraits {
  Algorithm algorithm;
  std::string_view name;
  KeyKind kind;
  const char* digest;            // OpenSSL's name; nullptr where the algorithm has it built in
  std::size_t hash_bytes;
  const char* group = nullptr;   // OpenSSL's name of the curve
  std::string_view curve = {};   // the JWK's name of it
  std::size_t coordinate_bytes = 0;
};

[[nodiscard]] const AlgorithmTraits& traits_of(Algorithm algorithm);

struct PkeyFree {
  void operator()(evp_pkey_st* key) const;
};
struct MacFree {
  void operator()(evp_mac_ctx_st* context) const;
};
using Pkey = std::unique_ptr<evp_pkey_st, PkeyFree>;
using Mac = std::unique_ptr<evp_mac_ctx_st, MacFree>;

struct Key::Material {
  Material() = default;
  Material(const Material&) = delete;
  Material& operator=(const Material&) = delete;
  ~Material();

  Pkey pkey;           // asymmetric algorithms
  std::string secret;  // symmetric ones
  Mac mac;             // keyed already; duplicated for each use, so any thread may
  bool can_sign = false;
};

struct KeyFactory {
  // Takes an asymmetric key after all checks: kind, curve, size, exponent, point on the curve, and
  // for a private key that it matches its public half.
  [[nodiscard]] static Key::Made from_pkey(std::string kid, Algorithm algorithm, Pkey pkey,
                                           bool is_private);
  [[nodiscard]] static const Key::Material& material(const Key& key);
};

}  // namespace auth
