// Bodies read over one end of a socket pair, cut at every byte, broken, late; and pieces framed for
// the other side. The loop is polled after each write and the wheel is advanced by hand.
#include "proxy/body.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace proxy {
namespace {

using http::Body;
using http::BodyKind;
using namespace std::chrono_literals;

constexpr std::string_view next_request = "GET /next HTTP/1.1\r\n";

// What a reader gave until the end of the body or of the test's patience.
struct Collected {
  std::string data;
  BodyPiece last;
  int pieces = 0;
  bool done = false;
};

net::Task<void> collect(BodyReader& reader, std::chrono::milliseconds timeout, Collected& into) {
  while (!into.done) {
    into.last = co_await reader.next(timeout);
    into.data.append(into.last.data);
    ++into.pieces;
    into.done = into.last.end || into.last.outcome != BodyPiece::Outcome::data;
  }
}

// A stream and what reads from it, for one body.
class Reading {
 public:
  // `buffered` came with the head, which ended at `offset`.
  Reading(Body body, std::string_view buffered, std::size_t offset = 0) {
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
    peer_ = pair[0];
    stream_ = std::make_unique<net::Stream>(loop_.get_executor(), wheel_, AF_UNIX, pair[1]);
    input_.append(buffered);
    reader_.start(*stream_, body, input_, offset, relay_);
  }
  ~Reading() {
    hang_up();
    poll();
    stream_->close();
    poll();
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  Collected& collect_pieces(std::chrono::milliseconds timeout = 10s) {
    boost::asio::co_spawn(loop_, collect(reader_, timeout, collected_), [](std::exception_ptr e) {
      EXPECT_EQ(e, nullptr);
    });
    poll();
    return collected_;
  }
  void send(std::string_view bytes) {
    EXPECT_EQ(::send(peer_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    poll();
  }
  void send_end() {
    ::shutdown(peer_, SHUT_WR);
    poll();
  }
  void hang_up() {
    if (peer_ >= 0) ::close(peer_);
    peer_ = -1;
    poll();
  }
  void let_time_pass(std::chrono::milliseconds by) {
    wheel_.advance(started_ + by + 2 * net::Wheel::tick_length);
    poll();
  }
  // What is neither part of the body nor read yet.
  std::string behind() {
    std::string text(reader_.rest());
    std::array<char, 256> more{};
    const net::IoResult got = stream_->read_now(more);
    text.append(more.data(), got.bytes);
    return text;
  }
  void poll() {
    net::Poller::of(loop_.get_executor()).poll();
  }

  boost::asio::io_context loop_;
  net::Wheel wheel_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  int peer_ = -1;
  std::unique_ptr<net::Stream> stream_;
  http::Buffer input_;
  http::Buffer relay_;
  BodyReader reader_;
  Collected collected_;
};

Body of_length(std::uint64_t length) { return {BodyKind::length, length}; }
constexpr Body chunked{BodyKind::chunked, 0};
constexpr Body until_close{BodyKind::until_close, 0};

TEST(BodyReader, WithoutABodyItIsAtTheEndAndWhatFollowsIsTheNextRequest) {
  for (const Body body : {Body{}, of_length(0)}) {
    Reading reading(body, next_request);
    EXPECT_TRUE(reading.reader_.at_end());
    EXPECT_EQ(reading.reader_.rest(), next_request);
    const Collected& collected = reading.collect_pieces();
    EXPECT_TRUE(collected.done);
    EXPECT_TRUE(collected.last.end);
    EXPECT_EQ(collected.data, "");
    EXPECT_EQ(reading.reader_.bytes(), 0U);
  }
}

// Two buffers of which the second one begins where the first one ends, as the kernel often places
// them: the end of a body in the first is the beginning of a head in the second.
std::pair<http::Buffer, http::Buffer> neighbours() {
  std::vector<http::Buffer> buffers(64);
  for (http::Buffer& buffer : buffers) static_cast<void>(buffer.reserve(1));
  for (http::Buffer& first : buffers) {
    for (http::Buffer& second : buffers) {
      if (first.data() + http::Buffer::block_bytes != second.data()) continue;
      return {std::move(first), std::move(second)};
    }
  }
  return {};
}

TEST(BodyReader, AHeadIsNotLeftBehindForAnotherRequestWhereverTheBuffersLie) {
  Reading reading(of_length(0), "");
  std::tie(reading.relay_, reading.input_) = neighbours();
  if (reading.input_.data() == nullptr) GTEST_SKIP() << "no two buffers lie side by side";
  const std::string head = "POST / HTTP/1.1\r\n\r\n";
  reading.input_.append(head + "begin");
  const std::string rest(http::Buffer::block_bytes, 'x');
  reading.reader_.start(*reading.stream_, of_length(5 + rest.size()), reading.input_, head.size(),
                        reading.relay_);
  reading.send(rest);
  ASSERT_TRUE(reading.collect_pieces().done);
  EXPECT_EQ(reading.collected_.data, "begin" + rest);
  reading.reader_.keep_rest_in(reading.input_);
  EXPECT_EQ(reading.input_.view(), "");
}

TEST(BodyReader, TheRestIsKeptInWhicheverBufferItCame) {
  Reading with_head(of_length(4), "HEADbodyNEXT", 4);
  ASSERT_TRUE(with_head.collect_pieces().done);
  with_head.reader_.keep_rest_in(with_head.input_);
  EXPECT_EQ(with_head.input_.view(), "NEXT");
  Reading behind_it(chunked, "HEAD", 4);
  behind_it.send("4\r\nbody\r\n0\r\n\r\nNEXT");
  ASSERT_TRUE(behind_it.collect_pieces().done);
  behind_it.reader_.keep_rest_in(behind_it.input_);
  EXPECT_EQ(behind_it.input_.view(), "NEXT");
}

TEST(BodyReader, ABodyOfKnownLengthIsReadWhereverTheHeadWasCut) {
  const std::string body = "hello world";
  const std::string all = body + std::string(next_request);
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    Reading reading(of_length(body.size()), all.substr(0, cut));
    EXPECT_EQ(reading.reader_.has_started(), cut > 0);
    Collected& collected = reading.collect_pieces();
    if (cut < all.size()) reading.send(all.substr(cut));
    EXPECT_TRUE(collected.done) << cut;
    EXPECT_EQ(collected.last.outcome, BodyPiece::Outcome::data);
    EXPECT_EQ(collected.data, body);
    EXPECT_EQ(reading.reader_.bytes(), body.size());
    EXPECT_TRUE(reading.reader_.at_end());
    EXPECT_EQ(reading.behind(), next_request) << cut;
  }
}

TEST(BodyReader, StartsBehindTheHead) {
  Reading reading(of_length(3), "head|abcNEXT", 5);
  EXPECT_TRUE(reading.reader_.has_started());
  EXPECT_EQ(reading.collect_pieces().data, "abc");
  EXPECT_EQ(reading.reader_.rest(), "NEXT");
  Reading nothing_yet(of_length(3), "head|", 5);
  EXPECT_FALSE(nothing_yet.reader_.has_started());
}

TEST(BodyReader, BytesBehindAKnownLengthStayInTheKernel) {
  Reading reading(of_length(5), "");
  Collected& collected = reading.collect_pieces();
  reading.send("helloGET /next");
  EXPECT_EQ(collected.data, "hello");
  EXPECT_EQ(reading.reader_.rest(), "");
  EXPECT_TRUE(reading.stream_->has_input());
}

constexpr std::string_view chunks =
    "5\r\nhello\r\n1;x=\"y\"\r\n!\r\n0\r\nX-Trailer: dropped\r\n\r\n";

TEST(BodyReader, AChunkedBodyIsReadWhereverTheHeadWasCut) {
  const std::string all = std::string(chunks) + std::string(next_request);
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    Reading reading(chunked, all.substr(0, cut));
    Collected& collected = reading.collect_pieces();
    if (cut < all.size()) reading.send(all.substr(cut));
    EXPECT_TRUE(collected.done) << cut;
    EXPECT_EQ(collected.last.outcome, BodyPiece::Outcome::data) << cut;
    EXPECT_EQ(collected.data, "hello!") << cut;
    EXPECT_EQ(reading.reader_.bytes(), 6U);
    EXPECT_EQ(reading.behind(), next_request) << cut;
  }
}

TEST(BodyReader, AChunkedBodyMayComeByteByByte) {
  Reading reading(chunked, "");
  Collected& collected = reading.collect_pieces();
  for (const char byte : chunks) {
    EXPECT_FALSE(collected.done);
    reading.send({&byte, 1});
  }
  EXPECT_TRUE(collected.done);
  EXPECT_TRUE(collected.last.end);
  EXPECT_EQ(collected.data, "hello!");
  EXPECT_EQ(reading.reader_.rest(), "");
}

TEST(BodyReader, TheLastChunkAndTheEndAreOnePiece) {
  Reading reading(chunked, "5\r\nhello\r\n0\r\n\r\nNEXT");
  BodyPiece piece;
  ASSERT_TRUE(reading.reader_.next_buffered(piece));
  EXPECT_EQ(piece.data, "hello");
  EXPECT_TRUE(piece.end);
  EXPECT_EQ(reading.reader_.rest(), "NEXT");
}

TEST(BodyReader, ChunksAreGivenOneByOneWithoutWaiting) {
  Reading reading(chunked, "1\r\na\r\n2\r\nbc\r\n3\r\nd");
  BodyPiece piece;
  for (const char* expected : {"a", "bc", "d"}) {
    ASSERT_TRUE(reading.reader_.next_buffered(piece));
    EXPECT_EQ(piece.data, expected);
    EXPECT_FALSE(piece.end);
  }
  EXPECT_FALSE(reading.reader_.next_buffered(piece));
  EXPECT_FALSE(reading.reader_.at_end());
}

TEST(BodyReader, WithNothingBufferedItSaysSo) {
  for (const Body body : {of_length(1), chunked, until_close}) {
    Reading reading(body, "");
    BodyPiece piece;
    EXPECT_FALSE(reading.reader_.next_buffered(piece));
    EXPECT_FALSE(reading.reader_.has_started());
  }
}

TEST(BodyReader, AMalformedChunkIsNeverPassedOn) {
  struct Case {
    const char* bytes;
    const char* data;  // what was good before it
  };
  for (const Case& broken :
       {Case{"zz\r\n", ""}, Case{"5\r\nhelloX", "hello"}, Case{"5\r\nhello\n0\r\n\r\n", "hello"},
        Case{"0x5\r\nhello\r\n", ""}, Case{"5 \r\nhello\r\n", ""}, Case{"-1\r\n", ""},
        Case{"\r\n", ""}, Case{"5\r\nhello\r\n0\r\nbad trailer\r\n\r\n", "hello"},
        Case{"FFFFFFFFFFFFFFFF\r\n", ""}, Case{"10000000000000000\r\n", ""}}) {
    const std::string_view bytes = broken.bytes;
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      Reading reading(chunked, bytes.substr(0, cut));
      Collected& collected = reading.collect_pieces();
      if (cut < bytes.size() && !collected.done) reading.send(bytes.substr(cut));
      EXPECT_TRUE(collected.done) << bytes << " at " << cut;
      EXPECT_EQ(collected.last.outcome, BodyPiece::Outcome::malformed) << bytes << " at " << cut;
      EXPECT_FALSE(collected.last.end);
      EXPECT_TRUE(std::string_view(broken.data).starts_with(collected.data)) << bytes;
      // Where the fault can be seen at once, nothing of the body goes out.
      if (cut == bytes.size()) {
        EXPECT_EQ(collected.data, "") << bytes;
      }
    }
  }
}

TEST(BodyReader, AnEarlyEndIsAFailure) {
  for (const auto& [body, sent, data] :
       {std::tuple(of_length(10), "hell", "hell"), std::tuple(of_length(10), "", ""),
        std::tuple(chunked, "5\r\nhell", "hell"), std::tuple(chunked, "5\r\nhello\r\n", "hello"),
        std::tuple(chunked, "5\r\nhello\r\n0\r\n", "hello"), std::tuple(chunked, "", "")}) {
    Reading reading(body, "");
    Collected& collected = reading.collect_pieces();
    reading.send(sent);
    EXPECT_FALSE(collected.done);
    reading.send_end();
    EXPECT_TRUE(collected.done);
    EXPECT_EQ(collected.last.outcome, BodyPiece::Outcome::failed);
    EXPECT_EQ(collected.last.error, boost::asio::error::eof);
    EXPECT_FALSE(collected.last.end);
    EXPECT_EQ(collected.data, data);
    EXPECT_FALSE(reading.reader_.at_end());
  }
}

TEST(BodyReader, ABodyUntilTheCloseEndsWithTheConnection) {
  Reading reading(until_close, "hello ");
  Collected& collected = reading.collect_pieces();
  EXPECT_EQ(collected.data, "hello ");
  reading.send("world");
  EXPECT_FALSE(collected.done);
  reading.send_end();
  EXPECT_TRUE(collected.done);
  EXPECT_EQ(collected.last.outcome, BodyPiece::Outcome::data);
  EXPECT_TRUE(collected.last.end);
  EXPECT_EQ(collected.data, "hello world");
  EXPECT_EQ(reading.reader_.bytes(), 11U);
}

TEST(BodyReader, AResetIsNoEnd) {
  Reading reading(until_close, "");
  Collected& collected = reading.collect_pieces();
  reading.send("half");
  // A close with unread bytes in the queue is a reset for the other side.
  net::Pieces unread("unread");
  EXPECT_FALSE(reading.stream_->write_now(unread).error);
  reading.hang_up();
  EXPECT_TRUE(collected.done);
  EXPECT_EQ(collected.last.outcome, BodyPiece::Outcome::failed);
  EXPECT_EQ(collected.last.error, boost::asio::error::connection_reset);
  EXPECT_FALSE(collected.last.end);
}

TEST(BodyReader, AByteThatDoesNotComeInTimeIsATimeout) {
  for (const Body body : {of_length(10), chunked, until_close}) {
    Reading reading(body, "");
    Collected& collected = reading.collect_pieces(5s);
    reading.let_time_pass(4s);
    EXPECT_FALSE(collected.done);
    reading.let_time_pass(5s);
    EXPECT_TRUE(collected.done);
    EXPECT_EQ(collected.last.outcome, BodyPiece::Outcome::failed);
    EXPECT_EQ(collected.last.error, boost::asio::error::timed_out);
  }
}

TEST(BodyReader, EveryByteOfProgressRenewsTheTimeout) {
  Reading reading(of_length(10), "");
  Collected& collected = reading.collect_pieces(5s);
  for (int i = 1; i <= 9; ++i) {
    reading.let_time_pass(i * 4s);
    reading.send("x");
    EXPECT_FALSE(collected.done) << i;
  }
  reading.let_time_pass(36s + 6s);
  EXPECT_EQ(collected.last.error, boost::asio::error::timed_out);
  EXPECT_EQ(collected.data, "xxxxxxxxx");
}

TEST(BodyReader, ALongBodyGoesThroughOneBuffer) {
  const std::string body(1'000'000, 'x');
  Reading reading(of_length(body.size()), "");
  Collected& collected = reading.collect_pieces();
  // In parts that the kernel takes at once: nobody reads while the test writes.
  for (std::size_t at = 0; at < body.size(); at += 50'000) reading.send(body.substr(at, 50'000));
  EXPECT_EQ(collected.data, body);
  EXPECT_TRUE(collected.last.end);
  EXPECT_GT(collected.pieces, 7);
  EXPECT_LE(reading.relay_.size() + reading.relay_.room(), http::Buffer::bulk_bytes);
  reading.relay_.clear_bulk();
  EXPECT_EQ(reading.relay_.room(), 0U);
}

TEST(BodyReader, AShortBodyNeedsNoLargeBuffer) {
  const std::string body(30'000, 'x');
  Reading reading(of_length(body.size()), "");
  Collected& collected = reading.collect_pieces();
  reading.send(body.substr(0, 9'000));
  reading.send(body.substr(9'000, 9'000));
  reading.send(body.substr(18'000));
  EXPECT_EQ(collected.data, body);
  EXPECT_EQ(reading.relay_.room() + reading.relay_.size(), http::Buffer::block_bytes);
}

TEST(BodyReader, CanBeStartedAgainForTheNextBody) {
  Reading reading(chunked, "3\r\nabc\r\n0\r\n\r\n");
  EXPECT_EQ(reading.collect_pieces().data, "abc");
  reading.input_.clear();
  reading.input_.append("2\r\nde");
  reading.collected_ = {};
  reading.reader_.start(*reading.stream_, chunked, reading.input_, 0, reading.relay_);
  EXPECT_EQ(reading.reader_.bytes(), 0U);
  Collected& collected = reading.collect_pieces();
  reading.send("\r\n0\r\n\r\n");
  EXPECT_TRUE(collected.done);
  EXPECT_EQ(collected.data, "de");
}

// The bytes that pieces put on the wire.
std::string on_the_wire(net::Pieces pieces) {
  Reading wire(Body{}, "");
  EXPECT_FALSE(wire.stream_->write_now(pieces).error);
  EXPECT_TRUE(pieces.empty());
  std::array<char, 4'096> got{};
  const ssize_t size = ::recv(wire.peer_, got.data(), got.size(), MSG_DONTWAIT);
  return {got.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

std::string framed(BodyKind kind, std::string_view data, bool end, std::string_view head = "") {
  BodyFramer framer;
  framer.start(kind);
  net::Pieces pieces(head);
  framer.add(data, end, pieces);
  return pieces.empty() ? "" : on_the_wire(pieces);
}

TEST(BodyFramer, WithoutChunksDataGoesOutAsItIs) {
  for (const BodyKind kind : {BodyKind::length, BodyKind::until_close}) {
    EXPECT_EQ(framed(kind, "hello", false), "hello");
    EXPECT_EQ(framed(kind, "hello", true), "hello");
    EXPECT_EQ(framed(kind, "", true), "");
  }
}

TEST(BodyFramer, ChunksAreFramedAndTheLastOneEnds) {
  EXPECT_EQ(framed(BodyKind::chunked, "hello", false), "5\r\nhello\r\n");
  EXPECT_EQ(framed(BodyKind::chunked, "hello", true), "5\r\nhello\r\n0\r\n\r\n");
  EXPECT_EQ(framed(BodyKind::chunked, "", true), "0\r\n\r\n");
  // An empty piece in the middle would be the last chunk.
  EXPECT_EQ(framed(BodyKind::chunked, "", false), "");
  const std::string long_data(300, 'x');
  EXPECT_EQ(framed(BodyKind::chunked, long_data, false), "12c\r\n" + long_data + "\r\n");
}

TEST(BodyFramer, HeadAndPieceFitIntoOneWrite) {
  EXPECT_EQ(framed(BodyKind::chunked, "hello", true, "HEAD\r\n\r\n"),
            "HEAD\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  EXPECT_EQ(framed(BodyKind::length, "hello", true, "HEAD\r\n\r\n"), "HEAD\r\n\r\nhello");
  EXPECT_EQ(framed(BodyKind::chunked, "", true, "HEAD\r\n\r\n"), "HEAD\r\n\r\n0\r\n\r\n");
}

}  // namespace
}  // namespace proxy
