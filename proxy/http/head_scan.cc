// The states follow the grammar from left to right. The three long runs (target, name, value) have
// loops of their own; everything else goes one byte at a time.
#include "proxy/http/head_scan.h"

#include "proxy/http/syntax.h"

#include <algorithm>
#include <cstring>

namespace proxy::http {
namespace {

constexpr std::string_view version_start = "HTTP/";
constexpr std::size_t longest_method = 7;  // OPTIONS, CONNECT

// The first byte from `at` on that a field value may not hold, or `end`. Eight bytes at a time:
// values are most of a head.
std::size_t skip_value(const char* data, std::size_t at, std::size_t end) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  constexpr std::uint64_t high = ones * 0x80;
  while (end - at >= sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, data + at, sizeof word);
    const std::uint64_t below_space = (word - ones * 0x20) & ~word;
    const std::uint64_t not_del = word ^ (ones * 0x7f);
    const std::uint64_t is_del = (not_del - ones) & ~not_del;
    if (((below_space | is_del) & high) != 0) break;  // perhaps only a TAB: look closer
    at += sizeof word;
  }
  while (at < end && syntax::is(syntax::value_char, data[at])) ++at;
  return at;
}

}  // namespace

HeadScan::HeadScan(Kind kind, const HeadLimits& limits) : limits_(limits), kind_(kind) { reset(); }

void HeadScan::reset() {
  state_ = State::start;
  error_ = ParseError::none;
  digit_ = 0;
  at_ = begin_ = fields_ = method_bytes_ = 0;
  begin_line();
}

bool HeadScan::at_start() const {
  return state_ == State::start || state_ == State::start_lf ||
         (state_ == State::method && at_ == begin_);
}

// A line may be as long as its limit and its CRLF; the head as a whole includes them.
void HeadScan::begin_line() {
  line_ = at_;
  const std::size_t line_bytes = in_start_line() ? limits_.target_bytes : limits_.field_bytes;
  const std::size_t left = limits_.head_bytes - std::min(at_, limits_.head_bytes);
  stop_ = at_ + std::min(left, line_bytes + 2);
}

ParseError HeadScan::too_long() const {
  if (stop_ == limits_.head_bytes) return ParseError::head_too_large;
  return in_start_line() ? ParseError::target_too_long : ParseError::header_too_large;
}

Progress HeadScan::scan(std::string_view bytes) {
  while (state_ < State::done) {
    const std::size_t end = std::min(bytes.size(), stop_);
    if (at_ == end && end == bytes.size()) return Progress::need_more;
    error_ = at_ == end ? too_long() : step(bytes.data(), end);
    if (error_ != ParseError::none) state_ = State::failed;
  }
  return state_ == State::done ? Progress::complete : Progress::failed;
}

ParseError HeadScan::step(const char* data, std::size_t end) {
  const char c = data[at_];
  switch (state_) {
    case State::start:
    case State::start_lf: return scan_start(c);
    case State::method: return scan_method(data, end);
    case State::target:
    case State::target_hex: return scan_target(data, end);
    case State::version:
    case State::status_version: return scan_version(data, end);
    case State::version_end:
      return expect('\r', c, State::line_lf, ParseError::bad_request_line);
    case State::status: return scan_status(c);
    case State::reason: return scan_value(data, end);
    case State::line_lf: return expect('\n', c, State::field, ParseError::bad_request_line);
    case State::field: return scan_field(data, end);
    case State::name: return scan_name(data, end);
    case State::value: return scan_value(data, end);
    case State::value_lf: return expect('\n', c, State::field, ParseError::bad_header);
    case State::last_lf: return expect('\n', c, State::done, ParseError::bad_header);
    case State::done:
    case State::failed: break;
  }
  return ParseError::bad_request_line;
}

ParseError HeadScan::expect(char wanted, char c, State next, ParseError otherwise) {
  if (c != wanted) return otherwise;
  ++at_;
  state_ = next;
  if (next == State::field) begin_line();
  return ParseError::none;
}

// RFC 9112 section 2.2: one CRLF in front is ignored (old clients send it behind a body). A second
// one is met by the start line's first character, which it cannot be.
ParseError HeadScan::scan_start(char c) {
  const State first = kind_ == Kind::request ? State::method : State::status_version;
  if (state_ == State::start_lf) {
    if (c != '\n') return ParseError::bad_request_line;
    begin_ = ++at_;
    state_ = first;
    begin_line();
    return ParseError::none;
  }
  if (c == '\r' && kind_ == Kind::request) {
    ++at_;
    state_ = State::start_lf;
    return ParseError::none;
  }
  state_ = first;
  return ParseError::none;
}

ParseError HeadScan::scan_method(const char* data, std::size_t end) {
  while (at_ < end && syntax::is(syntax::token_char, data[at_])) {
    if (at_ - begin_ == longest_method) return ParseError::unknown_method;
    ++at_;
  }
  if (at_ == end) return ParseError::none;
  const std::string_view text(data + begin_, at_ - begin_);
  if (data[at_] != ' ' || text.empty()) return ParseError::bad_request_line;
  if (method_from(text) == Method::other) return ParseError::unknown_method;
  method_bytes_ = text.size();
  ++at_;
  state_ = State::target;
  return ParseError::none;
}

// Whatever two parsers may read in two ways is refused here: '#', '\', quotes, raw bytes over 0x7F
// and escapes that are none (SECURITY B02, B06, B07, B08).
ParseError HeadScan::scan_target(const char* data, std::size_t end) {
  const std::size_t target = begin_ + method_bytes_ + 1;
  while (at_ < end) {
    const char c = data[at_];
    if (state_ == State::target_hex) {
      if (!syntax::is(syntax::hex_digit, c)) return ParseError::bad_target;
      if (++digit_ == 2) state_ = State::target;
    } else if (c == '%') {
      state_ = State::target_hex;
      digit_ = 0;
    } else if (!syntax::is(syntax::target_char, c)) {
      // A line that ends here has no version: HTTP/0.9. Two spaces leave the target empty.
      const bool ends = c == '\r' || c == '\n' || (c == ' ' && at_ == target);
      if (ends) return ParseError::bad_request_line;
      if (c != ' ') return ParseError::bad_target;
      ++at_;
      state_ = State::version;
      digit_ = 0;
      return ParseError::none;
    }
    ++at_;
  }
  return ParseError::none;
}

// "HTTP/" DIGIT "." DIGIT, of which only 1.0 and 1.1 are ours (SECURITY D25).
ParseError HeadScan::scan_version(const char* data, std::size_t end) {
  constexpr std::size_t major = version_start.size();
  while (at_ < end) {
    const char c = data[at_++];
    const std::size_t i = digit_++;
    if (i < major || i == major + 1) {
      if (c != (i < major ? version_start[i] : '.')) return ParseError::bad_request_line;
      continue;
    }
    if (!syntax::is_digit(c)) return ParseError::bad_request_line;
    if (i == major) {
      if (c != '1') return ParseError::bad_version;
      continue;
    }
    if (c != '0' && c != '1') return ParseError::bad_version;
    digit_ = 0;
    state_ = state_ == State::version ? State::version_end : State::status;
    return ParseError::none;
  }
  return ParseError::none;
}

// SP 3DIGIT, then SP and a reason, or nothing: servers that leave out the last SP are common.
ParseError HeadScan::scan_status(char c) {
  const std::size_t i = digit_++;
  if (i == 0 && c != ' ') return ParseError::bad_request_line;
  if (i >= 1 && i <= 3 && !syntax::is_digit(c)) return ParseError::bad_request_line;
  if (i == 4) {
    if (c != ' ' && c != '\r') return ParseError::bad_request_line;
    state_ = State::reason;
    if (c == '\r') return ParseError::none;
  }
  ++at_;
  return ParseError::none;
}

ParseError HeadScan::scan_field(const char* data, std::size_t end) {
  const char c = data[at_];
  if (c == '\r') {
    ++at_;
    state_ = State::last_lf;
    return ParseError::none;
  }
  // A blank would continue the line before (obs-fold), a colon would be a field without a name:
  // both have hidden fields from one of two parsers (SECURITY D06, D11).
  if (!syntax::is(syntax::token_char, c)) return ParseError::bad_header;
  if (fields_ == limits_.fields) return ParseError::too_many_headers;
  ++fields_;
  state_ = State::name;
  return scan_name(data, end);
}

ParseError HeadScan::scan_name(const char* data, std::size_t end) {
  while (at_ < end && syntax::is(syntax::token_char, data[at_])) ++at_;
  if (at_ == end) return ParseError::none;
  if (data[at_] != ':') return ParseError::bad_header;
  ++at_;
  state_ = State::value;
  return scan_value(data, end);
}

ParseError HeadScan::scan_value(const char* data, std::size_t end) {
  at_ = skip_value(data, at_, end);
  if (at_ == end) return ParseError::none;
  const bool reason = state_ == State::reason;
  return expect('\r', data[at_], reason ? State::line_lf : State::value_lf,
                reason ? ParseError::bad_request_line : ParseError::bad_header);
}

}  // namespace proxy::http
