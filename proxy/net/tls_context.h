// What TlsClient and TlsServer have in common: an SSL_CTX with our rules, and reading certificates
// and keys from files. For the files of net/tls* only. Any thread.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "proxy/net/tls.h"

namespace proxy::net {

struct FreeContext {
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
};
using ContextPtr = std::unique_ptr<SSL_CTX, FreeContext>;

// TLS 1.2 with forward secrecy and authenticated ciphers, or 1.3; no compression, renegotiation or
// early data; buffers only while they are in use. Null when there is no memory.
[[nodiscard]] ContextPtr new_context(const SSL_METHOD* method, TlsVersion min_version);

// False and a problem when the files are no certificate chain and the key that belongs to it.
[[nodiscard]] bool use_certificate(SSL_CTX& context, const std::string& certificate_file,
                                   const std::string& key_file, TlsProblem& problem);

// The newest reason in OpenSSL's queue as words, and the queue is emptied.
[[nodiscard]] std::string newest_reason();

}  // namespace proxy::net
