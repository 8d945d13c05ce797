// Order matters: size and dots first (they cost nothing), then the signature's encoding, then the
// header. The payload is looked at by nobody before a key has vouched for it.
#include "auth/jws.h"

#include <algorithm>

#include "auth/bytes.h"

namespace auth {
namespace {

constexpr std::size_t signature_text_max = 1400;

}  // namespace

Result<void> Jws::read(std::string_view token) {
  if (token.size() > token_bytes_max) return Error::malformed;
  // Counted before anything is split: a field of dots was the memory hole of CVE-2025-30204.
  if (std::count(token.begin(), token.end(), '.') != 2) return Error::malformed;
  const auto first = token.find('.');
  const auto second = token.find('.', first + 1);
  const auto signature = token.substr(second + 1);
  if (first == 0 || signature.size() > signature_text_max) return Error::malformed;
  signing_input_ = token.substr(0, second);
  payload_ = token.substr(first + 1, second - first - 1);
  if (const auto size = base64url_decode(signature, signature_.data())) {
    signature_size_ = *size;
  } else {
    return Error::malformed;
  }
  return read_header(token.substr(0, first));
}

Result<void> Jws::read_header(std::string_view encoded) {
  const auto text = base64url_decode(encoded);
  if (!text || !header_.parse(*text)) return Error::malformed;
  const auto header = header_.root();
  // RFC 7515 section 4.1.11: we understand no extension. b64 (RFC 7797) needs crit, and is refused
  // without it too, since it changes which bytes are signed.
  if (header.member("crit").exists() || header.member("b64").exists()) {
    return Error::unsupported_critical;
  }
  // Members of an encrypted or compressed token in a signed one: a confusion, never a use.
  if (header.member("enc").exists() || header.member("zip").exists()) return Error::malformed;
  const auto algorithm = algorithm_from(header.member("alg").text().value_or(""));
  if (!algorithm) return Error::unsupported_algorithm;
  algorithm_ = *algorithm;
  if (const auto kid = header.member("kid"); kid.exists()) {
    kid_ = kid.text();
    if (!kid_ || kid_->size() > key_id_bytes_max) return Error::malformed;
  }
  if (const auto type = header.member("typ"); type.exists()) {
    type_ = type.text();
    if (!type_) return Error::malformed;
  }
  return {};
}

Result<void> Jws::verify(const KeyRing& ring) const {
  const Key* const key = ring.find(kid_, algorithm_);
  if (key == nullptr) return Error::unknown_key;
  const std::string_view signature(signature_.data(), signature_size_);
  if (!key->verify(signing_input_, signature)) return Error::bad_signature;
  return {};
}

std::optional<std::string> Jws::payload() const { return base64url_decode(payload_); }

}  // namespace auth
