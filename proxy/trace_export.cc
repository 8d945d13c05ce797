// See trace_export.h.
#include "proxy/trace_export.h"

#include <boost/json.hpp>

#include "proxy/metrics.h"

namespace proxy {
namespace {

namespace json = boost::json;

constexpr std::size_t batch_spans = 512;
constexpr std::chrono::milliseconds collector_timeout{3'000};
constexpr int span_kind_server = 2;
constexpr int status_error = 2;

json::object text(std::string_view key, std::string_view value) {
  return {{"key", key}, {"value", {{"stringValue", value}}}};
}

// 64-bit numbers are texts in protobuf's JSON form.
json::object number(std::string_view key, std::int64_t value) {
  return {{"key", key}, {"value", {{"intValue", std::to_string(value)}}}};
}

// The names of OpenTelemetry's semantic conventions for HTTP; no user, as in the metrics.
json::array attributes_of(const Span& span) {
  json::array result;
  const auto add = [&result](std::string_view key, std::string_view value) {
    if (!value.empty()) result.push_back(text(key, value));
  };
  add("http.request.method", span.method);
  add("url.path", span.path);
  add("server.address", span.host);
  add("http.route", span.route);
  add("client.address", span.client);
  add("gatehouse.upstream", span.upstream);
  add("gatehouse.request_id", span.request_id);
  add("error.type", span.reason);
  result.push_back(number("http.response.status_code", span.status));
  result.push_back(number("http.request.body.size", static_cast<std::int64_t>(span.bytes_in)));
  result.push_back(number("http.response.body.size", static_cast<std::int64_t>(span.bytes_out)));
  if (span.upstream_duration.count() >= 0) {
    result.push_back(number("gatehouse.upstream_us", span.upstream_duration.count()));
  }
  return result;
}

std::string nanoseconds(std::chrono::system_clock::time_point time) {
  return std::to_string(
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

json::object to_json(const Span& span) {
  const auto id = [](const SpanId& from) { return std::string_view(from.data(), from.size()); };
  json::object result;
  result["traceId"] = span.trace.id();
  result["spanId"] = id(span.trace.span_id);
  if (span.trace.is_continued) result["parentSpanId"] = id(span.trace.parent_id);
  result["name"] = span.route.empty() ? span.method : span.method + " " + span.route;
  result["kind"] = span_kind_server;
  result["startTimeUnixNano"] = nanoseconds(span.started);
  result["endTimeUnixNano"] = nanoseconds(span.started + span.duration);
  result["attributes"] = attributes_of(span);
  // Only what is our side's fault is an error of a server span.
  if (span.status >= 500) result["status"] = {{"code", status_error}};
  return result;
}

}  // namespace

std::string to_otlp(const std::vector<Span>& spans, std::string_view version) {
  json::array list;
  for (const Span& span : spans) list.push_back(to_json(span));
  json::object scope;
  scope["scope"] = {{"name", "gatehouse"}, {"version", version}};
  scope["spans"] = std::move(list);
  json::object resource;
  resource["resource"] = {{"attributes", json::array{text("service.name", "gatehouse"),
                                                     text("service.version", version)}}};
  resource["scopeSpans"] = json::array{std::move(scope)};
  json::object root;
  root["resourceSpans"] = json::array{std::move(resource)};
  return json::serialize(root);
}

// Certificates are read once for each URL.
bool TraceExporter::aim(const std::string& url) {
  if (url == url_ && !url.empty()) return true;
  auto target = parse_url(url);
  if (!target) return false;
  request_ = FetchRequest{};
  request_.method = "POST";
  request_.headers = "Content-Type: application/json\r\n";
  request_.timeout = collector_timeout;
  if (target->is_https) {
    net::TlsProblem problem;
    request_.tls = net::TlsClient::make({}, problem);
    if (!request_.tls) return false;
  }
  request_.target = std::move(*target);
  url_ = url;
  return true;
}

net::Task<bool> TraceExporter::send_waiting(std::string url) {
  for (;;) {
    std::vector<Span> spans = queue_.take(batch_spans);
    if (spans.empty()) co_return true;
    const auto count_them = static_cast<std::int64_t>(spans.size());
    if (!aim(url)) {
      count(Metric::spans, "failed", {}, count_them);
      continue;
    }
    FetchRequest request = request_;
    request.body = to_otlp(spans, GATEHOUSE_VERSION);
    const Fetched answer = co_await fetch(executor_, std::move(request));
    const bool taken = answer.status >= 200 && answer.status < 300;
    count(Metric::spans, taken ? "exported" : "failed", {}, count_them);
    if (!taken) co_return false;
  }
}

}  // namespace proxy
