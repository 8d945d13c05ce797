// The states follow the grammar from left to right. The three long runs (target, name, value) have
// loops of their own; everything else goes one byte at a time, but for short cuts that change only
// how fast the same bytes are seen: field lines that are there as a whole are taken as a whole.
#include "proxy/http/head_scan.h"

#include "proxy/http/syntax.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <cstring>

namespace proxy::http {
namespace {

constexpr std::string_view version_start = "HTTP/";
constexpr std::string_view usual_version = "HTTP/1.";
constexpr std::size_t longest_method = 7;  // OPTIONS, CONNECT

std::size_t skip(syntax::Class wanted, const char* data, std::size_t at, std::size_t end) {
  while (at < end && syntax::is(wanted, data[at])) ++at;
  return at;
}

// The first byte from `at` on that a field value may not hold, or `end`. Many bytes at a time:
// values are most of a head.
std::size_t skip_value(const char* data, std::size_t at, std::size_t end) {
#ifdef __SSE2__
  const __m128i last_control = _mm_set1_epi8(0x1f);
  while (end - at >= sizeof(__m128i)) {
    __m128i bytes;
    std::memcpy(&bytes, data + at, sizeof bytes);
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
    const __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
    const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
    const int refused = _mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, control), del));
    if (refused != 0) {
      return at + static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(refused)));
    }
    at += sizeof(__m128i);
  }
#endif
  return skip(syntax::value_char, data, at, end);
}

}  // namespace

HeadScan::HeadScan(Kind kind, const HeadLimits& limits) : limits_(limits), kind_(kind) { reset(); }

void HeadScan::reset() {
  state_ = State::start;
  error_ = ParseError::none;
  digit_ = 0;
  at_ = begin_ = method_bytes_ = 0;
  status_ = 0;
  fields_.clear();
  begin_line();
}

bool HeadScan::at_start() const {
  return state_ == State::start || state_ == State::start_lf ||
         (state_ == State::method && at_ == begin_);
}

// A line may be as long as its limit and its CRLF; the head as a whole includes them.
void HeadScan::begin_line() {
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
    if (state_ == State::field) take_whole_fields(bytes);
    const std::size_t end = std::min(bytes.size(), stop_);
    if (at_ == end && end == bytes.size()) return Progress::need_more;
    error_ = at_ == end ? too_long() : step(bytes.data(), end);
    if (error_ != ParseError::none) state_ = State::failed;
  }
  return state_ == State::done ? Progress::complete : Progress::failed;
}

// Field lines that are complete and without fault, which nearly all are. The first that is not is
// left untouched, for the states to say what is wrong with it or to wait for its rest.
void HeadScan::take_whole_fields(std::string_view bytes) {
  const char* const data = bytes.data();
  while (fields_.size() < limits_.fields) {
    const std::size_t end = std::min(bytes.size(), stop_);
    const std::size_t colon = skip(syntax::token_char, data, at_, end);
    if (colon == at_ || colon == end || data[colon] != ':') return;
    const std::size_t cr = skip_value(data, colon + 1, end);
    if (end - cr < 2 || data[cr] != '\r' || data[cr + 1] != '\n') return;
    fields_.push_back({{at_, colon}, {colon + 1, cr}});
    at_ = cr + 2;
    begin_line();
  }
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
    case State::version_end: return end_line(data, end, ParseError::bad_request_line);
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
  method_ = method_from(text);
  if (method_ == Method::other) return ParseError::unknown_method;
  method_bytes_ = text.size();
  start_text_.begin = ++at_;
  state_ = State::target;
  return ParseError::none;
}

// Whatever two parsers may read in two ways is refused here: '#', '\', quotes, raw bytes over 0x7F
// and escapes that are none (SECURITY B02, B06, B07, B08).
ParseError HeadScan::scan_target(const char* data, std::size_t end) {
  while (at_ < end) {
    const char c = data[at_];
    if (state_ == State::target_hex) {
      if (!syntax::is(syntax::hex_digit, c)) return ParseError::bad_target;
      if (++digit_ == 2) state_ = State::target;
      ++at_;
    } else if (c == '%') {
      state_ = State::target_hex;
      digit_ = 0;
      ++at_;
    } else if (syntax::is(syntax::target_char, c)) {
      at_ = skip(syntax::target_char, data, at_ + 1, end);
    } else {
      // A line that ends here has no version: HTTP/0.9. Two spaces leave the target empty.
      const bool ends = c == '\r' || c == '\n' || (c == ' ' && at_ == start_text_.begin);
      if (ends) return ParseError::bad_request_line;
      if (c != ' ') return ParseError::bad_target;
      start_text_.end = at_++;
      state_ = State::version;
      digit_ = 0;
      return ParseError::none;
    }
  }
  return ParseError::none;
}

// "HTTP/" DIGIT "." DIGIT, of which only 1.0 and 1.1 are ours (SECURITY D25).
ParseError HeadScan::scan_version(const char* data, std::size_t end) {
  constexpr std::size_t major = version_start.size();
  const std::string_view rest(data + at_, end - at_);
  if (digit_ == 0 && rest.starts_with(usual_version)) {
    at_ += usual_version.size();
    digit_ = usual_version.size();
  }
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
    version_minor_ = c - '0';
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
  if (i >= 1 && i <= 3) {
    if (!syntax::is_digit(c)) return ParseError::bad_request_line;
    status_ = status_ * 10 + (c - '0');
  }
  if (i == 4) {
    if (c != ' ' && c != '\r') return ParseError::bad_request_line;
    state_ = State::reason;
    start_text_.begin = c == ' ' ? at_ + 1 : at_;
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
  if (fields_.size() == limits_.fields) return ParseError::too_many_headers;
  fields_.push_back({{at_, at_}, {}});
  state_ = State::name;
  return scan_name(data, end);
}

ParseError HeadScan::scan_name(const char* data, std::size_t end) {
  at_ = skip(syntax::token_char, data, at_, end);
  if (at_ == end) return ParseError::none;
  if (data[at_] != ':') return ParseError::bad_header;
  FieldSpan& field = fields_.back();
  field.name.end = at_++;
  field.value.begin = at_;
  state_ = State::value;
  return scan_value(data, end);
}

// A field's value, or the reason of a status line.
ParseError HeadScan::scan_value(const char* data, std::size_t end) {
  at_ = skip_value(data, at_, end);
  if (at_ == end) return ParseError::none;
  if (state_ == State::reason) {
    start_text_.end = at_;
    return end_line(data, end, ParseError::bad_request_line);
  }
  fields_.back().value.end = at_;
  return end_line(data, end, ParseError::bad_header);
}

// The CR, and the LF where it has come already: nearly always.
ParseError HeadScan::end_line(const char* data, std::size_t end, ParseError otherwise) {
  const State lf = in_start_line() ? State::line_lf : State::value_lf;
  const ParseError error = expect('\r', data[at_], lf, otherwise);
  if (error != ParseError::none || at_ == end) return error;
  return expect('\n', data[at_], State::field, otherwise);
}

}  // namespace proxy::http
