// The event loop of one worker, below its coroutines: one edge-triggered epoll for all its
// descriptors (epoll(7)), each registered once for both directions. Readiness is remembered, so
// that nobody asks the kernel for what it has said already: no receive that finds nothing, no look
// at an idle connection. Asio runs the coroutines; its own reactor is not used.
// A service of the worker's io_context, found by Poller::of(executor). The context is made without
// a concurrency hint: one that promises a single thread miscounts its work when it is polled from
// one of its handlers. One thread, but for post() and stop().
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/intrusive/list.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <type_traits>
#include <utility>

#include "proxy/net/deadline.h"
#include "proxy/net/task.h"

namespace proxy::net {

class Poller;

// Where one coroutine waits for one thing at a time. Whoever completes it never resumes it at
// once: it goes on when the loop comes round, so complete() may be called from anywhere.
class Waiter : public boost::intrusive::list_base_hook<
                   boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  explicit Waiter(Poller& poller) : poller_(poller) {}
  ~Waiter();
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // co_await waiter.async_wait(as_result) gives what complete() was called with.
  template <class Token>
  auto async_wait(Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code)>(
        [this](auto handler) { this->hold(std::move(handler)); }, token);
  }
  // The first one counts; nothing happens when nobody waits.
  void complete(boost::system::error_code error);
  // Whoever waits gets operation_aborted, even where it was just about to hear something else:
  // what it waited for is still there, and after a cancel nobody may go and take it.
  void cancel();

  // What async_wait() does with its handler; for operations that are made of a wait.
  template <class Handler>
  void hold(Handler handler) {
    static_assert(sizeof(Handler) <= sizeof storage_ && alignof(Handler) <= alignof(void*));
    if (state_ != State::idle) [[unlikely]] end_process();
    ::new (static_cast<void*>(storage_.data())) Handler(std::move(handler));
    // Moved out first: the coroutine may destroy this object, or wait on it again.
    release_ = [](Waiter& self, bool resumes) {
      auto* const held = std::launder(reinterpret_cast<Handler*>(self.storage_.data()));
      Handler moved(std::move(*held));
      held->~Handler();
      if (resumes) moved(self.error_);
    };
    begin();
  }

 private:
  friend class Poller;
  enum class State : std::uint8_t { idle, waiting, due };
  void begin();
  // Two coroutines on one waiter: the first would be lost, and the list with it.
  [[noreturn]] static void end_process();

  Poller& poller_;
  alignas(void*) std::array<std::byte, 4 * sizeof(void*)> storage_;
  void (*release_)(Waiter&, bool resumes) = nullptr;
  boost::system::error_code error_;
  State state_ = State::idle;
};

// A descriptor's readiness as epoll told it, and one waiter for each direction. Does not own the
// descriptor, which is closed only after unwatch() or with this object. Whoever reads or writes
// until the kernel has nothing more to give or take says so by clearing the flag.
class Watched {
 public:
  explicit Watched(Poller& poller) : reader(poller), writer(poller), poller_(poller) {}
  ~Watched() { unwatch(); }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

  // Throws std::system_error where the kernel has no room for one more.
  void watch(int descriptor);
  [[nodiscard]] bool is_watched() const { return descriptor_ >= 0; }
  // Whoever waits gets operation_aborted.
  void unwatch();

  bool readable = false;
  bool writable = false;
  bool ended = false;  // the peer has closed its side, or the connection is broken
  Waiter reader;
  Waiter writer;

 private:
  friend class Poller;
  void update(std::uint32_t events);
  Poller& poller_;
  int descriptor_ = -1;
};

class Poller : public boost::asio::io_context::service {
 public:
  using key_type = Poller;
  static boost::asio::io_context::id id;

  explicit Poller(boost::asio::io_context& context);
  ~Poller() override;
  [[nodiscard]] static Poller& of(const Executor& executor);

  // Instead of the context's own run(): until stop().
  void run();
  // For loops that are driven by hand: everything that can be done now, without waiting; or one
  // round that waits for up to a tick.
  void poll();
  void poll_once();
  // On the loop's own thread: what can wait until everything that is due has been resumed.
  void defer(std::function<void()> task);
  // Something was posted to the context past this class; otherwise it is seen at the next tick.
  void look_at_context() { posted_.store(true); }
  // From any thread:
  void stop();
  void post(std::function<void()> task);

  // Deadlines of everything on this loop.
  [[nodiscard]] Wheel& wheel() { return wheel_; }

 private:
  friend class Waiter;
  friend class Watched;
  using Waiters = boost::intrusive::list<Waiter, boost::intrusive::constant_time_size<false>>;

  void shutdown() override;
  bool turn(bool may_wait);
  bool resume_due();
  [[nodiscard]] int wait_time() const;
  void advance_wheel();
  void wake();

  boost::asio::io_context& context_;
  Wheel wheel_;
  int epoll_ = -1;
  int wake_ = -1;  // an eventfd
  std::chrono::steady_clock::time_point last_turn_;
  std::chrono::steady_clock::duration stalled_{0};  // time in which the process did not run
  std::atomic<bool> stopped_{false};
  std::atomic<bool> posted_{false};  // polling the context costs as much as an event
  std::array<epoll_event, 256> events_;
  Waiters waiting_;
  Waiters due_;
};

}  // namespace proxy::net
