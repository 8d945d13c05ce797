// `gatehouse policy --replay`: the requests of an access log, decided anew under another
// configuration. Main thread; reads one file.
#pragma once

#include <iosfwd>
#include <string>

#include "proxy/runtime.h"

namespace proxy {

// Prints each request that would be decided differently, once with its count, and a summary.
// exit_failed when there is one, exit_usage when the file cannot be read.
[[nodiscard]] int replay(const std::string& file, const Runtime& runtime, std::ostream& out,
                         std::ostream& err);

}  // namespace proxy
