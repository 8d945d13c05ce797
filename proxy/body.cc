// Body pieces; see body.h.
#include "proxy/body.h"

#include <algorithm>
#include <boost/asio/error.hpp>

namespace proxy {

void BodyReader::start(net::Stream& stream, http::Body body, http::Buffer& input,
                       std::size_t offset, http::Buffer& relay) {
  stream_ = &stream;
  body_ = body;
  input_ = &input;
  relay_ = &relay;
  position_ = offset;
  remaining_ = body.length;
  bytes_ = 0;
  decoder_.reset();
  is_bulk_ = false;
  started_ = input.size() > offset;
  end_ = body.kind == http::BodyKind::none ||
         (body.kind == http::BodyKind::length && body.length == 0);
}

std::string_view BodyReader::unread() const { return input_->view().substr(position_); }

std::string_view BodyReader::rest() const {
  return input_ == nullptr ? std::string_view{} : unread();
}

// Which buffer the rest lies in is not to be told from its address: where it is empty, it points
// behind one buffer, and the other one may begin right there.
void BodyReader::keep_rest_in(http::Buffer& input) {
  if (input_ == &input) {
    input.consume(position_);
  } else {
    input.clear();
    input.append(rest());
  }
  position_ = 0;
  input_ = nullptr;
}

// One chunk's data, and whether the body ends right behind it: then both go out in one write. The
// look ahead is done on a copy of the decoder, kept only if it met no further data.
bool BodyReader::decode_chunks(BodyPiece& piece) {
  using State = http::ChunkedDecoder::State;
  auto step = decoder_.next(unread());
  position_ += step.consumed;
  if (step.state == State::data) {
    piece.data = step.data;
    bytes_ += step.data.size();
    http::ChunkedDecoder ahead = decoder_;
    step = ahead.next(unread());
    if (step.state == State::data) return true;
    decoder_ = ahead;
    position_ += step.consumed;
    // What can be seen to be malformed is not relayed in part.
    if (step.state == State::failed) piece.data = {};
  }
  if (step.state == State::failed) piece.outcome = BodyPiece::Outcome::malformed;
  if (step.state == State::end) piece.end = end_ = true;
  return step.state != State::need_more || !piece.data.empty();
}

bool BodyReader::next_buffered(BodyPiece& piece) {
  piece = BodyPiece{};
  if (end_) {
    piece.end = true;
    return true;
  }
  const std::string_view input = unread();
  if (input.empty()) return false;
  started_ = true;
  if (body_.kind == http::BodyKind::chunked) return decode_chunks(piece);
  const std::size_t take =
      body_.kind == http::BodyKind::length
          ? static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size()))
          : input.size();
  piece.data = input.substr(0, take);
  position_ += take;
  bytes_ += take;
  if (body_.kind == http::BodyKind::length) {
    remaining_ -= take;
    piece.end = end_ = remaining_ == 0;
  }
  return true;
}

// What is known to be long, or comes faster than it is read, is read in large pieces: most of a
// piece's cost is the calls of the kernel.
std::span<char> BodyReader::make_room() {
  const bool has_length = body_.kind == http::BodyKind::length;
  const bool is_long = is_bulk_ || (has_length && remaining_ >= 2 * http::Buffer::block_bytes);
  const bool takes_bulk = is_long && http::Buffer::may_be_bulk();
  if (!takes_bulk) relay_->clear_bulk();
  const std::span<char> room =
      relay_->reserve(takes_bulk ? http::Buffer::bulk_bytes : http::Buffer::block_bytes);
  // Bytes behind a body of known length belong to the next request: they stay in the kernel.
  const auto wanted = std::min<std::uint64_t>(has_length ? remaining_ : room.size(), room.size());
  return room.first(static_cast<std::size_t>(wanted));
}

net::Task<BodyPiece> BodyReader::next(std::chrono::milliseconds timeout) {
  BodyPiece piece;
  while (!next_buffered(piece)) {
    // The decoder keeps what it needs of an unfinished line itself, so all input is spent here.
    input_ = relay_;
    relay_->clear();
    position_ = 0;
    const std::span<char> room = make_room();
    const net::IoResult got = co_await stream_->read_some(room, timeout);
    is_bulk_ = got.bytes == room.size();
    if (got.error == boost::asio::error::eof && body_.kind == http::BodyKind::until_close) {
      piece.end = end_ = true;
      co_return piece;
    }
    if (got.error) {
      piece.outcome = BodyPiece::Outcome::failed;
      piece.error = got.error;
      co_return piece;
    }
    relay_->commit(got.bytes);
  }
  co_return piece;
}

void BodyFramer::add(std::string_view data, bool end, net::Pieces& pieces) {
  if (kind_ != http::BodyKind::chunked) {
    pieces.add(data);
    return;
  }
  if (data.empty()) {
    if (end) pieces.add(last_.empty() ? http::last_chunk : last_.substr(http::chunk_end.size()));
    return;
  }
  const std::size_t line = http::chunk_header(data.size(), chunk_line_);
  pieces.add({chunk_line_.data(), line});
  pieces.add(data);
  if (!end) return pieces.add(http::chunk_end);
  pieces.add(last_.empty() ? std::string_view("\r\n0\r\n\r\n") : last_);
}

}  // namespace proxy
