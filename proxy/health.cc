// The health listener; see health.h.
#include "proxy/health.h"

#include "proxy/net/timer.h"

namespace proxy {
namespace {

Reply text(int status, std::string body) {
  Reply reply;
  reply.status = status;
  reply.content_type = "text/plain; charset=utf-8";
  reply.body = std::move(body);
  return reply;
}

}  // namespace

Readiness readiness(const ProcessState& process, const config::OnOutage& on_outage) {
  Readiness found;
  if (process.draining.load(std::memory_order_relaxed)) {
    found = {false, "draining: shutting down\n"};
  }
  if (process.keys_missing.load(std::memory_order_relaxed)) {
    found.is_ready = false;
    found.conditions += "keys: those of a trusted issuer were not fetched yet\n";
  }
  if (process.is_store_down()) {
    // Until it was read once it is not known what was revoked.
    const bool was_up = process.store_health->was_up();
    if (!was_up || on_outage.readyz == config::OutageReadyz::fail) found.is_ready = false;
    found.conditions += "store: down (" + process.store_health->trouble() + ")\n";
  }
  if (found.is_ready) found.conditions.insert(0, "ok\n");
  return found;
}

net::Task<Reply> answer_health(WorkerState& worker, const Exchange& exchange) {
  const http::RequestHead& head = exchange.request;
  if (head.method != http::Method::get && head.method != http::Method::head) {
    Reply reply = text(405, "only GET and HEAD\n");
    reply.headers = "Allow: GET, HEAD\r\n";
    co_return reply;
  }
  if (head.path == "/livez") co_return text(200, "ok\n");
  if (head.path == "/readyz") {
    Readiness found = readiness(worker.process, exchange.local->runtime->config.on_outage);
    co_return text(found.is_ready ? 200 : 503, std::move(found.conditions));
  }
  if (head.path == "/metrics") {
    Reply reply = text(200, worker.process.metrics.text());
    reply.content_type = metrics_content_type;
    co_return reply;
  }
  if (head.path == "/prestop") {
    co_await net::pass_time(worker.executor, exchange.local->runtime->config.drain.delay);
    co_return text(200, "ok\n");
  }
  co_return text(404, "not here: /livez, /readyz, /metrics or /prestop\n");
}

}  // namespace proxy
