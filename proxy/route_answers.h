// What a route's rules say in our own answers: to preflights, and to whom comes too often; and the
// rate that all replicas share, which has to be asked for. The thread of the exchange.
#pragma once

#include <string>

#include "proxy/exchange_state.h"
#include "proxy/net/task.h"
#include "proxy/worker_state.h"

namespace proxy {

// Whole lines for the answer that the decision is; mostly none.
[[nodiscard]] std::string route_lines(const Exchange& exchange);
// Takes from the shared bucket of a route that has one; the decision may become a refusal.
[[nodiscard]] net::Task<void> ask_shared_rate(WorkerState& worker, Exchange& exchange);

}  // namespace proxy
