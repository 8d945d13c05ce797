// The chunked coding: what is taken, what is refused, and that splits do not matter (SECURITY D16
// to D19, A04).
#include "proxy/http/chunked.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace proxy::http {
namespace {

using State = ChunkedDecoder::State;

struct Result {
  State state = State::need_more;
  std::string data;
  std::size_t consumed = 0;
  bool operator==(const Result&) const = default;
};

// Feeds `input` in pieces of `piece` bytes.
Result decode(std::string_view input, std::size_t piece = std::string_view::npos) {
  ChunkedDecoder decoder;
  Result result;
  while (result.consumed < input.size() && result.state == State::need_more) {
    std::string_view rest = input.substr(result.consumed, piece);
    while (true) {
      const ChunkedDecoder::Step step = decoder.next(rest);
      rest.remove_prefix(step.consumed);
      result.consumed += step.consumed;
      if (step.state != State::data) {
        result.state = step.state;
        break;
      }
      result.data.append(step.data);
    }
  }
  return result;
}

struct Row {
  std::string_view input, data;
};

TEST(ChunkedDecoder, ReadsChunksToTheEnd) {
  const std::string max_size = "7fffffffffffffff\r\nx";
  const Row rows[] = {
      {"0\r\n\r\n", ""},
      {"5\r\nhello\r\n0\r\n\r\n", "hello"},
      {"A\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
      {"00000005\r\nhello\r\n000\r\n\r\n", "hello"},
      {"2\r\n\r\n\r\n1\r\n0\r\n0\r\n\r\n", "\r\n0"},
      {"5;a=b\r\nhello\r\n0;last\r\n\r\n", "hello"},
      {"5;a;b=c;d=\"e; \\\"f\"\r\nhello\r\n0\r\n\r\n", "hello"},
      {"0\r\nX-Auth-User: admin\r\nEmpty:\r\nContent-Length: 5\r\n\r\n", ""},
  };
  for (const Row& row : rows) {
    const Result whole = decode(row.input);
    EXPECT_EQ(whole.state, State::end) << row.input;
    EXPECT_EQ(whole.data, row.data) << row.input;
    EXPECT_EQ(whole.consumed, row.input.size()) << row.input;
  }
  EXPECT_EQ(decode(max_size).state, State::need_more);
}

TEST(ChunkedDecoder, ReadsManyChunks) {
  std::string input;
  for (int i = 0; i < 100; ++i) input.append("1\r\nx\r\n");
  const Result result = decode(input + "0\r\n\r\n");
  EXPECT_EQ(result.state, State::end);
  EXPECT_EQ(result.data, std::string(100, 'x'));
}

TEST(ChunkedDecoder, LeavesTheNextRequestAlone) {
  const Result result = decode("1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n");
  EXPECT_EQ(result.state, State::end);
  EXPECT_EQ(result.consumed, 11U);
}

// D16, D17, D19.
TEST(ChunkedDecoder, RefusesEveryOtherForm) {
  const std::string nul_extension("5;a=\0b\r\nhello\r\n0\r\n\r\n", 21);
  const std::string_view rows[] = {"0x5\r\nhello\r\n0\r\n\r\n",
                                   "+5\r\nhello\r\n",
                                   "-5\r\nhello\r\n",
                                   "5_\r\nhello\r\n",
                                   " 5\r\nhello\r\n",
                                   "5 \r\nhello\r\n",
                                   "\t5\r\nhello\r\n",
                                   "5\t\r\nhello\r\n",
                                   "\r\nhello\r\n",
                                   "G\r\nhello\r\n",
                                   "5h\r\nhello\r\n",
                                   "5.0\r\nhello\r\n",
                                   "8000000000000000\r\nx",
                                   "ffffffffffffffff\r\nhello\r\n",
                                   "fffffffffffffffff\r\nhello\r\n",
                                   "00000000000000005\r\nhello\r\n",
                                   "5\nhello\n0\n\n",
                                   "5\rhello",
                                   "5\n\rhello",
                                   "5hello",
                                   "5\r\nhelloX0\r\n\r\n",
                                   "5\r\nhelloXY0\r\n\r\n",
                                   "5\r\nhello\rX0\r\n\r\n",
                                   "5\r\nhello\r0\r\n\r\n",
                                   "5\r\nhello\r\r\n0\r\n\r\n",
                                   "5\r\nhello\r\n\r\n0\r\n\r\n",
                                   "5\r\nhello\n0\r\n\r\n",
                                   "5\r\nhello\r\n0\n\r\n",
                                   "5\r\nhello\r\n0\r\n\n",
                                   "2\r\r;a\r\n02\r\n41\r\n0\r\n\r\n",
                                   "5;a=\nb\r\nhello\r\n",
                                   "5;a\nhello\r\n",
                                   nul_extension,
                                   "5;=x\r\nhello\r\n",
                                   "5;\r\nhello\r\n",
                                   "5;a=\r\nhello\r\n",
                                   "5;a=b=c\r\nhello\r\n",
                                   "5;a b\r\nhello\r\n",
                                   "5; a\r\nhello\r\n",
                                   "5 ;a\r\nhello\r\n",
                                   "5;a=\"b\rc\"\r\nhello\r\n",
                                   "5;a=\"b\"c\r\nhello\r\n",
                                   "5;;\r\nhello\r\n",
                                   "5;\"a\"\r\nhello\r\n",
                                   "5\r\nhello\r\n0;a\n\r\n",
                                   "0\r\nX : y\r\n\r\n",
                                   "0\r\nX: y\r\n z\r\n\r\n",
                                   "0\r\n: y\r\n\r\n",
                                   "0\r\nX\r\n\r\n",
                                   "0\r\nX: a\rb\r\n\r\n",
                                   "0\r\nX: \x01\r\n\r\n",
                                   "0\r\n X: y\r\n\r\n",
                                   "0\r\n\rX",
                                   "0\r\n\r\r\n",
                                   "0\r\nX: y\n\r\n"};
  for (const std::string_view row : rows) EXPECT_EQ(decode(row).state, State::failed) << row;
}

TEST(ChunkedDecoder, VerdictDoesNotDependOnSplits) {
  for (const std::string_view input :
       {"5;a=\"b\"\r\nhello\r\n1\r\nX\r\n0\r\nTrailer: x\r\n\r\n", "5\r\nhelloX0\r\n\r\n",
        "5;=x\r\n", "ffffffffffffffff\r\n", "2\r\nab\r\n0\r\nX : y\r\n\r\n"}) {
    const Result whole = decode(input);
    for (std::size_t piece = 1; piece < input.size(); ++piece) {
      EXPECT_EQ(decode(input, piece), whole) << input << " in pieces of " << piece;
    }
  }
}

// D18: the sum counts, not the single chunk.
TEST(ChunkedDecoder, BoundsExtensionsOverTheWholeBody) {
  std::string chunk = "1;" + std::string(199, 'a') + "\r\nx\r\n";
  std::string body;
  for (int i = 0; i < 5; ++i) body.append(chunk);
  EXPECT_EQ(decode(body + "0\r\n\r\n").state, State::end);
  EXPECT_EQ(decode(body + chunk + "0\r\n\r\n").state, State::failed);
  EXPECT_EQ(decode("5;" + std::string(65536, 'a')).state, State::failed);
}

TEST(ChunkedDecoder, KeepsTrailerLinesForWhoWantsThemHoweverTheyAreSplit) {
  const std::string message = "5\r\nhello\r\n0\r\nA: b\r\nC:d \r\n\r\nGET";
  for (std::size_t cut = 0; cut < message.size(); ++cut) {
    ChunkedDecoder decoder;
    Buffer lines;
    decoder.keep_trailers(lines);
    for (std::string_view part : {std::string_view(message).substr(0, cut),
                                  std::string_view(message).substr(cut)}) {
      while (!part.empty()) {
        const ChunkedDecoder::Step step = decoder.next(part);
        ASSERT_NE(step.state, State::failed);
        if (step.state == State::end || step.state == State::need_more) break;
        part.remove_prefix(step.consumed);
      }
    }
    EXPECT_EQ(lines.view(), "A: b\r\nC:d \r\n") << cut;
  }
}

TEST(ChunkedDecoder, BoundsTrailers) {
  const std::string line = "X: " + std::string(995, 'y') + "\r\n";
  std::string trailers;
  for (int i = 0; i < 8; ++i) trailers.append(line);
  EXPECT_EQ(decode("0\r\n" + trailers + "\r\n").state, State::end);
  EXPECT_EQ(decode("0\r\n" + trailers + line + "\r\n").state, State::failed);
}

TEST(ChunkedDecoder, FailsForGood) {
  ChunkedDecoder decoder;
  EXPECT_EQ(decoder.next("x").state, State::failed);
  EXPECT_EQ(decoder.next("0\r\n\r\n").state, State::failed);
  decoder.reset();
  EXPECT_EQ(decoder.next("0\r\n\r\n").state, State::end);
}

TEST(ChunkHeader, WritesHexAndCrLf) {
  std::array<char, 18> out{};
  const auto written = [&](std::size_t bytes) {
    return std::string(out.data(), chunk_header(bytes, out));
  };
  EXPECT_EQ(written(0), "0\r\n");
  EXPECT_EQ(written(0x1a2b), "1a2b\r\n");
  EXPECT_EQ(written(static_cast<std::size_t>(-1)), "ffffffffffffffff\r\n");
}

}  // namespace
}  // namespace proxy::http
