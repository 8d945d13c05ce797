// W3C Trace Context: what is continued, what is made, what is ignored.
#include "proxy/trace.h"

#include <gtest/gtest.h>

#include <set>

#include "proxy/http/parser.h"

namespace proxy {
namespace {

constexpr std::string_view valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

// A head with these field lines; it keeps its own bytes.
std::unique_ptr<http::RequestHead> head_with(const std::string& fields) {
  auto head = std::make_unique<http::RequestHead>();
  http::RequestParser parser{http::HeadLimits{}};
  head->bytes.append("GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n");
  EXPECT_EQ(parser.feed(*head), http::Progress::complete);
  return head;
}

std::string fields_of(const Trace& trace, const http::RequestHead& head) {
  http::Buffer out;
  trace.append_fields(head, out);
  return std::string(out.view());
}

TEST(TraceParent, IsReadStrictly) {
  ASSERT_TRUE(parse_traceparent(valid));
  EXPECT_TRUE(parse_traceparent(valid)->sampled);
  const std::string unsampled = std::string(valid.substr(0, valid.size() - 1)) + "0";
  EXPECT_FALSE(parse_traceparent(unsampled)->sampled);
  EXPECT_TRUE(parse_traceparent("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"));
  for (const char* text :
       {"", "00", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333g-01"}) {
    EXPECT_FALSE(parse_traceparent(text)) << text;
  }
}

TEST(Trace, OfAClientIsContinuedWithItsStateAndItsFlag) {
  TraceSource source;
  const auto head = head_with("traceparent: " + std::string(valid) +
                              "\r\ntracestate: a=1\r\nTraceState: b=2\r\n");
  const Trace trace = source.begin(*head, {.is_on = true, .sample = 0});
  EXPECT_TRUE(trace.is_continued && trace.is_ours && trace.is_sampled);
  EXPECT_EQ(trace.id(), valid.substr(3, 32));
  const std::string fields = fields_of(trace, *head);
  EXPECT_TRUE(fields.starts_with("traceparent: 00-" + std::string(trace.id()) + "-"));
  EXPECT_EQ(fields.find("b7ad6b7169203331"), std::string::npos) << "the application's parent is us";
  EXPECT_NE(fields.find("-01\r\ntracestate: a=1\r\ntracestate: b=2\r\n"), std::string::npos);
}

TEST(Trace, IsMadeWhereThereIsNoneOrNoUsableOne) {
  TraceSource source;
  std::set<std::string> ids;
  for (const std::string& fields :
       {std::string(), std::string("traceparent: nonsense\r\ntracestate: a=1\r\n"),
        "traceparent: " + std::string(valid) + "\r\ntraceparent: " + std::string(valid) + "\r\n"}) {
    const auto head = head_with(fields);
    const Trace trace = source.begin(*head, {.is_on = true});
    EXPECT_FALSE(trace.is_continued);
    EXPECT_EQ(fields_of(trace, *head).find("tracestate"), std::string::npos);
    EXPECT_TRUE(parse_traceparent("00-" + std::string(trace.id()) + "-" +
                                  std::string(trace.span_id.data(), 16) + "-01"));
    ids.insert(std::string(trace.id()));
  }
  EXPECT_EQ(ids.size(), 3U);
}

TEST(Trace, BeginsSampledAsOftenAsAsked) {
  TraceSource source;
  const auto head = head_with("");
  int sampled = 0;
  for (int i = 0; i < 1000; ++i) {
    sampled += source.begin(*head, {.is_on = true, .sample = 250'000}).is_sampled ? 1 : 0;
  }
  EXPECT_EQ(sampled, 250);
  EXPECT_FALSE(source.begin(*head, {.is_on = true, .sample = 0}).is_sampled);
}

TEST(Trace, OfAClientIsOnlyKnownWhereThereIsNoCollector) {
  TraceSource source;
  const Trace trace =
      source.begin(*head_with("traceparent: " + std::string(valid) + "\r\n"), {.is_on = false});
  EXPECT_EQ(trace.id(), valid.substr(3, 32));
  EXPECT_FALSE(trace.is_ours);
  EXPECT_EQ(source.begin(*head_with(""), {.is_on = false}).id(), "");
}

TEST(SpanQueue, TakesNoMoreThanItsBoundAndSaysHowManyWereLost) {
  SpanQueue queue;
  std::vector<Span> spans(SpanQueue::spans_max - 1);
  EXPECT_EQ(queue.push(spans), 0);
  EXPECT_TRUE(spans.empty());
  spans.resize(5);
  spans.front().method = "LAST";
  spans.back().upstream_began = std::chrono::microseconds{0};  // one more, of the application
  EXPECT_EQ(queue.push(spans), 5);
  EXPECT_EQ(queue.take(SpanQueue::spans_max - 1).size(), SpanQueue::spans_max - 1);
  const auto last = queue.take(10);
  ASSERT_EQ(last.size(), 1U);
  EXPECT_EQ(last.front().method, "LAST");
}

}  // namespace
}  // namespace proxy
