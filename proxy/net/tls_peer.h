// A verified certificate as text that may stand in a header; for the files of net/tls* only. Any
// thread.
#pragma once

#include <openssl/x509.h>

#include <memory>

#include "proxy/net/tls.h"

namespace proxy::net {

// Null when there is no memory.
[[nodiscard]] std::unique_ptr<const TlsPeer> describe_peer(X509& certificate);

}  // namespace proxy::net
