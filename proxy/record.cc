// See record.h.
#include "proxy/record.h"

namespace proxy {
namespace {

void count_request(const Exchange& exchange, std::chrono::microseconds duration) {
  const Decision& decision = exchange.decision;
  LocalRuntime& local = *exchange.local;
  local.metrics_of(decision.route, decision.endpoint).record(exchange.status, duration);
  if (exchange.upstream_duration.count() >= 0) {
    local.metrics_of(*decision.route).record(exchange.upstream_duration);
  }
  move(Metric::request_body_bytes, static_cast<std::int64_t>(exchange.request_body.bytes()));
  move(Metric::response_body_bytes, static_cast<std::int64_t>(exchange.bytes_out));
}

// A worker keeps no more than this until its next tick.
constexpr std::size_t spans_kept = 1'024;

void add_span(WorkerState& worker, const Exchange& exchange, std::chrono::microseconds duration) {
  if (worker.spans.size() >= spans_kept) {
    count(Metric::spans, "dropped", {}, exchange.upstream_began.count() >= 0 ? 2 : 1);
    return;
  }
  Span span;
  span.trace = exchange.trace;
  span.started = exchange.began_wall;
  span.duration = duration;
  span.upstream_began = exchange.upstream_began;
  span.upstream_duration = exchange.upstream_duration - exchange.upstream_began;
  // Where the client was told something else, the application's answer was none.
  if (exchange.response.status == exchange.status) span.upstream_status = exchange.status;
  span.resends = exchange.resends;
  span.method = exchange.request.method_text;
  span.host = exchange.request.authority;
  span.path = exchange.request.path.substr(0, 256);
  if (exchange.decision.route != nullptr) span.route = exchange.decision.route->name;
  span.upstream = exchange.upstream;
  span.reason = exchange.reason;
  span.client = exchange.client.address;
  span.request_id = exchange.client.forwarding.request_id;
  span.status = exchange.status;
  span.bytes_in = exchange.request_body.bytes();
  span.bytes_out = exchange.bytes_out;
  worker.spans.push_back(std::move(span));
}

}  // namespace

void record(WorkerState& worker, const Connection& connection, const Exchange& exchange) {
  if (connection.role() == Role::health) return;
  const auto duration = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - exchange.began);
  if (connection.role() == Role::main) count_request(exchange, duration);
  if (exchange.trace.is_ours && exchange.trace.is_sampled) add_span(worker, exchange, duration);
  if (!worker.log.logs_access()) return;
  const http::RequestHead& head = exchange.subject();
  AccessRecord record;
  record.started = exchange.began_wall;
  record.duration = duration;
  record.upstream_duration = exchange.upstream_duration;
  record.request_id = exchange.client.forwarding.request_id;
  record.trace_id = exchange.trace.id();
  record.client = exchange.client.address;
  record.method = head.method_text;
  record.host = head.authority;
  record.path = head.path;
  record.http_1_0 = head.version_minor == 0;
  record.status = exchange.status;
  record.bytes_in = exchange.request_body.bytes();
  record.bytes_out = exchange.bytes_out;
  const auth::CachedTokenRef& token = exchange.decision.token;
  record.user = token ? std::string_view(token->principal->subject) : exchange.user;
  record.session_id = token ? std::string_view(token->principal->session_id) : exchange.session_id;
  if (exchange.decision.route != nullptr) record.route = exchange.decision.route->name;
  record.upstream = exchange.upstream;
  record.reason = exchange.reason;
  record.user_agent = head.value(http::HeaderId::user_agent);
  if (worker.log.writes_referer()) record.referer = head.value(http::HeaderId::referer);
  worker.log.access(record);
}

}  // namespace proxy
