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
constexpr int span_kind_client = 3;
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
  return result;
}

std::string nanoseconds(std::chrono::system_clock::time_point time) {
  return std::to_string(
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

std::string_view id(const SpanId& from) { return {from.data(), from.size()}; }

json::object server_span(const Span& span) {
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

// The address of an endpoint (`http://10.0.0.7:3000`, `unix:/run/app.sock`) in its parts.
void add_server(std::string_view endpoint, json::array& attributes) {
  if (endpoint.starts_with("unix:")) {
    attributes.push_back(text("network.transport", "unix"));
    attributes.push_back(text("server.address", endpoint.substr(5)));
    return;
  }
  const std::size_t scheme = endpoint.find("://");
  if (scheme != std::string_view::npos) {
    attributes.push_back(text("url.scheme", endpoint.substr(0, scheme)));
    endpoint.remove_prefix(scheme + 3);
  }
  const std::size_t colon = endpoint.rfind(':');
  const bool has_port = colon != std::string_view::npos && endpoint.back() != ']';
  attributes.push_back(text("server.address", has_port ? endpoint.substr(0, colon) : endpoint));
  if (!has_port) return;
  attributes.push_back({{"key", "server.port"},
                        {"value", {{"intValue", std::string(endpoint.substr(colon + 1))}}}});
}

// What the application was asked, all tries together.
json::object client_span(const Span& span) {
  json::array attributes;
  attributes.push_back(text("http.request.method", span.method));
  attributes.push_back(text("url.path", span.path));
  add_server(span.upstream, attributes);
  const bool failed = span.upstream_status == 0 || span.upstream_status >= 400;
  if (span.upstream_status != 0) {
    attributes.push_back(number("http.response.status_code", span.upstream_status));
  }
  if (failed) {
    const std::string status = std::to_string(span.upstream_status);
    attributes.push_back(text("error.type", span.reason.empty() ? status : span.reason));
  }
  if (span.resends > 0) attributes.push_back(number("http.request.resend_count", span.resends));
  const auto began = span.started + span.upstream_began;
  json::object result;
  result["traceId"] = span.trace.id();
  result["spanId"] = id(span.trace.client_id);
  result["parentSpanId"] = id(span.trace.span_id);
  result["name"] = span.method;
  result["kind"] = span_kind_client;
  result["startTimeUnixNano"] = nanoseconds(began);
  result["endTimeUnixNano"] = nanoseconds(began + span.upstream_duration);
  result["attributes"] = std::move(attributes);
  if (failed) result["status"] = {{"code", status_error}};
  return result;
}

}  // namespace

std::string to_otlp(const std::vector<Span>& spans, std::string_view version) {
  json::array list;
  for (const Span& span : spans) {
    list.push_back(server_span(span));
    if (span.is_forwarded()) list.push_back(client_span(span));
  }
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
    const std::int64_t count_them = spans_of(spans);
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
