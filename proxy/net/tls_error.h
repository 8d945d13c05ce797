// OpenSSL's reasons as error codes with a message; for the files of net/tls* only. Any thread.
#pragma once

#include <boost/system/error_code.hpp>

using SSL = struct ssl_st;

namespace proxy::net {

// The newest reason in this thread's queue; why the peer's certificate was refused, where it was.
[[nodiscard]] boost::system::error_code take_tls_error(SSL* ssl, bool handshake_is_done);

}  // namespace proxy::net
