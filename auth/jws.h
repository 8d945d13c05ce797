// A compact JWS (RFC 7515 section 7.1) taken apart: header understood, signature decoded, payload
// untouched. Views point into the token, which must outlive it. Lives on the stack of one check.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "auth/json.h"
#include "auth/keys.h"

namespace auth {

inline constexpr std::size_t token_bytes_max = 8 * 1024;

class Jws {
 public:
  // malformed, unsupported_algorithm or unsupported_critical. Five-part tokens (JWE) end here
  // before anything is decoded. Once per object.
  [[nodiscard]] Result<void> read(std::string_view token);

  [[nodiscard]] Algorithm algorithm() const { return algorithm_; }
  [[nodiscard]] std::optional<std::string_view> kid() const { return kid_; }
  [[nodiscard]] std::optional<std::string_view> type() const { return type_; }

  // unknown_key or bad_signature. Header members that carry or point to a key are never looked at.
  [[nodiscard]] Result<void> verify(const KeyRing& ring) const;

  // The payload's bytes. Ask only after verify().
  [[nodiscard]] std::optional<std::string> payload() const;

 private:
  [[nodiscard]] Result<void> read_header(std::string_view encoded);

  JsonDocument header_;
  Algorithm algorithm_{};
  std::optional<std::string_view> kid_;
  std::optional<std::string_view> type_;
  std::string_view signing_input_;
  std::string_view payload_;
  std::array<char, 1100> signature_;  // RSA of 8192 bits makes 1024
  std::size_t signature_size_ = 0;
};

}  // namespace auth
