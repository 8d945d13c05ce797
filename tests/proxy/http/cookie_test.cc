// Cookies: exact names, nothing decoded, everybody else's untouched (SECURITY H09 to H11).
#include "proxy/http/cookie.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace proxy::http {
namespace {

constexpr std::string_view ours = "__Host-rt";
const std::vector<std::string> own_names{"__Host-rt", "__Host-at"};

TEST(Cookie, IsFoundByItsExactName) {
  EXPECT_EQ(find_cookie("__Host-rt=abc", ours).value, "abc");
  EXPECT_EQ(find_cookie("a=b; __Host-rt=abc; c=d", ours).value, "abc");
  EXPECT_EQ(find_cookie("a=b;__Host-rt=abc;c=d", ours).value, "abc");
  EXPECT_EQ(find_cookie("a=b;\t __Host-rt=a=b==", ours).value, "a=b==");
  EXPECT_EQ(find_cookie("__Host-rt=", ours).count, 1);
  EXPECT_EQ(find_cookie("__Host-rt=%ff\"x", ours).value, "%ff\"x");
}

TEST(Cookie, LookAlikesAreOthers) {
  for (const std::string_view field : {"=__Host-rt=evil",
                                       "\xe2\x80\x80__Host-rt=evil",
                                       "\xa0__Host-rt=evil",
                                       "__HOST-rt=evil",
                                       "__Host-rt =evil",
                                       "__Host-rt",
                                       "__Host-rt;",
                                       "x__Host-rt=evil",
                                       "__Host-rtx=evil",
                                       "a=b, __Host-rt=evil",
                                       "a=\"b, __Host-rt=evil\"",
                                       "$Version=1",
                                       "",
                                       ";",
                                       ";;;;",
                                       "=",
                                       "a",
                                       ",",
                                       "\x01",
                                       "%5F_Host-rt=evil",
                                       "\v__Host-rt=evil"}) {
    EXPECT_EQ(find_cookie(field, ours).count, 0) << field;
  }
}

TEST(Cookie, DuplicatesAreCounted) {
  EXPECT_EQ(find_cookie("__Host-rt=evil; __Host-rt=good", ours).count, 2);
  EXPECT_EQ(find_cookie("__Host-rt=evil; __Host-rt=good", ours).value, "evil");
  // No quoted string protects a semicolon.
  EXPECT_EQ(find_cookie("x=\"a; __Host-rt=evil; b\"", ours).count, 1);
}

TEST(Cookie, QuotesAreNeverUnwrapped) {
  EXPECT_EQ(find_cookie("$Version=1; __Host-rt=\"abc\"", ours).value, "\"abc\"");
}

TEST(Cookie, LongFieldsAreReadInOnePass) {
  EXPECT_EQ(find_cookie(std::string(8192, ';'), ours).count, 0);
  std::string many;
  for (int i = 0; i < 1000; ++i) many.append("a=b; ");
  many.append("__Host-rt=x");
  EXPECT_EQ(find_cookie(many, ours).count, 1);
}

struct Row {
  std::string_view field, rest;
};

TEST(Cookie, RemovingOursLeavesTheOthersAsSent) {
  const Row rows[] = {
      {"a=b", "a=b"},
      {"a=b; c=d", "a=b; c=d"},
      {"a=b;c=d;  e=f;", "a=b;c=d;  e=f;"},
      {"__Host-rt=1; a=b", "a=b"},
      {"a=b; __Host-rt=1", "a=b"},
      {"a=b; __Host-rt=1; c=d", "a=b; c=d"},
      {"__Host-at=2; a=b; __Host-rt=1; c=\"d; e\"", "a=b; c=\"d; e\""},
      {"a=b;__Host-rt=1;c=d", "a=b;c=d"},
      {"a=b;; __Host-rt=1;;c", "a=b;;;c"},
      {"__Host-rt=1;a", "a"},
      {"a=b; __HOST-rt=1", "a=b; __HOST-rt=1"},
      {"\xe4=\xf6; __Host-rt=1", "\xe4=\xf6"},
      {"a = b ; __Host-rt=1 ;c= d", "a = b ;c= d"},
  };
  for (const Row& row : rows) {
    std::string out = "before ";
    EXPECT_TRUE(append_without(row.field, own_names, out)) << row.field;
    EXPECT_EQ(out, "before " + std::string(row.rest)) << row.field;
    EXPECT_EQ(find_cookie(out.substr(7), ours).count, 0);
  }
}

TEST(Cookie, NothingIsWrittenWhenOnlyOursWereThere) {
  for (const std::string_view field :
       {"__Host-rt=1", "__Host-rt=1; __Host-at=2", "__Host-rt=1;", " ; __Host-rt=1", "", ";;"}) {
    std::string out = "before";
    EXPECT_FALSE(append_without(field, own_names, out)) << field;
    EXPECT_EQ(out, "before") << field;
  }
}

TEST(Cookie, SetCookieHasTheAttributesOfAHostCookie) {
  const CookieAttributes attributes{
      .name = "__Host-rt", .domain = {}, .same_site = SameSite::strict};
  EXPECT_EQ(set_cookie_line(attributes, "gh1.abc_-", std::chrono::days(7)),
            "Set-Cookie: __Host-rt=gh1.abc_-; Path=/; Max-Age=604800; HttpOnly; Secure; "
            "SameSite=Strict\r\n");
}

TEST(Cookie, SetCookieWithADomainAndWithoutSecure) {
  const CookieAttributes attributes{.name = "rt",
                                    .domain = "example.com",
                                    .path = "/app",
                                    .secure = false,
                                    .same_site = SameSite::lax};
  EXPECT_EQ(set_cookie_line(attributes, "x", std::chrono::seconds(1)),
            "Set-Cookie: rt=x; Path=/app; Domain=example.com; Max-Age=1; HttpOnly; "
            "SameSite=Lax\r\n");
}

TEST(Cookie, AgeZeroExpires) {
  const CookieAttributes attributes{.name = "__Host-rt", .domain = {}, .same_site = SameSite::none};
  EXPECT_EQ(set_cookie_line(attributes, "", std::chrono::seconds(0)),
            "Set-Cookie: __Host-rt=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; "
            "HttpOnly; Secure; SameSite=None\r\n");
}

TEST(Cookie, ValuesThatAreNoCookieOctetsAreNotWritten) {
  const CookieAttributes attributes{.name = "a", .domain = {}};
  for (const std::string_view value :
       {"a;b", "a b", "a\r\nX: y", "\"a\"", "a,b", "a\\b", "\x7f", "\xc3\xa9"}) {
    EXPECT_EQ(set_cookie_line(attributes, value, std::chrono::seconds(1)), "") << value;
  }
  EXPECT_EQ(set_cookie_line({.name = "a", .domain = "x;y"}, "v", std::chrono::seconds(1)), "");
  EXPECT_EQ(set_cookie_line({.name = "a\n", .domain = {}}, "v", std::chrono::seconds(1)), "");
}

}  // namespace
}  // namespace proxy::http
