// A chunked body in pieces of any size: one verdict, one content, one end; and content that was
// read can be written and read again.
#include "proxy/http/chunked.h"
#include "tests/fuzz/require.h"

#include <algorithm>
#include <array>
#include <string>

using namespace proxy::http;
using State = ChunkedDecoder::State;

namespace {

struct Result {
  State state = State::need_more;
  std::string data;
  std::size_t consumed = 0;
  bool operator==(const Result&) const = default;
};

Result decode(std::string_view input, std::size_t piece) {
  ChunkedDecoder decoder;
  Result result;
  while (result.consumed < input.size() && result.state == State::need_more) {
    std::string_view rest = input.substr(result.consumed, piece);
    ChunkedDecoder::Step step;
    do {
      step = decoder.next(rest);
      fuzz::require(step.consumed <= rest.size());
      fuzz::require(step.state != State::need_more || step.consumed == rest.size());
      rest.remove_prefix(step.consumed);
      result.consumed += step.consumed;
      result.data.append(step.data);
    } while (step.state == State::data);
    result.state = step.state;
  }
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input = fuzz::text(data + 1, size - 1);
  const Result whole = decode(input, input.size());
  fuzz::require(decode(input, 1 + data[0] % 16) == whole);

  std::array<char, 18> header{};
  std::string written;
  if (!whole.data.empty()) {
    written.assign(header.data(), chunk_header(whole.data.size(), header));
    written.append(whole.data).append(chunk_end);
  }
  written.append(last_chunk);
  const Result again = decode(written, written.size());
  fuzz::require(again == Result{State::end, whole.data, written.size()});
  return 0;
}
