// The chunked transfer coding (RFC 9112 section 7.1), both ways. The decoder is stricter than the
// RFC: CRLF only, no white space around sizes, at most 16 hex digits, extensions at most 1 KiB in
// sum and dropped, trailers read (bounded) and dropped unless somebody wants them. One message per
// object; no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/http/buffer.h"

namespace proxy::http {

class ChunkedDecoder {
 public:
  enum class State : std::uint8_t { need_more, data, end, failed };
  struct Step {
    State state = State::need_more;
    std::size_t consumed = 0;  // bytes of `input` that are done with, including `data`
    std::string_view data;     // payload, a view into `input`; only with State::data
  };
  // Call again with the rest of the input until need_more, end or failed.
  [[nodiscard]] Step next(std::string_view input);
  void reset();
  // Trailer lines, as they came and well-formed, go there as well; it outlives the message.
  void keep_trailers(Buffer& into) { trailers_ = &into; }

 private:
  enum class Phase : std::uint8_t;
  [[nodiscard]] Phase after(char c);
  [[nodiscard]] Phase after_size(char c);
  [[nodiscard]] Phase after_extension(char c);
  [[nodiscard]] Phase after_trailer(char c);

  Buffer* trailers_ = nullptr;   // null: dropped
  std::uint64_t remaining_ = 0;  // of the current chunk
  std::uint32_t extension_bytes_ = 0;
  std::uint32_t trailer_bytes_ = 0;
  std::uint8_t digits_ = 0;      // of the current chunk's size
  bool in_token_ = false;        // an extension's name or value has begun
  Phase phase_ = Phase{};
};

// Writes the line in front of a chunk of `bytes` ("1a2b\r\n") into `out` (18 bytes are enough);
// the number of characters.
[[nodiscard]] std::size_t chunk_header(std::size_t bytes, std::span<char, 18> out);
inline constexpr std::string_view chunk_end = "\r\n";
inline constexpr std::string_view last_chunk = "0\r\n\r\n";
inline constexpr std::string_view last_chunk_mark = "0\r\n";

}  // namespace proxy::http
