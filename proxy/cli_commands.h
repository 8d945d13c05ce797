// What the commands do that serve nobody: check, config, hash-password, keygen, healthcheck and
// version. Each reads and writes the streams it is given and returns the exit code; main thread.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "config/config.h"
#include "proxy/cli.h"

namespace proxy {

struct Streams {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool is_terminal = false;  // `in` is the terminal at descriptor 0: ask, without echo
};

// What the files that a configuration names have wrong with them: proxy::compile, in main.cc.
struct Findings {
  std::vector<config::Problem> problems;
  std::vector<config::Problem> warnings;
};
using Inspect = std::function<Findings(const config::Config&)>;

[[nodiscard]] int check(const Command& command, const Inspect& inspect, Streams& streams);
[[nodiscard]] int print_config(const Command& command, Streams& streams);
[[nodiscard]] int hash_password(Streams& streams);
[[nodiscard]] int keygen(const Command& command, Streams& streams);
[[nodiscard]] int healthcheck(const Command& command, Streams& streams);
[[nodiscard]] int print_version(Streams& streams);

}  // namespace proxy
