// Binding and accepting on real sockets; every port is 0 and every path in a directory of its own.
#include "proxy/net/listen.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <set>
#include <string>

#include "compiling.h"

namespace proxy::net {
namespace {

// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

// Closes what it listens on.
struct Bound {
  explicit Bound(Listening from) : listening(std::move(from)) {}
  ~Bound() { close_all(listening); }
  Bound(const Bound&) = delete;
  Bound& operator=(const Bound&) = delete;
  [[nodiscard]] int first() const { return listening.descriptors.front(); }
  [[nodiscard]] std::uint16_t port() const {
    const auto endpoint = parse_endpoint(listening.address);
    EXPECT_TRUE(endpoint.has_value()) << listening.address;
    return endpoint ? endpoint->port : std::uint16_t{0};
  }
  Listening listening;
};

Endpoint endpoint_of(std::string_view text) {
  const auto endpoint = parse_endpoint(text);
  EXPECT_TRUE(endpoint.has_value()) << text;
  return endpoint.value_or(Endpoint{});
}

int connect_to_port(std::uint16_t port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return descriptor;
}

int connect_to_path(const std::string& path) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  EXPECT_EQ(::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return descriptor;
}

// A socket file without anybody who listens, as a crash leaves it.
void leave_socket_file(const std::string& path) {
  const Descriptor left(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  ASSERT_EQ(::bind(left.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
}

void wait_readable(int descriptor) {
  pollfd entry{descriptor, POLLIN, 0};
  ASSERT_EQ(::poll(&entry, 1, 10'000), 1);
}

TEST(Listening, PortZeroBecomesTheBoundPort) {
  const Bound bound(listen_on(endpoint_of("127.0.0.1:0"), 1));
  ASSERT_EQ(bound.listening.error, "");
  EXPECT_EQ(bound.listening.descriptors.size(), 1U);
  EXPECT_EQ(bound.listening.family, AF_INET);
  EXPECT_TRUE(bound.listening.address.starts_with("127.0.0.1:")) << bound.listening.address;
  EXPECT_NE(bound.port(), 0);
}

TEST(Listening, EveryWorkerHasADescriptorOfTheSamePort) {
  const Bound bound(listen_on(endpoint_of("127.0.0.1:0"), 4));
  ASSERT_EQ(bound.listening.error, "");
  EXPECT_EQ(std::set<int>(bound.listening.descriptors.begin(), bound.listening.descriptors.end())
                .size(),
            4U);
  for (const int descriptor : bound.listening.descriptors) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ASSERT_EQ(::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size), 0);
    EXPECT_EQ(ntohs(address.sin_port), bound.port());
  }
}

TEST(Listening, APortInUseIsAnErrorForOneWorkerAndForMany) {
  const Bound one(listen_on(endpoint_of("127.0.0.1:0"), 1));
  const Bound many(listen_on(endpoint_of("127.0.0.1:0"), 3));
  for (const Bound* taken : {&one, &many}) {
    for (const std::size_t workers : {std::size_t{1}, std::size_t{2}}) {
      const Bound second(listen_on(endpoint_of(taken->listening.address), workers));
      EXPECT_NE(second.listening.error.find("Address already in use"), std::string::npos)
          << second.listening.error;
      EXPECT_TRUE(second.listening.descriptors.empty());
    }
  }
}

TEST(Listening, ANameThatDoesNotResolveIsNamed) {
  const Bound bound(listen_on({"no-such-host.invalid", 0, ""}, 1));
  EXPECT_NE(bound.listening.error.find("no-such-host.invalid"), std::string::npos);
}

TEST(Listening, AnAddressOfAnotherMachineIsAnError) {
  const Bound bound(listen_on(endpoint_of("192.0.2.1:0"), 2));
  EXPECT_NE(bound.listening.error.find("192.0.2.1"), std::string::npos);
  EXPECT_TRUE(bound.listening.descriptors.empty());
}

TEST(Listening, Ipv6AddressesAreWrittenInBrackets) {
  const Bound bound(listen_on(endpoint_of("[::1]:0"), 1));
  if (!bound.listening.error.empty()) GTEST_SKIP() << bound.listening.error;
  EXPECT_EQ(bound.listening.family, AF_INET6);
  EXPECT_TRUE(bound.listening.address.starts_with("[::1]:")) << bound.listening.address;
}

TEST(Listening, AUnixSocketIsBoundOnceAndShared) {
  const Directory directory;
  const std::string path = directory.at("a.sock");
  const Bound bound(listen_on(endpoint_of("unix:" + path), 3));
  ASSERT_EQ(bound.listening.error, "");
  EXPECT_EQ(bound.listening.family, AF_UNIX);
  EXPECT_EQ(bound.listening.address, "unix:" + path);
  ASSERT_EQ(bound.listening.descriptors.size(), 3U);
  const Descriptor client(connect_to_path(path));
  // Whichever worker looks first gets it.
  const Accepted accepted = accept_from(bound.listening.descriptors[2]);
  ASSERT_EQ(accepted.outcome, Accepted::Outcome::connection);
  const Descriptor server(accepted.descriptor);
  EXPECT_EQ(accepted.peer, Address{});
  EXPECT_EQ(accept_from(bound.first()).outcome, Accepted::Outcome::none);
}

TEST(Listening, ASocketFileLeftByACrashIsReplaced) {
  const Directory directory;
  const std::string path = directory.at("a.sock");
  leave_socket_file(path);
  const Bound bound(listen_on(endpoint_of("unix:" + path), 1));
  ASSERT_EQ(bound.listening.error, "");
  const Descriptor client(connect_to_path(path));
  const Accepted accepted = accept_from(bound.first());
  EXPECT_EQ(accepted.outcome, Accepted::Outcome::connection);
  const Descriptor server(accepted.descriptor);
}

TEST(Listening, ALiveSocketAndAnOrdinaryFileAreLeftAlone) {
  const Directory directory;
  const std::string path = directory.at("a.sock");
  const Bound live(listen_on(endpoint_of("unix:" + path), 1));
  const Bound second(listen_on(endpoint_of("unix:" + path), 1));
  EXPECT_NE(second.listening.error.find("already in use"), std::string::npos);
  const Descriptor client(connect_to_path(path));

  const std::string file = directory.write("notes.txt", "mine");
  const Bound third(listen_on(endpoint_of("unix:" + file), 1));
  EXPECT_NE(third.listening.error.find("already in use"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_regular_file(file));
}

TEST(Listening, ADirectoryThatDoesNotExistIsAnError) {
  const Directory directory;
  const Bound bound(listen_on(endpoint_of("unix:" + directory.at("none/a.sock")), 1));
  EXPECT_NE(bound.listening.error.find("No such file or directory"), std::string::npos);
  EXPECT_TRUE(bound.listening.descriptors.empty());
}

TEST(Listening, ClosedItHoldsNoDescriptor) {
  Listening listening = listen_on(endpoint_of("127.0.0.1:0"), 2);
  const int first = listening.descriptors.front();
  close_all(listening);
  EXPECT_TRUE(listening.descriptors.empty());
  EXPECT_EQ(accept_from(first).outcome, Accepted::Outcome::failed);
}

TEST(Accepting, AnEmptyQueueIsNone) {
  const Bound bound(listen_on(endpoint_of("127.0.0.1:0"), 1));
  const Accepted accepted = accept_from(bound.first());
  EXPECT_EQ(accepted.outcome, Accepted::Outcome::none);
  EXPECT_EQ(accepted.descriptor, -1);
}

TEST(Accepting, KnowsThePeerAndNeverBlocks) {
  const Bound bound(listen_on(endpoint_of("127.0.0.1:0"), 1));
  const Descriptor client(connect_to_port(bound.port()));
  wait_readable(bound.first());
  const Accepted accepted = accept_from(bound.first());
  ASSERT_EQ(accepted.outcome, Accepted::Outcome::connection);
  const Descriptor server(accepted.descriptor);
  sockaddr_in own{};
  socklen_t size = sizeof own;
  ::getsockname(client.number(), reinterpret_cast<sockaddr*>(&own), &size);
  EXPECT_EQ(to_text(accepted.peer), "127.0.0.1");
  EXPECT_EQ(accepted.peer_port, ntohs(own.sin_port));
  char byte = 0;
  EXPECT_EQ(::recv(server.number(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST(Accepting, WithoutAFreeDescriptorItSaysSoAndTheConnectionWaits) {
  const Bound bound(listen_on(endpoint_of("127.0.0.1:0"), 1));
  const Descriptor client(connect_to_port(bound.port()));
  wait_readable(bound.first());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  // The lowest free number is the first that a lower limit forbids.
  const int free_number = ::dup(client.number());
  ::close(free_number);
  rlimit lower = before;
  lower.rlim_cur = static_cast<rlim_t>(free_number);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &lower), 0);
  const Accepted refused = accept_from(bound.first());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(refused.outcome, Accepted::Outcome::out_of_descriptors);
  const Accepted accepted = accept_from(bound.first());
  EXPECT_EQ(accepted.outcome, Accepted::Outcome::connection);
  const Descriptor server(accepted.descriptor);
}

}  // namespace
}  // namespace proxy::net
