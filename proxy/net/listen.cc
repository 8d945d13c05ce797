// Binding and accepting; see listen.h.
#include "proxy/net/listen.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace proxy::net {
namespace {

constexpr int backlog = 4'096;  // the kernel cuts it to net.core.somaxconn

std::string system_error(const std::string& what) { return what + ": " + std::strerror(errno); }

Address address_of(const sockaddr_storage& storage, std::uint16_t& port) {
  Address address;
  if (storage.ss_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, &storage, sizeof four);
    port = ntohs(four.sin_port);
    address.bytes[10] = address.bytes[11] = 0xff;
    std::memcpy(address.bytes.data() + 12, &four.sin_addr, 4);
  } else if (storage.ss_family == AF_INET6) {
    sockaddr_in6 six{};
    std::memcpy(&six, &storage, sizeof six);
    port = ntohs(six.sin6_port);
    std::memcpy(address.bytes.data(), &six.sin6_addr, 16);
  }
  return address;
}

std::string bound_name(int descriptor) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&storage), &size);
  std::uint16_t port = 0;
  const Address address = address_of(storage, port);
  const std::string host =
      storage.ss_family == AF_INET6 ? "[" + to_text(address) + "]" : to_text(address);
  return host + ":" + std::to_string(port);
}

// A socket file nobody listens on is left over from a crash and may be replaced; a live one not.
bool is_stale_socket(const sockaddr_un& address) {
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  const bool refused =
      ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno == ECONNREFUSED;
  ::close(probe);
  return refused;
}

Listening listen_unix(const Endpoint& endpoint, std::size_t workers) {
  Listening result;
  result.family = AF_UNIX;
  result.address = "unix:" + endpoint.unix_path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, endpoint.unix_path.data(), endpoint.unix_path.size());
  struct stat existing {};
  if (::lstat(endpoint.unix_path.c_str(), &existing) == 0) {
    if (!S_ISSOCK(existing.st_mode) || !is_stale_socket(address)) {
      result.error = result.address + " is already in use";
      return result;
    }
    ::unlink(endpoint.unix_path.c_str());
  }
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0 ||
      ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(descriptor, backlog) != 0) {
    result.error = system_error("cannot listen on " + result.address);
    if (descriptor >= 0) ::close(descriptor);
    return result;
  }
  result.descriptors.push_back(descriptor);
  while (result.descriptors.size() < workers) {
    const int copy = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
      result.error = system_error("cannot listen on " + result.address);
      close_all(result);
      return result;
    }
    result.descriptors.push_back(copy);
  }
  return result;
}

int bind_tcp(const addrinfo& target, bool share) {
  const int descriptor = ::socket(target.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  const int on = 1;
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (share) ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (::bind(descriptor, target.ai_addr, target.ai_addrlen) != 0) {
    const int cause = errno;
    ::close(descriptor);
    errno = cause;
    return -1;
  }
  return descriptor;
}

}  // namespace

Listening listen_on(const Endpoint& endpoint, std::size_t workers) {
  if (!endpoint.unix_path.empty()) return listen_unix(endpoint, workers);
  Listening result;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(endpoint.port);
  // Its first address would be ::1 on one machine and 127.0.0.1 on another.
  const std::string host = endpoint.host == "localhost" ? "127.0.0.1" : endpoint.host;
  const int code = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (code != 0) {
    result.error = "cannot resolve " + endpoint.host + ": " + gai_strerror(code);
    return result;
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  result.family = found->ai_family;
  // Without SO_REUSEPORT first: a second process on the same port must be an error, not a partner.
  // It does not listen, or whoever connects in this moment would be reset by its close.
  const int probe = bind_tcp(*found, false);
  if (probe < 0) {
    result.error = system_error("cannot listen on " + endpoint.host + ":" + port);
    return result;
  }
  if (workers == 1) {
    result.descriptors.push_back(probe);
    if (::listen(probe, backlog) != 0) {
      result.error = system_error("cannot listen on " + endpoint.host + ":" + port);
      close_all(result);
      return result;
    }
    result.address = bound_name(probe);
    return result;
  }
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ::getsockname(probe, reinterpret_cast<sockaddr*>(&bound), &size);
  ::close(probe);
  addrinfo target = *found;
  target.ai_addr = reinterpret_cast<sockaddr*>(&bound);
  target.ai_addrlen = size;
  while (result.descriptors.size() < workers) {
    const int descriptor = bind_tcp(target, true);
    if (descriptor >= 0) result.descriptors.push_back(descriptor);
    if (descriptor < 0 || ::listen(descriptor, backlog) != 0) {
      result.error = system_error("cannot listen on " + endpoint.host + ":" + port);
      close_all(result);
      return result;
    }
  }
  result.address = bound_name(result.descriptors.front());
  return result;
}

void close_all(Listening& listening) {
  for (const int descriptor : listening.descriptors) ::close(descriptor);
  listening.descriptors.clear();
}

Accepted accept_from(int listening_descriptor) {
  Accepted result;
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  result.descriptor = ::accept4(listening_descriptor, reinterpret_cast<sockaddr*>(&peer), &size,
                                SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (result.descriptor >= 0) {
    result.outcome = Accepted::Outcome::connection;
    result.peer = address_of(peer, result.peer_port);
    return result;
  }
  switch (errno) {
    case EAGAIN:
      result.outcome = Accepted::Outcome::none;
      break;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      result.outcome = Accepted::Outcome::out_of_descriptors;
      break;
    default:  // the connection died in the queue, or a firewall refused it: the next may be fine
      result.outcome = Accepted::Outcome::failed;
      break;
  }
  return result;
}

}  // namespace proxy::net
