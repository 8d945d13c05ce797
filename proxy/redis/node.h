// One place in Redis' topology that is kept connected: connects when first asked, again after every
// loss, with growing pauses, and stops asking callers to wait once it has failed five times in a
// row: then they fail at once, and one try a second finds out when it is over (the breaker).
// One thread. Must outlive its loop's coroutines.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "proxy/net/task.h"
#include "proxy/net/timer.h"
#include "proxy/redis/link.h"

namespace proxy::redis {

// Where a node is to be found now.
class Locator {
 public:
  virtual ~Locator() = default;
  // Empty when nobody knows; asked again for each try.
  [[nodiscard]] virtual net::Task<std::optional<net::Endpoint>> locate(net::Executor executor) = 0;
  [[nodiscard]] virtual bool must_be_master() const = 0;
};

class Node {
 public:
  Node(const net::Executor& executor, const LinkOptions& options,
       std::unique_ptr<Locator> locator);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // `call` gets the answer of the last of `count` commands; while it is connecting they wait.
  void send(std::string_view commands, std::size_t count, Call* call);
  // Connects now rather than at the first command.
  void start();
  // The connection leads to the wrong server: another one is made.
  void reconnect();
  // From the next connection on. With `moves` that is now; what was asked before is still answered
  // by the old one, and what is asked meanwhile waits.
  void renew(const LinkOptions& options, std::unique_ptr<Locator> locator, bool moves);
  // No more tries, and whoever waits is told.
  void stop();
  // Nothing is expected here any more: once it is down it stays so until somebody asks.
  void release() { is_wanted_ = false; }
  [[nodiscard]] bool is_running() const { return is_running_; }
  [[nodiscard]] bool is_up() const { return link_ && link_->is_open(); }
  [[nodiscard]] bool is_breaker_open() const { return failures_ >= failures_max; }
  // Which connection takes the next command, or will once it is made; a number of its own for each.
  [[nodiscard]] std::uint64_t connection() const { return connections_ + (is_up() ? 0 : 1); }
  // Why it is down, for logs and probes: "refused: Connection refused".
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  static constexpr std::size_t failures_max = 5;
  static constexpr std::size_t queue_max = 1'024;
  struct Queued {
    std::string commands;
    std::size_t count;
    Call* call;
  };
  net::Task<void> keep_connected();
  [[nodiscard]] net::Task<Link::Opened> connect();
  void fail_queue(Failure failure);
  void set_failures(std::size_t count);
  [[nodiscard]] std::chrono::milliseconds pause() const;

  net::Executor executor_;
  LinkOptions options_;
  std::shared_ptr<Locator> locator_;  // a try under way keeps the one it began with
  std::shared_ptr<Link> link_;
  std::deque<Queued> queue_;
  std::size_t failures_ = 0;
  std::uint64_t connections_ = 0;
  std::string trouble_;
  bool is_running_ = false;
  bool is_wanted_ = true;
  bool is_stopped_ = false;
  net::Timer* resting_ = nullptr;  // of the coroutine, while it pauses
};

}  // namespace proxy::redis
