// A worker's loop; see worker.h.
#include "proxy/worker.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <system_error>

#include "proxy/exchange.h"
#include "proxy/net/listen.h"
#include "proxy/net/timer.h"
#include "proxy/session_watch.h"
#include "proxy/net/keep_running.h"
#include "proxy/net/until_memory.h"

namespace proxy {
namespace {

constexpr std::chrono::milliseconds next_tick{0};
// Connections taken in one go, so that a flood of them does not starve those that are served.
constexpr int accept_batch = 64;
// Connections to the health and admin listeners; further ones wait in the kernel's queue.
constexpr int others_max = 256;
// How long accepting rests when there is no room or no descriptor left (SECURITY X-15).
constexpr std::chrono::milliseconds accept_pause{100};
// How long what a burst of requests needed is kept for the next one.
constexpr std::int64_t trim_interval = std::chrono::seconds{2} / net::Wheel::tick_length;

}  // namespace

Worker::Worker(store::SessionStore& store, HashPool& hashing, LogWriter& writer,
               std::shared_ptr<const Runtime> runtime, ProcessState& process)
    : loop_(std::make_unique<boost::asio::io_context>()),
      poller_(net::Poller::of(loop_->get_executor())),
      metrics_(process.metrics.add_thread()),
      log_(writer, runtime->log),
      state_(loop_->get_executor(), poller_.wheel(), store, hashing, log_, process) {
  state_.install(LocalRuntimeRef(
      new LocalRuntime(std::move(runtime), state_.executor, state_.wheel, process.workers)));
}

Worker::~Worker() {
  listeners_.clear();
  state_.local.reset();
  loop_.reset();
}

void Worker::listen(ListenerId id, int descriptor, ListenerSetupPtr setup, bool running) {
  const auto add = [this, id, descriptor, setup = std::move(setup)]() -> Listener& {
    listeners_.reserve(listeners_.size() + 1);  // what throws comes before what owns
    return *listeners_.emplace_back(
        std::make_unique<Listener>(poller_, id, descriptor, setup));
  };
  if (!running) {
    add().watched.watch(descriptor);
    return;
  }
  post([this, add] {
    Listener* added = nullptr;
    net::until_memory([&] { added = &add(); });
    net::until_memory([&] { keep_accepting(*added); });
  });
}

void Worker::Listener::close() {
  if (descriptor < 0) return;
  watched.unwatch();
  ::close(descriptor);
  descriptor = -1;
}

void Worker::run() {
  metrics_.attach();
  keep_ticking();
  for (const auto& listener : listeners_) keep_accepting(*listener);
  poller_.run();
  log_.flush();
  Metrics::detach();
}

// Without these two the worker would look alive and serve nobody.
void Worker::keep_ticking() {
  const auto tell = [this](std::exception_ptr) {
    state_.report("the housekeeping of a worker was interrupted for lack of memory");
  };
  net::keep_running(state_.executor, [this] { return tick_loop(); }, tell);
  net::keep_running(state_.executor, [this] { return watch_session_streams(state_); }, tell);
}

void Worker::keep_accepting(Listener& listener) {
  const auto go_on = [this, &listener](std::exception_ptr failure) {
    if (!failure) {
      // It was closed; nothing refers to it any more.
      std::erase_if(listeners_, [&](const auto& one) { return one.get() == &listener; });
      return;
    }
    keep_accepting(listener);
    state_.report("accepting was interrupted for lack of memory");
  };
  boost::asio::co_spawn(*loop_, accept_loop(listener), go_on);
}

net::Task<void> Worker::tick_loop() {
  net::Timer tick(state_.executor);
  for (;;) {
    // At once as well: the first time allocates its series.
    state_.local->show_upstreams(true);
    tick.expires_after(next_tick);
    co_await tick.async_wait(net::as_result);
    for (const auto& upstream : state_.local->upstreams) upstream->close_idle();
    const auth::Time wall = wall_clock();
    state_.flush_proofs(wall);
    if (draining_) close_what_is_idle();
    make_room_if_asked();
    if (retiring_) close_what_is_retired();
    state_.revocations.sweep(wall);
    if (state_.wheel.now_tick() - trimmed_ >= trim_interval) {
      trimmed_ = state_.wheel.now_tick();
      state_.trim();
    }
    hand_over_spans();
    metrics_.plain(Metric::token_cache_entries)
        .set(static_cast<std::int64_t>(state_.local->tokens.size()));
    log_.flush();
  }
}

void Worker::hand_over_spans() {
  if (state_.spans.empty()) return;
  const std::int64_t lost = state_.process.spans.push(state_.spans);
  if (lost > 0) count(Metric::spans, "dropped", {}, lost);
}

// Once a minute: a flood must not fill the log as well.
void Worker::say_descriptors_are_out() {
  constexpr std::int64_t interval = std::chrono::seconds{60} / net::Wheel::tick_length;
  if (state_.wheel.now_tick() - complained_ < interval) return;
  complained_ = state_.wheel.now_tick();
  log_.write(Level::error, "out of file descriptors; raise the limit (ulimit -n)");
}

void Worker::start_connection(Listener& listener, int descriptor, const net::Address& peer,
                              bool is_surplus) {
  Connection::Pointer connection;
  try {
    connection = slab_.make(state_, descriptor, listener.id, listener.setup, peer, is_surplus);
  } catch (...) {
    ::close(descriptor);
    throw;
  }
  connections_.push_back(*connection);
  if (is_surplus) {
    count(Metric::connections_refused, "full");
  } else if (connection->role() == Role::main) {
    count(Metric::connections_accepted);
  }
  start_serving(state_, std::move(connection));
}

// `last`: what is refused now would be reset by the close that follows.
Worker::Accepting Worker::accept_some(Listener& listener, bool last) {
  for (int i = 0; i < accept_batch; ++i) {
    Room room = Room::enough;
    if (!last && listener.setup->role == Role::main) room = look_for_room();
    const bool is_other = listener.setup->role != Role::main;
    if (is_other && state_.others >= others_max) room = Room::soon;
    if (room == Room::soon) return Accepting::no_room;
    const net::Accepted accepted = net::accept_from(listener.descriptor);
    switch (accepted.outcome) {
      case net::Accepted::Outcome::connection:
        try {
          start_connection(listener, accepted.descriptor, accepted.peer, room == Room::none);
        } catch (const std::exception&) {
          // No memory, or no room in epoll: this client is lost, the listener must not be.
          state_.report("a connection could not be set up");
          return Accepting::no_room;
        }
        break;
      case net::Accepted::Outcome::failed:
        break;
      case net::Accepted::Outcome::none:
        listener.watched.readable = false;
        return Accepting::all_taken;
      case net::Accepted::Outcome::out_of_descriptors:
        say_descriptors_are_out();
        return Accepting::no_room;
    }
  }
  return Accepting::more;
}

// Closing a listening socket resets what waits in its queue, so that is taken first.
void Worker::take_queue_and_close(Listener& listener) {
  if (listener.descriptor < 0) return;
  while (accept_some(listener, true) == Accepting::more) {
  }
  listener.close();
}

// Opened by a reload, which is over and was a success: where the kernel has no room, we try again.
net::Task<void> Worker::begin_watching(Listener& listener) {
  net::Timer pause(state_.executor);
  for (bool told = false; listener.descriptor >= 0; told = true) {
    try {
      listener.watched.watch(listener.descriptor);
      co_return;
    } catch (const std::system_error&) {
      if (!told) state_.report("a new listener waits: the kernel has no room for it in epoll");
    }
    pause.expires_after(accept_pause);
    co_await pause.async_wait(net::as_result);
  }
}

net::Task<void> Worker::accept_loop(Listener& listener) {
  net::Timer pause(state_.executor);
  if (!listener.watched.is_watched()) co_await begin_watching(listener);
  while (listener.descriptor >= 0) {
    if (!listener.watched.readable) {
      const auto [error] = co_await listener.watched.reader.async_wait(net::as_result);
      if (error) break;
    }
    // Where there are more to accept, those that are served have their turn first.
    const Accepting outcome = accept_some(listener, false);
    if (outcome == Accepting::no_room) pause.expires_after(accept_pause);
    co_await pause.async_wait(net::as_result);
  }
}

void Worker::post(std::function<void()> task) { poller_.post(std::move(task)); }

void Worker::install(std::shared_ptr<const Runtime> runtime) {
  post([this, runtime = std::move(runtime)] {
    LocalRuntimeRef next;
    net::until_memory([&] {
      next.reset(new LocalRuntime(runtime, state_.executor, state_.wheel, state_.process.workers));
      next->learn_from(*state_.local);
    });
    log_.set_options(runtime->log);
    state_.local->show_upstreams(false);
    state_.install(std::move(next));
  });
}

void Worker::publish(const store::Revocation& revocation) {
  net::until_memory([&] { state_.tell(revocation); });
  net::until_memory([&] { post([this] { state_.catch_up(); }); });  // its streams end soon as well
}

void Worker::change_listener(ListenerId id, ListenerSetupPtr setup) {
  post([this, id, setup = std::move(setup)] {
    for (const auto& listener : listeners_) {
      if (listener->id == id) listener->setup = setup;
    }
  });
}

void Worker::close_listener(ListenerId id) {
  post([this, id] {
    for (const auto& listener : listeners_) {
      if (listener->id == id) take_queue_and_close(*listener);
    }
    for (Connection& connection : connections_) {
      if (connection.listener_id() == id) connection.retire();
    }
    close_what_is_retired();
  });
}

void Worker::drain() {
  state_.process.drains.fetch_add(1);
  post([this] {
    for (const auto& listener : listeners_) {
      if (listener->setup->role == Role::main) take_queue_and_close(*listener);
    }
    draining_ = true;
    close_what_is_idle();
    state_.process.drains.fetch_sub(1);
  });
}

void Worker::end_streams() {
  post([this] { state_.end_streams(); });
}

void Worker::close_all() {
  post([this] {
    for (Connection& connection : connections_) connection.cut();
  });
}

void Worker::stop() { poller_.stop(); }

}  // namespace proxy
