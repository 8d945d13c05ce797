// Decisions about requests of browsers: which cookie counts, what is renewed first, and what
// another site may not do.
#include "deciding.h"

namespace proxy {
namespace {

config::Config browser_config() {
  config::Config config = house_config();
  config.browser.enabled = true;
  config::Route own = route_for("/hooks/**");
  own.csrf = config::RouteCsrf::none;
  config.routes.push_back(own);
  return config;
}

class DecideForBrowsers : public Decide {
 protected:
  DecideForBrowsers() : Decide(browser_config()) {}

  std::string access(Shows shows) {
    return "Cookie: a=b; __Host-gatehouse_access=" + shown_[shows] + "\r\n";
  }
  std::string both(Shows shows) {
    return "Cookie: __Host-gatehouse_access=" + shown_[shows] +
           "; __Host-gatehouse_refresh=gh1.x\r\n";
  }
  std::string by_cookie(std::string_view request, const std::string& cookies,
                        std::string_view fields = "", auth::Time now = noon) {
    const std::string text = decided(request, Shows::nothing, cookies + std::string(fields), now);
    return decision_.kind == Decision::Kind::renew
               ? std::string("renew ") + (decision_.may_go_on ? "early" : "first")
               : text;
  }
};

TEST_F(DecideForBrowsers, AnAccessCookieLetsIn) {
  EXPECT_EQ(by_cookie("GET /a", access(Shows::bob)), "forward /a for bob by default");
  EXPECT_TRUE(decision_.by_cookie);
  EXPECT_EQ(by_cookie("GET /a", access(Shows::forged)), "401 unauthorized (bad_signature)");
  EXPECT_EQ(by_cookie("GET /a", access(Shows::refresh_token)), "401 unauthorized (malformed)");
}

TEST_F(DecideForBrowsers, ABearerHidesTheCookies) {
  const std::string bearer = "Authorization: Bearer " + shown_[Shows::bob] + "\r\n";
  EXPECT_EQ(by_cookie("GET /a", both(Shows::alice), bearer), "forward /a for bob by default");
  EXPECT_FALSE(decision_.by_cookie);
  EXPECT_EQ(by_cookie("GET /a", both(Shows::alice), "Authorization: Bearer x\r\n"),
            "401 unauthorized (malformed)");
  // The application's own Basic is none of ours.
  EXPECT_EQ(by_cookie("GET /a", access(Shows::alice), "Authorization: Basic YTpi\r\n"),
            "forward /a for alice by default");
}

TEST_F(DecideForBrowsers, WhatIsMissingOrOverIsRenewedFirst) {
  const std::string refresh = "Cookie: __Host-gatehouse_refresh=gh1.x\r\n";
  EXPECT_EQ(by_cookie("GET /a", refresh), "renew first");
  EXPECT_EQ(decision_.refresh_token, "gh1.x");
  EXPECT_EQ(by_cookie("GET /a", both(Shows::expired)), "renew first");
  EXPECT_EQ(by_cookie("GET /a", both(Shows::forged)), "renew first");
  EXPECT_EQ(by_cookie("GET /assets/x", both(Shows::expired)), "renew first");
  EXPECT_EQ(by_cookie("GET /.gatehouse/userinfo", refresh), "renew first");
  EXPECT_EQ(by_cookie("GET /login", refresh), "renew first");
  for (const std::string_view own : {"POST /login", "POST /token", "POST /logout", "GET /logout"}) {
    EXPECT_TRUE(by_cookie(own, refresh).starts_with("serve")) << own;
  }
}

TEST_F(DecideForBrowsers, TheLastFifthOfALifeIsRenewedEarly) {
  using std::chrono::minutes;
  EXPECT_EQ(by_cookie("GET /a", both(Shows::bob), "", noon + minutes{11}),
            "forward /a for bob by default");
  EXPECT_EQ(by_cookie("GET /a", both(Shows::bob), "", noon + minutes{13}), "renew early");
  EXPECT_EQ(by_cookie("GET /a", access(Shows::bob), "", noon + minutes{13}),
            "forward /a for bob by default");
}

TEST_F(DecideForBrowsers, ATokenMadeWhileNobodyWasThereIsRenewedForAVisit) {
  auth::AccessClaims claims = claims_of("bob");
  claims.passive = true;
  const std::string cookies = "Cookie: __Host-gatehouse_access=" + token_for(*runtime_, claims) +
                              "; __Host-gatehouse_refresh=gh1.x\r\n";
  EXPECT_EQ(by_cookie("GET /poll", cookies, "Sec-Fetch-Mode: cors\r\n"),
            "forward /poll for bob by default");
  EXPECT_EQ(by_cookie("GET /page", cookies, "Sec-Fetch-Mode: navigate\r\n"), "renew early");
}

TEST_F(DecideForBrowsers, AfterARenewalTheNewTokenCounts) {
  const std::string text = "GET /a HTTP/1.1\r\nHost: a.example\r\n" + both(Shows::expired) + "\r\n";
  request_ = http::read_request(text);
  DecisionContext context{*runtime_, tokens_, revocations_, noon};
  context.has_renewed = true;
  context.fresh_token = shown_[Shows::alice];
  EXPECT_EQ(described(decide(context, request_.head)), "forward /a for alice by default");
  context.fresh_token = {};
  context.renewal_error = auth::Error::store_unavailable;
  EXPECT_EQ(described(decide(context, request_.head)), "503 unavailable");
  context.renewal_error = auth::Error::revoked;
  EXPECT_EQ(described(decide(context, request_.head)), "401 unauthorized (revoked)");
}

TEST_F(DecideForBrowsers, AnotherSiteChangesNothingByCookie) {
  const std::string cookies = access(Shows::alice);
  for (const std::string_view evil :
       {"Origin: https://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n", "Origin: null\r\n",
        "Sec-Fetch-Site: same-site\r\n", ""}) {
    EXPECT_EQ(by_cookie("POST /a", cookies, evil), "403 cross_site (missing)") << evil;
    EXPECT_EQ(by_cookie("DELETE /a", cookies, evil), "403 cross_site (missing)") << evil;
    EXPECT_EQ(by_cookie("GET /a", cookies, evil), "forward /a for alice by default") << evil;
    EXPECT_EQ(by_cookie("POST /assets/x", cookies, evil),
              "forward /assets/x for nobody (missing) by /assets/**") << evil;
    EXPECT_EQ(by_cookie("POST /hooks/x", cookies, evil),
              "forward /hooks/x for alice by /hooks/**") << evil;
  }
  EXPECT_EQ(by_cookie("POST /a", cookies, "Origin: https://a.example\r\n"),
            "forward /a for alice by default");
  EXPECT_EQ(by_cookie("POST /a", cookies, "Sec-Fetch-Site: same-origin\r\n"),
            "forward /a for alice by default");
}

TEST_F(DecideForBrowsers, AWebSocketOfAnotherSiteIsRefused) {
  const std::string handshake =
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  EXPECT_EQ(by_cookie("GET /live/x", access(Shows::alice),
                      handshake + "Origin: https://evil.example\r\n"),
            "403 cross_site (missing)");
  EXPECT_EQ(by_cookie("GET /live/x", access(Shows::alice),
                      handshake + "Origin: https://a.example\r\n"),
            "tunnel /live/x for alice by /live/**");
}

TEST_F(DecideForBrowsers, WithoutTheSwitchACookieIsNoCredential) {
  compile_again(house_config());
  EXPECT_EQ(by_cookie("GET /a", both(Shows::alice)), "401 unauthorized (missing)");
}

}  // namespace
}  // namespace proxy
