// What a request must satisfy once its syntax is right: Host, target, framing, hop-by-hop options,
// Expect and Upgrade (SECURITY sections A, D and E; P1 to P12).
#include "proxy/http/guard.h"

#include "reading.h"

#include <gtest/gtest.h>

namespace proxy::http {
namespace {

ParseError error_with(std::string_view fields) { return read_fields(fields).error; }

Request get(std::string_view target, std::string_view host = "a", std::string_view method = "GET") {
  return read_request(std::string(method) + " " + std::string(target) +
                      " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n");
}

TEST(Guard, SplitsPathAndQuery) {
  const Request request = get("/a/b?c=d?e");
  EXPECT_EQ(request.head.path, "/a/b");
  EXPECT_TRUE(request.head.has_query);
  EXPECT_EQ(request.head.query, "c=d?e");
  EXPECT_EQ(request.head.authority, "a");
  EXPECT_FALSE(get("/a").head.has_query);
  EXPECT_TRUE(get("/a?").head.has_query);
  EXPECT_EQ(get("/a?").head.query, "");
}

// B05.
TEST(Guard, DoubleSlashIsAPathAndNoAuthority) {
  EXPECT_EQ(get("//evil/x").head.path, "//evil/x");
  EXPECT_EQ(get("//evil/x").head.authority, "a");
}

// E01.
TEST(Guard, RefusesRequestsWithoutExactlyOneGoodHost) {
  EXPECT_EQ(read_request("GET / HTTP/1.1\r\n\r\n").error, ParseError::bad_host);
  EXPECT_EQ(read_request("GET / HTTP/1.1\r\nHost:\r\n\r\n").error, ParseError::bad_host);
  EXPECT_EQ(read_request("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n").error,
            ParseError::duplicate_header);
  for (const std::string_view host :
       {"a, b", "a@b", "a/b", "a:99999", "a b", "<a>", "[::1", "a%00"}) {
    EXPECT_EQ(get("/", host).error, ParseError::bad_host) << host;
  }
  EXPECT_EQ(read_request("GET / HTTP/1.0\r\n\r\n").error, ParseError::none);
  EXPECT_EQ(read_request("GET / HTTP/1.0\r\nHost: a b\r\n\r\n").error, ParseError::bad_host);
}

// E02.
TEST(Guard, AbsoluteFormMustNameTheHost) {
  struct Row {
    std::string_view target, host;
    ParseError error;
  };
  const Row rows[] = {
      {"http://a/", "a", ParseError::none},
      {"HTTP://A/", "a", ParseError::none},
      {"https://a/", "a", ParseError::none},
      {"http://a:80/", "a", ParseError::none},
      {"https://a/", "a:443", ParseError::none},
      {"http://[::1]:8080/", "[::1]:8080", ParseError::none},
      {"http://evil/", "a", ParseError::bad_host},
      {"http://a:81/", "a", ParseError::bad_host},
      {"https://a/", "a:80", ParseError::bad_host},
      {"http://a./", "a", ParseError::bad_host},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(get(row.target, row.host).error, row.error) << row.target << " " << row.host;
  }
  EXPECT_EQ(read_request("GET http://a/ HTTP/1.1\r\n\r\n").error, ParseError::bad_host);
  EXPECT_EQ(read_request("GET http://a/ HTTP/1.0\r\n\r\n").head.authority, "a");
}

TEST(Guard, AbsoluteFormBecomesPathAndQuery) {
  EXPECT_EQ(get("http://a/x?y").head.path, "/x");
  EXPECT_EQ(get("http://a/x?y").head.query, "y");
  EXPECT_EQ(get("http://a").head.path, "/");
  EXPECT_EQ(get("http://a?x").head.path, "/");
  EXPECT_EQ(get("http://a?x").head.query, "x");
  EXPECT_EQ(get("http://a", "a", "OPTIONS").head.path, "*");
  EXPECT_EQ(get("http://a/", "a", "OPTIONS").head.path, "/");
  EXPECT_EQ(get("http://a?x", "a", "OPTIONS").head.path, "/");
}

// E03.
TEST(Guard, TargetFormMustFitTheMethod) {
  for (const std::string_view target :
       {"*", "*/test", "a:80", "admin", "http://", "http:///x", "http:a/", "http:/a/", "ftp://a/",
        "http://u:p@a/", "http://a:99999/", "http://a:b/", "://a/", "?x", "http://?x", "ws://a/"}) {
    EXPECT_EQ(get(target).error, ParseError::bad_target) << target;
  }
  EXPECT_EQ(get("*", "a", "OPTIONS").error, ParseError::none);
  EXPECT_EQ(get("*", "a", "OPTIONS").head.path, "*");
  EXPECT_EQ(get("*?", "a", "OPTIONS").error, ParseError::bad_target);
  for (const std::string_view target : {"/", "a", "http://a/", "a:80/", "a:99999", ":80"}) {
    EXPECT_NE(get(target, "a", "CONNECT").error, ParseError::none) << target;
  }
  EXPECT_EQ(get("a:80", "a:80", "CONNECT").error, ParseError::none);  // the caller answers 405
}

// D14.
TEST(Guard, ReadsContentLengthStrictly) {
  const Request request = read_fields("Content-Length: 005\r\n");
  EXPECT_EQ(request.error, ParseError::none);
  EXPECT_EQ(request.head.body.kind, BodyKind::length);
  EXPECT_EQ(request.head.body.length, 5U);
  EXPECT_EQ(read_fields("Content-Length: 9223372036854775807\r\n").head.body.length,
            9223372036854775807U);
  EXPECT_EQ(read_fields("Content-Length: 0\r\n").head.body.kind, BodyKind::length);
  EXPECT_EQ(read_fields("").head.body.kind, BodyKind::none);
  for (const std::string_view value : {"",
                                       "+5",
                                       "-1",
                                       "0x5",
                                       "5_0",
                                       "1 2",
                                       "5;",
                                       "5.0",
                                       "\"5\"",
                                       "a",
                                       "5-",
                                       "0b101",
                                       "\xd9\xa5",
                                       "1,1",
                                       "5, 6",
                                       ",5",
                                       "5,",
                                       "9223372036854775808",
                                       "18446744073709551616",
                                       "18446744073709551621",
                                       "999999999999999999999999999999"}) {
    EXPECT_EQ(error_with("Content-Length: " + std::string(value) + "\r\n"),
              ParseError::bad_content_length)
        << value;
  }
}

// D13.
TEST(Guard, RefusesASecondContentLengthEvenIfEqual) {
  EXPECT_EQ(error_with("Content-Length: 5\r\nContent-Length: 5\r\n"), ParseError::duplicate_header);
  EXPECT_EQ(error_with("Content-Length: 5\r\ncontent-length: 6\r\n"), ParseError::duplicate_header);
  EXPECT_NE(error_with("Content-Length: \r\nContent-Length: 43\r\n"), ParseError::none);
}

// D01, D02.
TEST(Guard, RefusesBothLengths) {
  EXPECT_EQ(error_with("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"),
            ParseError::conflicting_length);
  EXPECT_EQ(error_with("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"),
            ParseError::conflicting_length);
}

// D03, D04: one line, one word.
TEST(Guard, TakesTransferEncodingOnlyAsChunked) {
  for (const std::string_view value : {"chunked", "CHUNKED", "chunKed", " chunked ", "\tchunked"}) {
    const Request request = read_fields("Transfer-Encoding:" + std::string(value) + "\r\n");
    EXPECT_EQ(request.error, ParseError::none) << value;
    EXPECT_EQ(request.head.body.kind, BodyKind::chunked);
  }
  for (const std::string_view value : {"",
                                       ",chunked",
                                       "chunked,",
                                       "chunked ,chunked",
                                       "chunked, chunked",
                                       "gzip, chunked",
                                       "deflate, chunked",
                                       "chunked, identity",
                                       "identity, chunked",
                                       "identity",
                                       "xchunked",
                                       "chunkedx",
                                       "chunked;x=1",
                                       "\"chunked\"",
                                       "'chunked'",
                                       "c hunked",
                                       "chun\tked",
                                       "cunked",
                                       "gzip",
                                       "\xa0"
                                       "chunked",
                                       "chunked\x85"}) {
    const std::string line = "Transfer-Encoding: " + std::string(value) + "\r\n";
    const int status = status_of(error_with(line));
    EXPECT_NE(error_with(line), ParseError::none) << value;
    EXPECT_TRUE(status == 400 || status == 501) << value;
    EXPECT_NE(error_with(line + "Content-Length: 5\r\n"), ParseError::none) << value;
  }
  for (const std::string_view second : {"chunked", "identity", "cow"}) {
    EXPECT_NE(error_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: " + std::string(second) +
                         "\r\n"),
              ParseError::none);
    EXPECT_NE(error_with("Transfer-Encoding: " + std::string(second) +
                         "\r\nTransfer-Encoding: chunked\r\n"),
              ParseError::none);
  }
}

// The guard alone, without a parser in front: it has to hold by itself.
TEST(Guard, DoesNotRelyOnTheParserForFraming) {
  RequestHead head;
  head.method = Method::post;
  head.target = "/";
  const Field host{HeaderId::host, "Host", "a"};
  const auto check = [&](std::vector<Field> fields) {
    fields.push_back(host);
    head.fields = std::move(fields);
    return check_request(head);
  };
  const Field five{HeaderId::content_length, "Content-Length", "5"};
  const Field chunked{HeaderId::transfer_encoding, "Transfer-Encoding", "chunked"};
  const auto coding = [](std::string_view value) {
    return Field{HeaderId::transfer_encoding, "Transfer-Encoding", value};
  };
  EXPECT_EQ(check({five}), ParseError::none);
  EXPECT_EQ(check({five, five}), ParseError::duplicate_header);
  EXPECT_EQ(check({five, chunked}), ParseError::conflicting_length);
  EXPECT_EQ(check({chunked, five}), ParseError::conflicting_length);
  EXPECT_EQ(check({chunked, chunked}), ParseError::bad_transfer_encoding);
  EXPECT_EQ(check({coding("")}), ParseError::bad_transfer_encoding);
  EXPECT_EQ(check({coding(",chunked")}), ParseError::bad_transfer_encoding);
  EXPECT_EQ(check({coding("gzip, chunked")}), ParseError::bad_transfer_encoding);
  EXPECT_EQ(check({coding("gzip")}), ParseError::unknown_transfer_encoding);
  EXPECT_EQ(check({{HeaderId::content_length, "Content-Length", "+5"}}),
            ParseError::bad_content_length);
  EXPECT_EQ(check({{HeaderId::content_length, "Content-Length", ""}}),
            ParseError::bad_content_length);
  head.version_minor = 0;
  EXPECT_EQ(check({chunked}), ParseError::bad_transfer_encoding);
}

// D20.
TEST(Guard, RefusesBodiesThatHttp10DidNotHave) {
  EXPECT_NE(read_request("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").error,
            ParseError::none);
  for (const std::string_view method : {"GET", "HEAD", "DELETE"}) {
    const std::string start = std::string(method) + " / HTTP/1.0\r\nContent-Length: ";
    EXPECT_EQ(read_request(start + "5\r\n\r\n").error, ParseError::bad_content_length) << method;
    EXPECT_EQ(read_request(start + "0\r\n\r\n").error, ParseError::none) << method;
  }
  EXPECT_EQ(read_request("POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n").error, ParseError::none);
}

// A06, P4.
TEST(Guard, RefusesDuplicatesOfFieldsThatDecide) {
  for (const std::string_view name :
       {"Host", "Authorization", "Content-Type", "Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode",
        "Referer", "Sec-WebSocket-Key"}) {
    const std::string line = std::string(name) + ": x\r\n";
    EXPECT_EQ(read_fields(name == "Host" ? "" : line).error, ParseError::none) << name;
    EXPECT_EQ(read_fields(line + line).error, ParseError::duplicate_header) << name;
  }
  EXPECT_EQ(read_fields("authorization: x\r\nAUTHORIZATION: y\r\n").error,
            ParseError::duplicate_header);
  EXPECT_EQ(read_fields("Cookie: a=b\r\nCookie: c=d\r\nAccept: x\r\nAccept: y\r\n").error,
            ParseError::none);
}

// A05, P9.
TEST(Guard, ConnectionMayNotNameFieldsThatDecide) {
  for (const std::string_view option : {"authorization",
                                        "Host",
                                        "COOKIE",
                                        "Content-Length",
                                        "content_length",
                                        "transfer-encoding",
                                        "X-Forwarded-For",
                                        "x_forwarded_user",
                                        "X-Real-Ip",
                                        "Forwarded",
                                        "Origin",
                                        "Sec-Fetch-Site",
                                        "X-Auth-User",
                                        "X-AUTH-USER",
                                        "X_Auth_User",
                                        "X-Original-URL",
                                        "Sec-WebSocket-Key",
                                        "close, X-Auth-User",
                                        "keep-alive,\tX-Auth-User",
                                        ", ,X-Auth-User,,",
                                        "\"close\"",
                                        "a b",
                                        "close; x"}) {
    EXPECT_EQ(error_with("Connection: " + std::string(option) + "\r\n"), ParseError::bad_connection)
        << option;
  }
  EXPECT_EQ(error_with("Connection: close\r\nConnection: X-Auth-User\r\n"),
            ParseError::bad_connection);
  for (const std::string_view option : {"close", "keep-alive", "Upgrade, HTTP2-Settings", "TE", "",
                                        ", close,,", "X-Mine", "hostess", "x-forward"}) {
    EXPECT_EQ(error_with("Connection: " + std::string(option) + "\r\n"), ParseError::none)
        << option;
  }
}

TEST(Guard, KeepsConnectionsOpenAsTheVersionSays) {
  const auto stays = [](std::string_view version, std::string_view fields) {
    return read_request("GET / HTTP/" + std::string(version) + "\r\nHost: a\r\n" +
                        std::string(fields) + "\r\n")
        .head.keep_alive;
  };
  EXPECT_TRUE(stays("1.1", ""));
  EXPECT_FALSE(stays("1.1", "Connection: Close\r\n"));
  EXPECT_FALSE(stays("1.1", "Connection: keep-alive\r\nConnection: x, close\r\n"));
  EXPECT_FALSE(stays("1.0", ""));
  EXPECT_TRUE(stays("1.0", "Connection: Keep-Alive\r\n"));
  EXPECT_FALSE(stays("1.0", "Connection: keep-alive, close\r\n"));
}

// D22, P12.
TEST(Guard, HonoursOneExactExpectation) {
  const Request request = read_fields("Expect: 100-continue\r\nContent-Length: 2\r\n");
  EXPECT_EQ(request.error, ParseError::none);
  EXPECT_TRUE(request.head.expects_continue);
  EXPECT_TRUE(
      read_fields("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n").head.expects_continue);
  EXPECT_FALSE(read_fields("Expect: 100-continue\r\n").head.expects_continue);
  EXPECT_FALSE(read_fields("Content-Length: 2\r\n").head.expects_continue);
  for (const std::string_view value : {"y 100-continue", "100-continue, x", "100-continue;q=1",
                                       "\"100-continue\"", "200-ok", "", "100-Continue"}) {
    EXPECT_EQ(error_with("Expect: " + std::string(value) + "\r\nContent-Length: 2\r\n"),
              ParseError::bad_expect)
        << value;
  }
  EXPECT_EQ(error_with("Expect: 100-continue\r\nExpect: 100-continue\r\n"), ParseError::bad_expect);
  EXPECT_EQ(
      read_request("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").error,
      ParseError::bad_expect);
}

constexpr std::string_view handshake =
    "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

// E04, E05, P10.
TEST(Guard, KnowsAWebSocketHandshake) {
  EXPECT_TRUE(read_fields(handshake, "GET").head.wants_websocket);
  EXPECT_FALSE(read_fields(handshake, "POST").head.wants_websocket);
  EXPECT_FALSE(
      read_fields(std::string(handshake) + "Content-Length: 1\r\n", "GET").head.wants_websocket);
  EXPECT_FALSE(read_fields(std::string(handshake) + "Sec-WebSocket-Version: 13\r\n", "GET")
                   .head.wants_websocket);
  EXPECT_FALSE(
      read_fields(std::string(handshake) + "Upgrade: h2c\r\n", "GET").head.wants_websocket);
  EXPECT_FALSE(read_request("GET / HTTP/1.0\r\nHost: a\r\n" + std::string(handshake) + "\r\n")
                   .head.wants_websocket);
}

TEST(Guard, IncompleteHandshakesAreOrdinaryRequests) {
  struct Edit {
    std::string_view from, to;
  };
  const Edit edits[] = {{", Upgrade", ""},
                        {"WebSocket\r\n", "websocket, h2c\r\n"},
                        {"Upgrade: WebSocket\r\n", ""},
                        {"Upgrade: WebSocket\r\n", "Upgrade: h2c\r\n"},
                        {"Version: 13", "Version: 12"},
                        {"Sec-WebSocket-Version: 13\r\n", ""},
                        {"AAAA==", "AAA=="},
                        {"AAAA==", "AAA@=="},
                        {"AAAA==", "AAAAAA"}};
  for (const Edit& edit : edits) {
    std::string fields(handshake);
    fields.replace(fields.find(edit.from), edit.from.size(), edit.to);
    const Request request = read_fields(fields, "GET");
    EXPECT_EQ(request.error, ParseError::none) << fields;
    EXPECT_FALSE(request.head.wants_websocket) << fields;
  }
}

// D26: a body framed by a look-alike in front of us would be our next request.
TEST(Guard, RefusesLookAlikesOfFramingFields) {
  for (const std::string_view name : {"Content_Length", "content.length", "-Content-Length",
                                      "ContentLength", "Content--Length_"}) {
    EXPECT_EQ(error_with(std::string(name) + ": 5\r\n"), ParseError::bad_content_length) << name;
  }
  for (const std::string_view name : {"Transfer_Encoding", "TRANSFER.ENCODING", "transferencoding",
                                      "_Transfer-Encoding", "Transfer---Encoding"}) {
    EXPECT_EQ(error_with(std::string(name) + ": chunked\r\nContent-Length: 2\r\n"),
              ParseError::bad_transfer_encoding)
        << name;
  }
  EXPECT_EQ(error_with("X-Content-Length: 5\r\nContent-Lengths: 5\r\nAccept-Encoding: x\r\n"),
            ParseError::none);
}

// A01, A02: other look-alikes pass here and are the header policy's to drop.
TEST(Guard, LeavesOtherLookAlikesToTheHeaderPolicy) {
  EXPECT_EQ(error_with("X_Auth_User: admin\r\nX.Auth.User: admin\r\nHost_: b\r\n"),
            ParseError::none);
}

// J05.
TEST(Guard, FieldNamesIgnoreCase) {
  const Request request = read_request(
      "GET / HTTP/1.1\r\nHOST: a\r\naUTHORIZATION: Bearer x\r\ncookie: a=b\r\nCONTENT-LENGTH: "
      "1\r\n\r\n");
  EXPECT_EQ(request.error, ParseError::none);
  EXPECT_EQ(request.head.value(HeaderId::authorization), "Bearer x");
  EXPECT_EQ(request.head.value(HeaderId::cookie), "a=b");
  EXPECT_EQ(request.head.body.length, 1U);
}

}  // namespace
}  // namespace proxy::http
