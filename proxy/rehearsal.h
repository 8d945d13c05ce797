// `gatehouse policy`: what would be done with a request, and which rule says so. Runs the very code
// that serves: the request is written out and parsed, and the user gets a real access token.
// Main thread; reads no socket.
#pragma once

#include <iosfwd>

#include "proxy/cli.h"
#include "proxy/runtime.h"

namespace proxy {

// Prints the decision; the exit code is exit_usage where user or claims make no sense.
[[nodiscard]] int rehearse(const Command& command, const Runtime& runtime, std::ostream& out,
                           std::ostream& err);

}  // namespace proxy
