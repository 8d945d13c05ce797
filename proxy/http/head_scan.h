// The grammar of a message head, byte by byte: the half of the parser that knows no leniency. It
// sees every byte before llhttp does and accepts exactly
//   [CRLF] start-line CRLF *(name ":" value CRLF) CRLF
// of RFC 9112, with the limits counted on the way. Because it is a plain automaton over bytes, the
// verdict cannot depend on how the bytes were cut into reads. One thread; no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/http/parser.h"

namespace proxy::http {

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
  [[nodiscard]] std::size_t fields() const { return fields_; }
  [[nodiscard]] std::size_t method_bytes() const { return method_bytes_; }

 private:
  enum class State : std::uint8_t {
    start, start_lf,                                         // one CRLF in front is ignored
    method, target, target_hex, version, version_end,        // request line
    status_version, status, reason,                          // status line
    line_lf, field, name, value, value_lf, last_lf, done, failed
  };

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
  std::size_t line_ = 0;    // where the current line begins
  std::size_t stop_ = 0;    // where the current line or the head grows too long
  std::size_t fields_ = 0;
  std::size_t method_bytes_ = 0;
};

}  // namespace proxy::http
