// The coroutine type of the data plane: bound to the concrete executor of one worker's event loop,
// which spares a type-erased call for each operation.
// Rules for everything that returns a Task stand in docs/coroutines.md; the most important: GCC 12
// destroys some temporaries inside a co_await expression twice, so such an expression holds only
// names, literals and calls.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

namespace proxy::net {

using Executor = boost::asio::io_context::executor_type;

template <class T>
using Task = boost::asio::awaitable<T, Executor>;

}  // namespace proxy::net
