// Listening sockets: bound before any worker starts, so that an address in use is an error with a
// name and not a log line of a thread. TCP sockets are bound once for each worker (SO_REUSEPORT,
// the kernel spreads connections); a unix socket is bound once and its descriptor shared. Start and
// reload only; blocking name look-up.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "proxy/net/address.h"

namespace proxy::net {

// Owns descriptors until release() hands them to the workers.
struct Listening {
  std::vector<int> descriptors;  // one for each worker, non-blocking
  int family = 0;
  std::string address;  // as bound: a port 0 is filled in
  std::string error;    // a sentence; empty on success
};
[[nodiscard]] Listening listen_on(const Endpoint& endpoint, std::size_t workers);
void close_all(Listening& listening);

// The next connection of a listening descriptor.
struct Accepted {
  enum class Outcome { connection, none, out_of_descriptors, failed } outcome = Outcome::none;
  int descriptor = -1;
  Address peer;  // all zero for unix sockets
  std::uint16_t peer_port = 0;
};
[[nodiscard]] Accepted accept_from(int listening_descriptor);

}  // namespace proxy::net
