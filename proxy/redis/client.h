// A worker's way to Redis, whatever stands there: one server, a master that sentinels know, or a
// cluster. Sends commands to where their key lives, follows redirections, runs scripts by their
// hash and repeats once what may be repeated. One thread; made anywhere, attached to a loop
// before it runs, detached when it has ended, and outlives the loop's coroutines.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/redis/node.h"

namespace proxy::redis {

enum class Mode : std::uint8_t { standalone, sentinel, cluster };

struct ClientOptions {
  Mode mode = Mode::standalone;
  std::vector<net::Endpoint> endpoints;  // servers, sentinels, or some of the cluster
  std::string master;                    // sentinel: its name
  LinkOptions link;
  LinkOptions sentinel;
};

// Constant text; `sha` is what Redis knows it by.
struct Script {
  std::string text;
  std::string sha;
};

// What may be asked a second time without doing harm when the first answer was lost.
enum class Repeat : std::uint8_t { never, once };

class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void attach(const net::Executor& executor);
  void detach();
  [[nodiscard]] bool is_attached() const { return executor_.has_value(); }
  // Other passwords, addresses, certificates, times: for the next connections, which are made at
  // once where the old ones lead to another place. On the loop's thread; the mode stays.
  void install(ClientOptions options);

  using Arguments = std::vector<std::string_view>;
  // `key` says where; empty: anywhere. The answer is a reply that is no infrastructure's error (its
  // own errors, such as WRONGTYPE, are), or a failure.
  [[nodiscard]] net::Task<Answer> command(Arguments arguments, std::string_view key,
                                          Repeat repeat);
  // EVALSHA, and EVAL once where the server does not know the script.
  [[nodiscard]] net::Task<Answer> script(const Script& script, Arguments keys, Arguments arguments,
                                         Repeat repeat);

  [[nodiscard]] Mode mode() const { return options_.mode; }
  [[nodiscard]] bool is_up() const;
  [[nodiscard]] bool is_breaker_open() const;
  // The connection that commands for that key take now. What it wrote is known to be on its server.
  struct Route {
    const Node* node = nullptr;
    std::uint64_t connection = 0;
    bool operator==(const Route&) const = default;
  };
  [[nodiscard]] Route route_of(std::string_view key);
  // Why it is not up; empty when nothing is known.
  [[nodiscard]] std::string trouble() const;
  [[nodiscard]] const net::Executor& executor() const { return *executor_; }

 private:
  struct Target {
    std::shared_ptr<Node> node;  // somebody may wait there when the cluster no longer has it
    bool asking = false;  // ASK: this once only
  };
  [[nodiscard]] net::Task<Answer> send(std::string commands, std::string_view key, Repeat repeat);
  [[nodiscard]] net::Task<Answer> send_once(const std::string& commands, Target target);
  [[nodiscard]] Target target_of(std::string_view key);
  // Where to go next after that error; nothing: it is the caller's.
  [[nodiscard]] std::optional<Target> redirect(const Reply& error, Target from);
  [[nodiscard]] net::Task<void> wait_a_moment();
  [[nodiscard]] std::unique_ptr<Locator> make_locator() const;
  // Cluster.
  const std::shared_ptr<Node>& node_at(const net::Endpoint& address);
  net::Task<void> keep_topology();
  [[nodiscard]] net::Task<bool> read_topology();
  void take_topology(const Reply& slots, const net::Endpoint& asked);
  void refresh_topology();

  ClientOptions options_;
  std::optional<net::Executor> executor_;
  std::map<std::string, std::shared_ptr<Node>> nodes_;  // by address; "": the only one
  std::vector<std::shared_ptr<Node>> slots_;            // cluster: 16,384, or none yet
  std::string topology_trouble_;
  bool is_topology_due_ = true;
  net::Timer* topology_rest_ = nullptr;
  bool is_detached_ = false;
};

// The slot of a key by its hash tag (what stands between the first braces, where there is any).
[[nodiscard]] std::uint16_t slot_of(std::string_view key);
// "host:port" or "[v6]:port"; the port of MOVED and ASK.
[[nodiscard]] std::string to_text(const net::Endpoint& address);

}  // namespace proxy::redis
