// Addresses as values; see address.h. inet_pton is strict where getaddrinfo is not (no octal, no
// short forms), which is what trust decisions need.
#include "proxy/net/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace proxy::net {
namespace {

constexpr std::array<std::uint8_t, 12> v4_mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

Address from_v4(const std::uint8_t* four) {
  Address address;
  std::copy(v4_mapped.begin(), v4_mapped.end(), address.bytes.begin());
  std::copy(four, four + 4, address.bytes.begin() + 12);
  return address;
}

// Keeps the first `bits` of the address, clears the rest.
Address masked(const Address& address, unsigned bits) {
  Address result = address;
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned first = i * 8;
    if (first >= bits) {
      result.bytes[i] = 0;
    } else if (bits - first < 8) {
      const auto mask = static_cast<std::uint8_t>(0xff << (8 - (bits - first)));
      result.bytes[i] = static_cast<std::uint8_t>(result.bytes[i] & mask);
    }
  }
  return result;
}

std::optional<unsigned> parse_number(std::string_view text, unsigned max) {
  unsigned value = 0;
  if (text.empty() || text.size() > 5) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

}  // namespace

bool Address::is_v4() const {
  return std::equal(v4_mapped.begin(), v4_mapped.end(), bytes.begin());
}

bool Address::is_loopback() const {
  if (is_v4()) return bytes[12] == 127;
  Address one;
  one.bytes[15] = 1;
  return *this == one;
}

std::optional<Address> parse_address(std::string_view text) {
  if (text.empty() || text.size() > 45) return std::nullopt;
  std::array<char, 46> terminated{};
  std::memcpy(terminated.data(), text.data(), text.size());
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  std::array<std::uint8_t, 4> four{};
  if (inet_pton(AF_INET, terminated.data(), four.data()) == 1) return from_v4(four.data());
  Address address;
  if (inet_pton(AF_INET6, terminated.data(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

std::string to_text(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.is_v4()) {
    inet_ntop(AF_INET, address.bytes.data() + 12, text.data(), text.size());
  } else {
    inet_ntop(AF_INET6, address.bytes.data(), text.data(), text.size());
  }
  return text.data();
}

std::string prefix_text(const Address& address) {
  if (address.is_v4()) return to_text(masked(address, 120)) + "/24";
  return to_text(masked(address, 48)) + "/48";
}

std::string throttle_key(const Address& address) {
  return address.is_v4() ? to_text(address) : to_text(masked(address, 64)) + "/64";
}

bool Network::contains(const Address& other) const {
  return masked(other, prefix_bits) == masked(address, prefix_bits);
}

std::optional<Network> parse_network(std::string_view cidr) {
  const auto slash = cidr.find('/');
  const auto address = parse_address(cidr.substr(0, slash));
  if (!address) return std::nullopt;
  const unsigned full = address->is_v4() ? 32 : 128;
  unsigned bits = full;
  if (slash != std::string_view::npos) {
    const auto number = parse_number(cidr.substr(slash + 1), full);
    if (!number) return std::nullopt;
    bits = *number;
  }
  return Network{*address, bits + (128 - full)};
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  constexpr std::string_view unix_scheme = "unix:";
  if (text.starts_with(unix_scheme)) {
    text.remove_prefix(unix_scheme.size());
    // sun_path holds 108 bytes with the terminator.
    if (text.empty() || text.size() > 107) return std::nullopt;
    return Endpoint{.host = "", .port = 0, .unix_path = std::string(text)};
  }
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = text.substr(0, colon);
  const auto port = parse_number(text.substr(colon + 1), 65'535);
  if (!port) return std::nullopt;
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    const auto address = parse_address(host);
    if (!address) return std::nullopt;
  } else if (host.empty() || host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  return Endpoint{
      .host = std::string(host), .port = static_cast<std::uint16_t>(*port), .unix_path = ""};
}

}  // namespace proxy::net
