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

// One condition a line, worst first; the store's own words are for operators, and hold no secret.
Reply answer_readyz(const ProcessState& process, const config::OnOutage& on_outage) {
  std::string conditions;
  bool is_ready = true;
  if (process.draining.load(std::memory_order_relaxed)) {
    conditions += "draining: shutting down\n";
    is_ready = false;
  }
  if (process.keys_missing.load(std::memory_order_relaxed)) {
    conditions += "keys: those of a trusted issuer were not fetched yet\n";
    is_ready = false;
  }
  if (process.is_store_down()) {
    // Until it was read once it is not known what was revoked.
    const bool was_up = process.store_health->was_up();
    const bool fails = !was_up || on_outage.readyz == config::OutageReadyz::fail;
    conditions += "store: down (" + process.store_health->trouble() + ")\n";
    is_ready = is_ready && !fails;
  }
  if (is_ready) conditions.insert(0, "ok\n");
  return text(is_ready ? 200 : 503, std::move(conditions));
}

net::Task<void> wait_for(const net::Executor& executor, std::chrono::milliseconds time) {
  net::Timer timer(executor, time);
  co_await timer.async_wait(net::as_result);
}

}  // namespace

net::Task<Reply> answer_health(WorkerState& worker, const Exchange& exchange) {
  const http::RequestHead& head = exchange.request;
  if (head.method != http::Method::get && head.method != http::Method::head) {
    Reply reply = text(405, "only GET and HEAD\n");
    reply.headers = "Allow: GET, HEAD\r\n";
    co_return reply;
  }
  if (head.path == "/livez") co_return text(200, "ok\n");
  if (head.path == "/readyz") {
    co_return answer_readyz(worker.process, exchange.local->runtime->config.on_outage);
  }
  if (head.path == "/metrics") {
    Reply reply = text(200, worker.process.metrics.text());
    reply.content_type = metrics_content_type;
    co_return reply;
  }
  if (head.path == "/prestop") {
    co_await wait_for(worker.executor, exchange.local->runtime->config.drain.delay);
    co_return text(200, "ok\n");
  }
  co_return text(404, "not here: /livez, /readyz, /metrics or /prestop\n");
}

}  // namespace proxy
