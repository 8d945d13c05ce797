// What keys.cc, pem.cc and jwk.cc know about keys and nobody else should: OpenSSL's handles and the
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
  const char* digest;  // OpenSSL's name; nullptr where the algorithm has it built in
  std::size_t hash_bytes;
  const char* group = nullptr;  // OpenSSL's name of the curve
  std::string_view curve = {};  // the JWK's name of it
  std::size_t coordinate_bytes = 0;
};

[[nodiscard]] const AlgorithmTraits& traits_of(Algorithm algorithm);

// Frees with one of OpenSSL's functions, for std::unique_ptr.
template <class T, void (*Free)(T*)>
struct Freed {
  void operator()(T* object) const { Free(object); }
};

inline const unsigned char* data_of(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
inline unsigned char* data_of(std::string& bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

// Failed OpenSSL calls leave entries in a queue of their thread, which TLS code would later take
// for its own; a function that may fail empties it when it ends.
struct ErrorsCleared {
  ErrorsCleared() = default;
  ErrorsCleared(const ErrorsCleared&) = delete;
  ErrorsCleared& operator=(const ErrorsCleared&) = delete;
  ~ErrorsCleared();
};

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

// A sentence about an asymmetric key that this algorithm cannot use: kind, curve, size, exponent,
// point on the curve. Empty when it can.
[[nodiscard]] std::string judge(evp_pkey_st* pkey, const AlgorithmTraits& traits);
// "ES256 needs an EC key on P-256"
[[nodiscard]] std::string wanted(const AlgorithmTraits& traits);

struct PemKey {
  Pkey pkey;  // null: `why` says why
  bool is_private = false;
  std::string why;
};
// The private key where there is one, else the first public key or certificate (of a chain the
// first is its holder's). A certificate's dates and issuer are not looked at: naming the file in
// the configuration is what makes it trusted.
[[nodiscard]] PemKey read_pem(std::string_view pem);

struct KeyFactory {
  // Takes an asymmetric key after judge(), and a private one only when it fits its public half.
  [[nodiscard]] static Key::Made from_pkey(std::string kid, Algorithm algorithm, Pkey pkey,
                                           bool is_private);
  [[nodiscard]] static const Key::Material& material(const Key& key);
};

}  // namespace auth
