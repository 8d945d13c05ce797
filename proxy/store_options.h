// From the configuration to what a Redis client works with: addresses, passwords, TLS. Reads files;
// used while compiling, by one thread.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "proxy/redis/client.h"

namespace proxy {

// What is wrong with the files of store.redis; `key` is the key's path.
struct StoreProblem {
  std::string key;
  std::string message;
};
[[nodiscard]] redis::ClientOptions redis_options(const config::Redis& redis,
                                                 std::vector<StoreProblem>& problems);

}  // namespace proxy
