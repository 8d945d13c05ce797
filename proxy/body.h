// Reading a message body as pieces, whatever delimits it, and framing pieces for the other side.
// Both sides of an exchange use these two; neither keeps more than one buffer.
// One thread; belongs to one exchange.
#pragma once

#include <array>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "proxy/http/buffer.h"
#include "proxy/http/chunked.h"
#include "proxy/http/head.h"
#include "proxy/net/stream.h"

namespace proxy {

// A piece of a body. `data` lives until the next read.
struct BodyPiece {
  enum class Outcome : std::uint8_t { data, malformed, failed };
  Outcome outcome = Outcome::data;
  std::string_view data;            // may be empty at the end
  bool end = false;                 // nothing comes behind this piece
  boost::system::error_code error;  // for failed: eof before the end, timed_out, ...
};

class BodyReader {
 public:
  // `input` holds bytes that were read behind the head, from `offset` on; later ones are read into
  // `relay`. All references outlive the reader.
  void start(net::Stream& stream, http::Body body, http::Buffer& input, std::size_t offset,
             http::Buffer& relay);
  // After start(): the lines of a trailer section are kept there.
  void keep_trailers(http::Buffer& into) { decoder_.keep_trailers(into); }
  // What is there without waiting: false when a read would be needed.
  [[nodiscard]] bool next_buffered(BodyPiece& piece);
  [[nodiscard]] net::Task<BodyPiece> next(std::chrono::milliseconds timeout);
  [[nodiscard]] bool at_end() const { return end_; }
  // Whether any byte of the body has been received yet.
  [[nodiscard]] bool has_started() const { return started_; }
  // Bytes that were read but lie behind this body: the next request.
  [[nodiscard]] std::string_view rest() const;
  // At the end: `input`, the buffer of start(), is left with the rest and nothing else.
  void keep_rest_in(http::Buffer& input);
  // Payload bytes so far.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  [[nodiscard]] std::string_view unread() const;
  [[nodiscard]] bool decode_chunks(BodyPiece& piece);
  [[nodiscard]] std::span<char> make_room();

  net::Stream* stream_ = nullptr;
  http::Body body_;
  http::Buffer* input_ = nullptr;  // where unread() lies: first behind the head, then relay_
  http::Buffer* relay_ = nullptr;
  std::size_t position_ = 0;
  std::uint64_t remaining_ = 0;
  std::uint64_t bytes_ = 0;
  http::ChunkedDecoder decoder_;
  bool started_ = false;
  bool is_bulk_ = false;  // the last read left nothing of its room
  bool end_ = true;
};

// Puts a piece into the framing of the receiving side.
class BodyFramer {
 public:
  void start(http::BodyKind kind) {
    kind_ = kind;
    last_ = {};
  }
  // Trailer lines behind the last chunk, with the end of the last data's line before and the empty
  // line behind them; they live until the last piece was written.
  void end_with(std::string_view last) { last_ = last; }
  // Adds head (may be empty), framing and data to `pieces`, at most four of them.
  void add(std::string_view data, bool end, net::Pieces& pieces);

 private:
  http::BodyKind kind_ = http::BodyKind::none;
  std::array<char, 18> chunk_line_{};
  std::string_view last_;  // empty: no trailers
};

}  // namespace proxy
