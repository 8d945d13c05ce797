// One TLS connection; see tls_session.h.
#include "proxy/net/tls_session.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <cstring>

#include "proxy/net/tls_error.h"
#include "proxy/net/tls_peer.h"

namespace proxy::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t record_bytes = 16 * 1024;
// Key updates, tickets and empty records between two pieces of data. Nobody needs more, and each
// costs us far more than its sender.
constexpr std::uint8_t fruitless_max = 32;

error_code would_block() { return asio::error::make_error_code(asio::error::would_block); }

}  // namespace

// The socket as OpenSSL sees it.
struct TlsBio {
  static TlsSession& session_of(BIO* bio) {
    return *static_cast<TlsSession*>(::BIO_get_data(bio));
  }

  static int read(BIO* bio, char* into, int size) {
    TlsSession& session = session_of(bio);
    BIO_clear_retry_flags(bio);
    if (session.refused_) return -1;
    Watched& watched = *session.watched_;
    if (!watched.readable) {
      session.blocked_ = true;
      BIO_set_retry_read(bio);
      return -1;
    }
    ssize_t got = 0;
    do {
      got = ::recv(session.descriptor_, into, static_cast<std::size_t>(size), MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      watched.readable = false;
      session.blocked_ = true;
      BIO_set_retry_read(bio);
    } else if (got > 0 && got < size && !watched.ended) {
      watched.readable = false;  // as Stream::read_now()
    } else if (got == 0) {
      BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    }
    return static_cast<int>(got);
  }

  static int write(BIO* bio, const char* from, int size) {
    TlsSession& session = session_of(bio);
    BIO_clear_retry_flags(bio);
    // Before TLS 1.3 nothing is answered to what is read but a plea to renegotiate.
    if (session.is_reading_ && session.is_done_ && ::SSL_version(session.ssl_) < TLS1_3_VERSION) {
      session.refused_ = true;
    }
    ssize_t sent = 0;
    do {
      sent = ::send(session.descriptor_, from, static_cast<std::size_t>(size),
                    MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      session.watched_->writable = false;
      BIO_set_retry_write(bio);
    }
    return static_cast<int>(sent);
  }

  static long control(BIO* bio, int command, long, void*) {
    switch (command) {
      case BIO_CTRL_EOF:
        return ::BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
      case BIO_CTRL_FLUSH:
        return 1;
      default:
        return 0;
    }
  }

  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = [] {
      BIO_METHOD* const fresh =
          ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gatehouse");
      if (fresh == nullptr) return fresh;
      ::BIO_meth_set_read(fresh, read);
      ::BIO_meth_set_write(fresh, write);
      ::BIO_meth_set_ctrl(fresh, control);
      return fresh;
    }();
    return made;
  }
};

TlsSession::TlsSession(SSL* ssl, std::shared_ptr<const void> owner)
    : ssl_(ssl), owner_(std::move(owner)) {}

TlsSession::~TlsSession() { ::SSL_free(ssl_); }

void TlsSession::attach(int descriptor, Watched& watched) {
  descriptor_ = descriptor;
  watched_ = &watched;
  BIO* const bio = TlsBio::method() == nullptr ? nullptr : ::BIO_new(TlsBio::method());
  if (bio == nullptr) throw std::bad_alloc();
  ::BIO_set_data(bio, this);
  ::BIO_set_init(bio, 1);
  ::SSL_set_bio(ssl_, bio, bio);
}

error_code TlsSession::error_of(int outcome) {
  const int cause = errno;
  wants_write_ = false;
  switch (::SSL_get_error(ssl_, outcome)) {
    case SSL_ERROR_WANT_READ:
      return would_block();
    case SSL_ERROR_WANT_WRITE:
      wants_write_ = true;
      return would_block();
    case SSL_ERROR_ZERO_RETURN:
      return asio::error::make_error_code(asio::error::misc_errors::eof);
    case SSL_ERROR_SYSCALL:
      if (refused_) return make_error_code(TlsError::needless);
      ::ERR_clear_error();
      return cause == 0 ? make_error_code(TlsError::truncated)
                        : error_code{cause, boost::system::system_category()};
    default: {
      const error_code error = take_tls_error(ssl_, is_done_);
      ::ERR_clear_error();
      return error;
    }
  }
}

// Once more after each record that brought nothing, since the poller will not tell again.
template <class Operation>
error_code TlsSession::attempt(Operation operation) {
  for (;;) {
    ::ERR_clear_error();
    errno = 0;
    blocked_ = false;
    is_reading_ = true;
    const int outcome = operation();
    is_reading_ = false;
    if (outcome > 0) {
      fruitless_ = 0;
      return {};
    }
    const error_code error = error_of(outcome);
    if (error != asio::error::would_block) return error;
    if (wants_write_) {
      read_wants_write_ = true;
      return error;
    }
    if (blocked_) return error;
    if (++fruitless_ > fruitless_max) return make_error_code(TlsError::needless);
  }
}

error_code TlsSession::handshake() {
  ::ERR_clear_error();
  errno = 0;
  const int outcome = ::SSL_do_handshake(ssl_);
  if (outcome != 1) return error_of(outcome);
  is_done_ = true;
  return {};
}

IoResult TlsSession::read(std::span<char> into) {
  IoResult result;
  result.error = attempt([this, into, &result] {
    return ::SSL_read_ex(ssl_, into.data(), into.size(), &result.bytes);
  });
  return result;
}

error_code TlsSession::peek() {
  char byte = 0;
  std::size_t got = 0;
  return attempt([this, &byte, &got] { return ::SSL_peek_ex(ssl_, &byte, 1, &got); });
}

IoResult TlsSession::write(std::span<const iovec> pieces) {
  // A head and the body behind it are one record, as they are one packet without TLS.
  thread_local std::array<char, record_bytes> gathered;
  const char* from = static_cast<const char*>(pieces.front().iov_base);
  std::size_t size = std::min(pieces.front().iov_len, record_bytes);
  if (pieces.size() > 1 && size < record_bytes) {
    size = 0;
    for (const iovec& piece : pieces) {
      const std::size_t take = std::min(piece.iov_len, record_bytes - size);
      std::memcpy(gathered.data() + size, piece.iov_base, take);
      size += take;
    }
    from = gathered.data();
  }
  IoResult result;
  ::ERR_clear_error();
  errno = 0;
  const int outcome = ::SSL_write_ex(ssl_, from, size, &result.bytes);
  if (outcome != 1) result.error = error_of(outcome);
  if (outcome == 1 && read_wants_write_) {
    read_wants_write_ = false;
    watched_->reader.complete({});
  }
  return result;
}

bool TlsSession::has_pending() const { return ::SSL_has_pending(ssl_) == 1; }

void TlsSession::send_close_notify() {
  if (!is_done_ || descriptor_ < 0) return;
  ::ERR_clear_error();
  ::SSL_shutdown(ssl_);
  ::ERR_clear_error();
}

std::unique_ptr<const TlsPeer> TlsSession::peer() const {
  X509* const certificate = ::SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr || ::SSL_get_verify_result(ssl_) != X509_V_OK) return nullptr;
  return describe_peer(*certificate);
}

}  // namespace proxy::net
