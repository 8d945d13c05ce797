// Refresh tokens from anybody: reading never crashes, and what is accepted is exactly what was
// minted, byte by byte.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "auth/bytes.h"
#include "auth/family.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auth::RefreshKeys keys({{"r", std::string(32, 'k')}, {"old", std::string(32, 'o')}});
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string prefix(auth::refresh_token_prefix);
  // As it is, behind the prefix, and as the bytes that base64url would carry.
  for (const std::string& token :
       {std::string(text), prefix + std::string(text), prefix + auth::base64url_encode(text)}) {
    const auto read = keys.read(token, auth::Time{});
    // Only the active key's tokens can be minted again here, and nothing else has one spelling.
    if (read && token != keys.mint(*read) && token.find("A29sZ") == std::string::npos) std::abort();
  }
  if (const auto family = auth::family_from_text(text)) {
    if (auth::to_text(*family) != text) std::abort();
  }
  return 0;
}
