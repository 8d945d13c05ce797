// Bytes of an upstream. The verdict may not depend on how they were cut, llhttp must understand the
// same (reading.h sees to it), and a length that was accepted is the only one there is.
#include "tests/fuzz/require.h"
#include "tests/proxy/http/reading.h"

#include "proxy/http/syntax.h"

using namespace proxy::http;

namespace {

void check_framing(const ResponseHead& head, Method method) {
  int lengths = 0;
  int codings = 0;
  for (const Field& field : head.fields) {
    lengths += field.id == HeaderId::content_length ? 1 : 0;
    codings += field.id == HeaderId::transfer_encoding ? 1 : 0;
    fuzz::require(!field.name.empty() && syntax::all(syntax::token_char, field.name));
    fuzz::require(syntax::all(syntax::value_char, field.value));
  }
  fuzz::require(lengths + codings <= 1);
  fuzz::require(head.body.kind != BodyKind::chunked || codings == 1);
  fuzz::require(head.body.kind != BodyKind::length || lengths == 1);
  fuzz::require(head.body.kind != BodyKind::until_close || !head.keep_alive);
  const bool bodiless = head.status < 200 || head.status == 204 || head.status == 304;
  fuzz::require(!(bodiless || method == Method::head) || head.body.kind == BodyKind::none);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = 1 + data[0] % 32;
  const Method method = (data[0] & 0x40) != 0 ? Method::head : Method::get;
  const bool upgrade_sent = (data[0] & 0x80) != 0;
  std::string_view bytes = fuzz::text(data + 1, size - 1);

  const Response whole = read_response(bytes, method, upgrade_sent);
  if (whole.progress == Progress::complete && whole.error == ParseError::none) {
    fuzz::require(whole.head.status != 101 || upgrade_sent);
    check_framing(whole.head, method);
  }

  ResponseParser parser{HeadLimits{}};
  ResponseHead head;
  Progress progress = Progress::need_more;
  for (; !bytes.empty() && progress == Progress::need_more;
       bytes.remove_prefix(std::min(piece, bytes.size()))) {
    head.bytes.append(bytes.substr(0, piece));
    progress = parser.feed(head);
  }
  fuzz::require(progress == whole.progress);
  fuzz::require(progress != Progress::complete || head.head_size == whole.head.head_size);
  return 0;
}
