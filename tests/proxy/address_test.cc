// Addresses, networks and listen addresses: only the plain spellings are taken, since each other
// one is read differently by somebody (octal, short forms, zones).
#include "proxy/net/address.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace proxy::net {
namespace {

Address address_from(std::string_view text) {
  const auto address = parse_address(text);
  EXPECT_TRUE(address.has_value()) << text;
  return address.value_or(Address{});
}

bool is_in(std::string_view cidr, std::string_view address) {
  const auto network = parse_network(cidr);
  EXPECT_TRUE(network.has_value()) << cidr;
  return network && network->contains(address_from(address));
}

TEST(Address, ReadsAndWritesBothVersions) {
  EXPECT_EQ(to_text(address_from("192.0.2.7")), "192.0.2.7");
  EXPECT_EQ(to_text(address_from("2001:DB8:0::1")), "2001:db8::1");
  EXPECT_TRUE(address_from("192.0.2.7").is_v4());
  EXPECT_FALSE(address_from("2001:db8::1").is_v4());
}

TEST(Address, TheMappedFormOfAnIpv4AddressIsTheSameClient) {
  EXPECT_EQ(address_from("::ffff:10.0.0.1"), address_from("10.0.0.1"));
  EXPECT_EQ(to_text(address_from("::ffff:a00:1")), "10.0.0.1");
  EXPECT_TRUE(address_from("::ffff:10.0.0.1").is_v4());
}

TEST(Address, RefusesEverySpellingThatSomebodyReadsDifferently) {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {""sv, " 10.0.0.1"sv, "10.0.0.1 "sv, "10.0.0.1\0"sv, "10.0.0"sv, "10.1"sv, "010.0.0.1"sv,
        "0x0a.0.0.1"sv, "167772161"sv, "10.0.0.256"sv, "10.0.0.1:80"sv, "[::1]"sv, "[::1]:80"sv,
        "fe80::1%eth0"sv, ":::"sv, "1::2::3"sv, "::1/128"sv, "localhost"sv, "a"sv, "\xff"sv,
        "0000:0000:0000:0000:0000:0000:255.255.255.2555"sv}) {
    EXPECT_FALSE(parse_address(text).has_value()) << text;
  }
}

TEST(Address, KnowsLoopback) {
  for (const char* text : {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(address_from(text).is_loopback()) << text;
  }
  for (const char* text : {"128.0.0.1", "0.0.0.0", "::", "::2", "::7f00:1", "1::1"}) {
    EXPECT_FALSE(address_from(text).is_loopback()) << text;
  }
}

TEST(Address, ShowsOnlyAPrefixInSessionLists) {
  EXPECT_EQ(prefix_text(address_from("192.0.2.77")), "192.0.2.0/24");
  EXPECT_EQ(prefix_text(address_from("2001:db8:1:2:3:4:5:6")), "2001:db8:1::/48");
}

TEST(Address, IsThrottledAsAWholeOrByItsSixtyFourBitNetwork) {
  EXPECT_EQ(throttle_key(address_from("192.0.2.77")), "192.0.2.77");
  EXPECT_EQ(throttle_key(address_from("2001:db8:1:2:3:4:5:6")), "2001:db8:1:2::/64");
  EXPECT_EQ(throttle_key(address_from("2001:db8:1:2::1")),
            throttle_key(address_from("2001:db8:1:2:ffff::")));
  EXPECT_EQ(throttle_key(address_from("::ffff:192.0.2.77")), "192.0.2.77");
}

TEST(Network, ContainsExactlyItsPrefix) {
  EXPECT_TRUE(is_in("10.2.0.0/15", "10.3.255.255"));
  EXPECT_FALSE(is_in("10.2.0.0/15", "10.4.0.0"));
  EXPECT_FALSE(is_in("10.2.0.0/15", "10.1.255.255"));
  EXPECT_TRUE(is_in("192.0.2.129/25", "192.0.2.128"));
  EXPECT_FALSE(is_in("192.0.2.129/25", "192.0.2.127"));
  EXPECT_TRUE(is_in("2001:db8::/33", "2001:db8:7fff::"));
  EXPECT_FALSE(is_in("2001:db8::/33", "2001:db8:8000::"));
}

TEST(Network, AnAddressAloneIsANetworkOfOne) {
  EXPECT_TRUE(is_in("10.2.0.15", "10.2.0.15"));
  EXPECT_FALSE(is_in("10.2.0.15", "10.2.0.14"));
  EXPECT_TRUE(is_in("2001:db8::1", "2001:db8::1"));
  EXPECT_FALSE(is_in("2001:db8::1", "2001:db8::"));
}

TEST(Network, AllOfIpv4IsNotAllOfIpv6) {
  EXPECT_TRUE(is_in("0.0.0.0/0", "255.255.255.255"));
  EXPECT_TRUE(is_in("0.0.0.0/0", "::ffff:1.2.3.4"));
  EXPECT_FALSE(is_in("0.0.0.0/0", "2001:db8::1"));
  EXPECT_FALSE(is_in("0.0.0.0/0", "::1"));
  EXPECT_TRUE(is_in("::/0", "2001:db8::1"));
}

TEST(Network, RefusesWhatIsNoNetwork) {
  for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8",
                           "10.0.0.0/8 ", "10.0.0.0/+8", "10.0.0.0/0x8", "2001:db8::/129",
                           "10.0.0.0/255.0.0.0", "10.0.0.*", "app.example.com/8", "*",
                           "10.0.0.0/4294967304"}) {
    EXPECT_FALSE(parse_network(text).has_value()) << text;
  }
}

TEST(Endpoint, ReadsHostAndPort) {
  const auto four = parse_endpoint("0.0.0.0:8080");
  ASSERT_TRUE(four.has_value());
  EXPECT_EQ(four->host, "0.0.0.0");
  EXPECT_EQ(four->port, 8080);
  EXPECT_EQ(four->unix_path, "");
  const auto six = parse_endpoint("[::1]:65535");
  ASSERT_TRUE(six.has_value());
  EXPECT_EQ(six->host, "::1");
  EXPECT_EQ(six->port, 65'535);
  const auto name = parse_endpoint("localhost:0");
  ASSERT_TRUE(name.has_value());
  EXPECT_EQ(name->host, "localhost");
  EXPECT_EQ(name->port, 0);
}

TEST(Endpoint, ReadsAUnixSocketOfThePermittedLength) {
  const auto socket = parse_endpoint("unix:/run/gatehouse.sock");
  ASSERT_TRUE(socket.has_value());
  EXPECT_EQ(socket->unix_path, "/run/gatehouse.sock");
  EXPECT_EQ(socket->host, "");
  const std::string longest = "/" + std::string(106, 'a');
  EXPECT_TRUE(parse_endpoint("unix:" + longest).has_value());
  EXPECT_FALSE(parse_endpoint("unix:" + longest + "a").has_value());
  EXPECT_FALSE(parse_endpoint("unix:").has_value());
}

TEST(Endpoint, RefusesWhatIsNoAddressToListenOn) {
  for (const char* text : {"", ":8080", "8080", "localhost", "localhost:", "localhost:65536",
                           "localhost:-1", "localhost:80x", "::1:8080", "[::1]", "[::1]8080",
                           "[::g]:80", "[]:80", "a:b:80", "http://a:80"}) {
    EXPECT_FALSE(parse_endpoint(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace proxy::net
