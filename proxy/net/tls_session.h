// TLS on one connected descriptor: OpenSSL's machine with reads and writes that go straight to the
// socket and keep the poller's flags. Never waits; would_block says that the poller has to, and
// wants_write() for what. Known to net/stream, made by TlsClient and TlsServer.
// One thread; must not outlive the Watched it was attached to.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "proxy/net/stream.h"
#include "proxy/net/tls.h"

using SSL = struct ssl_st;
using BIO = struct bio_st;

namespace proxy::net {

class TlsSession {
 public:
  // `owner` is what the callbacks of this SSL object point into.
  TlsSession(SSL* ssl, std::shared_ptr<const void> owner);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  void attach(int descriptor, Watched& watched);
  // From here on every read and write fails, whoever holds the descriptor's number then.
  void detach() { descriptor_ = -1; }

  // No error once it is done.
  [[nodiscard]] boost::system::error_code handshake();
  // What the last would_block of handshake() waits for.
  [[nodiscard]] bool wants_write() const { return wants_write_; }

  // eof only behind a close_notify; an end without one is TlsError::truncated.
  [[nodiscard]] IoResult read(std::span<char> into);
  // As read(), but leaves the bytes where they are.
  [[nodiscard]] boost::system::error_code peek();
  // One record at most. After would_block the same pieces have to come again.
  [[nodiscard]] IoResult write(std::span<const iovec> pieces);
  // Bytes that the kernel does not know of any more.
  [[nodiscard]] bool has_pending() const;
  // As much as the kernel takes of it.
  void send_close_notify();

  // Null when the peer showed no certificate, or one that was not verified.
  [[nodiscard]] std::unique_ptr<const TlsPeer> peer() const;
  [[nodiscard]] SSL* handle() const { return ssl_; }

 private:
  friend struct TlsBio;
  template <class Operation>
  [[nodiscard]] boost::system::error_code attempt(Operation operation);
  [[nodiscard]] boost::system::error_code error_of(int outcome);

  SSL* ssl_;
  std::shared_ptr<const void> owner_;
  Watched* watched_ = nullptr;
  int descriptor_ = -1;
  std::uint8_t fruitless_ = 0;      // records in a row that brought no data
  bool is_done_ = false;            // the handshake
  bool is_reading_ = false;
  bool blocked_ = false;            // the socket had nothing more to read
  bool refused_ = false;            // the peer asked for what we never do; nothing is read any more
  bool wants_write_ = false;
  bool read_wants_write_ = false;   // a read waits until an answer of the protocol has gone out
};

}  // namespace proxy::net
