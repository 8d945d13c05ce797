// One request to the application and its answer back: the head rebuilt from typed parts, bodies
// relayed both ways at the same time with one buffer each, the retry rule, and the tunnel behind a
// WebSocket handshake.
// Runs on the worker's thread; the exchange and the connection outlive it.
#pragma once

#include "proxy/connection.h"
#include "proxy/exchange_state.h"
#include "proxy/failure.h"
#include "proxy/net/task.h"
#include "proxy/worker_state.h"

namespace proxy {

struct Forwarded {
  Failure failure = Failure::none;
  // The client has seen part of an answer that did not become complete: the connection must be cut.
  bool answer_started = false;
};

[[nodiscard]] net::Task<Forwarded> forward(WorkerState& worker, Connection& connection,
                                           Exchange& exchange);

}  // namespace proxy
