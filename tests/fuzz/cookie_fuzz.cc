// Any Cookie field: ours are gone afterwards, nobody else's changes, and a field without ours stays
// as it was. Any value: Set-Cookie is one line or nothing.
#include "proxy/http/cookie.h"

#include <array>
#include <string>

#include "tests/fuzz/require.h"

using namespace proxy::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view field = fuzz::text(data, size);
  constexpr std::string_view refresh = "__Host-rt";
  constexpr std::string_view access = "a";

  const int ours = find_cookie(field, refresh).count + find_cookie(field, access).count;
  std::string out = "before";
  const std::array<std::string, 2> names{std::string(refresh), std::string(access)};
  const bool left = append_without(field, names, out);
  fuzz::require(out.starts_with("before"));
  const std::string_view rest = std::string_view(out).substr(6);
  fuzz::require(left || rest.empty());
  fuzz::require(rest.size() <= field.size());
  fuzz::require(find_cookie(rest, refresh).count + find_cookie(rest, access).count == 0);
  fuzz::require(ours != 0 || !left || rest == field);
  // Another cookie is found as often as before, with the same value.
  fuzz::require(!left || find_cookie(rest, "b").count == find_cookie(field, "b").count);
  fuzz::require(!left || find_cookie(rest, "b").value == find_cookie(field, "b").value);

  const std::string line =
      set_cookie_line({.name = "__Host-rt", .domain = {}}, field, std::chrono::seconds(1));
  fuzz::require(line.empty() || line.find('\r') == line.size() - 2);
  return 0;
}
