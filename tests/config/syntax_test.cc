// The forms that paths, hosts, addresses and networks may take.
#include "config/syntax.h"

#include <gtest/gtest.h>

namespace config {
namespace {

TEST(Path, TakesCanonicalOnes) {
  for (const char* path : {"/", "/a", "/.well-known/jwks.json", "/a-b_c~d/e.f", "/a%20b",
                           "/caf%C3%A9",
                           "/a:b@c!$&'()+,=d", "/..a", "/a.."}) {
    EXPECT_EQ(check_path(path), "") << path;
  }
}

TEST(Path, RefusesEveryOtherSpelling) {
  for (const char* path : {"", "a", "//", "/a/", "/a//b", "/.", "/..", "/a/./b", "/a/../b", "/a?b",
                           "/a#b",
                           "/a;b", "/a b", "/a\\b", "/%61", "/%2F", "/%2f", "/%5C", "/%00", "/%25",
                           "/%3B", "/%c3", "/%", "/%4", "/%zz", "/\xC3\xA9", "/*", "/a*",
                           "/\"", "/<"}) {
    EXPECT_NE(check_path(path), "") << path;
  }
}

TEST(Pattern, TakesWildcardsAsWholeSegments) {
  for (const char* pattern : {"/**", "/*", "/a/**", "/*/b", "/a/*/c/**", "/"}) {
    EXPECT_EQ(check_pattern(pattern), "") << pattern;
  }
  for (const char* pattern : {"**", "/**/a", "/a*", "/***", "/a/**b", "/a/", "/*.png"}) {
    EXPECT_NE(check_pattern(pattern), "") << pattern;
  }
}

TEST(Pattern, CoversWhatItMatchesAnyway) {
  EXPECT_TRUE(covers("/**", "/a/b"));
  EXPECT_TRUE(covers("/**", "/"));
  EXPECT_TRUE(covers("/a/**", "/a"));
  EXPECT_TRUE(covers("/a/**", "/a/*/c"));
  EXPECT_TRUE(covers("/*", "/a"));
  EXPECT_TRUE(covers("/a/*", "/a/*"));
  EXPECT_FALSE(covers("/*", "/**"));
  EXPECT_FALSE(covers("/a", "/*"));
  EXPECT_FALSE(covers("/a/*", "/a"));
  EXPECT_FALSE(covers("/a/*", "/a/**"));
  EXPECT_FALSE(covers("/a/**", "/b/**"));
  EXPECT_FALSE(covers("/a/**", "/**"));
}

TEST(HeaderName, FoldsToWhatBackendsMayTakeForEqual) {
  EXPECT_EQ(folded("X-Forwarded-User"), "xforwardeduser");
  EXPECT_EQ(folded("x_forwarded.USER"), "xforwardeduser");
  EXPECT_TRUE(is_token("X-Employee"));
  EXPECT_FALSE(is_token(""));
  EXPECT_FALSE(is_token("X Employee"));
  EXPECT_FALSE(is_token("X:Employee"));
}

TEST(ListenAddress, TakesAddressesWithPortsAndSockets) {
  for (const char* address : {"0.0.0.0:8080", "[::]:8080", "127.0.0.1:0", "localhost:80",
                              "unix:/run/a.sock", "[::1]:65535"}) {
    EXPECT_EQ(check_listen_address(address), "") << address;
  }
  for (const char* address : {"", "8080", ":8080", "*:8080", "0.0.0.0", "[::]", "::1:80",
                              "[::g]:80",
                              "0.0.0.0:08080", "0.0.0.0:65536", "0.0.0.0:", "app:8080", "unix:",
                              "unix:a.sock", "0.0.0.0:80 ", "010.0.0.1:80"}) {
    EXPECT_NE(check_listen_address(address), "") << address;
  }
  EXPECT_NE(check_listen_address("unix:/" + std::string(107, 'a')), "");
}

TEST(UpstreamEndpoint, TakesHttpAndSockets) {
  for (const char* url : {"http://127.0.0.1:3000", "http://localhost:3000", "http://app",
                          "http://[::1]:3000", "https://app", "https://127.0.0.1:8443",
                          "unix:/run/app.sock"}) {
    EXPECT_EQ(check_upstream_endpoint(url), "") << url;
  }
  for (const char* url : {"", "127.0.0.1:3000", "http://", "http:///", "http://a/", "http://a?b",
                          "http://a#b", "http://u@a", "https://u@a", "http://a:0", "http://a b",
                          "http://127.1", "http://0x7f000001", "http://1", "unix:a"}) {
    EXPECT_NE(check_upstream_endpoint(url), "") << url;
  }
}

TEST(Origin, HasNoPath) {
  for (const char* url : {"https://app.example.com", "http://127.0.0.1:8080", "https://[::1]"}) {
    EXPECT_EQ(check_origin(url), "") << url;
  }
  for (const char* url : {"", "app.example.com", "https://", "https://a/", "ftp://a", "https://a/b",
                          "https://u@a", "https://a#", "//a", "https://a:99999"}) {
    EXPECT_NE(check_origin(url), "") << url;
  }
}

TEST(Network, MeansExactlyOne) {
  for (const char* cidr : {"10.2.0.15", "10.2.0.15/32", "10.0.0.0/8", "fd00::/8", "::1",
                           "128.0.0.0/1"}) {
    EXPECT_EQ(check_network(cidr), "") << cidr;
  }
  for (const char* cidr : {"", "10", "10.0.0/8", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/",
                           "0.0.0.0/0",
                           "::/0", "10.0.0.0/08", "10.0.0.0/8/8", "app", "[::1]", "fe80::1%eth0"}) {
    EXPECT_NE(check_network(cidr), "") << cidr;
  }
}

TEST(Loopback, IsOnlyTheHostItself) {
  for (const char* address : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"}) {
    EXPECT_TRUE(is_loopback(*parse_host_port(address))) << address;
  }
  for (const char* address : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.example.com:1"}) {
    EXPECT_FALSE(is_loopback(*parse_host_port(address))) << address;
  }
}

}  // namespace
}  // namespace config
