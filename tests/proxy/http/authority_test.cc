// Hosts and ports: one authority, one reading (SECURITY B09, E01).
#include "proxy/http/guard.h"

#include <gtest/gtest.h>

#include <string>

namespace proxy::http {
namespace {

TEST(Authority, SplitsHostAndPort) {
  struct Row {
    std::string_view text, host, port;
  };
  const Row rows[] = {
      {"a", "a", ""},
      {"A.EXAMPLE", "A.EXAMPLE", ""},
      {"a.example.", "a.example.", ""},
      {"a:80", "a", "80"},
      {"a:080", "a", "080"},
      {"a:", "a", ""},
      {"a:65535", "a", "65535"},
      {"127.0.0.1:8080", "127.0.0.1", "8080"},
      {"my_app.local:1", "my_app.local", "1"},
      {"xn--bcher-kva.example", "xn--bcher-kva.example", ""},
      {"[::1]", "[::1]", ""},
      {"[::1]:8080", "[::1]", "8080"},
      {"[2001:DB8::ff00:42:8329]", "[2001:DB8::ff00:42:8329]", ""},
      {"[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]", ""},
      {"[::ffff:10.0.0.1]:1", "[::ffff:10.0.0.1]", "1"},
      {"[1::]", "[1::]", ""},
      {"[::]", "[::]", ""},
  };
  for (const Row& row : rows) {
    const auto parts = split_authority(row.text);
    ASSERT_TRUE(parts) << row.text;
    EXPECT_EQ(parts->host, row.host);
    EXPECT_EQ(parts->port, row.port);
  }
}

TEST(Authority, RefusesWhatHasTwoReadings) {
  for (const std::string_view text : {"",
                                      "a, b",
                                      "a@b",
                                      "u:p@a",
                                      "a/b",
                                      "a:99999",
                                      "a:65536",
                                      "a:-1",
                                      "a:+80",
                                      "a:80:80",
                                      "a:80a",
                                      "a b",
                                      " a",
                                      "a ",
                                      "a?x",
                                      "a#x",
                                      "a\\b",
                                      "a%00",
                                      "a%2eb",
                                      "<a>",
                                      "a;b",
                                      "a,b",
                                      "a*",
                                      "..",
                                      ".",
                                      ".a",
                                      "a..",
                                      "a..b",
                                      ":80",
                                      "a\xff",
                                      "\xe2\x80\x80",
                                      "a\tb",
                                      "[::1",
                                      "::1]",
                                      "::1",
                                      "[]",
                                      "[:]",
                                      "[:::]",
                                      "[1::2::3]",
                                      "[::1]a",
                                      "[::1]:x",
                                      "[fe80::1%25eth0]",
                                      "[fe80::1%eth0]",
                                      "[v1.x]",
                                      "[12345::]",
                                      "[1:2:3:4:5:6:7]",
                                      "[1:2:3:4:5:6:7:8:9]",
                                      "[1:2:3:4:5:6:7::8]",
                                      "[::1.2.3]",
                                      "[::1.2.3.256]",
                                      "[::01.2.3.4]",
                                      "[1:2:]",
                                      "[:1:2]",
                                      "[g::]",
                                      "[[::1]]",
                                      "[::1]:000080"}) {
    EXPECT_FALSE(split_authority(text)) << text;
  }
  EXPECT_FALSE(split_authority(std::string_view("a\0", 2)));
  EXPECT_TRUE(split_authority(std::string(254, 'a')));
  EXPECT_FALSE(split_authority(std::string(255, 'a')));
}

// How CGI, WSGI and PHP read names (SECURITY A01, A02).
TEST(Fold, ComparesLettersAndDigitsOnly) {
  EXPECT_TRUE(folded_equal("X_Auth-User", "xauthuser"));
  EXPECT_TRUE(folded_equal("-x--AUTH__user-", "X.Auth'User"));
  EXPECT_FALSE(folded_equal("X-Auth-Users", "X-Auth-User"));
  EXPECT_FALSE(folded_equal("", "a"));
  EXPECT_TRUE(folded_equal("-", ""));
  EXPECT_EQ(folded_hash("X_Auth.User"), folded_hash("xauthuser"));
  EXPECT_NE(folded_hash("xauthuser"), folded_hash("xauthusers"));
}

}  // namespace
}  // namespace proxy::http
