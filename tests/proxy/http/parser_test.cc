// The grammar of heads: what is taken, what is refused with which status, limits, and that nothing
// depends on how the bytes were cut.
#include "proxy/http/parser.h"

#include "reading.h"

#include <gtest/gtest.h>

namespace proxy::http {
namespace {

const std::string good = "GET /a?b=c HTTP/1.1\r\nHost: a\r\nX-Test:  v w\t \r\nEmpty:\r\n\r\n";

struct Row {
  std::string_view text;
  ParseError error;
};

void expect_errors(std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    const Request request = read_request(row.text);
    EXPECT_NE(request.error, ParseError::none) << row.text;
    EXPECT_EQ(name(request.error), name(row.error)) << row.text;
  }
}

TEST(RequestParser, NamesTheParts) {
  const Request request = read_request(good);
  ASSERT_EQ(request.progress, Progress::complete);
  const RequestHead& head = request.head;
  EXPECT_EQ(head.method, Method::get);
  EXPECT_EQ(head.method_text, "GET");
  EXPECT_EQ(head.target, "/a?b=c");
  EXPECT_EQ(head.version_minor, 1);
  EXPECT_EQ(head.head_size, good.size());
  ASSERT_EQ(head.fields.size(), 3U);
  EXPECT_EQ(head.value(HeaderId::host), "a");
  EXPECT_EQ(head.fields[1].name, "X-Test");
  EXPECT_EQ(head.fields[1].value, "v w");
  EXPECT_EQ(head.fields[2].name, "Empty");
  EXPECT_EQ(head.fields[2].value, "");
}

TEST(RequestParser, LeavesWhatFollowsTheHead) {
  const Request request = read_request(good + "GET /next");
  EXPECT_EQ(request.head.head_size, good.size());
  EXPECT_EQ(request.head.bytes.size(), good.size() + 9);
}

TEST(RequestParser, SurvivesABufferThatMoves) {
  RequestHead head;
  RequestParser parser{HeadLimits{}};
  const std::string field = "X: " + std::string(1000, 'x') + "\r\n";
  head.bytes.append("GET / HTTP/1.1\r\nHost: a\r\n");
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(parser.feed(head), Progress::need_more);
    Buffer moved;
    moved.append(head.bytes.view());
    moved.append(field);
    head.bytes = std::move(moved);
  }
  head.bytes.append("\r\n");
  EXPECT_EQ(parser.feed(head), Progress::complete);
  ASSERT_EQ(head.fields.size(), 21U);
  EXPECT_EQ(head.fields[20].value, std::string(1000, 'x'));
}

TEST(RequestParser, IsReusableAfterReset) {
  RequestHead head;
  RequestParser parser{HeadLimits{}};
  head.bytes.append("BAD\r\n");
  EXPECT_EQ(parser.feed(head), Progress::failed);
  EXPECT_EQ(parser.feed(head), Progress::failed);
  head.bytes.clear();
  head.clear();
  parser.reset();
  EXPECT_EQ(parser.error(), ParseError::none);
  head.bytes.append(good);
  EXPECT_EQ(parser.feed(head), Progress::complete);
}

TEST(RequestParser, KnowsWhenNothingHasBegun) {
  RequestHead head;
  RequestParser parser{HeadLimits{}};
  const auto at_start_after = [&](std::string_view bytes) {
    head.bytes.append(bytes);
    (void)parser.feed(head);
    return parser.at_start();
  };
  EXPECT_TRUE(parser.at_start());
  EXPECT_TRUE(at_start_after("\r"));
  EXPECT_TRUE(at_start_after("\n"));
  EXPECT_FALSE(at_start_after("G"));
}

TEST(RequestParser, EveryCutGivesTheSameHead) {
  for (std::size_t cut = 0; cut <= good.size(); ++cut) {
    Conversation conversation;
    conversation.feed(std::string_view(good).substr(0, cut));
    conversation.feed(std::string_view(good).substr(cut));
    ASSERT_EQ(conversation.events().size(), 2U) << cut;
    EXPECT_EQ(conversation.events()[0], "GET a /a?b=c|Host=a|X-Test=v w|Empty=");
  }
}

// D24.
TEST(RequestParser, PipelinedRequestsKeepTheirOrderForEveryCut) {
  const std::string text =
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
      "abcGET /3 HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::vector<std::string> expected = {
      "GET a /1|Host=a", "body ",           "POST a /2|Host=a|Content-Length=3",
      "body abc",        "GET a /3|Host=a", "body "};
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Conversation conversation;
    conversation.feed(text.substr(0, cut));
    conversation.feed(text.substr(cut));
    EXPECT_EQ(conversation.events(), expected) << cut;
  }
}

// RFC 9112 section 2.2.
TEST(RequestParser, IgnoresOneLeadingCrLf) {
  EXPECT_EQ(read_request("\r\n" + good).error, ParseError::none);
  EXPECT_EQ(read_request("\r\n" + good).head.head_size, good.size() + 2);
  expect_errors({{"\r\n\r\nGET / HTTP/1.1\r\n", ParseError::bad_request_line},
                 {"\nGET / HTTP/1.1\r\n", ParseError::bad_request_line},
                 {"\rGET / HTTP/1.1\r\n", ParseError::bad_request_line},
                 {" GET / HTTP/1.1\r\n", ParseError::bad_request_line}});
}

// B07, B10, D25: the request line has exactly two spaces.
TEST(RequestParser, RefusesOtherRequestLines) {
  expect_errors({{"GET  / HTTP/1.1\r\n", ParseError::bad_request_line},
                 {"GET /  HTTP/1.1\r\n", ParseError::bad_request_line},
                 {"GET / HTTP/1.1 \r\n", ParseError::bad_request_line},
                 {"GET /a /b HTTP/1.1\r\n", ParseError::bad_request_line},
                 {"GET\t/ HTTP/1.1\r\n", ParseError::bad_request_line},
                 {"GET\r/ HTTP/1.1\r\n", ParseError::bad_request_line},
                 {"G ET / HTTP/1.1\r\n", ParseError::unknown_method},
                 {"{ / HTTP/1.1\r\n", ParseError::bad_request_line},
                 {"GET /\r\n\r\n", ParseError::bad_request_line},
                 {"GET\r\n", ParseError::bad_request_line},
                 {"GET / \r\n", ParseError::bad_request_line},
                 {"GET / HTTP/1.1\n", ParseError::bad_request_line},
                 {"GET / HTTP/1.1\r\r\n", ParseError::bad_request_line},
                 {"\x16\x03\x01\x02", ParseError::bad_request_line}});
}

TEST(RequestParser, RefusesOtherMethodsWith501) {
  for (const std::string_view method : {"get", "Get", "FOO", "M-SEARCH", "PROPFIND", "PURGE", "PRI",
                                        "SOURCE", "DEBUG", "TRACK", "GETX", "OPTIONSX"}) {
    const Request request = read_request(std::string(method) + " / HTTP/1.1\r\n");
    EXPECT_EQ(request.error, ParseError::unknown_method) << method;
    EXPECT_EQ(status_of(request.error), 501);
  }
}

// D25.
TEST(RequestParser, RefusesOtherVersionsAndProtocols) {
  for (const std::string_view version :
       {"HTTP/0.9", "HTTP/1.2", "HTTP/1.32", "HTTP/2.0", "HTTP/3.0", "HTTP/01.1", "HTTP/9.9"}) {
    const Request request = read_request("GET / " + std::string(version) + "\r\n");
    EXPECT_EQ(request.error, ParseError::bad_version) << version;
    EXPECT_EQ(status_of(request.error), 505);
  }
  for (const std::string_view version :
       {"http/1.1", "HTTPS/1.1", "HTTP/1,1", "HTTP/1", "HTTP/ 1.1", "HTTP/1.", "HTTP/1.1.1",
        "HTTP/1.10", "RTSP/1.0", "ICE/1.0", "HTTP 1.1", "HTTP/x.1", "HTTP/+1.1"}) {
    const Request request = read_request("GET / " + std::string(version) + "\r\n");
    EXPECT_EQ(request.error, ParseError::bad_request_line) << version;
  }
}

// B02, B07, B08: bytes outside RFC 3986.
TEST(RequestParser, RefusesTargetsOutsideRfc3986) {
  for (const std::string_view byte :
       {"#",        "\\",   "\"",   "<",  ">",    "^",       "`",    "{",    "}",
        "|",        "\x01", "\x02", "\t", "\x0b", "\x0c",    "\x1f", "\x7f", "\x80",
        "\xc3\xa9", "\xff", "%",    "%1", "%zz",  "%%36%36", "%g0",  "%0g"}) {
    for (const std::string_view start : {"/a", "/a?b="}) {
      const std::string line = "GET " + std::string(start) + std::string(byte) + "b HTTP/1.1\r\n";
      // "%1b" is an escape; everything else is not.
      if (byte == "%1") continue;
      EXPECT_EQ(read_request(line).error, ParseError::bad_target) << line;
    }
  }
  EXPECT_EQ(read_request("GET /% HTTP/1.1\r\n").error, ParseError::bad_target);
  EXPECT_EQ(read_request("GET /%1 HTTP/1.1\r\n").error, ParseError::bad_target);
  EXPECT_EQ(read_request(std::string("GET /a\0b HTTP/1.1\r\n", 20)).error, ParseError::bad_target);
}

TEST(RequestParser, RefusesAsSoonAsItCanBeTold) {
  // None of these has a line end: waiting for one would hold a connection for nothing.
  for (const std::string_view text :
       {"\x16\x03", "GET /a#", "GET / HTTP/2", "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\n ",
        "GET / HTTP/1.1\r\n:", "GET / HTTP/1.1\r\nHost: a\r\nX: \x01", "POSTPOST",
        "GET / HTTP/1.1\r\nHost: a\r\n\rX"}) {
    EXPECT_EQ(read_request(text).progress, Progress::failed) << text;
  }
}

std::string with_line(std::string_view line) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(line);
}

// P3: D05 to D12.
TEST(RequestParser, RefusesOtherFieldLines) {
  for (const std::string_view line : {"X : y\r\n",
                                      "X\t: y\r\n",
                                      " X: y\r\n",
                                      "\tX: y\r\n",
                                      "X: y\r\n z\r\n",
                                      "X: y\r\n\tz\r\n",
                                      "X:\r\n y\r\n",
                                      "  \r\n",
                                      ": y\r\n",
                                      "X\r\n",
                                      "X-\r\nY: z\r\n",
                                      "X: y\nZ: z\r\n",
                                      "X: y\n",
                                      "\n",
                                      "\r\r\n",
                                      "\rZ",
                                      "X: y\rZ: z\r\n",
                                      "X: a\r\r\n",
                                      "X\r: y\r\n",
                                      "\rX: y\r\n",
                                      "X(: y\r\n",
                                      "X/Y: z\r\n",
                                      "X=Y: z\r\n",
                                      "X Y: z\r\n",
                                      "X\xa0: y\r\n",
                                      "\x80: y\r\n",
                                      "X\x7f: y\r\n",
                                      "X\x0b: y\r\n",
                                      "X: a\x0b\r\n",
                                      "X: \x01\r\n",
                                      "X: a\x7f"
                                      "b\r\n",
                                      "X: a\x1f\r\n",
                                      "X: a\x1b\r\n",
                                      "X: a\x08"
                                      "b\r\n",
                                      "X: 12345678\x0c\r\n",
                                      "\"X\": y\r\n",
                                      "X[: y\r\n",
                                      "X@: y\r\n",
                                      "X,: y\r\n"}) {
    const Request request = read_request(with_line(line));
    EXPECT_EQ(request.error, ParseError::bad_header) << line;
    EXPECT_EQ(status_of(request.error), 400);
  }
  EXPECT_EQ(read_request(with_line(std::string("X: a\0b\r\n", 8))).error, ParseError::bad_header);
  EXPECT_EQ(read_request(with_line(std::string("X\0: b\r\n", 7))).error, ParseError::bad_header);
}

TEST(RequestParser, RefusesEveryControlByteInEveryPlaceOfAValue) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool allowed = c == '\t' || (byte >= 0x20 && byte != 0x7f);
    for (std::size_t at = 0; at < 20; ++at) {
      std::string value(20, 'v');
      value[at] = c;
      const Request request = read_request(with_line("X: " + value + "\r\n\r\n"));
      EXPECT_EQ(request.error == ParseError::none, allowed) << byte << " at " << at;
    }
  }
}

TEST(RequestParser, TakesOldBytesInValuesOnly) {
  const Request request = read_request(with_line("X: caf\xe9 \xc3\xa9\r\n\r\n"));
  EXPECT_EQ(request.error, ParseError::none);
  EXPECT_EQ(request.head.fields[1].value, "caf\xe9 \xc3\xa9");
}

TEST(RequestParser, TakesEveryTokenCharacterInNames) {
  const Request request = read_request(with_line("!#$%&'*+-.^_`|~09azAZ: y\r\n\r\n"));
  EXPECT_EQ(request.error, ParseError::none);
}

struct LimitCase {
  std::string text;
  ParseError error;
  int status;
};

// SECURITY 0.3; D15. Each limit is met exactly, and passed by one.
TEST(RequestParser, CountsTheLimits) {
  const HeadLimits limits{.head_bytes = 300, .field_bytes = 100, .target_bytes = 60, .fields = 4};
  const auto request_line = [](std::size_t bytes) {
    return "GET /" + std::string(bytes - 14, 'a') + " HTTP/1.1\r\n";
  };
  const auto field = [](std::size_t bytes) { return "X:" + std::string(bytes - 2, 'b') + "\r\n"; };
  const std::string host = "Host: a\r\n";
  const std::string four = host + field(3) + field(3) + field(3);
  const std::string big = request_line(60) + host + field(100) + field(100);
  const LimitCase cases[] = {
      {request_line(60) + host + "\r\n", ParseError::none, 400},
      {request_line(61) + host + "\r\n", ParseError::target_too_long, 414},
      {"GET /" + std::string(60, 'a'), ParseError::target_too_long, 414},
      {request_line(20) + host + field(100) + "\r\n", ParseError::none, 400},
      {request_line(20) + host + field(101) + "\r\n", ParseError::header_too_large, 431},
      {request_line(20) + std::string(200, 'n'), ParseError::header_too_large, 431},
      {request_line(20) + four + "\r\n", ParseError::none, 400},
      {request_line(20) + four + field(3), ParseError::too_many_headers, 431},
      {big + field(300 - big.size() - 4) + "\r\n", ParseError::none, 400},
      {big + field(300 - big.size() - 3) + "\r\n", ParseError::head_too_large, 431},
  };
  for (const LimitCase& test : cases) {
    const Request request = read_request(test.text, limits);
    EXPECT_EQ(name(request.error), name(test.error)) << test.text;
    EXPECT_EQ(status_of(request.error), test.status);
  }
}

TEST(RequestParser, TakesRequestLinesOf8000Bytes) {
  const std::string text = "GET /" + std::string(7986, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_EQ(read_request(text).error, ParseError::none);
}

TEST(ParseError, HasANameAndAStatusEach) {
  for (int i = 0; i <= static_cast<int>(ParseError::bad_response); ++i) {
    const auto error = static_cast<ParseError>(i);
    EXPECT_NE(name(error), "unknown") << i;
    EXPECT_GE(status_of(error), 400) << i;
  }
  EXPECT_EQ(status_of(ParseError::bad_expect), 417);
  EXPECT_EQ(status_of(ParseError::unknown_transfer_encoding), 501);
}

TEST(ResponseParser, NamesTheParts) {
  const Response response =
      read_response("HTTP/1.0 404 Not  \xe9 Found\r\nContent-Length: 3\r\nX: y\r\n\r\nabc");
  ASSERT_EQ(response.progress, Progress::complete);
  EXPECT_EQ(response.head.status, 404);
  EXPECT_EQ(response.head.reason, "Not  \xe9 Found");
  EXPECT_EQ(response.head.version_minor, 0);
  EXPECT_EQ(response.head.fields.size(), 2U);
}

TEST(ResponseParser, TakesAnEmptyReasonAndNone) {
  EXPECT_EQ(read_response("HTTP/1.1 200 \r\n\r\n").head.status, 200);
  EXPECT_EQ(read_response("HTTP/1.1 200\r\n\r\n").head.status, 200);
}

// D27: syntax.
TEST(ResponseParser, RefusesMalformedHeads) {
  for (const std::string_view text : {"HTTP/2 200 OK\r\n\r\n",
                                      "HTTP/1.2 200 OK\r\n\r\n",
                                      "http/1.1 200 OK\r\n\r\n",
                                      "200 OK\r\n\r\n",
                                      "HTTP/1.1  200 OK\r\n\r\n",
                                      "HTTP/1.1 20 OK\r\n\r\n",
                                      "HTTP/1.1 2000 OK\r\n\r\n",
                                      "HTTP/1.1 2x0 OK\r\n\r\n",
                                      "HTTP/1.1 200 OK\n\n",
                                      "HTTP/1.1 200 O\rK\r\n\r\n",
                                      "HTTP/1.1 200 O\x01\r\n\r\n",
                                      "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
                                      "HTTP/1.1 200 OK\r\n: y\r\n\r\n",
                                      "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
                                      "HTTP/1.1 200 OK\r\nX: y\nZ: z\r\n\r\n",
                                      "HTTP/1.1 200 OK\r\nX: \x01\r\n\r\n",
                                      "HTTP/1.1 200 OK\r\nX\r\n\r\n",
                                      "\r\nHTTP/1.1 200 OK\r\n\r\n",
                                      "<html>",
                                      "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
                                      "ICY 200 OK\r\n\r\n"}) {
    const Response response = read_response(text);
    EXPECT_EQ(response.error, ParseError::bad_response) << text;
    EXPECT_EQ(status_of(response.error), 502);
  }
}

}  // namespace
}  // namespace proxy::http
