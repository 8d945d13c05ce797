// One blocking GET for `gatehouse healthcheck`, which runs alone in its process and has no loop.
#pragma once

#include <chrono>
#include <string>

namespace proxy::net {

struct ProbeAnswer {
  int status = 0;               // 0: no answer
  std::string error;            // why there is none; empty when there is one
  bool is_usage_error = false;  // the URL is not one
};

// `url` is http://host[:port][/path]. All of it takes at most `timeout`, apart from looking up a
// host name.
[[nodiscard]] ProbeAnswer probe(const std::string& url, std::chrono::milliseconds timeout);

}  // namespace proxy::net
