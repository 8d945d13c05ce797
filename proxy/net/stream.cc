// Socket operations; see stream.h.
#include "proxy/net/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "proxy/net/timer.h"
#include "proxy/net/tls.h"
#include "proxy/net/tls_session.h"

namespace proxy::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

error_code last_error() { return {errno, boost::system::system_category()}; }
error_code timed_out() { return asio::error::make_error_code(asio::error::timed_out); }
error_code aborted() { return asio::error::make_error_code(asio::error::operation_aborted); }
bool would_block(const error_code& error) {
  return error == asio::error::would_block || error == asio::error::try_again;
}

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

void Stream::Timeout::on_expired() { waiter.complete(timed_out()); }

Stream::Stream(const Executor& executor, Wheel& wheel, int family, int descriptor)
    : descriptor_(descriptor),
      watched_(Poller::of(executor)),
      wheel_(wheel),
      read_timeout_(wheel, watched_.reader),
      write_timeout_(wheel, watched_.writer) {
  watched_.watch(descriptor);
  if (family != AF_UNIX) {
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  // Nearly always true of a new connection, and the first write finds out.
  watched_.writable = true;
}

Stream::~Stream() { close(); }

std::unique_ptr<Stream> Stream::own(const Executor& executor, Wheel& wheel, int family,
                                    int descriptor) {
  try {
    return std::make_unique<Stream>(executor, wheel, family, descriptor);
  } catch (...) {
    ::close(descriptor);
    throw;
  }
}

Task<error_code> Stream::wait(Waiter& waiter, Timeout& deadline,
                              std::chrono::milliseconds timeout) {
  if (!is_open()) co_return asio::error::make_error_code(asio::error::operation_aborted);
  deadline.expires_after(timeout);
  const auto [error] = co_await waiter.async_wait(as_result);
  deadline.cancel();
  co_return error;
}

bool Stream::has_pending() const { return tls_ && tls_->has_pending(); }

// What is readable need not be data: part of a record, or a message of TLS itself. However many of
// those come, the timeout is for all of them.
Task<IoResult> Stream::read_some(std::span<char> into, std::chrono::milliseconds timeout) {
  IoResult result;
  const std::int64_t began = wheel_.now_tick();
  for (;;) {
    if (watched_.readable || has_pending()) {
      result = read_now(into);
      if (!would_block(result.error)) co_return result;
    }
    result.error = aborted();
    if (!is_open()) co_return result;
    // As wait() does it, but without a frame of its own: every request comes here twice.
    const auto elapsed = (wheel_.now_tick() - began) * Wheel::tick_length;
    read_timeout_.expires_after(timeout - elapsed);
    const auto [error] = co_await watched_.reader.async_wait(as_result);
    read_timeout_.cancel();
    result.error = error;
    if (error) co_return result;
  }
}

Task<error_code> Stream::wait_readable(std::chrono::milliseconds timeout) {
  const std::int64_t began = wheel_.now_tick();
  while (!has_input()) {
    const auto elapsed = (wheel_.now_tick() - began) * Wheel::tick_length;
    const error_code error = co_await wait(watched_.reader, read_timeout_, timeout - elapsed);
    if (error) co_return error;  // otherwise it may be an old event, of bytes that were read since
  }
  co_return error_code{};
}

IoResult Stream::write_tls(Pieces& pieces) {
  IoResult total;
  while (!pieces.empty()) {
    const IoResult written = tls_->write({pieces.pieces_.data(), pieces.count_});
    if (written.error) {
      if (total.bytes == 0) total.error = written.error;
      break;
    }
    pieces.consume(written.bytes);
    total.bytes += written.bytes;
  }
  return total;
}

IoResult Stream::write_now(Pieces& pieces) {
  if (tls_) [[unlikely]] return write_tls(pieces);
  IoResult result;
  msghdr message{};
  message.msg_iov = pieces.pieces_.data();
  message.msg_iovlen = pieces.count_;
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    result.error = last_error();
    if (would_block(result.error)) watched_.writable = false;
    return result;
  }
  result.bytes = static_cast<std::size_t>(sent);
  pieces.consume(result.bytes);
  return result;
}

bool Stream::try_write(Pieces& pieces) { return !write_now(pieces).error && pieces.empty(); }

IoResult Stream::read_now(std::span<char> into) {
  if (tls_) [[unlikely]] return tls_->read(into);
  IoResult result;
  ssize_t got = 0;
  do {
    got = ::recv(descriptor_, into.data(), into.size(), MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    result.error = last_error();
    if (would_block(result.error)) watched_.readable = false;
  } else if (got == 0) {
    result.error = asio::error::make_error_code(asio::error::misc_errors::eof);
  } else {
    result.bytes = static_cast<std::size_t>(got);
    // Less than there was room for: the kernel has no more, and what comes later is a new event.
    // An end that came with these bytes, however, was part of the event that has been (epoll(7)).
    if (result.bytes < into.size() && !watched_.ended) watched_.readable = false;
  }
  return result;
}

Task<error_code> Stream::write_all(Pieces pieces, std::chrono::milliseconds timeout) {
  while (!pieces.empty()) {
    if (watched_.writable || !is_open()) {
      const IoResult written = write_now(pieces);
      if (!written.error) continue;
      if (!would_block(written.error)) co_return written.error;
    }
    const error_code waited = co_await wait(watched_.writer, write_timeout_, timeout);
    if (waited) co_return waited;
  }
  co_return error_code{};
}

Task<error_code> Stream::wait_connected(std::chrono::milliseconds timeout) {
  watched_.writable = false;
  const error_code waited = co_await wait(watched_.writer, write_timeout_, timeout);
  if (waited) co_return waited;
  int cause = 0;
  socklen_t size = sizeof cause;
  ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &cause, &size);
  co_return error_code{cause, boost::system::system_category()};
}

Task<error_code> Stream::secure(std::unique_ptr<TlsSession> session,
                                std::chrono::milliseconds timeout) {
  session->attach(descriptor_, watched_);
  tls_ = std::move(session);
  const std::int64_t began = wheel_.now_tick();
  for (;;) {
    const error_code error = tls_->handshake();
    if (!would_block(error)) co_return error;
    const auto left = timeout - (wheel_.now_tick() - began) * Wheel::tick_length;
    if (left <= std::chrono::milliseconds{0}) co_return timed_out();
    error_code waited;
    if (tls_->wants_write()) {
      waited = co_await wait(watched_.writer, write_timeout_, left);
    } else {
      waited = co_await wait(watched_.reader, read_timeout_, left);
    }
    if (waited) co_return waited;
  }
}

void Stream::cancel_read() { watched_.reader.cancel(); }

void Stream::cancel() {
  cancel_read();
  watched_.writer.cancel();
}

bool Stream::peer_closed() {
  if (!watched_.ended) return false;
  if (tls_) {
    const error_code error = tls_->peek();
    return error && !would_block(error);
  }
  char byte = 0;
  const ssize_t got = ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

bool Stream::has_input() {
  if (tls_) return (watched_.readable || tls_->has_pending()) && !would_block(tls_->peek());
  if (!watched_.readable) return false;
  // A read that filled its buffer to the last byte leaves open whether there is more.
  char byte = 0;
  const ssize_t got = ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  const bool has_none = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  if (has_none) watched_.readable = false;
  return !has_none;
}

void Stream::shutdown_send() {
  if (tls_) tls_->send_close_notify();
  ::shutdown(descriptor_, SHUT_WR);
}

void Stream::close() {
  if (!is_open()) return;
  read_timeout_.cancel();
  write_timeout_.cancel();
  watched_.unwatch();
  if (tls_) tls_->detach();
  ::close(descriptor_);
  descriptor_ = -1;
}

void Stream::abort() {
  const linger now{1, 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
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

namespace {

Task<error_code> secure_as_client(Stream& stream, const ConnectTls& tls,
                                  std::chrono::milliseconds timeout) {
  auto session = tls.client->start(tls.name);
  if (!session) co_return asio::error::make_error_code(asio::error::invalid_argument);
  co_return co_await stream.secure(std::move(session), timeout);
}

}  // namespace

Task<ConnectResult> connect(const Executor& executor, Wheel& wheel, const Endpoint& address,
                            std::chrono::milliseconds timeout, const ConnectTls* tls) {
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
  // sockaddr is what connect takes for every family.
  const auto* generic = reinterpret_cast<const sockaddr*>(&target->storage);
  // Before epoll knows the socket, since one that does not even try to connect counts as broken.
  const int outcome = ::connect(descriptor, generic, target->size);
  const int cause = outcome == 0 ? 0 : errno;
  // EAGAIN is a unix socket whose queue is full: nothing will ever signal that it is not.
  if (cause != 0 && cause != EINPROGRESS) {
    ::close(descriptor);
    result.error = {cause, boost::system::system_category()};
    co_return result;
  }
  auto stream = Stream::own(executor, wheel, target->family, descriptor);
  const std::int64_t began = wheel.now_tick();
  if (cause == EINPROGRESS) {
    result.error = co_await stream->wait_connected(timeout);
    if (result.error) co_return result;
  }
  if (tls != nullptr) {
    const auto left = timeout - (wheel.now_tick() - began) * Wheel::tick_length;
    result.error = co_await secure_as_client(*stream, *tls, left);
    if (result.error) co_return result;
  }
  result.stream = std::move(stream);
  co_return result;
}

namespace {

// Shared with a look-up that may outlive whoever asked.
struct Lookup {
  explicit Lookup(const Executor& executor) : resolver(executor), patience(executor) {}
  asio::ip::basic_resolver<asio::ip::tcp, Executor> resolver;
  Timer patience;
  Resolved result;
  bool is_done = false;
};

Task<void> look_up(std::shared_ptr<Lookup> lookup, std::string host) {
  const auto [error, found] = co_await lookup->resolver.async_resolve(host, "", as_result);
  lookup->result.error = error;
  for (const auto& entry : found)
    lookup->result.addresses.push_back(entry.endpoint().address().to_string());
  lookup->is_done = true;
  lookup->patience.cancel();
}

}  // namespace

Task<Resolved> resolve(const Executor& executor, const std::string& host,
                       std::chrono::milliseconds timeout) {
  const auto lookup = std::make_shared<Lookup>(executor);
  lookup->patience.expires_after(timeout);
  asio::co_spawn(executor, look_up(lookup, host), [](std::exception_ptr) {});
  if (!lookup->is_done) co_await lookup->patience.async_wait(as_result);
  if (lookup->is_done) co_return std::move(lookup->result);
  // One that has not begun is taken out of the queue, so that the next ones need not wait for it.
  lookup->resolver.cancel();
  Resolved late;
  late.error = timed_out();
  co_return late;
}

}  // namespace proxy::net
