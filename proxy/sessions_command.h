// `gatehouse sessions list|revoke`: asks the admin listener of a running Gatehouse, since only it
// knows the sessions in memory and only it tells the others of what has ended. Main thread; may
// wait for the network.
#pragma once

#include <iosfwd>
#include <string>

#include "proxy/cli.h"

namespace proxy {

// Prints what was answered, or why there is no answer. An exit code.
[[nodiscard]] int administer_sessions(const Command& command, std::ostream& out,
                                      std::ostream& err);

// The table that `list` prints, of what the listener answered; empty when that is not it. What
// browsers call themselves is shown without anything that a terminal would obey.
[[nodiscard]] std::string session_table(const std::string& json);

}  // namespace proxy
