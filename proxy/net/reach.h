// Who can be reached from here: for `gatehouse doctor`, which runs alone in its process and may
// wait. Blocking; no loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace proxy::net {

// The addresses of this machine (or container) that others can reach: no loopback, no link-local.
[[nodiscard]] std::vector<std::string> own_addresses();

// Whether somebody accepts connections there. `address` is numeric.
[[nodiscard]] bool accepts(const std::string& address, std::uint16_t port,
                           std::chrono::milliseconds timeout);

}  // namespace proxy::net
