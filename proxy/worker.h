// One event loop on one thread: accepts from its own listening descriptors and runs exchanges. The
// control thread has a worker, too, for the health and admin listeners.
// Other threads talk to it only through the functions marked so, which post values to its loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/intrusive/list.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/connection.h"
#include "proxy/net/poller.h"
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

  [[nodiscard]] boost::asio::io_context& loop() { return *loop_; }
  [[nodiscard]] WorkerState& state() { return state_; }

 private:
  struct Listener {
    Listener(net::Poller& poller, int fd, int family_, Role role_, std::string port_)
        : descriptor(fd), family(family_), role(role_), port(std::move(port_)), watched(poller) {}
    ~Listener() { close(); }
    void close();
    int descriptor;  // -1 when closed
    int family;
    Role role;
    std::string port;
    net::Watched watched;
  };
  net::Task<void> accept_loop(Listener& listener);
  net::Task<void> tick_loop();
  void keep_accepting(Listener& listener);
  void keep_ticking();
  void report(const char* what) noexcept;
  void hand_over_spans();
  bool accept_some(Listener& listener);
  void start_connection(Listener& listener, int descriptor, const net::Address& peer);
  [[nodiscard]] bool has_room();

  // Ended first, by the destructor's body: what is still suspended uses the members below.
  std::unique_ptr<boost::asio::io_context> loop_;
  net::Poller& poller_;
  Metrics& metrics_;
  Log log_;
  WorkerState state_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  ConnectionList connections_;
};

}  // namespace proxy
