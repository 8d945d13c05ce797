// See route_answers.h.
#include "proxy/route_answers.h"

#include <algorithm>
#include <chrono>

namespace proxy {

std::string route_lines(const Exchange& exchange) {
  const Decision& decision = exchange.decision;
  if (decision.preflight) {
    const http::RequestHead& request = exchange.subject();
    const RouteTable& routes = exchange.local->runtime->routes;
    return decision.route->cors->preflight_fields(
               routes.allowed_methods(request.host, request.path)) +
           "Vary: Access-Control-Request-Method, Access-Control-Request-Headers\r\n";
  }
  if (decision.status != 429) return {};
  const auto wait = std::max(std::chrono::ceil<std::chrono::seconds>(decision.retry_after),
                             std::chrono::seconds{1});
  return "Retry-After: " + std::to_string(wait.count()) + "\r\n" +
         rate_limit_lines(*decision.rate(), wait);
}

// While the store cannot answer, this process counts for itself: an outage of the store is no
// reason to turn anybody away.
net::Task<void> ask_shared_rate(WorkerState& worker, Exchange& exchange) {
  Decision& decision = exchange.decision;
  const RateRule& rule = *decision.rate();
  std::string room;
  const std::string_view who = rate_key(rule, decision.token, exchange.client.address, room);
  const std::string bucket = rule.route + " " + std::string(who);
  store::Result<auth::milliseconds> taken = store::StoreError::unavailable;
  if (!worker.process.is_store_down()) {
    taken = co_await worker.store.take(bucket, rule.shared, wall_clock());
  }
  decision.retry_after = taken ? std::chrono::nanoseconds(*taken)
                               : worker.process.rates.take(rule, who, exchange.began);
  if (decision.retry_after.count() == 0) co_return;
  decision.kind = Decision::Kind::reject;
  decision.status = 429;
  decision.error = "rate_limited";
}

}  // namespace proxy
