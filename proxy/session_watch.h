// Streams end with their session: logouts and revocations are told by the store, but that a session
// was idle for too long, or has reached its end, nobody tells. Each open stream's session is looked
// up when it would be over, and again when it was prolonged meanwhile.
// One coroutine for each worker, on its thread.
#pragma once

#include "proxy/net/task.h"
#include "proxy/worker_state.h"

namespace proxy {

// Runs until the loop ends.
[[nodiscard]] net::Task<void> watch_session_streams(WorkerState& worker);

}  // namespace proxy
