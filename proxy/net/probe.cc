// See probe.h. Only the status line of the answer is read (RFC 9112 section 4).
#include "proxy/net/probe.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

namespace proxy::net {
namespace {

using Clock = std::chrono::steady_clock;

struct Target {
  std::string authority;  // for Host
  std::string host;
  std::string port = "80";
  std::string path = "/";
};

std::optional<Target> parse_target(std::string_view url) {
  constexpr std::string_view mark = "http://";
  if (url.substr(0, mark.size()) != mark) {
    return std::nullopt;
  }
  url.remove_prefix(mark.size());
  Target target;
  const auto slash = url.find('/');
  if (slash != std::string_view::npos) {
    target.path = url.substr(slash);
  }
  auto authority = url.substr(0, slash);
  target.authority = authority;
  if (!authority.empty() && authority.front() == '[') {
    const auto end = authority.find(']');
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    target.host = authority.substr(1, end - 1);
    authority.remove_prefix(end + 1);
  } else {
    target.host = authority.substr(0, authority.find(':'));
    authority.remove_prefix(target.host.size());
  }
  if (!authority.empty()) {
    target.port = authority.substr(1);
  }
  const bool is_port = !target.port.empty() && target.port.size() <= 5 &&
                       target.port.find_first_not_of("0123456789") == std::string::npos;
  // Nothing of the URL may end a line of the request.
  for (const char c : url) {
    if (c <= 0x20 || c > 0x7E) {
      return std::nullopt;
    }
  }
  if (target.host.empty() || !is_port || url.find('@') != std::string_view::npos) {
    return std::nullopt;
  }
  return target;
}

class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  ~Socket() {
    if (descriptor_ >= 0) {
      close(descriptor_);
    }
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

// Empty when the socket is ready for `events` before the deadline.
std::string wait_for(const Socket& socket, short events, Clock::time_point deadline) {
  pollfd entry{socket.get(), events, 0};
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    const int ready = left > 0 ? poll(&entry, 1, static_cast<int>(left)) : 0;
    if (ready > 0) {
      return "";
    }
    if (ready == 0) {
      return "no answer in time";
    }
    if (errno != EINTR) {
      return std::strerror(errno);
    }
  }
}

std::string connect_to(const Socket& socket, const addrinfo& address, Clock::time_point deadline) {
  if (connect(socket.get(), address.ai_addr, address.ai_addrlen) == 0) {
    return "";
  }
  if (errno != EINPROGRESS) {
    return std::strerror(errno);
  }
  if (auto error = wait_for(socket, POLLOUT, deadline); !error.empty()) {
    return error;
  }
  int code = 0;
  socklen_t size = sizeof code;
  getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &code, &size);
  return code == 0 ? "" : std::strerror(code);
}

ProbeAnswer failed(std::string error) { return {0, std::move(error), false}; }

// "HTTP/1.1 200 ..."
std::optional<int> status_of(std::string_view line) {
  if (line.substr(0, 7) != "HTTP/1." || line.size() < 12 || line[8] != ' ') {
    return std::nullopt;
  }
  int status = 0;
  for (const char c : line.substr(9, 3)) {
    if (c < '0' || c > '9') {
      return std::nullopt;
    }
    status = status * 10 + (c - '0');
  }
  return status;
}

ProbeAnswer exchange(const Socket& socket, const Target& target, Clock::time_point deadline) {
  const std::string request = "GET " + target.path + " HTTP/1.1\r\nHost: " + target.authority +
                              "\r\nConnection: close\r\n\r\n";
  // A fresh connection takes this much in one piece.
  if (send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return failed(std::strerror(errno));
  }
  std::string answer;
  while (answer.find("\r\n") == std::string::npos && answer.size() < 1'024) {
    if (auto error = wait_for(socket, POLLIN, deadline); !error.empty()) {
      return failed(error);
    }
    char bytes[256];
    const auto count = recv(socket.get(), bytes, sizeof bytes, 0);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
      continue;
    }
    if (count < 0) {
      return failed(std::strerror(errno));
    }
    if (count == 0) {
      break;
    }
    answer.append(bytes, static_cast<std::size_t>(count));
  }
  const auto status = status_of(answer);
  return status ? ProbeAnswer{*status, "", false} : failed("the answer is not HTTP");
}

}  // namespace

ProbeAnswer probe(const std::string& url, std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  const auto target = parse_target(url);
  if (!target) {
    return {0, "takes a URL such as http://127.0.0.1:9902/livez", true};
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = getaddrinfo(target->host.c_str(), target->port.c_str(), &hints, &found);
      code != 0) {
    return failed(gai_strerror(code));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);
  // `localhost` is both ::1 and 127.0.0.1; the listener may have only one of them.
  std::string error;
  for (const auto* address = addresses.get(); address != nullptr; address = address->ai_next) {
    const Socket socket(::socket(address->ai_family,
                                 address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                                 address->ai_protocol));
    error = socket.get() < 0 ? std::strerror(errno) : connect_to(socket, *address, deadline);
    if (error.empty()) {
      return exchange(socket, *target, deadline);
    }
  }
  return failed(error);
}

}  // namespace proxy::net
