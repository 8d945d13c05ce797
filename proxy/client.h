// Who the client of a request is, once trusted proxies have been listened to. Everything a client
// could forge is ignored unless the connection comes from `trusted_proxies` (SECURITY section C).
// Pure; allocates only where several X-Forwarded-For lines are joined; views point into the head or
// the connection.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proxy/header_policy.h"
#include "proxy/http/head.h"
#include "proxy/net/address.h"
#include "proxy/runtime.h"

namespace proxy {

// The TCP side of a connection, fixed when it is accepted.
struct Peer {
  net::Address address;
  std::string_view text;        // "192.0.2.7"; "unix" for unix sockets
  std::string_view local_port;  // of the listener
  bool is_secured = false;      // by TLS that ends here
  std::string_view certificate_subject;  // of a verified client certificate; empty: none
  std::string_view certificate_text;     // the same in Envoy's form
};

struct Client {
  Forwarding forwarding;                            // what the upstream is told
  std::string_view address;                         // for logs, throttling and session lists
  std::unique_ptr<const std::string> joined_chain;  // behind the views, where lines were joined
  bool peer_is_trusted = false;
  bool ignored_forwarding = false;  // an untrusted peer sent X-Forwarded-*
};

// Whether that address may say who it speaks for (`trusted_proxies`).
[[nodiscard]] bool is_trusted(const Runtime& runtime, const net::Address& address);

// `forwarding.request_id` is left to the caller unless a trusted proxy sent one.
[[nodiscard]] Client client_of(const Runtime& runtime, const Peer& peer,
                               const http::RequestHead& head);

}  // namespace proxy
