// Which rule a request falls under. Rules are built in code; paths are canonical, as decide() makes
// sure.
#include "proxy/route_table.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "compiling.h"

namespace proxy {
namespace {

using http::Method;

RouteTable table_of(std::initializer_list<config::Route> routes) {
  config::Config config = small_config();
  config.routes = routes;
  return RouteTable(config);
}

config::Route with_methods(config::Route route, std::vector<std::string> methods,
                           std::string name) {
  route.methods = std::move(methods);
  route.name = std::move(name);
  return route;
}

config::Route on_host(std::string host, config::Route route, std::string name) {
  route.host = std::move(host);
  route.name = std::move(name);
  return route;
}

// The chosen rule's name; "405" where the method is not allowed.
std::string chosen(const RouteTable& table, std::string_view path, Method method = Method::get,
                   std::string_view host = "a.example") {
  const RouteMatch match = table.match(host, path, method);
  EXPECT_NE(match.route, nullptr);
  return match.kind == RouteMatch::Kind::method_not_allowed ? "405" : match.route->name;
}

bool matches(const char* pattern, std::string_view path) {
  return chosen(table_of({public_route(pattern)}), path) == pattern;
}

TEST(RouteTable, WithoutAMatchATokenIsRequiredAndTheDefaultUpstreamMeant) {
  const RouteTable table = table_of({public_route("/assets/**")});
  const RouteMatch match = table.match("a", "/other", Method::get);
  EXPECT_EQ(match.kind, RouteMatch::Kind::default_rule);
  EXPECT_EQ(match.route, &table.default_route());
  EXPECT_FALSE(match.route->is_public);
  EXPECT_EQ(match.route->upstream, 0U);
}

// What decides early about the first two segments must ignore what spelling may ignore.
TEST(RouteTable, ASecondSegmentIsMissedBySpellingLikeTheFirst) {
  const RouteTable table = table_of({route_for("/a/b"), route_for("/a/@x/c"), public_route("/**")});
  for (const char* path : {"/a/B", "/A/b", "/A/B/", "/a/%62", "/a/b/"}) {
    const RouteMatch match = table.match("a", path, Method::get);
    ASSERT_NE(match.near_miss, nullptr) << path;
    EXPECT_EQ(match.near_miss->name, "/a/b") << path;
  }
  for (const char* path : {"/a/@X/c", "/a/%40x/C", "/A/%40X/c/"}) {
    const RouteMatch match = table.match("a", path, Method::get);
    ASSERT_NE(match.near_miss, nullptr) << path;
    EXPECT_EQ(match.near_miss->name, "/a/@x/c") << path;
  }
}

// A thousand rules in front of those that are tested elsewhere one by one must change nothing.
TEST(RouteTable, AmongAThousandRulesTheSameOnesAreFound) {
  const std::vector<std::string> patterns = {
      "/", "/a", "/a/", "/a/b", "/a/b/", "/A/b", "/a/*", "/a/**", "/*", "/*/b", "/*/**", "/%40x",
      "/@x", "/a/b/c", "/a/*/c", "/a/b/**"};
  const std::vector<std::string> paths = {
      "/", "/a", "/A", "/a/", "/A/", "/a/b", "/a/B", "/a/b/", "/a/b/c", "/a/x/c", "/x", "/x/b",
      "/x/", "/@x", "/%40x", "/%40X/", "/a%40", "/x/y/z", "/a/b/c/d"};
  config::Config many = small_config();
  for (int i = 0; i < 1'000; ++i) {
    many.routes.push_back(public_route("/other/" + std::to_string(i)));
  }
  for (const std::string& pattern : patterns) {
    config::Config config = many;
    config.routes.push_back(public_route(pattern));
    const RouteTable table(config);
    const RouteTable alone = table_of({public_route(pattern)});
    for (const std::string& path : paths) {
      const RouteMatch one = alone.match("a", path, Method::get);
      const RouteMatch found = table.match("a", path, Method::get);
      EXPECT_EQ(found.kind, one.kind) << pattern << ' ' << path;
      EXPECT_EQ(found.route->name, one.route->name) << pattern << ' ' << path;
      EXPECT_EQ(found.near_miss == nullptr, one.near_miss == nullptr) << pattern << ' ' << path;
    }
    EXPECT_EQ(chosen(table, "/other/7"), "/other/7");
    EXPECT_NE(table.match("a", "/other/7/", Method::get).near_miss, nullptr);
  }
}

TEST(RouteTable, AnEmptyTableHasOnlyTheDefaultRule) {
  EXPECT_EQ(chosen(table_of({}), "/"), "default");
  EXPECT_EQ(chosen(table_of({}), "/anything/at/all"), "default");
}

TEST(RouteTable, TheFirstMatchWins) {
  const RouteTable table = table_of({route_for("/a/b"), public_route("/a/*"), route_for("/a/**"),
                                     public_route("/a/b/c")});
  EXPECT_EQ(chosen(table, "/a/b"), "/a/b");
  EXPECT_EQ(chosen(table, "/a/x"), "/a/*");
  EXPECT_EQ(chosen(table, "/a/b/c"), "/a/**");
}

TEST(RouteTable, TheRestPatternIsTheFolderItselfAndAllBelowIt) {
  EXPECT_TRUE(matches("/assets/**", "/assets"));
  EXPECT_TRUE(matches("/assets/**", "/assets/"));
  EXPECT_TRUE(matches("/assets/**", "/assets/a"));
  EXPECT_TRUE(matches("/assets/**", "/assets/a/b/c.css"));
  EXPECT_FALSE(matches("/assets/**", "/assetsx"));
  EXPECT_FALSE(matches("/assets/**", "/asset"));
  EXPECT_FALSE(matches("/assets/**", "/"));
  EXPECT_FALSE(matches("/assets/**", "/x/assets/a"));
  EXPECT_TRUE(matches("/**", "/"));
  EXPECT_TRUE(matches("/**", "/a/b"));
}

TEST(RouteTable, AStarIsExactlyOneSegment) {
  EXPECT_TRUE(matches("/a/*", "/a/b"));
  EXPECT_FALSE(matches("/a/*", "/a"));
  EXPECT_FALSE(matches("/a/*", "/a/"));
  EXPECT_FALSE(matches("/a/*", "/a/b/"));
  EXPECT_FALSE(matches("/a/*", "/a/b/c"));
  EXPECT_TRUE(matches("/a/*/c", "/a/b/c"));
  EXPECT_FALSE(matches("/a/*/c", "/a//c"));
  EXPECT_FALSE(matches("/a/*/c", "/a/c"));
  EXPECT_TRUE(matches("/*/c/**", "/b/c"));
  EXPECT_FALSE(matches("/*/c/**", "/b"));
}

TEST(RouteTable, LiteralsMatchByteForByte) {
  EXPECT_TRUE(matches("/a", "/a"));
  EXPECT_FALSE(matches("/a", "/A"));
  EXPECT_FALSE(matches("/a", "/a/"));
  EXPECT_FALSE(matches("/a", "/ab"));
  EXPECT_TRUE(matches("/a/", "/a/"));
  EXPECT_FALSE(matches("/a/", "/a"));
  EXPECT_TRUE(matches("/", "/"));
  EXPECT_FALSE(matches("/", "/a"));
  EXPECT_TRUE(matches("/*.css", "/*.css"));  // a star counts only as a whole segment
  EXPECT_FALSE(matches("/*.css", "/a.css"));
}

TEST(RouteTable, WhatIsNoPathMatchesNothing) {
  EXPECT_FALSE(matches("/**", ""));
  EXPECT_FALSE(matches("/**", "*"));
  EXPECT_FALSE(matches("/**", "a"));
}

TEST(RouteTable, MethodsDivideNeighboursOfOnePlace) {
  const RouteTable table =
      table_of({with_methods(public_route("/pub"), {"GET", "HEAD"}, "read"),
                with_methods(route_for("/pub"), {"POST"}, "write"), route_for("/**")});
  EXPECT_EQ(chosen(table, "/pub", Method::get), "read");
  EXPECT_EQ(chosen(table, "/pub", Method::head), "read");
  EXPECT_EQ(chosen(table, "/pub", Method::post), "write");
}

TEST(RouteTable, AMethodNeverFallsThroughToALaterRuleOfAnotherPath) {
  const RouteTable table = table_of(
      {with_methods(route_for("/admin/**"), {"GET"}, "admin"), public_route("/**")});
  EXPECT_EQ(chosen(table, "/admin/users", Method::get), "admin");
  EXPECT_EQ(chosen(table, "/admin/users", Method::delete_), "405");
  EXPECT_EQ(chosen(table, "/other", Method::delete_), "/**");
}

TEST(RouteTable, AMethodNeverFallsThroughToARuleOfTheSamePathThatIsNoNeighbour) {
  const RouteTable table =
      table_of({with_methods(route_for("/a"), {"GET"}, "first"), route_for("/between"),
                with_methods(public_route("/a"), {"POST"}, "second")});
  EXPECT_EQ(chosen(table, "/a", Method::post), "405");
}

TEST(RouteTable, NeighboursOfAnotherHostAreAnotherPlace) {
  const RouteTable table = table_of(
      {on_host("b.example", with_methods(route_for("/a"), {"GET"}, ""), "b"),
       with_methods(public_route("/a"), {"POST"}, "any")});
  EXPECT_EQ(chosen(table, "/a", Method::post, "b.example"), "405");
  EXPECT_EQ(chosen(table, "/a", Method::post, "a.example"), "any");
}

TEST(RouteTable, WithoutMethodsARuleTakesTheUsualOnes) {
  const RouteTable table = table_of({public_route("/a")});
  for (const Method method : {Method::get, Method::head, Method::post, Method::put, Method::patch,
                              Method::delete_, Method::options}) {
    EXPECT_EQ(chosen(table, "/a", method), "/a");
    EXPECT_EQ(chosen(table, "/elsewhere", method), "default");
  }
  for (const Method method : {Method::trace, Method::connect, Method::other}) {
    EXPECT_EQ(chosen(table, "/a", method), "405");
    EXPECT_EQ(chosen(table, "/elsewhere", method), "405");
  }
}

TEST(RouteTable, GetDoesNotImplyHead) {
  const RouteTable table = table_of({with_methods(public_route("/pub"), {"GET"}, "read")});
  EXPECT_EQ(chosen(table, "/pub", Method::head), "405");
}

TEST(RouteTable, NamesTheMethodsOfAPlaceForAllow) {
  const RouteTable table =
      table_of({with_methods(public_route("/pub"), {"HEAD", "GET"}, "read"),
                with_methods(route_for("/pub"), {"POST"}, "write"), route_for("/between"),
                with_methods(route_for("/pub"), {"DELETE"}, "never reached")});
  EXPECT_EQ(table.allowed_methods("a", "/pub"), "GET, HEAD, POST");
  const std::string usual = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
  EXPECT_EQ(table.allowed_methods("a", "/between"), usual);
  EXPECT_EQ(table.allowed_methods("a", "/elsewhere"), usual);
}

// The name of the earlier rule that only the spelling misses.
std::string near_miss(const RouteTable& table, std::string_view path, Method method = Method::get) {
  const RouteMatch match = table.match("a.example", path, method);
  return match.near_miss == nullptr ? "" : match.near_miss->name;
}

TEST(RouteTable, AnEarlierRuleIsKnownWhereOnlyTheSpellingMissesIt) {
  const RouteTable table =
      table_of({route_for("/Exact"), route_for("/exact"), route_for("/files/*"), route_for("/dir/"),
                with_methods(route_for("/m"), {"GET"}, "m get"), public_route("/**")});
  for (const char* path : {"/EXACT", "/exact/", "/Exact/"}) {
    EXPECT_EQ(chosen(table, path), "/**") << path;
    EXPECT_EQ(near_miss(table, path), "/Exact") << path;
  }
  EXPECT_EQ(near_miss(table, "/Exact"), "") << "the rule itself";
  EXPECT_EQ(chosen(table, "/exact"), "/exact");
  EXPECT_EQ(near_miss(table, "/exact"), "/Exact") << "earlier, so its demands hold";
  EXPECT_EQ(near_miss(table, "/files/a/"), "/files/*");
  EXPECT_EQ(near_miss(table, "/FILES/a"), "/files/*");
  EXPECT_EQ(near_miss(table, "/files/"), "");
  EXPECT_EQ(near_miss(table, "/dir"), "/dir/");
  EXPECT_EQ(near_miss(table, "/di"), "");
  EXPECT_EQ(near_miss(table, "/M"), "m get");
  EXPECT_EQ(chosen(table, "/M", Method::post), "405");
  EXPECT_EQ(chosen(table, "/m/", Method::post), "405");
  EXPECT_EQ(near_miss(table, "/exact/x"), "");
  const RouteTable escapes = table_of({route_for("/@a/**"), route_for("/caf%C3%A9"),
                                       route_for("/jobs:purge"), public_route("/**")});
  EXPECT_EQ(near_miss(escapes, "/%40a/x"), "/@a/**");
  EXPECT_EQ(near_miss(escapes, "/%40A"), "/@a/**");
  EXPECT_EQ(near_miss(escapes, "/caf%c3%a9"), "/caf%C3%A9");
  EXPECT_EQ(near_miss(escapes, "/jobs%3Apurge"), "/jobs:purge");
  EXPECT_EQ(near_miss(escapes, "/%40"), "");
  EXPECT_EQ(near_miss(escapes, "/@"), "");
}

TEST(RouteTable, HostsAreComparedWithoutCaseAndWithoutTheRootDot) {
  const RouteTable table = table_of({on_host("API.Example.com.", public_route("/**"), "api")});
  for (const char* host : {"api.example.com", "API.EXAMPLE.COM", "api.example.com.",
                           "Api.Example.Com."}) {
    EXPECT_EQ(chosen(table, "/a", Method::get, host), "api") << host;
  }
  for (const char* host : {"", ".", "example.com", "x.api.example.com", "api.example.com.evil.org",
                           "api.example.com..", "api-example.com"}) {
    EXPECT_EQ(chosen(table, "/a", Method::get, host), "default") << host;
  }
}

TEST(RouteTable, ARuleWithoutHostTakesEveryHost) {
  const RouteTable table = table_of({on_host("b.example", route_for("/a"), "b"),
                                     on_host("", public_route("/a"), "any")});
  EXPECT_EQ(chosen(table, "/a", Method::get, "b.example"), "b");
  EXPECT_EQ(chosen(table, "/a", Method::get, "c.example"), "any");
  EXPECT_EQ(chosen(table, "/a", Method::get, ""), "any");
  EXPECT_EQ(chosen(table, "/a", Method::get, "[::1]"), "any");
}

TEST(RouteTable, OfAThousandRulesEachIsFound) {
  config::Config config = small_config();
  for (int i = 0; i < 1'000; ++i) {
    config.routes.push_back(route_for("/area/" + std::to_string(i) + "/*/edit"));
  }
  const RouteTable table(config);
  for (int i = 0; i < 1'000; ++i) {
    const std::string area = "/area/" + std::to_string(i);
    EXPECT_EQ(chosen(table, area + "/x/edit"), area + "/*/edit");
  }
  EXPECT_EQ(chosen(table, "/area/1000/x/edit"), "default");
}

TEST(RouteTable, CarriesWhatTheConfigurationSays) {
  config::Config config = small_config();
  config.upstreams.push_back(upstream_at("api", "http://127.0.0.1:3001"));
  config::Route route = route_for("/api/**");
  route.require = {{"admins"}, {"read"}, {{"department", {"it", "hr"}}}};
  route.websocket = true;
  route.strip_prefix = "/api";
  route.paths = config::Paths::legacy;
  route.upstream = "api";
  config.routes = {route, route_for("/other")};
  const RouteTable table(config);
  const Route& compiled = *table.match("a", "/api/x", Method::get).route;
  EXPECT_EQ(compiled.name, "/api/**");
  EXPECT_TRUE(compiled.websocket);
  EXPECT_TRUE(compiled.legacy_paths);
  EXPECT_FALSE(compiled.is_public);
  EXPECT_EQ(compiled.strip_prefix, "/api");
  EXPECT_EQ(compiled.upstream, 1U);
  EXPECT_EQ(compiled.requirement.groups, std::vector<std::string>{"admins"});
  EXPECT_EQ(compiled.requirement.scopes, std::vector<std::string>{"read"});
  EXPECT_EQ(compiled.requirement.claims.at("department").size(), 2U);
  EXPECT_EQ(table.match("a", "/other", Method::get).route->upstream, 0U);
}

TEST(RouteTable, TheDefaultUpstreamIsTheOneNamedApp) {
  config::Config config = small_config();
  config.upstreams.insert(config.upstreams.begin(), upstream_at("zoo", "http://127.0.0.1:3009"));
  config.routes = {route_for("/a")};
  const RouteTable table(config);
  EXPECT_EQ(table.default_route().upstream, 1U);
  EXPECT_EQ(table.match("a", "/a", Method::get).route->upstream, 1U);
}

}  // namespace
}  // namespace proxy
