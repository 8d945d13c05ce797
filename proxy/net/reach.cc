// See reach.h.
#include "proxy/net/reach.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace proxy::net {
namespace {

bool connects(const sockaddr* address, socklen_t size, std::chrono::milliseconds timeout) {
  const int descriptor =
      ::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return false;
  bool connected = ::connect(descriptor, address, size) == 0;
  if (!connected && errno == EINPROGRESS) {
    pollfd entry{descriptor, POLLOUT, 0};
    int error = 0;
    socklen_t length = sizeof error;
    connected = ::poll(&entry, 1, static_cast<int>(timeout.count())) == 1 &&
                ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
  }
  ::close(descriptor);
  return connected;
}

}  // namespace

std::vector<std::string> own_addresses() {
  std::vector<std::string> found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return found;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_UP) == 0 ||
        (entry->ifa_flags & IFF_LOOPBACK) != 0) {
      continue;
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (entry->ifa_addr->sa_family == AF_INET) {
      sockaddr_in address{};
      std::memcpy(&address, entry->ifa_addr, sizeof address);
      ::inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 address{};
      std::memcpy(&address, entry->ifa_addr, sizeof address);
      if (IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr)) continue;
      ::inet_ntop(AF_INET6, &address.sin6_addr, text.data(), text.size());
    }
    if (text[0] != '\0') found.emplace_back(text.data());
  }
  ::freeifaddrs(list);
  return found;
}

bool accepts(const std::string& address, std::uint16_t port, std::chrono::milliseconds timeout) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  if (::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
    return connects(reinterpret_cast<const sockaddr*>(&v4), sizeof v4, timeout);
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  return ::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1 &&
         connects(reinterpret_cast<const sockaddr*>(&v6), sizeof v6, timeout);
}

}  // namespace proxy::net
