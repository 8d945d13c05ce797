// Makes tokens that the library would never make, and keys of every kind, for tests.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "auth/bytes.h"
#include "auth/jwt.h"
#include "auth/keys.h"

namespace forge {

using Pkey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

inline std::string bytes_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<std::size_t>(size));
}

// Runs one of OpenSSL's writers on a memory BIO.
template <class Write>
std::string written(Write write) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), &BIO_free_all);
  EXPECT_EQ(write(bio.get()), 1);
  return bytes_of(bio.get());
}

inline std::string public_pem(EVP_PKEY* key) {
  return written([&](BIO* bio) { return PEM_write_bio_PUBKEY(bio, key); });
}
inline std::string private_pem(EVP_PKEY* key) {
  return written([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

template <class... Arguments>
Pkey pkey(const char* type, Arguments... arguments) {
  return {EVP_PKEY_Q_keygen(nullptr, nullptr, type, arguments...), &EVP_PKEY_free};
}
inline Pkey rsa(std::size_t bits) { return pkey("RSA", bits); }
inline Pkey ec(const char* curve) { return pkey("EC", curve); }

// One key of each algorithm for the whole process: RSA takes a while to make.
inline const auth::Key& key(auth::Algorithm algorithm) {
  static std::map<auth::Algorithm, auth::Key> keys;
  auto found = keys.find(algorithm);
  if (found == keys.end()) {
    found = keys.emplace(algorithm, auth::Key::generate("k1", algorithm)).first;
  }
  return found->second;
}

inline const std::vector<auth::Algorithm>& all_algorithms() {
  using enum auth::Algorithm;
  static const std::vector<auth::Algorithm> all = {hs256, hs384, hs512, rs256, rs384, rs512, ps256,
                                                   ps384, ps512, es256, es384, es512, eddsa};
  return all;
}

inline auth::Key made(auth::Key::Made made) {
  if (const auto* rejected = std::get_if<auth::Key::Rejected>(&made)) {
    ADD_FAILURE() << rejected->why;
  }
  return std::get<auth::Key>(std::move(made));
}

inline std::string why(const auth::Key::Made& made) {
  const auto* rejected = std::get_if<auth::Key::Rejected>(&made);
  return rejected == nullptr ? "" : rejected->why;
}

using Signer = std::function<std::string(std::string_view)>;

inline Signer with(const auth::Key& key) {
  return [&key](std::string_view input) { return key.sign(input).value(); };
}

inline Signer hmac(std::string secret) {
  return [secret](std::string_view input) {
    const auto mac = auth::hmac_sha256(secret, input);
    return std::string(reinterpret_cast<const char*>(mac.data()), mac.size());
  };
}

inline Signer fixed(std::string signature) {
  return [signature](std::string_view) { return signature; };
}

// Header and payload are JSON text, signed whatever they say.
inline std::string token(std::string_view header, std::string_view payload, const Signer& sign) {
  std::string token = auth::base64url_encode(header) + '.' + auth::base64url_encode(payload);
  return token + '.' + auth::base64url_encode(sign(token));
}

}  // namespace forge
