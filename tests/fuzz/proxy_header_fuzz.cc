// A PROXY protocol header in pieces of any size: one verdict, one address, and no byte behind it
// taken.
#include "proxy/net/proxy_header.h"
#include "tests/fuzz/require.h"

#include <algorithm>
#include <string>

using proxy::net::ProxyHeader;

namespace {

struct Result {
  ProxyHeader::State state = ProxyHeader::State::need_more;
  std::size_t taken = 0;
  std::string source;
};

Result read(std::string_view input, std::size_t bite) {
  ProxyHeader header;
  Result result;
  while (result.state == ProxyHeader::State::need_more && result.taken < input.size()) {
    fuzz::require(header.wants() > 0);
    const std::size_t take = std::min({header.wants(), bite, input.size() - result.taken});
    result.state = header.feed(input.substr(result.taken, take));
    result.taken += take;
  }
  if (header.source()) {
    result.source = proxy::net::to_text(header.source()->address) + " " +
                    std::to_string(header.source()->port);
  }
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const Result whole = read(input, size + 1);
  const Result pieces = read(input, 1);
  fuzz::require(whole.state == pieces.state);
  fuzz::require(whole.source == pieces.source);
  if (whole.state == ProxyHeader::State::complete) fuzz::require(whole.taken == pieces.taken);
  if (whole.state == ProxyHeader::State::failed) fuzz::require(whole.source.empty());
  return 0;
}
