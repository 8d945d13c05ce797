// The PROXY protocol header: who is told, what is refused, and that no byte behind it is taken.
#include "proxy/net/proxy_header.h"

#include <gtest/gtest.h>

#include <string>

namespace proxy::net {
namespace {

using State = ProxyHeader::State;

struct Outcome {
  State state = State::need_more;
  std::string source;  // "192.0.2.7 51234", "-" for none
  std::string rest;
};

// Reads as a connection does: never more than the header wants, at most `bite` bytes at a time.
Outcome read(std::string bytes, std::size_t bite = 1'000) {
  ProxyHeader header;
  Outcome outcome;
  while (outcome.state == State::need_more && !bytes.empty()) {
    const std::size_t take = std::min({header.wants(), bite, bytes.size()});
    EXPECT_GT(take, 0U);
    outcome.state = header.feed(bytes.substr(0, take));
    bytes.erase(0, take);
  }
  outcome.source = header.source() ? to_text(header.source()->address) + " " +
                                         std::to_string(header.source()->port)
                                   : "-";
  outcome.rest = bytes;
  return outcome;
}

std::string v2(char command, char family, const std::string& body) {
  std::string bytes("\r\n\r\n\0\r\nQUIT\n", 12);
  bytes += command;
  bytes += family;
  bytes += static_cast<char>(body.size() / 256);
  bytes += static_cast<char>(body.size() % 256);
  return bytes + body;
}

const std::string v4_body("\xc0\x00\x02\x07\xc0\x00\x02\x01\xc8\x22\x01\xbb", 12);
const std::string v6_body =
    std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 16) + std::string(16, '\1') +
    std::string("\xc8\x22\x01\xbb", 4);

TEST(ProxyHeader, TellsTheClient) {
  for (const std::size_t bite : {1, 2, 7, 1'000}) {
    for (const auto& [bytes, source] : {
             std::pair{std::string("PROXY TCP4 192.0.2.7 192.0.2.1 51234 443\r\n"),
                       "192.0.2.7 51234"},
             std::pair{std::string("PROXY TCP6 2001:db8::7 ::1 51234 443\r\n"),
                       "2001:db8::7 51234"},
             std::pair{std::string("PROXY TCP6 :: :: 0 0\r\n"), ":: 0"},
             std::pair{v2('\x21', '\x11', v4_body), "192.0.2.7 51234"},
             std::pair{v2('\x21', '\x21', v6_body), "2001:db8::7 51234"},
             std::pair{v2('\x21', '\x11', v4_body + std::string(3'000, 'x')), "192.0.2.7 51234"},
         }) {
      const Outcome outcome = read(bytes + "GET / HTTP/1.1\r\n", bite);
      EXPECT_EQ(outcome.state, State::complete) << bytes;
      EXPECT_EQ(outcome.source, source);
      EXPECT_EQ(outcome.rest, "GET / HTTP/1.1\r\n") << bytes;
    }
  }
}

TEST(ProxyHeader, ABalancerMaySpeakForItself) {
  for (const std::string& bytes :
       {std::string("PROXY UNKNOWN\r\n"),
        std::string("PROXY UNKNOWN ffff:f... 1 2\r\n"), v2('\x20', '\0', ""),
        v2('\x20', '\x11', v4_body), v2('\x21', '\0', ""), v2('\x21', '\0', "tlv"),
        v2('\x21', '\x31', std::string(216, 'x'))}) {
    const Outcome outcome = read(bytes + "x");
    EXPECT_EQ(outcome.state, State::complete) << bytes;
    EXPECT_EQ(outcome.source, "-");
    EXPECT_EQ(outcome.rest, "x");
  }
}

TEST(ProxyHeader, WhatIsNoneIsRefused) {
  const std::string good = "192.0.2.7 192.0.2.1 51234 443";
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), std::string("\x16\x03\x01\x02\x00\x01"),
        std::string("PROXY\r\n        "), std::string("proxy TCP4 ") + good + "\r\n",
        "PROXY TCP4 " + good + "\n", "PROXY TCP4  " + good + "\r\n",
        "PROXY TCP4 " + good + " \r\n", "PROXY TCP4 " + good + " x\r\n",
        "PROXY TCP6 " + good + "\r\n", "PROXY TCP5 " + good + "\r\n",
        std::string("PROXY TCP4 ::1 ::1 1 2\r\n"), std::string("PROXY TCP4 192.0.2.7 ::1 1 2\r\n"),
        std::string("PROXY TCP4 192.0.2.7 192.0.2.1 65536 1\r\n"),
        std::string("PROXY TCP4 192.0.2.7 192.0.2.1 01 1\r\n"),
        std::string("PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n"),
        std::string("PROXY TCP4 192.0.2.777 192.0.2.1 1 1\r\n"),
        std::string("PROXY UNKNOWNX\r\n"), "PROXY UNKNOWN " + std::string(200, 'x'),
        v2('\x22', '\x11', v4_body), v2('\x11', '\x11', v4_body), v2('\x21', '\x12', v4_body),
        v2('\x21', '\x11', v4_body.substr(0, 11)), v2('\x21', '\x21', v6_body.substr(0, 35)),
        v2('\x21', '\x31', "short"), v2('\x21', '\x11', std::string(4'097, 'x'))}) {
    EXPECT_EQ(read(bytes).state, State::failed) << bytes;
    EXPECT_EQ(read(bytes, 1).state, State::failed) << bytes;
  }
}

}  // namespace
}  // namespace proxy::net
