// The life of a connection: one exchange after the other, each of them read head, decide, perform,
// record. Spawned by the worker, which owns nothing of it but a place in its list.
#pragma once

#include <memory>

#include "proxy/connection.h"
#include "proxy/net/task.h"
#include "proxy/worker_state.h"

namespace proxy {

// Runs until the client or we close. Takes the connection with it when it ends.
[[nodiscard]] net::Task<void> serve(WorkerState& worker, std::unique_ptr<Connection> connection);

}  // namespace proxy
