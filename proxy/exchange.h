// The life of a connection: one exchange after the other, each of them read head, decide, perform,
// record. The worker owns nothing of it but a place in its list.
#pragma once

#include <memory>

#include "proxy/connection.h"
#include "proxy/net/task.h"
#include "proxy/worker_state.h"

namespace proxy {

// Serves until the client or we close, on its own; throws where there is no memory to begin with.
void start_serving(WorkerState& worker, Connection::Pointer connection);

}  // namespace proxy
