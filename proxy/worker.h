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

  // Takes the descriptor. `running`: from any thread, while the loop runs; else before run().
  void listen(ListenerId id, int descriptor, ListenerSetupPtr setup, bool running);
  // Runs the loop until stop().
  void run();

  // From any thread:
  void install(std::shared_ptr<const Runtime> runtime);
  void publish(const store::Revocation& revocation);
  void change_listener(ListenerId id, ListenerSetupPtr setup);  // for connections that come now
  // Takes what is queued, accepts nothing more; its connections end with their next answer.
  void close_listener(ListenerId id);
  void drain();      // take what is queued, accept nothing more, close idle connections
  void end_streams();  // what is open for as long as the client likes
  void close_all();  // cut what is left
  void stop();
  void post(std::function<void()> task);

  [[nodiscard]] boost::asio::io_context& loop() { return *loop_; }
  [[nodiscard]] WorkerState& state() { return state_; }

 private:
  struct Listener {
    Listener(net::Poller& poller, ListenerId name, int fd, ListenerSetupPtr given)
        : id(name), descriptor(fd), setup(std::move(given)), watched(poller) {}
    ~Listener() { close(); }
    void close();
    ListenerId id;
    int descriptor;  // -1 when closed
    ListenerSetupPtr setup;
    net::Watched watched;
  };
  enum class Accepting : std::uint8_t { all_taken, more, no_room };
  enum class Room : std::uint8_t {
    enough,
    soon,  // somebody idle was asked to leave, or may be on another worker
    none,  // nobody can: who comes now is told to come back
  };
  void take_queue_and_close(Listener& listener);
  net::Task<void> begin_watching(Listener& listener);
  net::Task<void> accept_loop(Listener& listener);
  net::Task<void> tick_loop();
  void keep_accepting(Listener& listener);
  void keep_ticking();
  void hand_over_spans();
  Accepting accept_some(Listener& listener, bool last);
  void start_connection(Listener& listener, int descriptor, const net::Address& peer,
                        bool is_surplus);
  [[nodiscard]] Room look_for_room();
  template <class Waited, class End>
  bool end_longest(Waited waited, End end);
  bool end_longest_idle();
  bool end_longest_stalled();
  void make_room_if_asked();
  void close_what_is_idle();
  void close_what_is_retired();
  void say_descriptors_are_out();

  // Ended first, by the destructor's body: what is still suspended uses the members below.
  std::unique_ptr<boost::asio::io_context> loop_;
  net::Poller& poller_;
  Metrics& metrics_;
  Log log_;
  WorkerState state_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  Slab<Connection> slab_;
  ConnectionList connections_;
  bool draining_ = false;
  bool retiring_ = false;  // connections of a listener that is gone are left
  std::int64_t complained_ = INT64_MIN / 2;  // the wheel's tick
  std::int64_t trimmed_ = 0;                 // likewise
  std::int64_t full_since_ = -1;             // likewise; -1: there is room
  std::uint32_t room_seen_ = 0;              // of ProcessState::room_asked
};

}  // namespace proxy
