// Header ids, methods and the comparisons everything else is built on.
#include "proxy/http/head.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace proxy::http {
namespace {

struct Known {
  std::string_view name;
  HeaderId id;
};
constexpr std::array known = std::to_array<Known>({
    {"Accept", HeaderId::accept},
    {"Authorization", HeaderId::authorization},
    {"Cache-Control", HeaderId::cache_control},
    {"Connection", HeaderId::connection},
    {"Content-Length", HeaderId::content_length},
    {"Content-Type", HeaderId::content_type},
    {"Cookie", HeaderId::cookie},
    {"Date", HeaderId::date},
    {"Expect", HeaderId::expect},
    {"Forwarded", HeaderId::forwarded},
    {"Host", HeaderId::host},
    {"HTTP2-Settings", HeaderId::http2_settings},
    {"Keep-Alive", HeaderId::keep_alive},
    {"Location", HeaderId::location},
    {"Max-Forwards", HeaderId::max_forwards},
    {"Origin", HeaderId::origin},
    {"Proxy-Authenticate", HeaderId::proxy_authenticate},
    {"Proxy-Authorization", HeaderId::proxy_authorization},
    {"Proxy-Connection", HeaderId::proxy_connection},
    {"Referer", HeaderId::referer},
    {"Sec-Fetch-Dest", HeaderId::sec_fetch_dest},
    {"Sec-Fetch-Mode", HeaderId::sec_fetch_mode},
    {"Sec-Fetch-Site", HeaderId::sec_fetch_site},
    {"Sec-WebSocket-Key", HeaderId::sec_websocket_key},
    {"Server", HeaderId::server},
    {"Set-Cookie", HeaderId::set_cookie},
    {"TE", HeaderId::te},
    {"Trailer", HeaderId::trailer},
    {"Transfer-Encoding", HeaderId::transfer_encoding},
    {"Upgrade", HeaderId::upgrade},
    {"User-Agent", HeaderId::user_agent},
    {"Via", HeaderId::via},
    {"WWW-Authenticate", HeaderId::www_authenticate},
    {"X-Request-Id", HeaderId::x_request_id},
});

TEST(HeaderId, KnowsEveryName) {
  // One entry for each enumerator but `other`: a new id without a name fails here.
  EXPECT_EQ(known.size(), static_cast<std::size_t>(HeaderId::x_request_id));
  for (const Known& entry : known) EXPECT_EQ(header_id(entry.name), entry.id) << entry.name;
}

TEST(HeaderId, IgnoresCaseAndNothingElse) {
  for (const Known& entry : known) {
    std::string upper(entry.name);
    for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
    EXPECT_EQ(header_id(upper), entry.id) << upper;
    EXPECT_EQ(header_id(upper + "s"), HeaderId::other) << upper;
    EXPECT_EQ(header_id(upper.substr(1)), HeaderId::other) << upper;
  }
  EXPECT_EQ(header_id("content_length"), HeaderId::other);
  EXPECT_EQ(header_id("contentMlength"), HeaderId::other);  // '-' | 0x20 is '-'; 'M' is not
  EXPECT_EQ(header_id(""), HeaderId::other);
  EXPECT_EQ(header_id(std::string(1000, 'a')), HeaderId::other);
}

TEST(Method, ComparesExactly) {
  for (const auto method : {Method::get, Method::head, Method::post, Method::put, Method::patch,
                            Method::delete_, Method::options, Method::trace, Method::connect}) {
    EXPECT_EQ(method_from(name(method)), method);
  }
  for (const std::string_view text : {"get", "Get", "GETT", "", "PROPFIND", "other", "GE"}) {
    EXPECT_EQ(method_from(text), Method::other) << text;
  }
}

TEST(HasToken, FindsWholeMembersOnly) {
  EXPECT_TRUE(has_token("close", "close"));
  EXPECT_TRUE(has_token("keep-alive,\tClose ", "close"));
  EXPECT_TRUE(has_token(", ,close,,", "close"));
  EXPECT_FALSE(has_token("closed", "close"));
  EXPECT_FALSE(has_token("not close", "close"));
  EXPECT_FALSE(has_token("", "close"));
}

TEST(EqualIgnoringCase, IsAsciiOnly) {
  EXPECT_TRUE(equal_ignoring_case("aBc-1", "AbC-1"));
  EXPECT_FALSE(equal_ignoring_case("a", "ab"));
  EXPECT_FALSE(equal_ignoring_case("@", "`"));
  EXPECT_FALSE(equal_ignoring_case("[", "{"));
  EXPECT_FALSE(equal_ignoring_case("\xc4", "\xe4"));
}

TEST(EqualIgnoringCase, AgreesWithTheDefinitionForEveryPairOfBytes) {
  const auto lower = [](int c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; };
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const bool equal = lower(a) == lower(b);
      for (const std::size_t size : {1U, 8U, 11U}) {
        std::string left(size, 'x');
        std::string right(size, 'X');
        left[size / 2] = static_cast<char>(a);
        right[size / 2] = static_cast<char>(b);
        ASSERT_EQ(equal_ignoring_case(left, right), equal) << a << " " << b << " " << size;
      }
    }
  }
}

TEST(RequestHead, ClearKeepsTheBytes) {
  RequestHead head;
  head.bytes.append("next request");
  head.fields.push_back({HeaderId::host, "Host", "a"});
  head.expects_continue = true;
  head.clear();
  EXPECT_EQ(head.bytes.view(), "next request");
  EXPECT_EQ(head.find(HeaderId::host), nullptr);
  EXPECT_EQ(head.value(HeaderId::host), "");
  EXPECT_FALSE(head.expects_continue);
}

}  // namespace
}  // namespace proxy::http
