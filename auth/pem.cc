// Reads PEM and judges what is in it, for operators: every refusal is a sentence they can act on.
// Runs while starting and reloading only.
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <climits>
#include <utility>

#include "auth/key_material.h"

namespace auth {
namespace {

constexpr int rsa_bits_min = 2048;  // RFC 7518 section 3.3
constexpr int rsa_bits_max = 8192;  // beyond it one verification takes milliseconds

using Number = std::unique_ptr<BIGNUM, Freed<BIGNUM, BN_free>>;
using Bio = std::unique_ptr<BIO, Freed<BIO, BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Freed<X509, X509_free>>;
using Context = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX, EVP_PKEY_CTX_free>>;

std::string group_of(const EVP_PKEY* pkey) {
  char group[64];
  std::size_t size = 0;
  if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), &size) != 1) return "an unnamed curve";
  return std::string(group, size);
}

std::string describe(const EVP_PKEY* pkey) {
  switch (EVP_PKEY_get_base_id(pkey)) {
    case EVP_PKEY_RSA:
      return "an RSA key";
    case EVP_PKEY_RSA_PSS:
      return "an RSA key restricted to PSS";
    case EVP_PKEY_EC:
      return "an EC key on " + group_of(pkey);
    case EVP_PKEY_ED25519:
      return "an Ed25519 key";
    case EVP_PKEY_ED448:
      return "an Ed448 key";
    case EVP_PKEY_X25519:
      return "an X25519 key, which cannot sign";
    default:
      break;
  }
  const char* type = EVP_PKEY_get0_type_name(pkey);
  return type == nullptr ? "a key of an unknown type" : "a key of type " + std::string(type);
}

bool is_kind(const EVP_PKEY* pkey, const AlgorithmTraits& traits) {
  const int id = EVP_PKEY_get_base_id(pkey);
  switch (traits.kind) {
    case KeyKind::secret:
      return false;
    case KeyKind::rsa:
      return id == EVP_PKEY_RSA;
    case KeyKind::rsa_pss:
      return id == EVP_PKEY_RSA || id == EVP_PKEY_RSA_PSS;
    case KeyKind::ecdsa:
      return id == EVP_PKEY_EC && group_of(pkey) == traits.group;
    case KeyKind::ed25519:
      return id == EVP_PKEY_ED25519;
  }
  return false;
}

// A sentence, or nothing when the RSA key is good enough.
std::string judge_rsa(const EVP_PKEY* pkey) {
  const int bits = EVP_PKEY_get_bits(pkey);
  if (bits < rsa_bits_min) {
    return "the RSA key has " + std::to_string(bits) + " bits, at least 2048 are needed";
  }
  if (bits > rsa_bits_max) {
    return "the RSA key has " + std::to_string(bits) + " bits, more than 8192 are too slow to use";
  }
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &raw) != 1) return "the RSA key is broken";
  const Number exponent(raw);
  // With e = 1 every message is its own signature.
  if (!BN_is_odd(exponent.get()) || BN_num_bits(exponent.get()) < 2) {
    return "the RSA key has an unusable public exponent (it must be odd and at least 3)";
  }
  return {};
}

struct PemBlock {
  PemBlock() = default;
  PemBlock(const PemBlock&) = delete;
  PemBlock& operator=(const PemBlock&) = delete;
  ~PemBlock() {
    OPENSSL_free(name);
    OPENSSL_free(header);
    if (size > 0) OPENSSL_clear_free(data, static_cast<std::size_t>(size));
  }
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
};

Pkey certificate_key(const unsigned char** at, long size) {
  const Certificate certificate(d2i_X509(nullptr, at, size));
  return Pkey(certificate ? X509_get_pubkey(certificate.get()) : nullptr);
}

PemKey read_block(const PemBlock& block) {
  PemKey read;
  const std::string_view name = block.name;
  const unsigned char* at = block.data;
  const bool has_header = block.header != nullptr && *block.header != '\0';
  if (name == "ENCRYPTED PRIVATE KEY" || has_header) {
    read.why = "the private key is protected by a passphrase; store it without one";
    return read;
  }
  if (name == "PRIVATE KEY" || name == "RSA PRIVATE KEY" || name == "EC PRIVATE KEY") {
    read.is_private = true;
    read.pkey.reset(d2i_AutoPrivateKey(nullptr, &at, block.size));
  } else if (name == "PUBLIC KEY") {
    read.pkey.reset(d2i_PUBKEY(nullptr, &at, block.size));
  } else if (name == "RSA PUBLIC KEY") {
    read.pkey.reset(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, block.size));
  } else if (name == "CERTIFICATE") {
    read.pkey = certificate_key(&at, block.size);
  } else {
    read.why = "a PEM block \"" + std::string(name) + "\" holds no key that can be used here";
    return read;
  }
  if (!read.pkey || at != block.data + block.size) {
    read.pkey.reset();
    read.why = "the PEM block \"" + std::string(name) + "\" cannot be decoded";
  }
  return read;
}

}  // namespace

std::string wanted(const AlgorithmTraits& traits) {
  const std::string name(traits.name);
  switch (traits.kind) {
    case KeyKind::secret:
      return name + " needs a secret, not a key pair";
    case KeyKind::rsa:
    case KeyKind::rsa_pss:
      return name + " needs an RSA key";
    case KeyKind::ecdsa:
      return name + " needs an EC key on " + std::string(traits.curve);
    case KeyKind::ed25519:
      return name + " needs an Ed25519 key";
  }
  return name;
}

std::string judge(EVP_PKEY* pkey, const AlgorithmTraits& traits) {
  if (!is_kind(pkey, traits)) return wanted(traits) + ", but this is " + describe(pkey);
  if (traits.kind == KeyKind::rsa || traits.kind == KeyKind::rsa_pss) {
    if (auto why = judge_rsa(pkey); !why.empty()) return why;
  }
  int explicit_curve = 0;
  if (traits.kind == KeyKind::ecdsa &&
      EVP_PKEY_get_int_param(pkey, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                             &explicit_curve) == 1 &&
      explicit_curve != 0) {
    // A look-alike curve with another generator was CVE-2020-0601.
    return "the EC key spells its curve out instead of naming it";
  }
  const Context context(EVP_PKEY_CTX_new_from_pkey(nullptr, pkey, nullptr));
  if (!context || EVP_PKEY_public_check(context.get()) != 1) {
    return "the public key is not a valid one (OpenSSL's check failed)";
  }
  return {};
}

PemKey read_pem(std::string_view pem) {
  PemKey found;
  found.why = "this is not PEM (no -----BEGIN ...----- block with intact base64)";
  if (pem.size() > INT_MAX) return found;
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  while (bio) {
    PemBlock block;
    if (PEM_read_bio(bio.get(), &block.name, &block.header, &block.data, &block.size) != 1) break;
    if (std::string_view(block.name) == "EC PARAMETERS") continue;  // as `openssl ecparam` writes
    PemKey read = read_block(block);
    if (!read.pkey) return read;
    if (read.is_private && found.is_private) {
      read.pkey.reset();
      read.why = "there are two private keys in one file";
      return read;
    }
    if (!found.pkey || read.is_private) {
      found = std::move(read);
    }
  }
  return found;
}

}  // namespace auth
