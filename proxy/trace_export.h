// Sends finished spans to a collector as OTLP/HTTP JSON (OpenTelemetry protocol 1.x), batch after
// batch, on the control thread. A collector that is slow or away costs spans, which are counted,
// and nothing else: the queue is bounded, and nothing is tried twice.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proxy/fetch.h"
#include "proxy/trace.h"

namespace proxy {

// One ExportTraceServiceRequest. Pure.
[[nodiscard]] std::string to_otlp(const std::vector<Span>& spans, std::string_view version);

class TraceExporter {
 public:
  TraceExporter(net::Executor executor, SpanQueue& queue)
      : executor_(std::move(executor)), queue_(queue) {}
  // Sends everything that waits, in batches. False: the collector did not take it; the batch is
  // lost and the rest waits for the next call. An empty `url` only empties the queue.
  [[nodiscard]] net::Task<bool> send_waiting(std::string url);

 private:
  bool aim(const std::string& url);

  net::Executor executor_;
  SpanQueue& queue_;
  std::string url_;  // what request_ was made for
  FetchRequest request_;
};

}  // namespace proxy
