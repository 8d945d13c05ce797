// An automaton over the bytes of a chunked body, so that splits cannot matter. Every place where
// servers have been lenient in different ways (sizes, line ends, extensions, trailers) has its
// state and its refusal here (SECURITY D16 to D19).
#include "proxy/http/chunked.h"

#include "proxy/http/syntax.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace proxy::http {
namespace {

constexpr std::uint8_t size_digits_max = 16;
constexpr std::uint32_t extension_bytes_max = 1024;  // of all chunks together (SECURITY D18)
constexpr std::uint32_t trailer_bytes_max = 8 * 1024;

}  // namespace

enum class ChunkedDecoder::Phase : std::uint8_t {
  size, size_lf,
  extension_name, extension_value_start, extension_token, extension_quoted, extension_escape,
  extension_end,
  data, data_cr, data_lf,
  trailer, trailer_name, trailer_value, trailer_lf, last_lf,
  done, failed
};

void ChunkedDecoder::reset() { *this = ChunkedDecoder(); }

ChunkedDecoder::Step ChunkedDecoder::next(std::string_view input) {
  Step step;
  while (step.consumed < input.size() && phase_ < Phase::done) {
    if (phase_ == Phase::data) {
      const auto bytes = static_cast<std::size_t>(
          std::min<std::uint64_t>(remaining_, input.size() - step.consumed));
      step.data = input.substr(step.consumed, bytes);
      step.state = State::data;
      step.consumed += bytes;
      remaining_ -= bytes;
      if (remaining_ == 0) phase_ = Phase::data_cr;
      return step;
    }
    phase_ = after(input[step.consumed]);
    ++step.consumed;
  }
  if (phase_ == Phase::done) step.state = State::end;
  if (phase_ == Phase::failed) step.state = State::failed;
  return step;
}

ChunkedDecoder::Phase ChunkedDecoder::after(char c) {
  switch (phase_) {
    case Phase::size: return after_size(c);
    case Phase::size_lf:
      if (c != '\n') return Phase::failed;
      digits_ = 0;
      return remaining_ == 0 ? Phase::trailer : Phase::data;
    case Phase::data_cr: return c == '\r' ? Phase::data_lf : Phase::failed;
    case Phase::data_lf: return c == '\n' ? Phase::size : Phase::failed;
    case Phase::trailer:
    case Phase::trailer_name:
    case Phase::trailer_value:
    case Phase::trailer_lf: return after_trailer(c);
    case Phase::last_lf: return c == '\n' ? Phase::done : Phase::failed;
    case Phase::data:
    case Phase::done:
    case Phase::failed: return Phase::failed;
    default: return after_extension(c);
  }
}

// 1*HEXDIG, of which 2^63 - 1 is the most: what we count must fit everywhere it is counted again.
ChunkedDecoder::Phase ChunkedDecoder::after_size(char c) {
  const int digit = syntax::hex_value(c);
  if (digit >= 0) {
    constexpr std::uint64_t max = std::numeric_limits<std::int64_t>::max();
    const auto value = static_cast<std::uint64_t>(digit);
    if (++digits_ > size_digits_max || remaining_ > (max - value) / 16) return Phase::failed;
    remaining_ = remaining_ * 16 + value;
    return Phase::size;
  }
  if (digits_ == 0) return Phase::failed;
  if (c == '\r') return Phase::size_lf;
  return c == ';' ? Phase::extension_name : Phase::failed;
}

// *(";" token ["=" (token / quoted-string)]) without the white space RFC 9112 calls bad.
ChunkedDecoder::Phase ChunkedDecoder::after_extension(char c) {
  if (++extension_bytes_ > extension_bytes_max) return Phase::failed;
  switch (phase_) {
    case Phase::extension_name:
    case Phase::extension_token:
      if (syntax::is(syntax::token_char, c)) {
        in_token_ = true;
        return phase_;
      }
      if (!in_token_) return Phase::failed;
      in_token_ = false;
      if (c == '=' && phase_ == Phase::extension_name) return Phase::extension_value_start;
      break;
    case Phase::extension_value_start:
      in_token_ = true;
      if (c == '"') return Phase::extension_quoted;
      return syntax::is(syntax::token_char, c) ? Phase::extension_token : Phase::failed;
    case Phase::extension_quoted:
      if (c == '"') return Phase::extension_end;
      if (!syntax::is(syntax::value_char, c)) return Phase::failed;
      return c == '\\' ? Phase::extension_escape : Phase::extension_quoted;
    case Phase::extension_escape:
      return syntax::is(syntax::value_char, c) ? Phase::extension_quoted : Phase::failed;
    default: break;
  }
  in_token_ = false;
  if (c == '\r') return Phase::size_lf;
  return c == ';' ? Phase::extension_name : Phase::failed;
}

// Trailers are read by the rules for fields, and never become part of a head: merged, they have
// become identity headers (SECURITY A04).
ChunkedDecoder::Phase ChunkedDecoder::after_trailer(char c) {
  if (++trailer_bytes_ > trailer_bytes_max) return Phase::failed;
  if (trailers_ != nullptr && !(phase_ == Phase::trailer && c == '\r')) trailers_->push_back(c);
  switch (phase_) {
    case Phase::trailer:
      if (c == '\r') return Phase::last_lf;
      return syntax::is(syntax::token_char, c) ? Phase::trailer_name : Phase::failed;
    case Phase::trailer_name:
      if (c == ':') return Phase::trailer_value;
      return syntax::is(syntax::token_char, c) ? Phase::trailer_name : Phase::failed;
    case Phase::trailer_value:
      if (c == '\r') return Phase::trailer_lf;
      return syntax::is(syntax::value_char, c) ? Phase::trailer_value : Phase::failed;
    default: return c == '\n' ? Phase::trailer : Phase::failed;
  }
}

std::size_t chunk_header(std::size_t bytes, std::span<char, 18> out) {
  char* const end = std::to_chars(out.data(), out.data() + 16, bytes, 16).ptr;
  end[0] = '\r';
  end[1] = '\n';
  return static_cast<std::size_t>(end - out.data()) + 2;
}

}  // namespace proxy::http
