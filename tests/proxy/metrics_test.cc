// The numbers of /metrics: what threads count is added up, series stay bounded, and every metric is
// documented.
#include "proxy/metrics.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "proxy/event_metrics.h"
#include "proxy/route_metrics.h"

namespace proxy {
namespace {

using std::chrono::microseconds;

class MetricsTest : public testing::Test {
 protected:
  void SetUp() override { book_.add_thread().attach(); }
  void TearDown() override { Metrics::detach(); }
  [[nodiscard]] bool tells(std::string_view line) const {
    return book_.text().find("\n" + std::string(line) + "\n") != std::string::npos;
  }
  MetricsBook book_;
};

TEST_F(MetricsTest, WhatThreadsCountIsAddedUp) {
  count(Metric::token_cache_hits);
  std::thread other([this] {
    book_.add_thread().attach();
    count(Metric::token_cache_hits);
    count(Metric::logins, "ok");
    move(Metric::requests_in_flight, 3);
    move(Metric::requests_in_flight, -1);
  });
  other.join();
  count(Metric::logins, "ok");
  EXPECT_TRUE(tells("gatehouse_token_cache_hits_total 2"));
  EXPECT_TRUE(tells("gatehouse_logins_total{result=\"ok\"} 2"));
  EXPECT_TRUE(tells("gatehouse_requests_in_flight 2"));
}

TEST_F(MetricsTest, AThreadWithoutAnEventLoopCountsNothing) {
  Metrics::detach();
  count(Metric::token_cache_hits);
  count(Metric::logins, "ok");
  observe(Metric::request_duration, microseconds{1}, "a");
  EXPECT_TRUE(tells("gatehouse_token_cache_hits_total 0"));
  EXPECT_EQ(book_.text().find("gatehouse_logins_total"), std::string::npos);
}

TEST_F(MetricsTest, BucketsAreCumulativeAndTheirBoundsInclusive) {
  for (const int duration : {500, 501, 31'000'000}) {
    observe(Metric::request_duration, microseconds{duration}, "a");
  }
  const std::string name = "gatehouse_request_duration_seconds";
  EXPECT_TRUE(tells(name + "_bucket{route=\"a\",le=\"0.0005\"} 1"));
  EXPECT_TRUE(tells(name + "_bucket{route=\"a\",le=\"0.001\"} 2"));
  EXPECT_TRUE(tells(name + "_bucket{route=\"a\",le=\"30\"} 2"));
  EXPECT_TRUE(tells(name + "_bucket{route=\"a\",le=\"+Inf\"} 3"));
  EXPECT_TRUE(tells(name + "_count{route=\"a\"} 3"));
}

TEST_F(MetricsTest, ARouteCountsByCodeAndAClientThatLeftAs499) {
  RouteMetrics route("orders");
  for (int status = 200; status < 230; ++status) route.record(status, microseconds{10});
  route.record(229, microseconds{10});
  route.record(0, microseconds{10});
  EXPECT_TRUE(tells("gatehouse_requests_total{route=\"orders\",code=\"200\"} 1"));
  EXPECT_TRUE(tells("gatehouse_requests_total{route=\"orders\",code=\"229\"} 2"));
  EXPECT_TRUE(tells("gatehouse_requests_total{route=\"orders\",code=\"499\"} 1"));
  RouteMetrics again("orders");  // as after a reload
  again.record(200, microseconds{10});
  EXPECT_TRUE(tells("gatehouse_requests_total{route=\"orders\",code=\"200\"} 2"));
}

TEST_F(MetricsTest, SeriesAreBounded) {
  for (std::size_t i = 0; i < series_max + 50; ++i) count(Metric::logins, std::to_string(i));
  EXPECT_TRUE(tells("gatehouse_logins_total{result=\"other\"} 50"));
}

TEST_F(MetricsTest, LabelsCannotForgeALine) {
  count(Metric::logins, "a\"} 1\nforged 1\\");
  EXPECT_TRUE(tells("gatehouse_logins_total{result=\"a\\\"} 1\\nforged 1\\\\\"} 1"));
}

TEST_F(MetricsTest, CollectorsSetWhatExistsOnlyWhenAskedFor) {
  book_.collect([](Scrape& scrape) {
    scrape.set(Metric::hash_queue_length, 7);
    scrape.set(Metric::build_info, 1, "1.2.3", "gcc");
  });
  EXPECT_TRUE(tells("gatehouse_hash_queue_length 7"));
  EXPECT_TRUE(tells("gatehouse_build_info{version=\"1.2.3\",compiler=\"gcc\"} 1"));
}

TEST_F(MetricsTest, AuditLinesAreCounted) {
  count_event({.event = "login", .outcome = "ok"});
  count_event({.event = "login", .outcome = "failed", .reason = "wrong_password"});
  count_event({.event = "throttle", .outcome = "refused"});
  count_event({.event = "refresh", .outcome = "reuse", .user = "alice"});
  count_event({.event = "refresh", .outcome = "failed", .reason = "expired"});
  count_event({.event = "logout", .outcome = "ok", .reason = "all"});
  count_event({.event = "revoke", .outcome = "failed", .reason = "login"});
  count_event({.event = "admin", .outcome = "ok", .reason = "user_ended"});
  for (const char* line :
       {"gatehouse_logins_total{result=\"ok\"} 1",
        "gatehouse_logins_total{result=\"wrong_password\"} 1",
        "gatehouse_logins_total{result=\"throttled\"} 1",
        "gatehouse_token_refresh_total{outcome=\"reuse\"} 1",
        "gatehouse_token_refresh_total{outcome=\"expired\"} 1",
        "gatehouse_logouts_total{result=\"ok\"} 1",
        "gatehouse_sessions_revoked_total{reason=\"reuse\"} 1",
        "gatehouse_sessions_revoked_total{reason=\"logout\"} 1",
        "gatehouse_sessions_revoked_total{reason=\"admin\"} 1"}) {
    EXPECT_TRUE(tells(line)) << line;
  }
  EXPECT_EQ(book_.text().find("alice"), std::string::npos);
  EXPECT_EQ(book_.text().find("reason=\"login\""), std::string::npos);
}

TEST(MetricTable, EveryMetricIsDocumented) {
  std::ifstream file(GATEHOUSE_SOURCE_DIR "/docs/metrics.md");
  std::stringstream text;
  text << file.rdbuf();
  for (const MetricInfo& info : metric_table()) {
    EXPECT_NE(text.str().find("`" + std::string(info.name) + "`"), std::string::npos) << info.name;
    EXPECT_FALSE(info.help.empty()) << info.name;
  }
}

}  // namespace
}  // namespace proxy
