// See node.h.
#include "proxy/redis/node.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <utility>

#include "proxy/metrics.h"

namespace proxy::redis {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds first_pause{20};
constexpr milliseconds longest_pause{900};  // and one tick of the wheel
// A connection that lived this long was good; one that ends sooner is no reason to hurry.
constexpr milliseconds good_life{1'000};

}  // namespace

Node::Node(const net::Executor& executor, const LinkOptions& options,
           std::unique_ptr<Locator> locator)
    : executor_(executor), options_(options), locator_(std::move(locator)) {}

// The breaker is a number of the thread that it belongs to.
void Node::set_failures(std::size_t count) {
  const bool was_open = is_breaker_open();
  failures_ = count;
  if (is_breaker_open() != was_open) move(Metric::store_breaker_open, was_open ? -1 : 1);
}

void Node::start() {
  is_wanted_ = true;
  if (is_running_ || is_stopped_) return;
  is_running_ = true;
  set_failures(0);
  boost::asio::co_spawn(executor_, keep_connected(), [](std::exception_ptr) {});
}

void Node::send(std::string_view commands, std::size_t count, Call* call) {
  if (is_up()) return link_->send(commands, count, call);
  if (is_stopped_ || is_breaker_open() || queue_.size() >= queue_max) {
    if (call != nullptr) call->finish({Failure::refused, {}});
    return;
  }
  queue_.push_back({std::string(commands), count, call});
  start();
  if (resting_ != nullptr) resting_->cancel();
}

void Node::reconnect() {
  if (is_up()) link_->close(Failure::lost);
}

void Node::renew(const LinkOptions& options, std::unique_ptr<Locator> locator, bool moves) {
  options_ = options;
  locator_ = std::move(locator);
  if (!moves) return;
  if (link_) link_->retire();
  link_.reset();
  if (resting_ != nullptr) resting_->cancel();
}

void Node::stop() {
  is_stopped_ = true;
  if (link_) link_->close(Failure::lost);
  link_.reset();
  fail_queue(Failure::refused);
  if (resting_ != nullptr) resting_->cancel();
}

void Node::fail_queue(Failure failure) {
  std::deque<Queued> queue;
  queue.swap(queue_);
  for (const Queued& one : queue) {
    if (one.call != nullptr) one.call->finish({failure, {}});
  }
}

// Jitter from the clock's lowest digits: many workers and replicas must not knock all at once.
milliseconds Node::pause() const {
  const auto shift = std::min<std::size_t>(failures_, 6);
  const milliseconds base = std::min(first_pause * (1 << shift), longest_pause);
  const auto digits = Clock::now().time_since_epoch().count() / 1'000;
  return base - base * (digits % 16) / 64;
}

net::Task<Link::Opened> Node::connect() {
  const std::shared_ptr<Locator> locator = locator_;
  const LinkOptions options = options_;
  const auto where = co_await locator->locate(executor_);
  if (!where) {
    Link::Opened opened;
    opened.failure = Failure::refused;
    opened.message = "nobody knows where it is";
    co_return opened;
  }
  co_return co_await Link::open(executor_, *where, options, locator->must_be_master());
}

net::Task<void> Node::keep_connected() {
  net::Timer rest(executor_);
  while (!is_stopped_ && is_wanted_) {
    Link::Opened opened = co_await connect();
    bool hurries = false;
    if (opened.link && !is_stopped_) {
      const auto since = Clock::now();
      const std::shared_ptr<Link> link = std::move(opened.link);
      link_ = link;
      ++connections_;
      set_failures(0);
      trouble_.clear();
      std::deque<Queued> queue;
      queue.swap(queue_);
      for (const Queued& one : queue) link->send(one.commands, one.count, one.call);
      co_await link->closed();
      link_.reset();
      if (link->is_retired() && link->failed_calls() == 0) continue;
      set_failures(failures_ + std::max<std::size_t>(link->failed_calls(), 1));
      trouble_ = name(link->failure());
      hurries = Clock::now() - since > good_life;
    } else {
      set_failures(failures_ + 1);
      trouble_ = std::string(name(opened.failure)) + ": " + opened.message;
      fail_queue(opened.failure);
    }
    if (is_stopped_) break;
    if (hurries) continue;
    rest.expires_after(pause());
    resting_ = &rest;
    co_await rest.async_wait(net::as_result);
    resting_ = nullptr;
  }
  is_running_ = false;
  set_failures(0);
  fail_queue(Failure::refused);
}

}  // namespace proxy::redis
