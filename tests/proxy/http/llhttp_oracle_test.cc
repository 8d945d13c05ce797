// That llhttp reads every head as our parser does: the heads of all tests of this folder by way of
// reading.h, and here some hundred thousand that come from good ones by small damage, where two
// parsers drift apart first. The seed is fixed; the fuzzers go further.
#include "llhttp_oracle.h"

#include "reading.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace proxy::http {
namespace {

constexpr int rounds = 200'000;

const std::vector<std::string> requests = {
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\nGET /a%20b/c;d=e?f=g&h HTTP/1.0\r\nHost: app.example.com:8080\r\nAccept: */*\r\n\r\n",
    "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello",
    "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "DELETE http://a/b?c HTTP/1.1\r\nHost: a\r\nX:\r\nY: \t z \t\r\n\r\n",
    "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "PATCH /\x7e HTTP/1.1\r\nHost: [::1]\r\nCookie: a=b; c=d\r\nX: caf\xc3\xa9\r\n\r\nGET / ",
};

const std::vector<std::string> responses = {
    "HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.0 404 Not Found\r\nContent-Length: 3\r\nContent-Type: text/html\r\n\r\nabc",
    "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 301\r\nLocation: /x\r\nSet-Cookie: a=b; Path=/\r\nSet-Cookie: c=d\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 500 Gr\xc3\xb6\xc3\x9f" "er\r\nX:\r\nY: \t z \t\r\n\r\n",
};

// What parsers stumble over, and words that change how a message is framed.
constexpr std::array pieces = std::to_array<std::string_view>(
    {"\r", "\n", "\r\n", " ", "\t", ":", ",", ";", "/", "%", "%41", "?", "#", "@", "0", "9", "a",
     "_", "\"", "\\", "\x01", "\x0b", "\x7f", "\x80", "\xff", "+", "-", "chunked", "HTTP/1.1",
     "Content-Length: 5\r\n", "Content-Length: 5\t\r\n", "Content-Length: 5 5\r\n",
     "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked \t\r\n", "Host: b\r\n",
     "Transfer-Encoding: gzip, chunked\r\n", "Connection: close\r\n", "X: y\r\n", "X:\r\n y\r\n"});

class Damage {
 public:
  explicit Damage(const std::vector<std::string>& heads) : heads_(heads) {}

  std::string next() {
    std::string text = one_of(heads_);
    for (std::size_t i = 1 + below(3); i > 0; --i) damage(text);
    return text;
  }

 private:
  std::size_t below(std::size_t end) { return random_() % end; }
  template <class List>
  const typename List::value_type& one_of(const List& list) {
    return list[below(list.size())];
  }

  void damage(std::string& text) {
    const std::size_t at = below(text.size() + 1);
    switch (below(6)) {
      case 0: text.insert(at, one_of(pieces)); break;
      case 1: text.insert(at, 1, static_cast<char>(below(256))); break;
      case 2: text.replace(at, below(2), one_of(pieces)); break;
      case 3: text.erase(at, 1 + below(3)); break;
      case 4: insert_line(text); break;
      default: text.replace(at, 1, 1, static_cast<char>(below(256))); break;
    }
  }

  // Whole lines between lines, or most damage would only be bad syntax.
  void insert_line(std::string& text) {
    const std::size_t end = text.find("\r\n", below(text.size() + 1));
    if (end != std::string::npos) text.insert(end + 2, one_of(pieces));
  }

  const std::vector<std::string>& heads_;
  std::mt19937_64 random_{20240607};
};

TEST(LlhttpOracle, SetsNoLenientFlag) { EXPECT_EQ(oracle_leniency(), 0U); }

TEST(LlhttpOracle, NoticesEveryPartThatDiffers) {
  const auto difference = [](void (*change)(RequestHead&)) {
    Request request = read_request(
        "GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    change(request.head);
    return disagreement(request.head, true);
  };
  EXPECT_EQ(difference([](RequestHead&) {}), "");
  EXPECT_NE(difference([](RequestHead& head) { head.method = Method::head; }), "");
  EXPECT_NE(difference([](RequestHead& head) { head.method_text = "HEAD"; }), "");
  EXPECT_NE(difference([](RequestHead& head) { head.target = "/"; }), "");
  EXPECT_NE(difference([](RequestHead& head) { head.version_minor = 0; }), "");
  EXPECT_NE(difference([](RequestHead& head) { ++head.head_size; }), "");
  EXPECT_NE(difference([](RequestHead& head) { --head.head_size; }), "");
  EXPECT_NE(difference([](RequestHead& head) { head.fields.pop_back(); }), "");
  EXPECT_NE(difference([](RequestHead& head) { head.fields[1].name = "Y"; }), "");
  EXPECT_NE(difference([](RequestHead& head) { head.fields[1].value = "y "; }), "");
}

TEST(LlhttpOracle, NoticesWhatOnlyWeWouldTake) {
  for (const std::string_view text :
       {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET a HTTP/1.1\r\nHost: a\r\n\r\n"}) {
    const Request request = read_request(text);
    ASSERT_EQ(request.progress, Progress::complete) << text;
    EXPECT_NE(request.error, ParseError::none) << text;
    EXPECT_EQ(disagreement(request.head, false), "") << text;
    EXPECT_NE(disagreement(request.head, true), "") << text;
  }
}

TEST(LlhttpOracle, AgreesAboutTabsBehindLengthsAndCodings) {
  EXPECT_EQ(read_fields("Content-Length: 5\t\r\n").head.body.length, 5U);
  EXPECT_EQ(read_fields("Transfer-Encoding: chunked \t\r\n").head.body.kind, BodyKind::chunked);
}

TEST(LlhttpOracle, AgreesAboutDamagedRequests) {
  Damage damage(requests);
  int passed = 0;
  for (int i = 0; i < rounds; ++i) {
    const Request request = read_request(damage.next());
    passed += request.progress == Progress::complete && request.error == ParseError::none ? 1 : 0;
  }
  EXPECT_GT(passed, rounds / 10);
  EXPECT_LT(passed, rounds * 9 / 10);
}

TEST(LlhttpOracle, AgreesAboutDamagedResponses) {
  Damage damage(responses);
  int passed = 0;
  for (int i = 0; i < rounds; ++i) {
    const Response response = read_response(damage.next());
    passed += response.progress == Progress::complete && response.error == ParseError::none ? 1 : 0;
  }
  EXPECT_GT(passed, rounds / 10);
  EXPECT_LT(passed, rounds * 9 / 10);
}

}  // namespace
}  // namespace proxy::http
