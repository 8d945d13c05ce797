// One request to the application and its answer back, in one try or, where the method and the route
// allow it, in several (SECURITY P15); attempt.h is one of them.
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
  // It was brought to a proper end although the application had not come to it.
  bool answer_ended = false;
};

[[nodiscard]] net::Task<Forwarded> forward(WorkerState& worker, Connection& connection,
                                           Exchange& exchange);

}  // namespace proxy
