// JSON Web Keys (RFC 7517, 7518 section 6, RFC 8037) to keys and back, and thumbprints (RFC 7638).
// Done once per key set; any thread.
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <array>
#include <climits>
#include <map>
#include <memory>
#include <utility>

#include "auth/bytes.h"
#include "auth/json.h"
#include "auth/key_material.h"
#include "auth/keys.h"

namespace auth {
namespace {

constexpr std::size_t jwks_bytes_max = 1024 * 1024;
constexpr std::size_t jwks_keys_max = 100;

// Members that only a private or secret key has (RFC 7518 sections 6.2.2, 6.3.2, 6.4).
constexpr std::array<std::string_view, 8> private_members = {"d",  "p",  "q",   "dp",
                                                             "dq", "qi", "oth", "k"};

using Builder = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM, OSSL_PARAM_free>>;
using Context = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX, EVP_PKEY_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BIGNUM, BN_free>>;

Pkey from_params(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const Context context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* pkey = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &pkey, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return Pkey(pkey);
}

std::string bytes_of(const Json& jwk, std::string_view member) {
  const auto text = jwk.member(member).text();
  return text ? base64url_decode(*text).value_or("") : "";
}

Pkey rsa_key(const Json& jwk) {
  const auto modulus = bytes_of(jwk, "n");
  const auto exponent = bytes_of(jwk, "e");
  if (modulus.empty() || exponent.empty() || exponent.size() > modulus.size()) return nullptr;
  const Number n(BN_bin2bn(data_of(modulus), static_cast<int>(modulus.size()), nullptr));
  const Number e(BN_bin2bn(data_of(exponent), static_cast<int>(exponent.size()), nullptr));
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!n || !e || !builder ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return nullptr;
  }
  return from_params("RSA", builder.get());
}

// Both coordinates must have their full length (RFC 7518 section 6.2.1.2); that the point is on the
// curve is checked by OpenSSL here and once more when the key is judged.
Pkey ec_key(const Json& jwk, const AlgorithmTraits& traits) {
  const auto x = bytes_of(jwk, "x");
  const auto y = bytes_of(jwk, "y");
  if (x.size() != traits.coordinate_bytes || y.size() != traits.coordinate_bytes) return nullptr;
  const std::string point = '\x04' + x + y;
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, traits.group, 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return nullptr;
  }
  return from_params("EC", builder.get());
}

Pkey ed25519_key(const Json& jwk) {
  const auto x = bytes_of(jwk, "x");
  return Pkey(EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, data_of(x), x.size()));
}

// The JWK's own algorithm, or the first of the configured ones that its type can serve.
std::optional<Algorithm> algorithm_of(const Json& jwk, const std::vector<Algorithm>& configured) {
  if (const auto alg = jwk.member("alg"); alg.exists()) {
    return algorithm_from(alg.text().value_or(""));
  }
  const auto kty = jwk.member("kty").text().value_or("");
  const auto crv = jwk.member("crv").text().value_or("");
  for (const auto algorithm : configured) {
    const auto& traits = traits_of(algorithm);
    const bool is_rsa = traits.kind == KeyKind::rsa || traits.kind == KeyKind::rsa_pss;
    if (is_rsa ? kty == "RSA" : traits.kind != KeyKind::secret && crv == traits.curve) {
      return algorithm;
    }
  }
  return std::nullopt;
}

// Keys for encryption stand beside signing keys in the sets of common identity providers. They are
// left out rather than refused, and never verify anything (RFC 7517 sections 4.2 and 4.3).
bool is_for_signatures(const Json& jwk) {
  if (const auto use = jwk.member("use"); use.exists() && use.text() != "sig") return false;
  const auto operations = jwk.member("key_ops");
  if (!operations.exists()) return true;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (operations.element(i).text() == "verify") return true;
  }
  return false;
}

// What makes the whole set suspect; empty when the key may be read.
std::string refuse(const Json& jwk) {
  if (!jwk.is_object()) return "it is not an object";
  const auto kty = jwk.member("kty").text();
  if (!kty) return "it has no kty";
  for (const auto member : private_members) {
    if (jwk.member(member).exists()) {
      return "it holds a private or secret member \"" + std::string(member) +
             "\"; a key set must hold public keys only";
    }
  }
  if (*kty != "RSA" && *kty != "EC" && *kty != "OKP") {
    return "it has the unsupported kty \"" + std::string(*kty) + "\"";
  }
  const auto kid = jwk.member("kid");
  if (kid.exists() && !kid.text()) return "it has a kid that is not a string";
  return {};
}

Key::Made make_key(const Json& jwk, Algorithm algorithm) {
  const auto& traits = traits_of(algorithm);
  const auto kty = *jwk.member("kty").text();
  const auto crv = jwk.member("crv").text().value_or("");
  Pkey pkey;
  switch (traits.kind) {
    case KeyKind::secret:
      return Key::Rejected{"it names the symmetric algorithm " + std::string(traits.name)};
    case KeyKind::rsa:
    case KeyKind::rsa_pss:
      if (kty == "RSA") pkey = rsa_key(jwk);
      break;
    case KeyKind::ecdsa:
      if (kty == "EC" && crv == traits.curve) pkey = ec_key(jwk, traits);
      break;
    case KeyKind::ed25519:
      if (kty == "OKP" && crv == traits.curve) pkey = ed25519_key(jwk);
      break;
  }
  if (!pkey) {
    ERR_clear_error();
    return Key::Rejected{"it is not a valid key for " + std::string(traits.name)};
  }
  return KeyFactory::from_pkey(std::string(jwk.member("kid").text().value_or("")), algorithm,
                               std::move(pkey), false);
}

JwksKeys refused(std::string why) { return {{}, std::move(why)}; }

std::string number_member(const EVP_PKEY* pkey, const char* parameter, std::size_t bytes) {
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(pkey, parameter, &raw) != 1) return {};
  const Number number(raw);
  const std::size_t size = bytes > 0 ? bytes : static_cast<std::size_t>(BN_num_bytes(number.get()));
  std::string out(size, '\0');
  BN_bn2binpad(number.get(), reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(size));
  return base64url_encode(out);
}

// The required members of RFC 7638 section 3.2, sorted as it wants them.
std::map<std::string, std::string> required_members(const Key& key) {
  const auto& traits = traits_of(key.algorithm());
  const auto& material = KeyFactory::material(key);
  const EVP_PKEY* pkey = material.pkey.get();
  switch (traits.kind) {
    case KeyKind::secret:
      return {{"kty", "oct"}, {"k", base64url_encode(material.secret)}};
    case KeyKind::rsa:
    case KeyKind::rsa_pss:
      return {{"kty", "RSA"},
              {"n", number_member(pkey, OSSL_PKEY_PARAM_RSA_N, 0)},
              {"e", number_member(pkey, OSSL_PKEY_PARAM_RSA_E, 0)}};
    case KeyKind::ecdsa:
      return {{"kty", "EC"},
              {"crv", std::string(traits.curve)},
              {"x", number_member(pkey, OSSL_PKEY_PARAM_EC_PUB_X, traits.coordinate_bytes)},
              {"y", number_member(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, traits.coordinate_bytes)}};
    case KeyKind::ed25519:
      break;
  }
  std::string x(traits.coordinate_bytes, '\0');
  std::size_t size = x.size();
  EVP_PKEY_get_raw_public_key(pkey, reinterpret_cast<unsigned char*>(x.data()), &size);
  return {{"kty", "OKP"}, {"crv", std::string(traits.curve)}, {"x", base64url_encode(x)}};
}

std::string to_json(const std::map<std::string, std::string>& members) {
  std::string out = "{";
  for (const auto& [member, value] : members) {
    if (out.size() > 1) {
      out.push_back(',');
    }
    append_json_string(out, member);
    out.push_back(':');
    append_json_string(out, value);
  }
  return out + "}";
}

}  // namespace

JwksKeys keys_from_jwks(std::string_view json, const std::vector<Algorithm>& algorithms) {
  if (json.size() > jwks_bytes_max) return refused("the key set is larger than 1 MiB");
  const auto document = std::make_unique<JsonDocument>();
  if (!document->parse(json)) return refused("the key set is not one strict JSON object");
  const auto list = document->root().member("keys");
  if (!list.is_array()) return refused("the key set has no array \"keys\"");
  if (list.size() > jwks_keys_max) return refused("the key set holds more than 100 keys");

  std::vector<Key> keys;
  std::vector<std::string_view> kids;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto jwk = list.element(i);
    const auto kid = jwk.member("kid").text().value_or("");
    const std::string which = "key " + std::to_string(i + 1) +
                              (kid.empty() ? "" : " (kid \"" + std::string(kid) + "\")") + ": ";
    if (const auto why = refuse(jwk); !why.empty()) return refused(which + why);
    if (std::find(kids.begin(), kids.end(), kid) != kids.end()) {
      return refused(which + (kid.empty() ? "it is the second one without a kid"
                                          : "it has the kid of another one"));
    }
    kids.push_back(kid);
    if (!is_for_signatures(jwk)) continue;
    const auto algorithm = algorithm_of(jwk, algorithms);
    if (!algorithm && jwk.member("alg").exists()) continue;
    if (!algorithm)
      return refused(which + "it names no alg and none of the configured ones fits it");
    auto made = make_key(jwk, *algorithm);
    if (const auto* rejected = std::get_if<Key::Rejected>(&made)) {
      return refused(which + rejected->why);
    }
    keys.push_back(std::get<Key>(std::move(made)));
  }
  if (keys.empty()) return refused("the key set holds no key for signatures that can be used");
  return {std::move(keys), ""};
}

std::string Key::public_jwk() const {
  if (is_symmetric(algorithm_)) return {};
  auto members = required_members(*this);
  members.emplace("kid", kid_);
  members.emplace("alg", name(algorithm_));
  members.emplace("use", "sig");
  return to_json(members);
}

std::string Key::thumbprint() const {
  auto members = to_json(required_members(*this));
  const auto digest = sha256(members);
  cleanse(members);
  return base64url_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace auth
