// IP addresses, networks and listen addresses as values: parsing, containment, text. Pure; any
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace proxy::net {

// IPv4 is kept as the IPv4-mapped IPv6 address, so that both spellings are the same client.
struct Address {
  std::array<std::uint8_t, 16> bytes{};
  [[nodiscard]] bool is_v4() const;
  [[nodiscard]] bool is_loopback() const;
  bool operator==(const Address&) const = default;
};
// No port, no zone, no brackets; nullopt for anything else.
[[nodiscard]] std::optional<Address> parse_address(std::string_view text);
[[nodiscard]] std::string to_text(const Address& address);

// The /24 of an IPv4 or the /48 of an IPv6 address as text, for session lists.
[[nodiscard]] std::string prefix_text(const Address& address);
// What the login throttle counts by: the IPv4 address, or the /64 of an IPv6 address.
[[nodiscard]] std::string throttle_key(const Address& address);

struct Network {
  Address address;
  unsigned prefix_bits = 128;  // of the mapped form
  [[nodiscard]] bool contains(const Address& other) const;
};
[[nodiscard]] std::optional<Network> parse_network(std::string_view cidr);

// "0.0.0.0:8080", "[::]:8080", "localhost:8080" or "unix:/path".
struct Endpoint {
  std::string host;  // without brackets; empty for unix sockets
  std::uint16_t port = 0;
  std::string unix_path;  // empty for IP
};
[[nodiscard]] std::optional<Endpoint> parse_endpoint(std::string_view text);

}  // namespace proxy::net
