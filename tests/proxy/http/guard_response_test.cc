// What an upstream's answer must satisfy: a wrong length here is another user's answer on the next
// request (SECURITY D27, D28).
#include "proxy/http/guard.h"
#include "reading.h"

#include <gtest/gtest.h>

namespace proxy::http {
namespace {

Response answer(std::string_view status, std::string_view fields, Method method = Method::get,
                bool upgrade_sent = false) {
  return read_response("HTTP/1.1 " + std::string(status) + "\r\n" + std::string(fields) + "\r\n",
                       method, upgrade_sent);
}

TEST(GuardResponse, DelimitsBodies) {
  EXPECT_EQ(answer("200 OK", "Content-Length: 5\r\n").head.body.length, 5U);
  EXPECT_EQ(answer("200 OK", "Content-Length: 0\r\n").head.body.kind, BodyKind::length);
  EXPECT_EQ(answer("200 OK", "Transfer-Encoding: Chunked\r\n").head.body.kind, BodyKind::chunked);
  EXPECT_EQ(answer("200 OK", "").head.body.kind, BodyKind::until_close);
  EXPECT_TRUE(answer("200 OK", "Content-Length: 5\r\n").head.keep_alive);
  EXPECT_FALSE(answer("200 OK", "").head.keep_alive);
}

// RFC 9112 section 6.3, rules 1 and 2.
TEST(GuardResponse, KnowsAnswersWithoutABody) {
  for (const std::string_view fields :
       {"", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"}) {
    EXPECT_EQ(answer("200 OK", fields, Method::head).head.body.kind, BodyKind::none) << fields;
    EXPECT_EQ(answer("304 Not Modified", fields).head.body.kind, BodyKind::none) << fields;
    EXPECT_EQ(answer("304 Not Modified", fields).error, ParseError::none) << fields;
    EXPECT_TRUE(answer("304 Not Modified", fields).head.keep_alive) << fields;
  }
  for (const std::string_view status : {"100 Continue", "103 Early Hints", "204 No Content"}) {
    EXPECT_EQ(answer(status, "").head.body.kind, BodyKind::none) << status;
    EXPECT_EQ(answer(status, "").error, ParseError::none) << status;
    EXPECT_TRUE(answer(status, "").head.keep_alive) << status;
    EXPECT_EQ(answer(status, "Content-Length: 0\r\n").error, ParseError::none) << status;
    EXPECT_EQ(answer(status, "Content-Length: 5\r\n").error, ParseError::bad_response) << status;
    EXPECT_EQ(answer(status, "Transfer-Encoding: chunked\r\n").error, ParseError::bad_response)
        << status;
  }
}

TEST(GuardResponse, RefusesAmbiguousLengths) {
  for (const std::string_view fields :
       {"Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n", "Content-Length: +5\r\n", "Content-Length:\r\n",
        "Content-Length: 5x\r\n", "Content-Length: 9223372036854775808\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n", "Transfer-Encoding:\r\n",
        "Transfer-Encoding: ,chunked\r\n", "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n"}) {
    for (const Method method : {Method::get, Method::head}) {
      EXPECT_EQ(answer("200 OK", fields, method).error, ParseError::bad_response) << fields;
    }
  }
  EXPECT_EQ(read_response("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").error,
            ParseError::bad_response);
}

TEST(GuardResponse, RefusesStatusesThatDoNotExist) {
  for (const std::string_view status : {"000 No", "099 No", "001 No"}) {
    EXPECT_EQ(answer(status, "Content-Length: 0\r\n").error, ParseError::bad_response) << status;
  }
  EXPECT_EQ(answer("599 Own", "Content-Length: 0\r\n").error, ParseError::none);
}

// E04: 101 only as the answer to our handshake; 200 never switches.
TEST(GuardResponse, SwitchesProtocolsOnlyWhenAsked) {
  const std::string_view fields = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  const Response switched = answer("101 Switching Protocols", fields, Method::get, true);
  EXPECT_EQ(switched.error, ParseError::none);
  EXPECT_EQ(switched.head.body.kind, BodyKind::none);
  EXPECT_FALSE(switched.head.keep_alive);
  EXPECT_EQ(answer("101 Switching Protocols", fields).error, ParseError::bad_response);
  for (const std::string_view other :
       {"", "Upgrade: websocket\r\n", "Connection: Upgrade\r\n",
        "Connection: Upgrade\r\nUpgrade: h2c\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n"}) {
    EXPECT_EQ(answer("101 Switching Protocols", other, Method::get, true).error,
              ParseError::bad_response)
        << other;
  }
  EXPECT_EQ(answer("200 OK", fields, Method::get, true).head.body.kind, BodyKind::until_close);
}

TEST(GuardResponse, KeepsConnectionsOnlyWhereBothSidesMay) {
  EXPECT_FALSE(answer("200 OK", "Content-Length: 1\r\nConnection: close\r\n").head.keep_alive);
  EXPECT_FALSE(read_response("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n").head.keep_alive);
  EXPECT_TRUE(
      read_response("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n")
          .head.keep_alive);
}

TEST(GuardResponse, LetsRepeatedFieldsPass) {
  const Response response = answer("200 OK",
                                   "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nWWW-Authenticate: A\r\n"
                                   "WWW-Authenticate: B\r\nConnection: X-Internal\r\n"
                                   "Content-Length: 0\r\n");
  EXPECT_EQ(response.error, ParseError::none);
  EXPECT_EQ(response.head.fields.size(), 6U);
}

}  // namespace
}  // namespace proxy::http
