// One request to the application and its answer back: the head rebuilt from typed parts, bodies
// relayed both ways at the same time with one buffer each, the retry rule, and the tunnel behind a
// WebSocket handshake.
// Runs on the worker's thread; the exchange and the connection outlive it.
#pragma once

#include "proxy/connection.h"
#include "proxy/exchange_state.h"
#include "proxy/net/task.h"
#include "proxy/worker_state.h"

namespace proxy {

// What went wrong, on which side; the status and the log line follow from it.
enum class Failure : std::uint8_t {
  none,
  connect_refused,      // 502
  connect_timeout,      // 504
  upstream_closed,      // 502: before a complete answer
  upstream_timeout,     // 504: no answer in time
  bad_response,         // 502: an answer no proxy may pass on
  bad_request_body,     // 400
  request_body_timeout, // 408
  request_body_too_large,  // 413
  client_closed,        // nobody left to answer
  session_ended,        // a stream whose session was revoked
};
[[nodiscard]] std::string_view name(Failure failure);
[[nodiscard]] int status_of(Failure failure);

struct Forwarded {
  Failure failure = Failure::none;
  // The client has seen part of an answer that did not become complete: the connection must be cut.
  bool answer_started = false;
};

[[nodiscard]] net::Task<Forwarded> forward(WorkerState& worker, Connection& connection,
                                           Exchange& exchange);

}  // namespace proxy
