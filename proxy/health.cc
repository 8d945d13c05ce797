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
    const bool draining = worker.process.draining.load(std::memory_order_relaxed);
    co_return draining ? text(503, "draining: shutting down\n") : text(200, "ok\n");
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
