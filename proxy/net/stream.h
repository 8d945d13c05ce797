// A connected, non-blocking byte stream (TCP or unix socket) with a timeout per direction. Every
// operation that can wait on the peer takes the timeout as an argument; a deadline cancels the
// waiting operation and leaves the stream open, and the caller decides. Writes are tried at once
// and wait only for what the kernel did not take; reads are tried when the poller has seen bytes,
// and a short read tells that no more are there: a request costs two receives and two sends.
// After secure() the same operations speak TLS, which costs the others one untaken branch each.
// One thread, one reader and one writer at a time. Must outlive its pending operations.
#pragma once

#include <sys/uio.h>

#include <array>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/net/address.h"
#include "proxy/net/deadline.h"
#include "proxy/net/poller.h"
#include "proxy/net/task.h"

namespace proxy::net {

class TlsClient;
class TlsSession;

// `error` is timed_out after the timeout, eof at the peer's end, otherwise the system's.
struct IoResult {
  std::size_t bytes = 0;
  boost::system::error_code error;
};

// Up to four pieces that are written one behind the other, without copying.
class Pieces {
 public:
  Pieces() = default;
  explicit Pieces(std::string_view only) { add(only); }
  void add(std::string_view piece);
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] bool empty() const { return count_ == 0; }

 private:
  friend class Stream;
  void consume(std::size_t bytes);
  std::array<iovec, 4> pieces_{};
  std::size_t count_ = 0;
};

class Stream {
 public:
  // Takes an open, non-blocking descriptor, connected or connecting. Throws std::system_error where
  // the kernel has no room for one more, and then the descriptor stays the caller's.
  Stream(const Executor& executor, Wheel& wheel, int family, int descriptor);
  // The same on the heap; takes the descriptor whatever happens.
  static std::unique_ptr<Stream> own(const Executor& executor, Wheel& wheel, int family,
                                     int descriptor);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  [[nodiscard]] Task<IoResult> read_some(std::span<char> into, std::chrono::milliseconds timeout);
  // Returns when there is something to read (or the end), without needing a buffer.
  [[nodiscard]] Task<boost::system::error_code> wait_readable(std::chrono::milliseconds timeout);
  // The same without a coroutine: `handler` is called once with the error, by the loop. Only where
  // has_input() is false. The handler may own the stream.
  template <class Handler>
  void when_readable(std::chrono::milliseconds timeout, Handler handler) {
    read_timeout_.expires_after(timeout);
    watched_.reader.hold(std::move(handler));
  }
  // Writes everything; the timeout is for each piece of progress.
  [[nodiscard]] Task<boost::system::error_code> write_all(Pieces pieces,
                                                          std::chrono::milliseconds timeout);
  // True when the kernel took everything at once. Otherwise `pieces` holds the rest and write_all()
  // goes on, or finds the error again. Most answers end here and spare the coroutine.
  [[nodiscard]] bool try_write(Pieces& pieces);
  // What the kernel takes now, without waiting; would_block when that is nothing.
  [[nodiscard]] IoResult write_now(Pieces& pieces);
  // What is there now, without waiting; would_block when that is nothing.
  [[nodiscard]] IoResult read_now(std::span<char> into);

  // After a connect that is in progress: no error once it has succeeded.
  [[nodiscard]] Task<boost::system::error_code> wait_connected(std::chrono::milliseconds timeout);
  // The TLS handshake, within `timeout` as a whole. Before anything else was read or written; after
  // an error the stream is good for nothing but close().
  [[nodiscard]] Task<boost::system::error_code> secure(std::unique_ptr<TlsSession> session,
                                                       std::chrono::milliseconds timeout);
  // Null without TLS.
  [[nodiscard]] const TlsSession* tls() const { return tls_.get(); }

  // Ends the waiting reader (or both directions) with operation_aborted; the stream stays usable.
  void cancel_read();
  void cancel();
  // True when the peer has closed its side (or reset) and nothing is left to read.
  [[nodiscard]] bool peer_closed();
  // True when bytes or an end are waiting: an idle upstream connection must have neither. Knows
  // what had come when the loop last asked the kernel.
  [[nodiscard]] bool has_input();
  // Nothing more will be written; with TLS the peer is told so, and a body that ends with the
  // connection is complete. close() alone tells nothing.
  void shutdown_send();
  void close();
  // Closes with a reset, so that a truncated answer never looks complete.
  void abort();
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  // Ends one direction's wait.
  struct Timeout final : Deadline {
    Timeout(Wheel& wheel, Waiter& waiting) : Deadline(wheel), waiter(waiting) {}
    void on_expired() override;
    Waiter& waiter;
  };
  [[nodiscard]] Task<boost::system::error_code> wait(Waiter& waiter, Timeout& deadline,
                                                     std::chrono::milliseconds timeout);
  [[nodiscard]] bool has_pending() const;
  [[nodiscard]] IoResult write_tls(Pieces& pieces);

  int descriptor_;
  Watched watched_;
  Wheel& wheel_;
  Timeout read_timeout_;
  Timeout write_timeout_;
  std::unique_ptr<TlsSession> tls_;
};

struct ConnectResult {
  std::unique_ptr<Stream> stream;  // null on error
  boost::system::error_code error;
};
// What a TLS connection needs beside the address.
struct ConnectTls {
  std::shared_ptr<const TlsClient> client;
  std::string name;  // whom the certificate has to be for, where the client's options do not say
};
// Connects without blocking, and where `tls` is given has verified the peer when it succeeds; the
// timeout is for all of it. `address` is numeric or a unix path; the arguments outlive the task.
[[nodiscard]] Task<ConnectResult> connect(const Executor& executor, Wheel& wheel,
                                          const Endpoint& address,
                                          std::chrono::milliseconds timeout,
                                          const ConnectTls* tls = nullptr);

// Numeric addresses of a name, in the system's order. Its resolver cannot be interrupted:
// what takes longer than `timeout` is `timed_out`, and goes on unheeded on a thread of its own.
struct Resolved {
  std::vector<std::string> addresses;
  boost::system::error_code error;
};
[[nodiscard]] Task<Resolved> resolve(const Executor& executor, const std::string& host,
                                     std::chrono::milliseconds timeout);

}  // namespace proxy::net
