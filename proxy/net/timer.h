// A timer of a worker's loop, as coarse as the wheel's ticks, and the token with which asynchronous
// operations are awaited here: errors come back as values, nothing throws and nothing is allocated.
// One thread; must outlive its wait.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <chrono>

#include "proxy/net/deadline.h"
#include "proxy/net/poller.h"
#include "proxy/net/task.h"

namespace proxy::net {

inline constexpr auto as_result = boost::asio::as_tuple(boost::asio::deferred);

class Timer final : private Deadline {
 public:
  explicit Timer(const Executor& executor)
      : Deadline(Poller::of(executor).wheel()), waiter_(Poller::of(executor)) {}
  Timer(const Executor& executor, std::chrono::milliseconds time) : Timer(executor) {
    expires_after(time);
  }

  // Within one tick behind that time.
  using Deadline::expires_after;
  // Whoever waits gets operation_aborted.
  void cancel() {
    Deadline::cancel();
    waiter_.cancel();
  }
  // Completes at once when the time has passed, or was never set.
  template <class Token>
  auto async_wait(Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code)>(
        [this](auto handler) {
          waiter_.hold(std::move(handler));
          if (!armed()) waiter_.complete({});
        },
        token);
  }

 private:
  void on_expired() override { waiter_.complete({}); }
  Waiter waiter_;
};

// Waits for that long.
[[nodiscard]] Task<void> pass_time(const Executor& executor, std::chrono::milliseconds time);

}  // namespace proxy::net
