// Bytes of a client, as a whole conversation. What is understood may not depend on how the bytes
// were cut, llhttp must understand the same (reading.h sees to it), and what is accepted must
// survive being written anew from its parts: that is what the upstream is sent.
#include "tests/fuzz/require.h"
#include "tests/proxy/http/reading.h"

#include "proxy/http/path.h"
#include "proxy/http/syntax.h"

using namespace proxy::http;

namespace {

std::string rebuilt(const RequestHead& head) {
  std::string text(head.method_text);
  text.append(" ").append(head.path).append(head.has_query ? "?" : "").append(head.query);
  text.append(head.version_minor == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  for (const Field& field : head.fields) {
    text.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  return text.append("\r\n");
}

void check_head(std::string_view bytes) {
  const Request request = read_request(bytes);
  if (request.progress != Progress::complete || request.error != ParseError::none) return;
  const RequestHead& head = request.head;
  fuzz::require(head.head_size <= bytes.size());
  fuzz::require(head.version_minor == 0 || !head.authority.empty());
  for (const Field& field : head.fields) {
    fuzz::require(!field.name.empty() && syntax::all(syntax::token_char, field.name));
    fuzz::require(syntax::all(syntax::value_char, field.value));
  }
  if (head.method == Method::connect) return;
  fuzz::require(head.path == "*" || head.path.starts_with('/'));

  const Request again = read_request(rebuilt(head));
  fuzz::require(again.error == ParseError::none && again.progress == Progress::complete);
  fuzz::require(again.head.path == head.path && again.head.query == head.query);
  fuzz::require(again.head.fields.size() == head.fields.size());
  fuzz::require(again.head.body.kind == head.body.kind &&
                again.head.body.length == head.body.length);
  fuzz::require(again.head.wants_websocket == head.wants_websocket);
  fuzz::require(again.head.keep_alive == head.keep_alive);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = 1 + data[0] % 32;
  std::string_view bytes = fuzz::text(data + 1, size - 1);
  check_head(bytes);

  Conversation whole;
  whole.feed(bytes);
  Conversation pieces;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    pieces.feed(bytes.substr(0, piece));
  }
  fuzz::require(whole.events() == pieces.events());
  return 0;
}
