// Bytes -> head, one message head at a time: a strict automaton of ours judges each byte as it
// comes (head_scan.h), once. What llhttp makes of the same bytes is compared by tests and fuzzers.
// Bodies are not parsed here: the guard says how a body is delimited and chunked.h reads the
// chunked kind. Syntax alone lets much through that a proxy must refuse; guard.h is the other half
// and is always called after a complete head. One thread; no allocation once warm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "proxy/http/head.h"

namespace proxy::http {

enum class ParseError : std::uint8_t {
  none,
  bad_request_line,   // also HTTP/0.9, other protocols, other versions
  bad_version,        // 505
  unknown_method,     // 501
  bad_target,
  target_too_long,    // 414
  bad_header,         // syntax: CTL, obs-fold, space before the colon, empty name, no colon
  header_too_large,   // 431: one field
  head_too_large,     // 431: the whole head
  too_many_headers,   // 431
  bad_host,
  bad_content_length,
  bad_transfer_encoding,  // 501 for a coding we do not know, 400 for ambiguity: see status_of
  unknown_transfer_encoding,
  conflicting_length, // Content-Length beside Transfer-Encoding
  bad_connection,     // Connection names a field that must not be removed
  bad_expect,         // 417
  bad_upgrade,
  duplicate_header,   // a field that may stand once stands twice
  bad_chunk,
  bad_response,       // any violation by an upstream: 502
};
[[nodiscard]] std::string_view name(ParseError error);  // for the log
[[nodiscard]] int status_of(ParseError error);          // 400, 414, 417, 431, 501, 502, 505

struct HeadLimits {
  std::size_t head_bytes = 32 * 1024;
  std::size_t field_bytes = 8 * 1024;   // one field: name and value; at most the head
  std::size_t target_bytes = 8 * 1024;  // the request line
  std::size_t fields = 100;
};

enum class Progress : std::uint8_t { need_more, complete, failed };

class RequestParser {
 public:
  explicit RequestParser(HeadLimits limits);
  ~RequestParser();
  // Parses what was appended to head.bytes since the last call. A buffer that grew in between is
  // fine. On `complete` all parts of `head` but the guard's are set and the bytes behind
  // head.head_size belong to the body or the next request.
  [[nodiscard]] Progress feed(RequestHead& head);
  [[nodiscard]] ParseError error() const;
  // True before the first byte of a head (other than one leading CRLF) has been seen.
  [[nodiscard]] bool at_start() const;
  void reset();  // for the next request

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class ResponseParser {
 public:
  explicit ResponseParser(HeadLimits limits);
  ~ResponseParser();
  [[nodiscard]] Progress feed(ResponseHead& head);
  [[nodiscard]] ParseError error() const;
  void reset();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace proxy::http
