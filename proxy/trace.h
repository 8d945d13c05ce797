// W3C Trace Context: a request's `traceparent` is continued, or one is made, and what happened to
// the request becomes a span on its way to a collector (trace_export.h). Without a collector
// nothing is made: the client's fields pass as they came, and their trace id stands in the logs.
// A TraceSource belongs to one worker; the SpanQueue is shared and bounded: spans that nobody
// fetches in time are dropped and counted, and a worker never waits.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/head.h"

namespace proxy {

using TraceId = std::array<char, 32>;  // lower case hex digits
using SpanId = std::array<char, 16>;

struct TraceParent {
  TraceId trace_id{};
  SpanId span_id{};
  bool sampled = false;
};

// The value of a `traceparent` field (W3C Trace Context section 3.2); nullopt: to be ignored, and
// `tracestate` with it. Later versions are read as far as they agree with this one.
[[nodiscard]] std::optional<TraceParent> parse_traceparent(std::string_view text);

// One request's place in its trace.
struct Trace {
  TraceId trace_id{};
  SpanId parent_id{};   // the client's span, where `is_continued`
  SpanId span_id{};     // ours, where `is_ours`: the request as we served it
  SpanId client_id{};   // as we made it to the application, below the other; its parent there
  bool is_known = false;      // there is a trace_id
  bool is_continued = false;  // the client began it
  bool is_ours = false;       // the application gets a traceparent of ours
  bool is_sampled = false;

  // Empty when there is none. Valid as long as this object.
  [[nodiscard]] std::string_view id() const {
    return is_known ? std::string_view(trace_id.data(), trace_id.size()) : std::string_view{};
  }
  // "traceparent: 00-...\r\n", and the client's tracestate where it is still true.
  void append_fields(const http::RequestHead& head, http::Buffer& out) const;
};

struct TraceRules {
  bool is_on = false;                // there is a collector
  std::uint32_t sample = 1'000'000;  // millionths of the traces that begin here
};

class TraceSource {
 public:
  TraceSource();  // seeded by the system
  [[nodiscard]] Trace begin(const http::RequestHead& head, const TraceRules& rules);

 private:
  std::uint64_t next();
  std::uint64_t state_ = 0;
  std::uint32_t credit_ = 0;
};

// A finished request, for the collector: one span of it as it was served, and one of it as the
// application was asked, where it was.
struct Span {
  Trace trace;
  std::chrono::system_clock::time_point started;
  std::chrono::microseconds duration{0};
  // The second span, of what the application was asked: -1: it was not.
  std::chrono::microseconds upstream_began{-1};  // after `started`
  std::chrono::microseconds upstream_duration{-1};
  int upstream_status = 0;  // 0: no answer
  unsigned resends = 0;
  std::string method;
  std::string host;
  std::string path;  // without the query
  std::string route;
  std::string upstream;
  std::string reason;
  std::string client;
  std::string request_id;
  int status = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;

  [[nodiscard]] bool is_forwarded() const { return upstream_began.count() >= 0; }
};

// How many spans the collector gets of them.
[[nodiscard]] std::int64_t spans_of(const std::vector<Span>& requests);

class SpanQueue {
 public:
  static constexpr std::size_t spans_max = 4'096;  // requests
  // Takes what fits, and gives back how many spans did not. Leaves `spans` empty.
  [[nodiscard]] std::int64_t push(std::vector<Span>& spans);
  // At most `count`, oldest first.
  [[nodiscard]] std::vector<Span> take(std::size_t count);

 private:
  std::mutex mutex_;
  std::vector<Span> spans_;
};

}  // namespace proxy
