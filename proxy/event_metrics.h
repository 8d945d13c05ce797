// Security events as counters: whatever is written as an audit line is counted, so that no place
// that writes one has to think of it.
#pragma once

#include "proxy/telemetry.h"

namespace proxy {

// On the thread of an event loop.
void count_event(const AuditEvent& event);

}  // namespace proxy
