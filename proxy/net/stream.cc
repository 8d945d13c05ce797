// Socket operations; see stream.h.
#include "proxy/net/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <cstring>
#include <vector>

#include "proxy/net/timer.h"

namespace proxy::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

error_code last_error() { return {errno, boost::system::system_category()}; }
error_code timed_out() { return asio::error::make_error_code(asio::error::timed_out); }

}  // namespace

void Pieces::add(std::string_view piece) {
  if (piece.empty() || count_ == pieces_.size()) return;
  pieces_[count_++] = {const_cast<char*>(piece.data()), piece.size()};
}

std::size_t Pieces::size() const {
  std::size_t total = 0;
  for (std::size_t i = 0; i < count_; ++i) total += pieces_[i].iov_len;
  return total;
}

void Pieces::consume(std::size_t bytes) {
  std::size_t first = 0;
  while (first < count_ && bytes >= pieces_[first].iov_len) bytes -= pieces_[first++].iov_len;
  for (std::size_t i = first; i < count_; ++i) pieces_[i - first] = pieces_[i];
  count_ -= first;
  if (count_ > 0 && bytes > 0) {
    pieces_[0].iov_base = static_cast<char*>(pieces_[0].iov_base) + bytes;
    pieces_[0].iov_len -= bytes;
  }
}

void Stream::Timeout::on_expired() {
  expired = true;
  // Ends the other direction's wait too, which starts again because neither of its flags is set.
  error_code ignored;
  stream.socket_.cancel(ignored);
}

Stream::Stream(const Executor& executor, Wheel& wheel, int family, int descriptor)
    : socket_(executor, asio::generic::stream_protocol(family, 0), descriptor),
      read_timeout_(wheel, *this),
      write_timeout_(wheel, *this) {
  error_code ignored;
  socket_.native_non_blocking(true, ignored);
  if (family != AF_UNIX) {
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
}

Stream::~Stream() { close(); }

Task<IoResult> Stream::read_some(std::span<char> into, std::chrono::milliseconds timeout) {
  read_timeout_.expired = false;
  read_cancelled_ = false;
  read_timeout_.expires_after(timeout);
  IoResult result;
  for (;;) {
    const auto buffer = asio::buffer(into.data(), into.size());
    const auto [error, bytes] = co_await socket_.async_read_some(buffer, as_result);
    result.bytes = bytes;
    result.error = error;
    if (error != asio::error::operation_aborted) break;
    if (read_timeout_.expired) result.error = timed_out();
    if (read_timeout_.expired || read_cancelled_ || !socket_.is_open()) break;
  }
  read_timeout_.cancel();
  co_return result;
}

Task<error_code> Stream::wait_readable(std::chrono::milliseconds timeout) {
  read_timeout_.expired = false;
  read_cancelled_ = false;
  read_timeout_.expires_after(timeout);
  error_code result;
  for (;;) {
    const auto [error] = co_await socket_.async_wait(Socket::wait_read, as_result);
    result = error;
    if (error != asio::error::operation_aborted) break;
    if (read_timeout_.expired) result = timed_out();
    if (read_timeout_.expired || read_cancelled_ || !socket_.is_open()) break;
  }
  read_timeout_.cancel();
  co_return result;
}

Task<error_code> Stream::wait_writable(std::chrono::milliseconds timeout) {
  write_timeout_.expired = false;
  write_cancelled_ = false;
  write_timeout_.expires_after(timeout);
  error_code result;
  for (;;) {
    const auto [error] = co_await socket_.async_wait(Socket::wait_write, as_result);
    result = error;
    if (error != asio::error::operation_aborted) break;
    if (write_timeout_.expired) result = timed_out();
    if (write_timeout_.expired || write_cancelled_ || !socket_.is_open()) break;
  }
  write_timeout_.cancel();
  co_return result;
}

IoResult Stream::write_now(Pieces& pieces) {
  IoResult result;
  msghdr message{};
  message.msg_iov = pieces.pieces_.data();
  message.msg_iovlen = pieces.count_;
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    result.error = last_error();
    return result;
  }
  result.bytes = static_cast<std::size_t>(sent);
  pieces.consume(result.bytes);
  return result;
}

bool Stream::try_write(Pieces& pieces) { return !write_now(pieces).error && pieces.empty(); }

IoResult Stream::read_now(std::span<char> into) {
  IoResult result;
  ssize_t got = 0;
  do {
    got = ::recv(socket_.native_handle(), into.data(), into.size(), MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    result.error = last_error();
  } else if (got == 0) {
    result.error = asio::error::make_error_code(asio::error::misc_errors::eof);
  } else {
    result.bytes = static_cast<std::size_t>(got);
  }
  return result;
}

Task<error_code> Stream::write_all(Pieces pieces, std::chrono::milliseconds timeout) {
  while (!pieces.empty()) {
    const IoResult written = write_now(pieces);
    if (!written.error) continue;
    if (written.error != asio::error::would_block && written.error != asio::error::try_again) {
      co_return written.error;
    }
    const error_code waited = co_await wait_writable(timeout);
    if (waited) co_return waited;
  }
  co_return error_code{};
}

Task<error_code> Stream::wait_connected(std::chrono::milliseconds timeout) {
  const error_code waited = co_await wait_writable(timeout);
  if (waited) co_return waited;
  int cause = 0;
  socklen_t size = sizeof cause;
  ::getsockopt(socket_.native_handle(), SOL_SOCKET, SO_ERROR, &cause, &size);
  co_return error_code{cause, boost::system::system_category()};
}

void Stream::cancel_read() {
  read_cancelled_ = true;
  error_code ignored;
  socket_.cancel(ignored);
}

void Stream::cancel() {
  write_cancelled_ = true;
  cancel_read();
}

bool Stream::peer_closed() {
  char byte = 0;
  const ssize_t got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

bool Stream::has_input() {
  char byte = 0;
  const ssize_t got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void Stream::shutdown_send() {
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

void Stream::close() {
  read_timeout_.cancel();
  write_timeout_.cancel();
  error_code ignored;
  socket_.close(ignored);
}

void Stream::abort() {
  const linger now{1, 0};
  ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  int family = AF_UNSPEC;
};

std::optional<SocketAddress> socket_address(const Endpoint& endpoint) {
  SocketAddress result;
  if (!endpoint.unix_path.empty()) {
    sockaddr_un unix_address{};
    unix_address.sun_family = AF_UNIX;
    if (endpoint.unix_path.size() >= sizeof unix_address.sun_path) return std::nullopt;
    std::memcpy(unix_address.sun_path, endpoint.unix_path.data(), endpoint.unix_path.size());
    std::memcpy(&result.storage, &unix_address, sizeof unix_address);
    result.size = sizeof unix_address;
    result.family = AF_UNIX;
    return result;
  }
  const auto address = parse_address(endpoint.host);
  if (!address) return std::nullopt;
  if (address->is_v4()) {
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = htons(endpoint.port);
    std::memcpy(&four.sin_addr, address->bytes.data() + 12, 4);
    std::memcpy(&result.storage, &four, sizeof four);
    result.size = sizeof four;
    result.family = AF_INET;
  } else {
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(endpoint.port);
    std::memcpy(&six.sin6_addr, address->bytes.data(), 16);
    std::memcpy(&result.storage, &six, sizeof six);
    result.size = sizeof six;
    result.family = AF_INET6;
  }
  return result;
}

}  // namespace

Task<ConnectResult> connect(const Executor& executor, Wheel& wheel, const Endpoint& address,
                            std::chrono::milliseconds timeout) {
  ConnectResult result;
  const auto target = socket_address(address);
  if (!target) {
    result.error = asio::error::make_error_code(asio::error::invalid_argument);
    co_return result;
  }
  const int descriptor = ::socket(target->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) {
    result.error = last_error();
    co_return result;
  }
  auto stream = std::make_unique<Stream>(executor, wheel, target->family, descriptor);
  // sockaddr is what connect takes for every family.
  const auto* generic = reinterpret_cast<const sockaddr*>(&target->storage);
  if (::connect(descriptor, generic, target->size) != 0) {
    // EAGAIN is a unix socket whose queue is full: nothing will ever signal that it is not.
    if (errno != EINPROGRESS) {
      result.error = last_error();
      co_return result;
    }
    result.error = co_await stream->wait_connected(timeout);
    if (result.error) co_return result;
  }
  result.stream = std::move(stream);
  co_return result;
}

Task<Resolved> resolve(const Executor& executor, const std::string& host) {
  Resolved result;
  asio::ip::basic_resolver<asio::ip::tcp, Executor> resolver(executor);
  const auto [error, found] = co_await resolver.async_resolve(host, "", as_result);
  result.error = error;
  for (const auto& entry : found)
    result.addresses.push_back(entry.endpoint().address().to_string());
  co_return result;
}

}  // namespace proxy::net
