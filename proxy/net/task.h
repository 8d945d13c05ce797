// The coroutine type of the data plane: bound to the concrete executor of one worker's event loop,
// which spares a type-erased call for each operation.
// Rules for everything that returns a Task stand in docs/coroutines.md; the most important: GCC 12
// destroys some temporaries inside a co_await expression twice, so such an expression holds only
// names, literals and calls.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "proxy/net/frames.h"

namespace proxy::net {

using Executor = boost::asio::io_context::executor_type;

}  // namespace proxy::net

// Where the frames of our coroutines come from; seen by every file that has one, since all of them
// are Tasks.
namespace boost::asio::detail {
template <>
inline void* awaitable_frame_base<proxy::net::Executor>::operator new(std::size_t bytes) {
  return proxy::net::take_frame(bytes);
}
template <>
inline void awaitable_frame_base<proxy::net::Executor>::operator delete(void* frame,
                                                                       std::size_t bytes) {
  proxy::net::give_back_frame(frame, bytes);
}
}  // namespace boost::asio::detail

namespace proxy::net {

template <class T>
using Task = boost::asio::awaitable<T, Executor>;

}  // namespace proxy::net
