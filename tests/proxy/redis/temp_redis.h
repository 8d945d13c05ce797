// Real Redis servers for tests: processes on free loopback ports, with their files in a directory
// of their own, ended with the object.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "proxy/redis/client.h"

namespace proxy::redis {

[[nodiscard]] std::uint16_t free_port();

class TempRedis {
 public:
  // Returns when it answers. Options as on the command line: {"--maxmemory", "2mb"}.
  explicit TempRedis(std::vector<std::string> options = {}, std::string program = "redis-server");
  ~TempRedis();
  TempRedis(const TempRedis&) = delete;
  TempRedis& operator=(const TempRedis&) = delete;

  void kill();   // -9
  void start();  // again, on the same port with the same files
  // One command by a connection of its own; the reply as redis-cli would print it raw.
  std::string run(const std::vector<std::string>& arguments) const;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] net::Endpoint endpoint() const { return {"127.0.0.1", port_, ""}; }
  [[nodiscard]] const std::string& directory() const { return directory_; }

 private:
  std::string program_;
  std::vector<std::string> options_;
  std::string directory_;
  std::uint16_t port_;
  pid_t pid_ = -1;
};

// Three masters that share the slots.
class TempCluster {
 public:
  TempCluster();
  [[nodiscard]] std::vector<net::Endpoint> endpoints() const;
  [[nodiscard]] TempRedis& node(std::size_t index) { return *nodes_[index]; }

 private:
  std::vector<std::unique_ptr<TempRedis>> nodes_;
};

}  // namespace proxy::redis
