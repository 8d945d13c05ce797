// The loop; see poller.h.
#include "proxy/net/poller.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace proxy::net {
namespace {

using boost::system::error_code;
using Clock = std::chrono::steady_clock;

// The loop never sleeps longer than a tick; whoever was away for this long did not run.
constexpr std::chrono::milliseconds stall_from{1'000};

[[noreturn]] void throw_last_error(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

error_code aborted() {
  return boost::asio::error::make_error_code(boost::asio::error::operation_aborted);
}

}  // namespace

boost::asio::io_context::id Poller::id;

Waiter::~Waiter() {
  if (state_ == State::idle) return;
  unlink();
  state_ = State::idle;
  release_(*this, false);
}

void Waiter::begin() {
  state_ = State::waiting;
  poller_.waiting_.push_back(*this);
}

void Waiter::complete(error_code error) {
  if (state_ != State::waiting) return;
  error_ = error;
  state_ = State::due;
  unlink();
  poller_.due_.push_back(*this);
}

void Waiter::cancel() {
  complete(aborted());
  if (state_ == State::due) error_ = aborted();
}

void Waiter::end_process() {
  std::fputs("gatehouse: two coroutines wait on one waiter\n", stderr);
  std::abort();
}

void Watched::watch(int descriptor) {
  unwatch();
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = this;
  if (::epoll_ctl(poller_.epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) {
    throw_last_error("epoll_ctl");
  }
  descriptor_ = descriptor;
}

void Watched::unwatch() {
  if (descriptor_ < 0) return;
  // A descriptor that was duplicated would go on reporting to an object that is gone.
  ::epoll_ctl(poller_.epoll_, EPOLL_CTL_DEL, descriptor_, nullptr);
  descriptor_ = -1;
  readable = writable = ended = false;
  reader.cancel();
  writer.cancel();
}

void Watched::update(std::uint32_t events) {
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) ended = true;
  if (ended || (events & EPOLLIN) != 0) readable = true;
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) writable = true;
  if (readable) reader.complete({});
  if (writable) writer.complete({});
}

Poller::Poller(boost::asio::io_context& context)
    : boost::asio::io_context::service(context), context_(context), last_turn_(Clock::now()) {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) throw_last_error("epoll_create1");
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  if (wake_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0) {
    throw_last_error("eventfd");
  }
}

Poller::~Poller() {
  ::close(wake_);
  ::close(epoll_);
}

Poller& Poller::of(const Executor& executor) {
  return boost::asio::use_service<Poller>(executor.context());
}

// Destroys the coroutines that still wait, and with them what they own.
void Poller::shutdown() {
  for (Waiters* waiters : {&waiting_, &due_}) {
    while (!waiters->empty()) {
      Waiter& waiter = waiters->front();
      waiters->pop_front();
      waiter.state_ = Waiter::State::idle;
      waiter.release_(waiter, false);
    }
  }
}

void Poller::wake() {
  // Edge-triggered: each write is an event, and the counter is never read down.
  const std::uint64_t one = 1;
  (void)!::write(wake_, &one, sizeof one);
}

void Poller::post(std::function<void()> task) {
  boost::asio::post(context_, std::move(task));
  look_at_context();
  wake();
}

void Poller::defer(std::function<void()> task) {
  boost::asio::post(context_, std::move(task));
  look_at_context();
}

void Poller::stop() {
  stopped_.store(true);
  wake();
}

bool Poller::resume_due() {
  if (due_.empty()) return false;
  // What becomes due meanwhile has to wait for its turn, so that sockets are looked at in between.
  Waiters now;
  now.swap(due_);
  while (!now.empty()) {
    Waiter& waiter = now.front();
    now.pop_front();
    waiter.state_ = Waiter::State::idle;
    waiter.release_(waiter, true);
  }
  return true;
}

int Poller::wait_time() const {
  const auto left = wheel_.next_tick_at() - (last_turn_ - stalled_);
  const auto rounded_up = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<std::int64_t>(rounded_up, 0, 1'000));
}

// A process that was stopped (SIGSTOP, a suspended machine, no CPU for a while) finds the bytes of
// its peers in the kernel. Nobody was late, so that time does not count for any deadline.
void Poller::advance_wheel() {
  const auto now = Clock::now();
  const auto gap = now - last_turn_;
  if (gap > stall_from) stalled_ += gap - Wheel::tick_length;
  last_turn_ = now;
  const std::int64_t tick = wheel_.now_tick();
  wheel_.advance(now - stalled_);
  if (wheel_.now_tick() != tick) look_at_context();
}

// True when there was something to do.
bool Poller::turn(bool may_wait) {
  bool busy = false;
  if (posted_.load()) {
    posted_.store(false);
    busy = context_.poll() > 0;
  }
  busy = resume_due() || busy;
  const bool waits = may_wait && !busy && due_.empty();
  const int count = ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()),
                                 waits ? wait_time() : 0);
  // All flags first: whoever is resumed then sees everything that was known when the batch began,
  // such as bytes on an idle upstream connection that came before the request it is wanted for.
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events_[static_cast<std::size_t>(i)];
    if (event.data.ptr != nullptr) static_cast<Watched*>(event.data.ptr)->update(event.events);
  }
  busy = resume_due() || busy;
  advance_wheel();
  return busy || count > 0;
}

void Poller::run() {
  // As one handler of the context: what is spawned meanwhile begins at once.
  boost::asio::post(context_, [this] {
    while (!stopped_.load(std::memory_order_relaxed)) turn(true);
    context_.stop();
  });
  context_.run();
}

void Poller::poll() {
  do {
    context_.restart();
    look_at_context();
  } while (turn(false));
}

void Poller::poll_once() {
  context_.restart();
  look_at_context();
  turn(true);
}

}  // namespace proxy::net
