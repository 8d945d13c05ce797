// One event loop on one thread: accepts from its own listening descriptors and runs exchanges. The
// control thread has a worker, too, for the health and admin listeners.
// Other threads talk to it only through the functions marked so, which post values to its loop.
#pragma once

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_descriptor.hpp>
#include <boost/asio/wait_traits.hpp>
#include <boost/intrusive/list.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/connection.h"
#include "proxy/net/deadline.h"
#include "proxy/worker_state.h"

namespace proxy {

class Worker {
 public:
  Worker(store::SessionStore& store, HashPool& hashing, LogWriter& writer,
         std::shared_ptr<const Runtime> runtime, ProcessState& process);
  ~Worker();

  // Before run(): takes the descriptor.
  void listen(int descriptor, int family, Role role, std::string port);
  // Runs the loop until stop().
  void run();

  // From any thread:
  void install(std::shared_ptr<const Runtime> runtime);
  void publish(const store::Revocation& revocation);
  void drain();      // take what is queued, accept nothing more, close idle connections
  void close_all();  // cut what is left
  void stop();
  void post(std::function<void()> task);

  [[nodiscard]] boost::asio::io_context& loop() { return loop_; }
  [[nodiscard]] WorkerState& state() { return state_; }

 private:
  using Clock = std::chrono::steady_clock;
  using Timer =
      boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>, net::Executor>;
  struct Listener {
    boost::asio::posix::basic_descriptor<net::Executor> descriptor;
    int family;
    Role role;
    std::string port;
  };
  net::Task<void> accept_loop(Listener& listener);
  net::Task<void> tick_loop();
  bool accept_some(Listener& listener);
  void start_connection(Listener& listener, int descriptor, const net::Address& peer);
  [[nodiscard]] bool has_room();

  boost::asio::io_context loop_;
  net::Wheel wheel_;
  Log log_;
  WorkerState state_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  boost::intrusive::list<Connection> connections_;
  Timer tick_;
  bool draining_ = false;
  bool stopped_ = false;
};

}  // namespace proxy
