// OpenSSL's one-shot functions behind plain signatures. Failures that input can cause are values;
// what only a broken installation can cause (no SHA-256) throws, which happens at start if ever.
#include "auth/bytes.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <climits>
#include <memory>
#include <stdexcept>

#include "auth/memory.h"

namespace auth {
namespace {

constexpr std::size_t gcm_key_bytes = 32;
constexpr std::size_t gcm_nonce_bytes = 12;
constexpr std::size_t gcm_tag_bytes = 16;

constexpr std::string_view url_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view plain_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

using Values = std::array<std::int8_t, 256>;

constexpr Values values_of(std::string_view alphabet) {
  Values values{};
  for (auto& value : values) {
    value = -1;
  }
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}

constexpr Values url_values = values_of(url_alphabet);
constexpr Values plain_values = values_of(plain_alphabet);

// Text without padding to bytes. One character left over carries no whole byte, and bits that
// belong to no byte must be zero, or two texts would mean the same token (RFC 4648 section 3.5).
std::optional<std::size_t> decode(std::string_view text, const Values& values, char* out) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::uint32_t bits = 0;
  int count = 0;
  std::size_t written = 0;
  for (const char c : text) {
    const int value = values[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out[written++] = static_cast<char>((bits >> count) & 0xff);
      bits &= (1u << count) - 1;
    }
  }
  if (bits != 0) return std::nullopt;
  return written;
}

std::optional<std::string> decode(std::string_view text, const Values& values) {
  std::string out(3 * text.size() / 4 + 3, '\0');
  const auto size = decode(text, values, out.data());
  if (!size) return std::nullopt;
  out.resize(*size);
  return out;
}

const unsigned char* raw(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* raw(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

struct CipherFree {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, CipherFree>;

}  // namespace

std::string base64url_encode(std::string_view bytes) {
  std::string text((bytes.size() * 4 + 2) / 3, '\0');
  char* out = text.data();
  std::size_t i = 0;
  const auto at = [&bytes](std::size_t index) {
    return std::uint32_t{static_cast<unsigned char>(bytes[index])};
  };
  for (; i + 3 <= bytes.size(); i += 3, out += 4) {
    const std::uint32_t bits = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    out[0] = url_alphabet[bits >> 18];
    out[1] = url_alphabet[bits >> 12 & 63];
    out[2] = url_alphabet[bits >> 6 & 63];
    out[3] = url_alphabet[bits & 63];
  }
  if (i == bytes.size()) return text;
  const bool has_two = i + 2 == bytes.size();
  const std::uint32_t bits = at(i) << 16 | (has_two ? at(i + 1) << 8 : 0);
  out[0] = url_alphabet[bits >> 18];
  out[1] = url_alphabet[bits >> 12 & 63];
  if (has_two) out[2] = url_alphabet[bits >> 6 & 63];
  return text;
}

std::optional<std::size_t> base64url_decode(std::string_view text, char* out) {
  return decode(text, url_values, out);
}

std::optional<std::string> base64url_decode(std::string_view text) {
  return decode(text, url_values);
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) {
    text.remove_suffix(1);
  }
  return decode(text, plain_values);
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text.push_back(digits[value >> 4]);
    text.push_back(digits[value & 15]);
  }
  return text;
}

Digest sha256(std::string_view bytes) {
  Digest digest;
  if (SHA256(raw(bytes), bytes.size(), digest.data()) == nullptr) {
    throw std::runtime_error("OpenSSL has no SHA-256");
  }
  return digest;
}

std::string sha1_hex(std::string_view bytes) {
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  if (SHA1(raw(bytes), bytes.size(), digest.data()) == nullptr) {
    throw std::runtime_error("OpenSSL has no SHA-1");
  }
  return hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

Digest hmac_sha256(std::string_view key, std::string_view bytes) {
  if (key.size() > INT_MAX) throw std::length_error("HMAC key");
  Digest digest;
  unsigned int size = 0;
  // OpenSSL reads a null key as "the key of last time", which an empty view would be.
  const void* key_data = key.empty() ? "" : key.data();
  if (HMAC(EVP_sha256(), key_data, static_cast<int>(key.size()), raw(bytes), bytes.size(),
           digest.data(), &size) == nullptr ||
      size != digest.size()) {
    throw std::runtime_error("OpenSSL has no HMAC-SHA-256");
  }
  return digest;
}

std::string hkdf_sha256(std::string_view key, std::string_view info, std::size_t length) {
  const std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kdf(
      EVP_KDF_fetch(nullptr, "HKDF", nullptr), &EVP_KDF_free);
  const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(
      EVP_KDF_CTX_new(kdf.get()), &EVP_KDF_CTX_free);
  std::string digest_name = "SHA256";
  std::string key_copy(key);
  std::string info_copy(info);
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest_name.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key_copy.data(), key_copy.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info_copy.data(), info_copy.size()),
      OSSL_PARAM_construct_end()};
  std::string out(length, '\0');
  const bool derived = EVP_KDF_derive(context.get(), raw(out), out.size(), params) == 1;
  cleanse(key_copy);
  if (!derived) throw std::runtime_error("HKDF-SHA-256 failed");
  return out;
}

Result<std::string> random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (count > INT_MAX || RAND_bytes(raw(bytes), static_cast<int>(count)) != 1) {
    ERR_clear_error();
    return Error::no_entropy;
  }
  return bytes;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Result<std::string> seal(std::string_view key32, std::string_view plain,
                         std::string_view associated) {
  if (key32.size() != gcm_key_bytes || plain.size() > INT_MAX || associated.size() > INT_MAX) {
    return Error::malformed;
  }
  auto nonce = random_bytes(gcm_nonce_bytes);
  if (!nonce) return nonce.error();
  std::string out = *nonce;
  out.resize(gcm_nonce_bytes + plain.size() + gcm_tag_bytes);
  unsigned char* const body = raw(out) + gcm_nonce_bytes;
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int size = 0;
  const bool sealed =
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, raw(key32), raw(*nonce)) &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &size, raw(associated),
                        static_cast<int>(associated.size())) &&
      EVP_EncryptUpdate(cipher.get(), body, &size, raw(plain), static_cast<int>(plain.size())) &&
      EVP_EncryptFinal_ex(cipher.get(), body + size, &size) &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, gcm_tag_bytes, body + plain.size());
  if (!sealed) throw std::runtime_error("AES-256-GCM failed");
  return out;
}

Result<std::string> open_sealed(std::string_view key32, std::string_view sealed,
                                std::string_view associated) {
  if (key32.size() != gcm_key_bytes || sealed.size() < gcm_nonce_bytes + gcm_tag_bytes ||
      sealed.size() > INT_MAX || associated.size() > INT_MAX) {
    return Error::malformed;
  }
  const std::string_view nonce = sealed.substr(0, gcm_nonce_bytes);
  const std::string_view body =
      sealed.substr(gcm_nonce_bytes, sealed.size() - gcm_nonce_bytes - gcm_tag_bytes);
  std::string tag(sealed.substr(sealed.size() - gcm_tag_bytes));
  std::string plain(body.size(), '\0');
  const MemoryWatch memory;
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int size = 0;
  const bool opened =
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, raw(key32), raw(nonce)) &&
      EVP_DecryptUpdate(cipher.get(), nullptr, &size, raw(associated),
                        static_cast<int>(associated.size())) &&
      EVP_DecryptUpdate(cipher.get(), raw(plain), &size, raw(body),
                        static_cast<int>(body.size())) &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, gcm_tag_bytes, tag.data()) &&
      EVP_DecryptFinal_ex(cipher.get(), raw(plain) + size, &size) == 1;
  if (!opened) {
    cleanse(plain);
    ERR_clear_error();
    memory.require();
    return Error::bad_signature;
  }
  return plain;
}

void cleanse(std::string& secret) {
  secret.resize(secret.capacity());
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

}  // namespace auth
