// Small cryptographic bricks over OpenSSL: strict base64url, hex, digests, MACs, random bytes and
// comparison in constant time. All functions are pure but random_bytes; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "auth/error.h"

namespace auth {

// RFC 7515 section 2: no padding, no white space, no other characters, and (RFC 4648 section 3.5)
// unused trailing bits must be zero. OpenSSL's EVP_DecodeBlock takes all of those.
[[nodiscard]] std::string base64url_encode(std::string_view bytes);
// Decodes into `out`, which must hold 3 * text.size() / 4 + 3 bytes; the number of bytes written.
[[nodiscard]] std::optional<std::size_t> base64url_decode(std::string_view text, char* out);
[[nodiscard]] std::optional<std::string> base64url_decode(std::string_view text);
// RFC 4648 section 4, with padding; for configuration files.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

[[nodiscard]] std::string hex(std::string_view bytes);

using Digest = std::array<std::uint8_t, 32>;
[[nodiscard]] Digest sha256(std::string_view bytes);
// What Redis names scripts by; not for anything that has to be secure.
[[nodiscard]] std::string sha1_hex(std::string_view bytes);
[[nodiscard]] Digest hmac_sha256(std::string_view key, std::string_view bytes);

// RFC 5869 with an empty salt; for keys derived from keys.
[[nodiscard]] std::string hkdf_sha256(std::string_view key, std::string_view info,
                                      std::size_t length);

// Error::no_entropy when the system's generator fails: the caller must then issue nothing.
[[nodiscard]] Result<std::string> random_bytes(std::size_t count);

// Equal length and content, without a branch on the content.
[[nodiscard]] bool equal_constant_time(std::string_view a, std::string_view b);

// AES-256-GCM with a random nonce in front; for the store's snapshot.
[[nodiscard]] Result<std::string> seal(std::string_view key32, std::string_view plain,
                                       std::string_view associated);
[[nodiscard]] Result<std::string> open_sealed(std::string_view key32, std::string_view sealed,
                                              std::string_view associated);

// Overwrites before the memory is given back.
void cleanse(std::string& secret);

}  // namespace auth
