// The grammar of a message head, byte by byte, and the one reading of it, without any leniency. It
// accepts exactly
//   [CRLF] start-line CRLF *(name ":" value CRLF) CRLF
// of RFC 9112, with the limits counted on the way, and notes where each part stands. Because it is
// a plain automaton over bytes, the verdict cannot depend on how the bytes were cut into reads.
// Tests and fuzzers hold every head it accepts against llhttp. One thread; no allocation once warm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "proxy/http/parser.h"

namespace proxy::http {

// Places in the bytes of a head. Not views, because the buffer may move between two reads.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
  [[nodiscard]] std::string_view of(std::string_view bytes) const {
    return {bytes.data() + begin, end - begin};
  }
};

struct FieldSpan {
  Span name;
  Span value;  // with its white space, without the CRLF
};

class HeadScan {
 public:
  enum class Kind : std::uint8_t { request, response };

  HeadScan(Kind kind, const HeadLimits& limits);
  void reset();
  // `bytes` is everything there is from the start of the head; what an earlier call has seen is not
  // looked at again. Stops behind the empty line, or at the first byte that cannot be.
  [[nodiscard]] Progress scan(std::string_view bytes);

  [[nodiscard]] ParseError error() const { return error_; }
  [[nodiscard]] bool at_start() const;
  // Valid after `complete`.
  [[nodiscard]] std::size_t begin() const { return begin_; }  // of the start line
  [[nodiscard]] std::size_t end() const { return at_; }       // behind the empty line
  [[nodiscard]] Span method_text() const { return {begin_, begin_ + method_bytes_}; }
  [[nodiscard]] Method method() const { return method_; }
  [[nodiscard]] Span start_text() const { return start_text_; }  // request target, or reason
  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] int version_minor() const { return version_minor_; }
  [[nodiscard]] const std::vector<FieldSpan>& fields() const { return fields_; }

 private:
  enum class State : std::uint8_t {
    start, start_lf,                                         // one CRLF in front is ignored
    method, target, target_hex, version, version_end,        // request line
    status_version, status, reason,                          // status line
    line_lf, field, name, value, value_lf, last_lf, done, failed
  };

  void take_whole_fields(std::string_view bytes);
  [[nodiscard]] ParseError step(const char* data, std::size_t end);
  [[nodiscard]] ParseError scan_start(char c);
  [[nodiscard]] ParseError scan_method(const char* data, std::size_t end);
  [[nodiscard]] ParseError scan_target(const char* data, std::size_t end);
  [[nodiscard]] ParseError scan_version(const char* data, std::size_t end);
  [[nodiscard]] ParseError scan_status(char c);
  [[nodiscard]] ParseError scan_field(const char* data, std::size_t end);
  [[nodiscard]] ParseError scan_name(const char* data, std::size_t end);
  [[nodiscard]] ParseError scan_value(const char* data, std::size_t end);
  [[nodiscard]] ParseError expect(char wanted, char c, State next, ParseError otherwise);
  [[nodiscard]] ParseError end_line(const char* data, std::size_t end, ParseError otherwise);
  void begin_line();
  [[nodiscard]] ParseError too_long() const;
  [[nodiscard]] bool in_start_line() const { return state_ <= State::line_lf; }

  HeadLimits limits_;
  Kind kind_;
  State state_ = State::start;
  ParseError error_ = ParseError::none;
  std::uint8_t digit_ = 0;  // position in "HTTP/1.1", in the status code, in a % escape
  std::size_t at_ = 0;
  std::size_t begin_ = 0;
  std::size_t stop_ = 0;    // where the current line or the head grows too long
  std::size_t method_bytes_ = 0;
  Method method_ = Method::other;
  int version_minor_ = 1;
  int status_ = 0;
  Span start_text_;
  std::vector<FieldSpan> fields_;  // the last one is filled in while it is read
};

}  // namespace proxy::http
