// Refresh tokens from anybody, and tokens of ours with a change: reading never crashes, what was
// minted is read as it was, and nothing else is ever accepted.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "auth/bytes.h"
#include "auth/family.h"
#include "require.h"

namespace {

std::uint64_t number(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8 && !bytes.empty(); ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
  }
  return value;
}

// A token made from the bytes is accepted; with the rest of the bytes laid over its own, never.
void change_one_of_ours(const auth::RefreshKeys& keys, std::string_view bytes) {
  auth::RefreshToken token;
  token.generation = number(bytes) & auth::generation_max;
  token.expires_at = auth::Time{std::chrono::seconds{1 + (number(bytes) & 0x3FFFFFFFF)}};
  const std::size_t at = number(bytes);
  const std::string good = keys.mint(token);
  const auto read = keys.read(good, auth::Time{});
  fuzz::require(read && read->generation == token.generation &&
                read->expires_at == token.expires_at && read->family == token.family);

  std::string changed =
      *auth::base64url_decode(std::string_view(good).substr(auth::refresh_token_prefix.size()));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    char& byte = changed[(at % changed.size() + i) % changed.size()];
    byte = static_cast<char>(byte ^ bytes[i]);
  }
  changed = std::string(auth::refresh_token_prefix) + auth::base64url_encode(changed);
  fuzz::require(changed == good || !keys.read(changed, auth::Time{}));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auth::RefreshKeys keys({{"r", std::string(32, 'k')}, {"old", std::string(32, 'o')}});
  const std::string_view text = fuzz::text(data, size);
  const std::string prefix(auth::refresh_token_prefix);
  // As it is, behind the prefix, and as the bytes that base64url would carry: all forged.
  for (const std::string& token :
       {std::string(text), prefix + std::string(text), prefix + auth::base64url_encode(text)}) {
    fuzz::require(!keys.read(token, auth::Time{}));
  }
  change_one_of_ours(keys, text);
  if (const auto family = auth::family_from_text(text)) {
    fuzz::require(auth::to_text(*family) == text);
  }
  return 0;
}
