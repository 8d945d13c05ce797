// What the health listener answers, for kubelets and load balancers; no login, no secrets.
//   GET /livez    200 while the process runs
//   GET /readyz   200, or 503 with the reasons, one a line
//   GET /metrics  what metrics.h counts, for Prometheus
//   GET /prestop  200 after drain.delay: a preStop hook of the application waits here, so that the
//                 application does not end before its sidecar has stopped sending requests to it
#pragma once

#include "proxy/exchange_state.h"
#include "proxy/net/task.h"
#include "proxy/reply.h"
#include "proxy/worker_state.h"

namespace proxy {

struct Readiness {
  bool is_ready = true;
  std::string conditions;  // one a line; the store's own words are for operators, without secrets
};
[[nodiscard]] Readiness readiness(const ProcessState& process, const config::OnOutage& on_outage);

[[nodiscard]] net::Task<Reply> answer_health(WorkerState& worker, const Exchange& exchange);

}  // namespace proxy
