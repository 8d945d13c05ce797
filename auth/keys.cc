// Keys over OpenSSL 3: signing, verifying, and the ring of them. What a key may be is judged in
// pem.cc, once, however it came here.
#include "auth/keys.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <stdexcept>
#include <utility>

#include "auth/bytes.h"
#include "auth/key_material.h"
#include "auth/memory.h"

namespace auth {
namespace {

constexpr int rsa_bits_new = 3072;  // 2048 bits are not advised beyond 2030 (NIST SP 800-57)
constexpr std::size_t secret_bytes_max = 4096;

constexpr AlgorithmTraits table[] = {
    {Algorithm::hs256, "HS256", KeyKind::secret, "SHA256", 32},
    {Algorithm::hs384, "HS384", KeyKind::secret, "SHA384", 48},
    {Algorithm::hs512, "HS512", KeyKind::secret, "SHA512", 64},
    {Algorithm::rs256, "RS256", KeyKind::rsa, "SHA256", 32},
    {Algorithm::rs384, "RS384", KeyKind::rsa, "SHA384", 48},
    {Algorithm::rs512, "RS512", KeyKind::rsa, "SHA512", 64},
    {Algorithm::ps256, "PS256", KeyKind::rsa_pss, "SHA256", 32},
    {Algorithm::ps384, "PS384", KeyKind::rsa_pss, "SHA384", 48},
    {Algorithm::ps512, "PS512", KeyKind::rsa_pss, "SHA512", 64},
    {Algorithm::es256, "ES256", KeyKind::ecdsa, "SHA256", 32, "prime256v1", "P-256", 32},
    {Algorithm::es384, "ES384", KeyKind::ecdsa, "SHA384", 48, "secp384r1", "P-384", 48},
    {Algorithm::es512, "ES512", KeyKind::ecdsa, "SHA512", 64, "secp521r1", "P-521", 66},
    {Algorithm::eddsa, "EdDSA", KeyKind::ed25519, nullptr, 64, nullptr, "Ed25519", 32},
};

using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX, EVP_MD_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG, ECDSA_SIG_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BIGNUM, BN_free>>;
using Bio = std::unique_ptr<BIO, Freed<BIO, BIO_free_all>>;

// R || S to DER. Any length but the exact one is refused, so no DER from a token gets through.
std::string to_der(std::string_view signature, std::size_t coordinate_bytes) {
  if (signature.size() != 2 * coordinate_bytes) return {};
  const int half = static_cast<int>(coordinate_bytes);
  Number r(BN_bin2bn(data_of(signature), half, nullptr));
  Number s(BN_bin2bn(data_of(signature) + half, half, nullptr));
  // Psychic signatures (CVE-2022-21449); OpenSSL refuses zero too, but this is cheap.
  if (!r || !s || BN_is_zero(r.get()) || BN_is_zero(s.get())) return {};
  const Signature parts(ECDSA_SIG_new());
  if (!parts || ECDSA_SIG_set0(parts.get(), r.get(), s.get()) != 1) return {};
  static_cast<void>(r.release());
  static_cast<void>(s.release());
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(parts.get(), &der);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

std::string from_der(std::string_view der, std::size_t coordinate_bytes) {
  const unsigned char* at = data_of(der);
  const Signature parts(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (!parts) return {};
  std::string out(2 * coordinate_bytes, '\0');
  const int half = static_cast<int>(coordinate_bytes);
  if (BN_bn2binpad(ECDSA_SIG_get0_r(parts.get()), data_of(out), half) != half ||
      BN_bn2binpad(ECDSA_SIG_get0_s(parts.get()), data_of(out) + half, half) != half) {
    return {};
  }
  return out;
}

// RFC 7518 section 3.5: MGF1 with the same hash, and a salt as long as the hash.
bool set_padding(EVP_PKEY_CTX* context, const AlgorithmTraits& traits) {
  if (traits.kind != KeyKind::rsa_pss) return true;
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) > 0;
}

bool verify_asymmetric(EVP_PKEY* pkey, const AlgorithmTraits& traits, std::string_view input,
                       std::string_view signature) {
  const ErrorsCleared cleared;
  std::string der;
  if (traits.kind == KeyKind::ecdsa) {
    der = to_der(signature, traits.coordinate_bytes);
    if (der.empty()) return false;
    signature = der;
  }
  const DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;
  return context &&
         EVP_DigestVerifyInit_ex(context.get(), &options, traits.digest, nullptr, nullptr, pkey,
                                 nullptr) == 1 &&
         set_padding(options, traits) &&
         EVP_DigestVerify(context.get(), data_of(signature), signature.size(), data_of(input),
                          input.size()) == 1;
}

// Empty on failure.
std::string sign_asymmetric(EVP_PKEY* pkey, const AlgorithmTraits& traits, std::string_view input) {
  const ErrorsCleared cleared;
  const DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;
  std::size_t size = 0;
  if (!context ||
      EVP_DigestSignInit_ex(context.get(), &options, traits.digest, nullptr, nullptr, pkey,
                            nullptr) != 1 ||
      !set_padding(options, traits) ||
      EVP_DigestSign(context.get(), nullptr, &size, data_of(input), input.size()) != 1) {
    return {};
  }
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), data_of(signature), &size, data_of(input), input.size()) != 1) {
    return {};
  }
  // Out of memory, OpenSSL 3.0 calls ECDSA's failure a signature of 4 GiB.
  if (size > signature.size()) return {};
  signature.resize(size);
  return traits.kind == KeyKind::ecdsa ? from_der(signature, traits.coordinate_bytes) : signature;
}

Mac keyed_mac(const AlgorithmTraits& traits, std::string_view secret) {
  static EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  Mac context(EVP_MAC_CTX_new(hmac));
  std::string digest(traits.digest);
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end()};
  if (!context || EVP_MAC_init(context.get(), data_of(secret), secret.size(), params) != 1) {
    throw std::runtime_error("OpenSSL has no HMAC-" + digest);
  }
  return context;
}

// A copy of the keyed context costs 0.3 us, a context made anew 2.5; a context per thread and key
// would be no faster than that difference and would leave secrets behind in every thread.
std::string mac_of(const Key::Material& material, std::string_view input) {
  const Mac context(EVP_MAC_CTX_dup(material.mac.get()));
  std::string out(EVP_MAX_MD_SIZE, '\0');
  std::size_t size = 0;
  if (!context || EVP_MAC_update(context.get(), data_of(input), input.size()) != 1 ||
      EVP_MAC_final(context.get(), data_of(out), &size, out.size()) != 1) {
    return {};
  }
  out.resize(size);
  return out;
}

std::string check_kid(std::string_view kid) {
  return kid.size() > key_id_bytes_max ? "the kid is longer than 256 bytes" : "";
}

Pkey generate_pkey(const AlgorithmTraits& traits) {
  switch (traits.kind) {
    case KeyKind::rsa:
    case KeyKind::rsa_pss:
      return Pkey(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{rsa_bits_new}));
    case KeyKind::ecdsa:
      return Pkey(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", traits.group));
    case KeyKind::ed25519:
      return Pkey(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    case KeyKind::secret:
      break;
  }
  return nullptr;
}

}  // namespace

const AlgorithmTraits& traits_of(Algorithm algorithm) {
  return table[static_cast<std::size_t>(algorithm)];
}

ErrorsCleared::~ErrorsCleared() { ERR_clear_error(); }

void PkeyFree::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }
void MacFree::operator()(evp_mac_ctx_st* context) const { EVP_MAC_CTX_free(context); }

Key::Material::~Material() { cleanse(secret); }

std::string_view name(Algorithm algorithm) { return traits_of(algorithm).name; }

std::optional<Algorithm> algorithm_from(std::string_view name) {
  // RFC 9864 gives EdDSA with this curve a name of its own.
  if (name == "Ed25519") return Algorithm::eddsa;
  for (const auto& traits : table) {
    if (traits.name == name) return traits.algorithm;
  }
  return std::nullopt;
}

bool is_symmetric(Algorithm algorithm) { return traits_of(algorithm).kind == KeyKind::secret; }

const Key::Material& KeyFactory::material(const Key& key) { return *key.material_; }

Key::Made KeyFactory::from_pkey(std::string kid, Algorithm algorithm, Pkey pkey, bool is_private) {
  const ErrorsCleared cleared;
  const auto& traits = traits_of(algorithm);
  if (auto why = check_kid(kid); !why.empty()) return Key::Rejected{why};
  if (auto why = judge(pkey.get(), traits); !why.empty()) return Key::Rejected{why};
  auto material = std::make_shared<Key::Material>();
  material->can_sign = is_private;
  material->pkey = std::move(pkey);
  if (is_private) {
    constexpr std::string_view probe = "gatehouse";
    const auto signature = sign_asymmetric(material->pkey.get(), traits, probe);
    if (!verify_asymmetric(material->pkey.get(), traits, probe, signature)) {
      return Key::Rejected{"the private key does not fit its public half"};
    }
  }
  return Key(std::move(kid), algorithm, std::move(material));
}

Key::Key(std::string kid, Algorithm algorithm, std::shared_ptr<const Material> material)
    : kid_(std::move(kid)), algorithm_(algorithm), material_(std::move(material)) {}

Key::Made Key::from_pem(std::string kid, Algorithm algorithm, std::string_view pem) {
  const ErrorsCleared cleared;
  PemKey read = read_pem(pem);
  if (!read.pkey) return Rejected{read.why};
  return KeyFactory::from_pkey(std::move(kid), algorithm, std::move(read.pkey), read.is_private);
}

Key::Made Key::from_secret(std::string kid, Algorithm algorithm, std::string_view secret) {
  const ErrorsCleared cleared;
  const auto& traits = traits_of(algorithm);
  if (auto why = check_kid(kid); !why.empty()) return Rejected{why};
  if (traits.kind != KeyKind::secret) return Rejected{wanted(traits) + ", but this is a secret"};
  if (secret.size() < traits.hash_bytes) {
    return Rejected{"the secret has " + std::to_string(secret.size()) + " bytes, " +
                    std::string(traits.name) + " needs at least " +
                    std::to_string(traits.hash_bytes)};
  }
  if (secret.size() > secret_bytes_max) return Rejected{"the secret is longer than 4096 bytes"};
  if (is_publicly_known_secret(secret)) {
    return Rejected{"the secret is on the public list of example secrets; anybody could sign"};
  }
  auto material = std::make_shared<Material>();
  material->can_sign = true;
  material->secret = secret;
  material->mac = keyed_mac(traits, secret);
  return Key(std::move(kid), algorithm, std::move(material));
}

Key Key::generate(std::string kid, Algorithm algorithm) {
  const ErrorsCleared cleared;
  const auto& traits = traits_of(algorithm);
  auto made = [&]() -> Made {
    if (traits.kind == KeyKind::secret) {
      auto secret = random_bytes(traits.hash_bytes);
      if (!secret) return Rejected{"the random generator failed"};
      auto key = from_secret(std::move(kid), algorithm, *secret);
      cleanse(*secret);
      return key;
    }
    auto pkey = generate_pkey(traits);
    if (!pkey) return Rejected{"OpenSSL could not generate a key"};
    return KeyFactory::from_pkey(std::move(kid), algorithm, std::move(pkey), true);
  }();
  if (auto* rejected = std::get_if<Rejected>(&made)) throw std::runtime_error(rejected->why);
  return std::get<Key>(std::move(made));
}

const std::string& Key::kid() const { return kid_; }
Algorithm Key::algorithm() const { return algorithm_; }
bool Key::can_sign() const { return material_->can_sign; }

bool Key::verify(std::string_view input, std::string_view signature) const {
  const MemoryWatch memory;
  const auto& traits = traits_of(algorithm_);
  bool holds = false;
  if (traits.kind == KeyKind::secret) {
    const ErrorsCleared cleared;
    const auto expected = mac_of(*material_, input);
    holds = !expected.empty() && equal_constant_time(expected, signature);
  } else {
    holds = verify_asymmetric(material_->pkey.get(), traits, input, signature);
  }
  if (!holds) memory.require();
  return holds;
}

Result<std::string> Key::sign(std::string_view input) const {
  if (!material_->can_sign) return Error::unknown_key;
  const auto& traits = traits_of(algorithm_);
  auto signature = traits.kind == KeyKind::secret
                       ? mac_of(*material_, input)
                       : sign_asymmetric(material_->pkey.get(), traits, input);
  // A key that signed when it was loaded fails only when there is no randomness for a nonce.
  if (signature.empty()) return Error::no_entropy;
  return signature;
}

std::string Key::private_pem() const {
  const ErrorsCleared cleared;
  if (!material_->can_sign) return {};
  if (is_symmetric(algorithm_)) {
    const auto& secret = material_->secret;
    std::string text(4 * ((secret.size() + 2) / 3) + 1, '\0');
    text.resize(static_cast<std::size_t>(EVP_EncodeBlock(
        data_of(text), data_of(std::string_view(secret)), static_cast<int>(secret.size()))));
    return text;
  }
  const Bio bio(BIO_new(BIO_s_secmem()));
  char* data = nullptr;
  if (!bio || PEM_write_bio_PrivateKey(bio.get(), material_->pkey.get(), nullptr, nullptr, 0,
                                       nullptr, nullptr) != 1) {
    return {};
  }
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

KeyRing::KeyRing(std::vector<Key> keys, std::string_view sign_with) : keys_(std::move(keys)) {
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (keys_[i].can_sign() && (sign_with.empty() || keys_[i].kid() == sign_with)) {
      active_ = i;
      break;
    }
  }
}

const Key* KeyRing::find(std::optional<std::string_view> kid, Algorithm algorithm) const {
  const Key* found = nullptr;
  for (const auto& key : keys_) {
    if (key.algorithm() != algorithm || (kid && key.kid() != *kid)) continue;
    if (found != nullptr) return nullptr;
    found = &key;
  }
  return found;
}

const Key* KeyRing::active() const { return active_ < keys_.size() ? &keys_[active_] : nullptr; }

const std::vector<Key>& KeyRing::keys() const { return keys_; }

std::string KeyRing::jwks() const {
  std::string out = "{\"keys\":[";
  for (const auto& key : keys_) {
    const auto jwk = key.public_jwk();
    if (jwk.empty()) continue;
    if (out.back() != '[') {
      out.push_back(',');
    }
    out += jwk;
  }
  return out + "]}";
}

}  // namespace auth
