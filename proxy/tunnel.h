// The two directions behind a protocol switch: bytes are copied until one side ends, nothing moves
// for the idle timeout, or the session is over. One thread; the caller owns both streams.
#pragma once

#include <chrono>

#include "proxy/connection.h"
#include "proxy/exchange_state.h"
#include "proxy/failure.h"
#include "proxy/http/frames.h"
#include "proxy/net/task.h"
#include "proxy/worker_state.h"

namespace proxy {

// Registers a stream that must end with its session, for as long as this object lives.
class SessionStreamGuard {
 public:
  SessionStreamGuard(WorkerState& worker, const Exchange& exchange, Connection& connection,
                     net::Stream& upstream);
  ~SessionStreamGuard();
  SessionStreamGuard(const SessionStreamGuard&) = delete;
  SessionStreamGuard& operator=(const SessionStreamGuard&) = delete;
  // Whether the stream has to end, and with which code; `of_session` where its session is over.
  [[nodiscard]] bool is_over() const {
    worker_.catch_up();
    return entry_.revoked || entry_.going_away;
  }
  [[nodiscard]] std::uint16_t close_code(std::uint16_t of_session) const {
    return entry_.revoked ? of_session : http::going_away;
  }
  void end_by_itself() { entry_.ends_itself = true; }

 private:
  WorkerState& worker_;
  SessionStream entry_;
};

// Sends exchange.out (the 101 head) and what both sides sent early, then relays; until `session` is
// over.
[[nodiscard]] net::Task<Failure> run_tunnel(WorkerState& worker, Connection& connection,
                                            Exchange& exchange, net::Stream& upstream,
                                            SessionStreamGuard& session,
                                            std::chrono::milliseconds idle_timeout);

}  // namespace proxy
