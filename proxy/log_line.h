// One log line, appended field by field to a buffer that its caller owns: JSON, or a short text for
// people. Values come from clients, so each one is escaped and cut here, and nowhere else: a line
// feed, an escape sequence or U+2028 in a user name must neither end the line nor steer a terminal
// (SECURITY I11). Allocates only when the buffer has to grow. One thread a buffer.
#pragma once

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "proxy/http/buffer.h"
#include "proxy/telemetry.h"

namespace proxy {

// Bytes of a value that are kept; a longer one ends in "...".
inline constexpr std::size_t log_value_bytes_max = 256;
inline constexpr std::size_t log_path_bytes_max = 1024;
inline constexpr std::size_t log_message_bytes_max = 4096;

// RFC 3339 in UTC with milliseconds. The date is worked out once a second.
class LogClock {
 public:
  // Valid until the next call.
  [[nodiscard]] std::string_view text(std::chrono::system_clock::time_point time);

 private:
  std::chrono::sys_seconds second_ = std::chrono::sys_seconds::max();
  std::array<char, 24> text_{};  // 2026-08-26T10:00:00.123Z
};

class LogLine {
 public:
  LogLine(http::Buffer& out, Format format) : out_(out), json_(format == Format::json) {}

  void begin(std::string_view time, std::string_view type);
  void end();

  // `key=value` in text. An empty value is left out.
  void field(std::string_view key, std::string_view value,
             std::size_t bytes_max = log_value_bytes_max);
  void number(std::string_view key, std::uint64_t value);
  void milliseconds(std::string_view key, std::chrono::microseconds value);
  // The same in JSON, but in text without its key: for what is plain from its place in the line.
  void word(std::string_view key, std::string_view value,
            std::size_t bytes_max = log_value_bytes_max);
  void sentence(std::string_view key, std::string_view value);
  void status(std::string_view key, int value);

 private:
  void separate(std::string_view key);
  bool plain_field(std::string_view key, std::string_view text);
  void value(std::string_view value, std::size_t bytes_max);
  void decimal(std::uint64_t value);

  http::Buffer& out_;
  bool json_;
};

namespace log_detail {

// The length of the valid UTF-8 sequence at the front of `text` (RFC 3629: no overlong forms, no
// surrogates, nothing over U+10FFFF) and its code point; length 0 when there is none.
struct Sequence {
  std::size_t length = 0;
  std::uint32_t code_point = 0;
};

inline Sequence sequence_at(std::string_view text) {
  const auto byte = [text](std::size_t index) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[index]));
  };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {1, first};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {};
  std::uint32_t code_point = first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {};
    code_point = (code_point << 6U) | (byte(i) & 0x3FU);
  }
  const bool overlong =
      (length == 3 && code_point < 0x800) || (length == 4 && code_point < 0x10000);
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (overlong || surrogate || code_point > 0x10FFFF) return {};
  return {length, code_point};
}

// Control characters, the line and paragraph separators, and the invisible marks that turn the
// order of a line around in a terminal or an editor.
inline bool is_hidden(std::uint32_t code_point) {
  return code_point < 0x20 || (code_point >= 0x7F && code_point <= 0x9F) ||
         (code_point >= 0x200B && code_point <= 0x200F) ||
         (code_point >= 0x2028 && code_point <= 0x202E) ||
         (code_point >= 0x2060 && code_point <= 0x206F) || code_point == 0xFEFF;
}

inline void append_code_unit(http::Buffer& out, std::uint32_t unit) {
  constexpr std::string_view digits = "0123456789abcdef";
  out.append("\\u");
  for (int shift = 12; shift >= 0; shift -= 4) {
    out.push_back(digits[(unit >> static_cast<unsigned>(shift)) & 0xFU]);
  }
}

// Printable ASCII that stands for itself in a JSON string.
inline constexpr std::array<bool, 256> verbatim = [] {
  std::array<bool, 256> table{};
  for (std::size_t c = 0x20; c < 0x7F; ++c) table[c] = c != '"' && c != '\\';
  return table;
}();

// How much of the front of `text` can be copied as it stands; many bytes at a time.
inline std::size_t verbatim_prefix(std::string_view text) {
  std::size_t length = 0;
#ifdef __SSE2__
  while (length + sizeof(__m128i) <= text.size()) {
    __m128i bytes;
    std::memcpy(&bytes, text.data() + length, sizeof bytes);
    // Signed, so that what is over 0x7F counts as below a space, too.
    const __m128i refused = _mm_or_si128(
        _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)),
                     _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7F))),
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                     _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
    if (_mm_movemask_epi8(refused) != 0) break;
    length += sizeof bytes;
  }
#endif
  while (length < text.size() && verbatim[static_cast<unsigned char>(text[length])]) ++length;
  return length;
}

// The inside of a JSON string (RFC 8259 section 7); bytes that are no UTF-8 become U+FFFD. Nearly
// every value is one run that is copied as it stands.
inline void append_escaped(http::Buffer& out, std::string_view text, std::size_t bytes_max) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t run = verbatim_prefix(text.substr(at, bytes_max - at));
    out.append(text.substr(at, run));
    at += run;
    if (at == text.size()) return;
    const Sequence sequence = sequence_at(text.substr(at));
    const std::size_t length = sequence.length == 0 ? 1 : sequence.length;
    if (at + length > bytes_max) {
      out.append("...");
      return;
    }
    if (sequence.length == 0) {
      out.append("\\ufffd");
    } else if (sequence.code_point == '"' || sequence.code_point == '\\') {
      out.push_back('\\');
      out.push_back(text[at]);
    } else if (is_hidden(sequence.code_point)) {
      append_code_unit(out, sequence.code_point);
    } else {
      out.append(text.substr(at, length));
    }
    at += length;
  }
}

// Text lines quote only what needs it.
inline bool is_plain(std::string_view text) {
  for (const char c : text) {
    if (c <= ' ' || c >= 0x7F || c == '"' || c == '\\' || c == '=') return false;
  }
  return !text.empty();
}

}  // namespace log_detail

inline std::string_view LogClock::text(std::chrono::system_clock::time_point time) {
  using namespace std::chrono;
  const auto put = [this](std::size_t at, std::size_t width, std::int64_t value) {
    for (std::size_t i = width; i > 0; --i, value /= 10) {
      text_[at + i - 1] = static_cast<char>('0' + value % 10);
    }
  };
  const auto second = floor<seconds>(time);
  if (second != second_) {
    const auto day = floor<days>(second);
    const year_month_day date{day};
    const auto in_day = (second - day).count();
    std::string_view("0000-00-00T00:00:00.000Z").copy(text_.data(), text_.size());
    put(0, 4, int{date.year()});
    put(5, 2, unsigned{date.month()});
    put(8, 2, unsigned{date.day()});
    put(11, 2, in_day / 3600);
    put(14, 2, in_day / 60 % 60);
    put(17, 2, in_day % 60);
    second_ = second;
  }
  put(20, 3, duration_cast<std::chrono::milliseconds>(time - second).count());
  return {text_.data(), text_.size()};
}

inline void LogLine::begin(std::string_view time, std::string_view type) {
  if (!json_) {
    out_.append(time);
    out_.push_back(' ');
    out_.append(type);
    return;
  }
  out_.append("{\"time\":\"");
  out_.append(time);
  out_.append("\",\"type\":\"");
  out_.append(type);
  out_.push_back('"');
}

inline void LogLine::end() { out_.append(json_ ? "}\n" : "\n"); }

inline void LogLine::separate(std::string_view key) {
  out_.append(json_ ? ",\"" : " ");
  out_.append(key);
  out_.append(json_ ? "\":" : "=");
}

inline void LogLine::value(std::string_view value, std::size_t bytes_max) {
  if (!json_ && value.size() <= bytes_max && log_detail::is_plain(value)) {
    out_.append(value);
    return;
  }
  out_.push_back('"');
  log_detail::append_escaped(out_, value, bytes_max);
  out_.push_back('"');
}

inline void LogLine::decimal(std::uint64_t value) {
  constexpr std::size_t digits_max = 20;
  const auto room = out_.reserve(digits_max);
  const auto result = std::to_chars(room.data(), room.data() + digits_max, value);
  out_.commit(static_cast<std::size_t>(result.ptr - room.data()));
}

// Key and value as one piece, where nothing has to be escaped: nearly always.
inline bool LogLine::plain_field(std::string_view key, std::string_view text) {
  if (log_detail::verbatim_prefix(text) != text.size()) return false;
  const std::size_t bytes = key.size() + text.size() + 6;
  char* at = out_.reserve(bytes).data();
  const auto put = [&at](std::string_view piece) {
    std::memcpy(at, piece.data(), piece.size());
    at += piece.size();
  };
  put(",\"");
  put(key);
  put("\":\"");
  put(text);
  put("\"");
  out_.commit(bytes);
  return true;
}

inline void LogLine::field(std::string_view key, std::string_view text, std::size_t bytes_max) {
  if (text.empty()) return;
  if (json_ && text.size() <= bytes_max && plain_field(key, text)) return;
  separate(key);
  value(text, bytes_max);
}

inline void LogLine::number(std::string_view key, std::uint64_t value) {
  separate(key);
  decimal(value);
}

inline void LogLine::milliseconds(std::string_view key, std::chrono::microseconds value) {
  const auto count = static_cast<std::uint64_t>(value.count() < 0 ? 0 : value.count());
  separate(key);
  decimal(count / 1000);
  const std::uint64_t rest = count % 1000;
  out_.push_back('.');
  out_.push_back(static_cast<char>('0' + rest / 100));
  out_.push_back(static_cast<char>('0' + rest / 10 % 10));
  out_.push_back(static_cast<char>('0' + rest % 10));
}

inline void LogLine::word(std::string_view key, std::string_view text, std::size_t bytes_max) {
  if (json_) return field(key, text, bytes_max);
  if (text.empty()) return;
  out_.push_back(' ');
  value(text, bytes_max);
}

inline void LogLine::sentence(std::string_view key, std::string_view text) {
  if (json_) return field(key, text, log_message_bytes_max);
  out_.push_back(' ');
  log_detail::append_escaped(out_, text, log_message_bytes_max);
}

inline void LogLine::status(std::string_view key, int value) {
  if (json_) {
    separate(key);
  } else {
    out_.push_back(' ');
  }
  decimal(static_cast<std::uint64_t>(value < 0 ? 0 : value));
}

}  // namespace proxy
