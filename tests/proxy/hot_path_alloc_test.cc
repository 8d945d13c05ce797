// What a forwarded request with a known token costs in allocations: a worker as the server puts it
// together, behind it an application with plain sockets, in front of it keep-alive clients. Only
// the worker's thread is counted, from malloc itself, so that operator new, OpenSSL and libc are.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "compiling.h"
#include "proxy/net/listen.h"
#include "proxy/store/memory_store.h"
#include "proxy/worker.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GATEHOUSE_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GATEHOUSE_SANITIZED 1
#endif

#if defined(__GLIBC__) && !defined(GATEHOUSE_SANITIZED)
#define GATEHOUSE_COUNTS_WORKER_ALLOCATIONS 1

namespace {
std::atomic<std::size_t> worker_allocations{0};
thread_local bool is_counted_thread = false;

void count_allocation() noexcept {
  if (is_counted_thread) worker_allocations.fetch_add(1, std::memory_order_relaxed);
}
}  // namespace

extern "C" {
// glibc's own, behind ours.
void* __libc_malloc(std::size_t bytes);                              // NOLINT
void* __libc_calloc(std::size_t count, std::size_t bytes);           // NOLINT
void* __libc_realloc(void* old, std::size_t bytes);                  // NOLINT
void* __libc_memalign(std::size_t alignment, std::size_t bytes);     // NOLINT

void* malloc(std::size_t bytes) noexcept {
  count_allocation();
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) noexcept {
  count_allocation();
  return __libc_calloc(count, bytes);
}
void* realloc(void* old, std::size_t bytes) noexcept {
  count_allocation();
  return __libc_realloc(old, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  count_allocation();
  return __libc_memalign(alignment, bytes);
}
}
#endif

#ifdef GATEHOUSE_COUNTS_WORKER_ALLOCATIONS
namespace proxy {
namespace {

int connected_to(std::uint16_t port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return descriptor;
}

// Reads until `text` stands at the end of what came; false at the connection's end.
bool read_until(int descriptor, std::string_view text, std::string& into) {
  into.clear();
  std::array<char, 4'096> piece{};
  while (!std::string_view(into).ends_with(text)) {
    const ssize_t got = ::recv(descriptor, piece.data(), piece.size(), 0);
    if (got <= 0) return false;
    into.append(piece.data(), static_cast<std::size_t>(got));
  }
  return true;
}

// Answers every request on every connection with the same few bytes.
class Application {
 public:
  Application() : listening_(net::listen_on({"127.0.0.1", 0, ""}, 1)) {
    // Blocking, unlike what workers listen on.
    const int descriptor = listening_.descriptors.front();
    ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) & ~O_NONBLOCK);
    acceptor_ = std::thread([this, descriptor] {
      for (;;) {
        const int accepted = ::accept(descriptor, nullptr, nullptr);
        if (accepted < 0) return;
        connections_.emplace_back([accepted] { serve(accepted); });
      }
    });
  }
  // After its clients have gone.
  ~Application() {
    ::shutdown(listening_.descriptors.front(), SHUT_RDWR);
    acceptor_.join();
    for (std::thread& connection : connections_) connection.join();
    net::close_all(listening_);
  }
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;
  [[nodiscard]] std::string url() const { return "http://" + listening_.address; }

  static constexpr std::string_view body = "{\"answer\": 42}\n";

 private:
  static void serve(int descriptor) {
    const std::string answer =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: \"1\"\r\n"
        "Connection: keep-alive\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
    std::string request;
    while (read_until(descriptor, "\r\n\r\n", request)) {
      (void)::send(descriptor, answer.data(), answer.size(), MSG_NOSIGNAL);
    }
    ::close(descriptor);
  }

  net::Listening listening_;
  std::vector<std::thread> connections_;
  std::thread acceptor_;
};

// A worker on a thread of its own, with everything a server gives it.
class WorkerThread {
 public:
  explicit WorkerThread(const std::shared_ptr<const Runtime>& runtime)
      : store_({}, [](const store::Revocation&) {}),
        hashing_({.threads = 1, .queue_max = 1}),
        writer_(runtime->log),
        worker_(store_, hashing_, writer_, runtime, process_) {
    net::Listening listening = net::listen_on({"127.0.0.1", 0, ""}, 1);
    port_ = net::parse_endpoint(listening.address)->port;
    auto setup = std::make_shared<ListenerSetup>();
    setup->family = listening.family;
    setup->port = std::to_string(port_);
    worker_.listen(1, listening.descriptors.front(), setup, false);
    thread_ = std::thread([this] {
      is_counted_thread = true;
      worker_.run();
      is_counted_thread = false;
    });
  }
  ~WorkerThread() {
    worker_.stop();
    thread_.join();
  }
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  ProcessState process_;
  store::MemoryStore store_;
  HashPool hashing_;
  LogWriter writer_;
  Worker worker_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

// Keep-alive clients that send the same request again and again.
class Clients {
 public:
  Clients(std::uint16_t port, std::size_t count, std::string request)
      : request_(std::move(request)) {
    for (std::size_t i = 0; i < count; ++i) connections_.push_back(connected_to(port));
    for (const int connection : connections_) send_request(connection);
  }
  ~Clients() {
    for (const int connection : connections_) ::close(connection);
  }
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  // An answer for each connection, whose next request follows at once: all but one are always on
  // their way. How many were right.
  std::size_t round() {
    std::size_t right = 0;
    for (const int connection : connections_) {
      const bool answered = read_until(connection, Application::body, answer_);
      if (answered && answer_.starts_with("HTTP/1.1 200 OK\r\n")) ++right;
      send_request(connection);
    }
    return right;
  }
  [[nodiscard]] std::size_t size() const { return connections_.size(); }

 private:
  void send_request(int connection) {
    (void)::send(connection, request_.data(), request_.size(), MSG_NOSIGNAL);
  }

  std::vector<int> connections_;
  std::string request_;
  std::string answer_;
};

auth::Time now_for_real() {
  return std::chrono::time_point_cast<auth::milliseconds>(std::chrono::system_clock::now());
}

// Allocations of the worker over `requests` requests of so many clients, once warm.
std::size_t allocations_of(std::size_t clients_at_once, std::size_t requests, bool access_log) {
  const Directory directory;
  const std::string log_file = directory.at("access.log");
  const Application application;
  config::Config config = small_config();
  config.upstreams = {upstream_at("app", application.url())};
  config.routes = {route_for("/api/**")};
  config.log.file = log_file;
  config.log.access = access_log;
  const auto runtime = runtime_of(config);
  auth::AccessClaims claims = claims_of("alice");
  claims.groups = {"staff"};
  const std::string token = token_for(*runtime, claims, now_for_real());
  const WorkerThread worker(runtime);
  Clients clients(worker.port(), clients_at_once,
                  "GET /api/items?page=2 HTTP/1.1\r\nHost: app.example.com\r\nAccept: */*\r\n"
                  "User-Agent: test\r\nCookie: theme=dark\r\nAuthorization: Bearer " +
                      token + "\r\n\r\n");
  std::size_t right = 0;
  const std::size_t rounds = requests / clients.size();
  for (std::size_t i = 0; i < rounds / 5; ++i) right += clients.round();
  EXPECT_GT(worker_allocations.load(), 0U);  // the counter counts
  const std::size_t before = worker_allocations.load();
  for (std::size_t i = 0; i < rounds; ++i) right += clients.round();
  const std::size_t after = worker_allocations.load();
  EXPECT_EQ(right, (rounds + rounds / 5) * clients.size());
  return after - before;
}

TEST(HotPath, ARequestWithAKnownTokenAllocatesNothing) {
  EXPECT_EQ(allocations_of(1, 10'000, false), 0U);
}

TEST(HotPath, WithSeveralClientsFramesAreRecycledButForAFew) {
  // Frames of different sizes share one list, which takes a while to hold what every mix needs.
  EXPECT_LE(allocations_of(8, 10'000, false), 100U);
  EXPECT_LE(allocations_of(16, 10'000, false), 100U);
}

TEST(HotPath, ItsAccessLineAllocatesNothingEither) {
  // But for the buffer that hands lines over to the writer's thread: while that thread is behind,
  // the buffer doubles, a few times at most before its bound.
  EXPECT_LE(allocations_of(1, 10'000, true), 16U);
}

}  // namespace
}  // namespace proxy
#else
TEST(HotPath, ARequestWithAKnownTokenAllocatesNothing) {
  GTEST_SKIP() << "allocations are not counted under sanitizers";
}
#endif
