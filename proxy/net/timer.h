// A steady timer on a worker's loop, and the token with which asynchronous operations are awaited
// here: errors come back as values, nothing throws and nothing is allocated.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/wait_traits.hpp>
#include <chrono>

#include "proxy/net/task.h"

namespace proxy::net {

using Timer = boost::asio::basic_waitable_timer<
    std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

inline constexpr auto as_result = boost::asio::as_tuple(boost::asio::deferred);

}  // namespace proxy::net
