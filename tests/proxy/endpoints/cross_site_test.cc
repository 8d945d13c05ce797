// Who may make a state-changing request (attack classes H07 and H08 of the security model).
#include <gtest/gtest.h>

#include "proxy/endpoints/endpoint.h"

namespace proxy::endpoints {
namespace {

struct Headers {
  std::string_view origin;
  std::string_view site;
};

bool refused(std::string_view external_origin, std::string_view authority, Headers headers) {
  Runtime runtime;
  runtime.external_origin = external_origin;
  http::RequestHead head;
  head.authority = authority;
  if (!headers.origin.empty()) {
    head.fields.push_back({http::HeaderId::origin, "Origin", headers.origin});
  }
  if (!headers.site.empty()) {
    head.fields.push_back({http::HeaderId::sec_fetch_site, "Sec-Fetch-Site", headers.site});
  }
  return is_cross_site(runtime, head);
}

TEST(CrossSite, WithoutMarksARequestIsServed) {
  EXPECT_FALSE(refused("https://app.example.com", "app.example.com", {}));
  EXPECT_FALSE(refused("", "127.0.0.1:8080", {}));
}

TEST(CrossSite, OriginMustBeTheConfiguredOne) {
  const std::string_view ours = "https://app.example.com";
  EXPECT_FALSE(refused(ours, "internal:8080", {.origin = ours, .site = ""}));
  EXPECT_FALSE(refused(ours, "internal:8080", {.origin = "https://APP.example.com", .site = ""}));
  for (const std::string_view origin :
       {"null", "http://app.example.com", "https://app.example.com:8443", "https://example.com",
        "https://evil.example", "https://app.example.com.evil.example", "https://app.example.co"}) {
    EXPECT_TRUE(refused(ours, "app.example.com", {.origin = origin, .site = ""})) << origin;
  }
}

TEST(CrossSite, WithoutConfigurationOriginMustNameTheHostAskedFor) {
  const auto with = [](std::string_view authority, std::string_view origin) {
    return refused("", authority, {.origin = origin, .site = ""});
  };
  EXPECT_FALSE(with("127.0.0.1:8080", "http://127.0.0.1:8080"));
  EXPECT_FALSE(with("App.Example.com", "https://app.example.com"));
  EXPECT_FALSE(with("app.example.com:443", "https://app.example.com"));
  EXPECT_FALSE(with("[::1]:8080", "http://[::1]:8080"));
  EXPECT_TRUE(with("app.example.com:8443", "https://app.example.com"));
  EXPECT_TRUE(with("app.example.com:443", "http://app.example.com"));
  EXPECT_TRUE(with("127.0.0.1:8080", "http://127.0.0.1:3000"));
  EXPECT_TRUE(with("127.0.0.1:8080", "http://evil.example"));
  EXPECT_TRUE(with("127.0.0.1:8080", "null"));
  EXPECT_TRUE(with("null", "null"));
  EXPECT_TRUE(with("", "http://"));
  EXPECT_TRUE(with("", "https://:443"));
}

TEST(CrossSite, SecFetchSiteOfAnotherSiteIsRefused) {
  const std::string_view ours = "https://app.example.com";
  const auto with = [ours](std::string_view site, std::string_view origin) {
    return refused(ours, "app.example.com", {.origin = origin, .site = site});
  };
  EXPECT_FALSE(with("same-origin", ""));
  EXPECT_FALSE(with("none", ""));
  EXPECT_FALSE(with("same-site", ours));
  EXPECT_TRUE(with("same-site", ""));
  EXPECT_TRUE(with("same-site", "https://other.example.com"));
  EXPECT_TRUE(with("cross-site", ""));
  EXPECT_TRUE(with("cross-site", ours));
  EXPECT_TRUE(with("Cross-Site", ""));
  EXPECT_TRUE(with("something-new", ours));
}

TEST(CrossSite, EveryRepeatedFieldCounts) {
  Runtime runtime;
  runtime.external_origin = "https://app.example.com";
  http::RequestHead head;
  head.fields.push_back({http::HeaderId::origin, "Origin", "https://app.example.com"});
  head.fields.push_back({http::HeaderId::origin, "Origin", "https://evil.example"});
  EXPECT_TRUE(is_cross_site(runtime, head));
}

}  // namespace
}  // namespace proxy::endpoints
