// Whom the forwarding fields make the client, and how little an untrusted peer can do with them
// (SECURITY C01 to C04).
#include "proxy/client.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "compiling.h"
#include "http/reading.h"

namespace proxy {
namespace {

class ClientTest : public ::testing::Test {
 protected:
  void trust(std::initializer_list<const char*> networks) {
    config::Config config = small_config();
    for (const char* network : networks) config.trusted_proxies.emplace_back(network);
    runtime_ = runtime_of(config);
  }
  // The client of a request with these fields, each ended by CRLF, from `peer`.
  const Client& from(std::string_view peer, std::string_view fields) {
    request_ = http::read_request("GET / HTTP/1.1\r\nHost: app.example.com:8443\r\n" +
                                  std::string(fields) + "\r\n");
    EXPECT_EQ(request_.error, http::ParseError::none) << fields;
    peer_ = peer;
    const auto address = net::parse_address(peer_);
    const Peer peer_seen{address.value_or(net::Address{}), peer_, "8080", false, {}, {}};
    client_ = client_of(*runtime_, peer_seen, request_.head);
    return client_;
  }
  // Through a trusted peer with this X-Forwarded-For.
  std::string_view walked(std::string_view chain) {
    return from("10.0.0.1", "X-Forwarded-For: " + std::string(chain) + "\r\n").address;
  }

  std::shared_ptr<const Runtime> runtime_ = runtime_of(small_config());
  std::string peer_;
  http::Request request_;
  Client client_;
};

constexpr std::string_view forged_fields =
    "X-Forwarded-For: 198.51.100.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.com\r\n"
    "X-Forwarded-Port: 443\r\nForwarded: for=198.51.100.9;proto=https;host=evil.com\r\n"
    "X-Real-IP: 198.51.100.9\r\nX-Request-Id: chosen-by-client\r\nX-Forwarded-Uri: /public\r\n";

TEST_F(ClientTest, NobodyIsTrustedByDefault) {
  for (const char* peer : {"192.0.2.7", "127.0.0.1", "10.0.0.1", "::1"}) {
    const Client& client = from(peer, forged_fields);
    EXPECT_EQ(client.address, peer);
    EXPECT_EQ(client.forwarding.peer, peer);
    EXPECT_EQ(client.forwarding.chain, "");
    EXPECT_EQ(client.forwarding.scheme, "http");
    EXPECT_EQ(client.forwarding.host, "app.example.com:8443");
    EXPECT_EQ(client.forwarding.port, "8080");
    EXPECT_EQ(client.forwarding.request_id, "");
    EXPECT_FALSE(client.peer_is_trusted);
    EXPECT_TRUE(client.ignored_forwarding);
  }
}

TEST_F(ClientTest, APeerOutsideOfTheTrustedNetworksIsNotHeard) {
  trust({"10.0.0.0/8", "2001:db8::/32"});
  EXPECT_EQ(from("11.0.0.1", forged_fields).address, "11.0.0.1");
  EXPECT_TRUE(client_.ignored_forwarding);
  EXPECT_EQ(from("2001:db9::1", forged_fields).address, "2001:db9::1");
  EXPECT_FALSE(client_.peer_is_trusted);
}

TEST_F(ClientTest, WithoutForwardingFieldsNothingWasIgnored) {
  EXPECT_FALSE(from("192.0.2.7", "Accept: a\r\n").ignored_forwarding);
  EXPECT_EQ(client_.address, "192.0.2.7");
}

TEST_F(ClientTest, ATrustedProxyIsHeard) {
  trust({"10.0.0.0/8"});
  const Client& client =
      from("10.0.0.1",
           "X-Forwarded-For: 198.51.100.9\r\nX-Forwarded-Proto: https\r\n"
           "X-Forwarded-Host: www.example.com\r\nX-Forwarded-Port: 443\r\nX-Request-Id: lb-17\r\n");
  EXPECT_TRUE(client.peer_is_trusted);
  EXPECT_FALSE(client.ignored_forwarding);
  EXPECT_EQ(client.address, "198.51.100.9");
  EXPECT_EQ(client.forwarding.peer, "10.0.0.1");
  EXPECT_EQ(client.forwarding.chain, "198.51.100.9");
  EXPECT_EQ(client.forwarding.scheme, "https");
  EXPECT_EQ(client.forwarding.host, "www.example.com");
  EXPECT_EQ(client.forwarding.port, "443");
  EXPECT_EQ(client.forwarding.request_id, "lb-17");
}

TEST_F(ClientTest, ATrustedProxyThatSaysNothingIsTheClient) {
  trust({"10.0.0.0/8"});
  const Client& client = from("10.0.0.1", "");
  EXPECT_EQ(client.address, "10.0.0.1");
  EXPECT_EQ(client.forwarding.chain, "");
  EXPECT_EQ(client.forwarding.scheme, "http");
  EXPECT_EQ(client.forwarding.host, "app.example.com:8443");
  EXPECT_EQ(client.forwarding.port, "8080");
}

TEST_F(ClientTest, TheWalkGoesFromTheRightToTheFirstThatIsNotTrusted) {
  trust({"10.0.0.0/8"});
  EXPECT_EQ(walked("198.51.100.9"), "198.51.100.9");
  EXPECT_EQ(walked("203.0.113.5, 198.51.100.9"), "198.51.100.9");
  EXPECT_EQ(walked("203.0.113.5, 198.51.100.9, 10.9.9.9, 10.0.0.2"), "198.51.100.9");
  EXPECT_EQ(walked("203.0.113.5,198.51.100.9 ,\t10.0.0.2"), "198.51.100.9");
  EXPECT_EQ(walked("2001:db8::7, 10.0.0.2"), "2001:db8::7");
}

TEST_F(ClientTest, WhereAllAreTrustedTheFirstOfThemIsTheClient) {
  trust({"10.0.0.0/8"});
  EXPECT_EQ(walked("10.1.1.1, 10.0.0.2"), "10.1.1.1");
}

TEST_F(ClientTest, GarbageEndsTheWalk) {  // C03
  trust({"10.0.0.0/8"});
  for (const char* garbage :
       {"a", "unknown", "_hidden", "198.51.100.9:80", "[2001:db8::7]", "[::ffff:10.0.0.1]",
        "fe80::1%eth0", "198.51.100", "0xC6.51.100.9", "198.51.100.09", "\"198.51.100.9\"",
        "198.51.100.9 198.51.100.9", "10.0.0.0/8"}) {
    EXPECT_EQ(walked(garbage), "10.0.0.1") << garbage;
    EXPECT_EQ(client_.forwarding.chain, "") << garbage;
    // What stands left of the garbage is never reached.
    EXPECT_EQ(walked("203.0.113.5, " + std::string(garbage) + ", 10.0.0.2"), "10.0.0.2");
    EXPECT_EQ(client_.forwarding.chain, "10.0.0.2");
  }
}

TEST_F(ClientTest, EmptyEntriesAreGarbageToo) {  // C03
  trust({"10.0.0.0/8"});
  for (const std::string& chain : {std::string(), std::string(","), std::string("203.0.113.5,"),
                                   std::string("203.0.113.5, ,"), std::string(7'900, ',')}) {
    EXPECT_EQ(walked(chain), "10.0.0.1") << chain.size();
    EXPECT_EQ(client_.forwarding.chain, "");
  }
}

TEST_F(ClientTest, TheMappedFormOfATrustedAddressIsTrusted) {
  trust({"10.0.0.0/8"});
  EXPECT_EQ(walked("198.51.100.9, ::ffff:10.0.0.2"), "198.51.100.9");
  EXPECT_TRUE(from("::ffff:10.0.0.1", "").peer_is_trusted);
}

TEST_F(ClientTest, TheApplicationIsToldOnlyThePartOfTheChainThatWasRead) {
  trust({"10.0.0.0/8"});
  (void)walked("127.0.0.1, 203.0.113.5, 198.51.100.9, 10.0.0.2");
  EXPECT_EQ(client_.forwarding.chain, "198.51.100.9, 10.0.0.2");
}

TEST_F(ClientTest, OneClientStaysOneClientWhateverItWritesInFront) {  // C04
  trust({"10.0.0.0/8"});
  for (int i = 0; i < 1'000; ++i) {
    const std::string invented = "203.0.113." + std::to_string(i % 256);
    EXPECT_EQ(walked(invented + ", 198.51.100.9"), "198.51.100.9");
  }
}

// HAProxy's `option forwardfor` adds a line of its own; lines are one list (RFC 9110 section 5.3).
TEST_F(ClientTest, SeveralLinesAreOneChain) {
  trust({"10.0.0.0/8"});
  const Client& client = from("10.0.0.1",
                              "X-Forwarded-For: 203.0.113.5, 198.51.100.9\r\nAccept: a\r\n"
                              "X-Forwarded-For: 10.0.0.2\r\n");
  EXPECT_EQ(client.address, "198.51.100.9");
}

TEST_F(ClientTest, LookAlikesOfForwardingFieldsAreNotRead) {
  trust({"10.0.0.0/8"});
  const Client& client = from("10.0.0.1",
                              "X_Forwarded_For: 198.51.100.9\r\nXForwarded-For: 198.51.100.9\r\n"
                              "X-Forwarded.Proto: https\r\nX-Real-IP: 198.51.100.9\r\n"
                              "Forwarded: for=198.51.100.9\r\n");
  EXPECT_EQ(client.address, "10.0.0.1");
  EXPECT_EQ(client.forwarding.scheme, "http");
}

TEST_F(ClientTest, NamesAreReadInAnyCase) {
  trust({"10.0.0.0/8"});
  EXPECT_EQ(from("10.0.0.1", "x-FORWARDED-for: 198.51.100.9\r\n").address, "198.51.100.9");
}

TEST_F(ClientTest, ValuesThatAreNoneAreIgnoredOneByOne) {
  trust({"10.0.0.0/8"});
  for (const char* fields :
       {"X-Forwarded-Proto: HTTPS\r\n", "X-Forwarded-Proto: https, http\r\n",
        "X-Forwarded-Proto: ws\r\n", "X-Forwarded-Host: a b\r\n", "X-Forwarded-Host:\r\n",
        "X-Forwarded-Host: evil.com/path\r\n", "X-Forwarded-Host: user@evil.com\r\n",
        "X-Forwarded-Host: a, b\r\n", "X-Forwarded-Port: 443x\r\n", "X-Forwarded-Port:\r\n",
        "X-Forwarded-Port: 123456\r\n", "X-Request-Id: a b\r\n", "X-Request-Id: a,b\r\n",
        "X-Request-Id: \"\r\n", "X-Request-Id:\r\n"}) {
    const Client& client = from("10.0.0.1", fields);
    EXPECT_EQ(client.forwarding.scheme, "http") << fields;
    EXPECT_EQ(client.forwarding.host, "app.example.com:8443") << fields;
    EXPECT_EQ(client.forwarding.port, "8080") << fields;
    EXPECT_EQ(client.forwarding.request_id, "") << fields;
  }
  EXPECT_EQ(from("10.0.0.1", "X-Request-Id: " + std::string(128, 'a') + "\r\n")
                .forwarding.request_id.size(),
            128U);
  EXPECT_EQ(from("10.0.0.1", "X-Request-Id: " + std::string(129, 'a') + "\r\n")
                .forwarding.request_id,
            "");
}

TEST_F(ClientTest, AUnixSocketIsNoTrustedProxyOfAnyIpv4Network) {
  trust({"0.0.0.0/0"});
  const Client& client = from("unix", forged_fields);
  EXPECT_FALSE(client.peer_is_trusted);
  EXPECT_EQ(client.address, "unix");
}

}  // namespace
}  // namespace proxy
