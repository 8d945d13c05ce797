// Where a login may lead, held against the lists of others: what browsers do with odd URLs is
// their data, not our opinion.
#include "proxy/redirects.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "http/vectors.h"

namespace proxy {
namespace {

std::string content_of(const std::filesystem::path& path) {
  std::ifstream stream(path);
  EXPECT_TRUE(stream) << path;
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  std::vector<std::string> lines;
  std::istringstream text(content_of(path));
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

// Percent-decoded once, as a query or form field is.
std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && std::isxdigit(text[i + 1]) != 0 &&
        std::isxdigit(text[i + 2]) != 0) {
      out.push_back(static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16)));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

TEST(Redirects, LocalPathsWithQueryAndFragmentAreAllowed) {
  const RedirectRules rules;
  for (const std::string_view target :
       {"/", "/orders", "/orders?from=a%20b&to=//x", "/a/b/#row-7", "/a?x#y?z", "/caf%C3%A9",
        "/a;v=1/b", "/?q=https://evil.example/"}) {
    EXPECT_TRUE(rules.allows(target)) << target;
  }
}

TEST(Redirects, WhatCouldBeReadAsAnotherHostIsNot) {
  const RedirectRules rules({}, "https://app.example.com");
  for (const std::string_view target :
       {"", "orders", "//evil", "/\\evil", "\\/evil", "/%2fevil", "/%2Fevil", "/%5cevil",
        "https:evil", "https:/evil", "http://app.example.com/", "https://app.example.com@evil/",
        "https://app.example.com.evil/", "https://app.example.com:1/", "https://evil#@x",
        "javascript:alert(1)", "data:text/html,x", "/a b", "/a\r\nb", "/a\tb", "/../evil", "/./x",
        "https://app.example.com\\@evil/", "https://app.example.com//evil",
        "https://user:x@app.example.com/"}) {
    EXPECT_FALSE(rules.allows(target)) << target;
    EXPECT_EQ(rules.checked(target), "/") << target;
  }
  EXPECT_TRUE(rules.allows("https://app.example.com/x"));
  EXPECT_TRUE(rules.allows("https://APP.example.com"));
}

TEST(Redirects, ListedHostsAreAllowedOverHttpsOnly) {
  const RedirectRules rules({"docs.example.com", "*.team.example", "p.example:8443"},
                            "https://app.example.com");
  for (const std::string_view target :
       {"https://docs.example.com", "https://docs.example.com/a?b#c",
        "https://docs.example.com:443/",
        "https://team.example/", "https://a.b.team.example/", "https://p.example:8443/"}) {
    EXPECT_TRUE(rules.allows(target)) << target;
  }
  for (const std::string_view target :
       {"http://docs.example.com/", "https://xdocs.example.com/", "https://a.docs.example.com/",
        "https://docs.example.com:8443/", "https://evilteam.example/", "https://p.example/",
        "https://docs.example.com./", "https://docs.example.com:/"}) {
    EXPECT_FALSE(rules.allows(target)) << target;
  }
  EXPECT_EQ(rules.form_sources(),
            "'self' https://app.example.com https://docs.example.com https://team.example "
            "https://*.team.example https://p.example:8443");
}

TEST(Redirects, TheTableOfAnotherProxyHolds) {
  const auto table = boost::json::parse(
      content_of(http::vectors("oauth2-proxy/redirect_cases.json"))).as_object();
  std::vector<std::string> hosts;
  for (const auto& host : table.at("allowed_domains").as_array()) {
    hosts.emplace_back(host.as_string());
  }
  const RedirectRules rules(hosts, "");
  int held = 0;
  for (const auto& row : table.at("cases").as_array()) {
    const std::string target(row.at("redirect").as_string());
    EXPECT_EQ(rules.allows(target), row.at("allowed").as_bool()) << target;
    ++held;
  }
  EXPECT_GE(held, 50);
}

// Many lines are paths of ours whose names look like an address ("/http://example.com"): they lead
// nowhere else. Every other line is refused.
TEST(Redirects, NoLineOfTheListsLeadsElsewhere) {
  const RedirectRules rules({"docs.example.com"}, "https://app.example.com");
  const std::filesystem::path lists =
      http::vectors("path-and-redirect-lists/Open Redirect/Intruder");
  int held = 0;
  int local = 0;
  for (const auto& file :
       {http::vectors("oauth2-proxy/testdata/openredirects.txt"), lists / "openredirects.txt",
        lists / "Open-Redirect-payloads.txt"}) {
    for (const std::string& line : lines_of(file)) {
      if (line.empty()) continue;
      const std::string target = decoded(line);
      ++held;
      if (!rules.allows(target)) continue;
      ++local;
      EXPECT_EQ(target.find_first_not_of('/'), 1U) << line;
      EXPECT_EQ(target.find_first_of("\\\r\n\t"), std::string::npos) << line;
    }
  }
  EXPECT_GE(held, 800);
  EXPECT_LT(local, held / 4);
}

// Where we say that a target stays here, a browser's parser must agree.
TEST(Redirects, BrowsersAgreeAboutWhatIsLocal) {
  const auto rows =
      boost::json::parse(content_of(http::vectors("wpt-url/urltestdata.json"))).as_array();
  int seen = 0;
  for (const auto& row : rows) {
    if (!row.is_object() || row.as_object().contains("failure")) continue;
    const std::string input(row.at("input").as_string());
    const auto& base = row.at("base");
    if (!base.is_string() || !is_local_target(input)) continue;
    const std::string_view text = base.as_string();
    if (!text.starts_with("http")) continue;
    const std::size_t start = text.find("://") + 3;
    std::string host(text.substr(start, text.find('/', start) - start));
    host.erase(0, host.find('@') + 1);  // without the user
    EXPECT_EQ(std::string(row.at("host").as_string()), host) << input;
    ++seen;
  }
  EXPECT_GE(seen, 8);
}

}  // namespace
}  // namespace proxy
