// What is kept of a request that is over, after failures too: its numbers, spans and access line.
// On the thread of its worker.
#pragma once

#include "proxy/connection.h"
#include "proxy/exchange_state.h"
#include "proxy/worker_state.h"

namespace proxy {

void record(WorkerState& worker, const Connection& connection, const Exchange& exchange);

}  // namespace proxy
