// What a worker has to know of a listening socket and its connections. Immutable; a reload makes
// another one for the connections that come then.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "proxy/net/tls.h"

namespace proxy {

enum class Role : std::uint8_t { main, health, admin };

struct ListenerSetup {
  Role role = Role::main;
  int family = 0;
  std::string port;                           // for X-Forwarded-Port; "0" for unix sockets
  bool proxy_protocol = false;
  std::shared_ptr<const net::TlsServer> tls;  // null: plain
};
using ListenerSetupPtr = std::shared_ptr<const ListenerSetup>;

// Names a listener to the workers, which each have a socket of it.
using ListenerId = std::uint32_t;

}  // namespace proxy
