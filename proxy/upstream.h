// One application behind us, as one worker knows it: its address and the connections to it that
// wait for the next request. A connection comes back only when the exchange on it was provably
// complete (SECURITY P13); it is kept for idle_connection_timeout, which stays below the
// application's own so that we, not it, close first.
// One thread.
#pragma once

#include <boost/system/error_code.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "proxy/net/stream.h"

namespace proxy {

class Upstream {
 public:
  Upstream(const config::Upstream& config, const net::Executor& executor, net::Wheel& wheel);

  // The most recently used idle connection, or null.
  [[nodiscard]] std::unique_ptr<net::Stream> take_idle();
  // A new connection. timed_out after connect_timeout.
  [[nodiscard]] net::Task<net::ConnectResult> connect();
  void give_back(std::unique_ptr<net::Stream> stream);
  // Closes what has been idle for too long; called at each tick.
  void close_idle();

  [[nodiscard]] const config::Upstream& config() const { return config_; }
  // host:port for the Host field where the client's is not passed on.
  [[nodiscard]] const std::string& authority() const { return authority_; }
  [[nodiscard]] std::size_t idle_count() const { return idle_.size(); }

 private:
  struct Idle {
    std::unique_ptr<net::Stream> stream;
    std::int64_t since;  // the wheel's tick
  };
  [[nodiscard]] net::Task<boost::system::error_code> look_up();

  config::Upstream config_;
  net::Executor executor_;
  net::Wheel& wheel_;
  net::Endpoint endpoint_;
  std::string authority_;
  [[nodiscard]] bool is_too_old(const Idle& idle) const;

  std::vector<Idle> idle_;  // oldest first
  std::vector<std::string> addresses_;
  std::chrono::steady_clock::time_point looked_up_{};
};

// "http://127.0.0.1:3000" or "unix:/run/app.sock" as an address; nullopt for anything else.
[[nodiscard]] std::optional<net::Endpoint> upstream_endpoint(std::string_view url);

}  // namespace proxy
