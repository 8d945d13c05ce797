// Load on /token, /login and /logout, as browsers make it: each connection is one client that
// keeps its own chain of refresh cookies. One thread, one epoll, no library, so that it is not what
// is measured. Latency counts from when a request was due, not from when it could be sent.
// Prints one line of JSON.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

struct Options {
  std::string mode = "token";  // token, or login: a login and a logout in turn
  std::uint16_t port = 0;      // on 127.0.0.1
  std::size_t connections = 64;
  double seconds = 10;
  double rate = 0;  // requests a second of all connections together; 0: as fast as answers come
  std::string cookie = "__Host-gatehouse_refresh";
  std::string user = "alice";
  std::string password = "password";
};

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "token_load: %s\n", why.c_str());
  std::exit(1);
}

enum class Step { login, token, logout };

// What was measured of one kind of request.
struct Measured {
  std::vector<std::uint32_t> latencies;  // microseconds
  std::map<int, std::size_t> statuses;
};

// A client: at most one request under way.
struct Client {
  int socket = -1;
  Step step = Step::login;
  std::string token;
  std::string out;
  std::size_t sent = 0;
  std::string in;
  bool is_busy = false;
  Clock::time_point due{};
  Clock::time_point next_due{};
};

std::string_view field(std::string_view head, std::string_view name) {
  std::size_t at = head.find(name);
  if (at == std::string_view::npos) return {};
  at += name.size();
  return head.substr(at, head.find("\r\n", at) - at);
}

class Load {
 public:
  explicit Load(Options options) : options_(std::move(options)), epoll_(::epoll_create1(0)) {}
  int run();

 private:
  void connect(Client& client);
  void begin(Client& client, Clock::time_point due);
  void begin_due(Clock::time_point now);
  void write(Client& client);
  void read(Client& client);
  // False while the answer is not whole.
  bool take_answer(Client& client);
  void finished(Client& client, int status);
  void turn(int timeout_ms);
  void log_everybody_in();
  void print(double seconds) const;

  Options options_;
  int epoll_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::map<Step, Measured> measured_;
  bool is_measuring_ = false;
  Clock::time_point end_{};
};

void Load::connect(Client& client) {
  client.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options_.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(client.socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fail(std::string("cannot connect: ") + std::strerror(errno));
  }
  const int one = 1;
  ::setsockopt(client.socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &client;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, client.socket, &event);
}

void Load::begin(Client& client, Clock::time_point due) {
  std::string& out = client.out;
  out.clear();
  if (client.step == Step::login) {
    const std::string body =
        R"({"username":")" + options_.user + R"(","password":")" + options_.password + "\"}";
    out += "POST /login HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  } else {
    out += client.step == Step::token ? "POST /token" : "POST /logout";
    out += " HTTP/1.1\r\nHost: bench\r\nCookie: " + options_.cookie + "=" + client.token +
           "\r\nContent-Length: 0\r\n\r\n";
  }
  client.sent = 0;
  client.is_busy = true;
  client.due = due;
  write(client);
}

void Load::write(Client& client) {
  const ssize_t sent = ::send(client.socket, client.out.data() + client.sent,
                              client.out.size() - client.sent, MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(client.out.size() - client.sent)) {
    fail("a request of some hundred bytes could not be sent at once");
  }
}

bool Load::take_answer(Client& client) {
  const std::string_view in = client.in;
  const std::size_t end = in.find("\r\n\r\n");
  if (end == std::string_view::npos) return false;
  const std::string_view head = in.substr(0, end + 2);
  std::size_t length = 0;
  const std::string_view text = field(head, "Content-Length: ");
  std::from_chars(text.data(), text.data() + text.size(), length);
  if (in.size() < end + 4 + length) return false;
  int status = 0;
  std::from_chars(head.data() + 9, head.data() + 12, status);
  const std::string_view cookie = field(head, "Set-Cookie: " + options_.cookie + "=");
  if (status == 200 && !cookie.empty()) client.token = cookie.substr(0, cookie.find(';'));
  client.in.erase(0, end + 4 + length);
  finished(client, status);
  return true;
}

void Load::finished(Client& client, int status) {
  const auto now = Clock::now();
  client.is_busy = false;
  if (is_measuring_) {
    Measured& measured = measured_[client.step];
    ++measured.statuses[status];
    const auto took = std::chrono::duration_cast<microseconds>(now - client.due).count();
    measured.latencies.push_back(static_cast<std::uint32_t>(took));
  }
  if (options_.mode == "login") {
    const bool goes_on = client.step == Step::login && status == 200;
    client.step = goes_on ? Step::logout : Step::login;
  } else if (status == 200) {
    client.step = Step::token;
  }
  if (is_measuring_ && options_.rate <= 0 && now < end_) begin(client, now);
}

void Load::read(Client& client) {
  std::array<char, 16'384> buffer;
  const ssize_t got = ::recv(client.socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) fail("the connection was closed");
  client.in.append(buffer.data(), static_cast<std::size_t>(got));
  while (client.is_busy && take_answer(client)) {
  }
}

void Load::turn(int timeout_ms) {
  std::array<epoll_event, 256> events{};
  const int count = ::epoll_wait(epoll_, events.data(), events.size(), timeout_ms);
  for (int i = 0; i < count; ++i) {
    read(*static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr));
  }
}

void Load::log_everybody_in() {
  for (const auto& client : clients_) {
    begin(*client, Clock::now());
    while (client->is_busy) turn(1'000);
    if (client->token.empty()) fail("the login was refused");
  }
}

// With a rate each client has its own even beat; one whose answer is late begins late, and that
// counts.
void Load::begin_due(Clock::time_point now) {
  const std::chrono::duration<double> beat(static_cast<double>(clients_.size()) / options_.rate);
  for (const auto& client : clients_) {
    if (client->is_busy || client->next_due > now) continue;
    begin(*client, client->next_due);
    client->next_due += std::chrono::duration_cast<Clock::duration>(beat);
  }
}

int Load::run() {
  for (std::size_t i = 0; i < options_.connections; ++i) {
    clients_.push_back(std::make_unique<Client>());
    connect(*clients_.back());
  }
  if (options_.mode == "token") log_everybody_in();
  std::puts("ready");
  std::fflush(stdout);
  // Whoever measures CPU time looks at it now.
  if (std::getchar() == EOF) fail("nobody said go");
  const auto began = Clock::now();
  end_ = began + std::chrono::duration_cast<Clock::duration>(
                     std::chrono::duration<double>(options_.seconds));
  is_measuring_ = true;
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    if (options_.rate <= 0) {
      begin(*clients_[i], began);
    } else {
      const std::chrono::duration<double> offset(static_cast<double>(i) / options_.rate);
      clients_[i]->next_due = began + std::chrono::duration_cast<Clock::duration>(offset);
    }
  }
  while (Clock::now() < end_) {
    if (options_.rate > 0) begin_due(Clock::now());
    turn(options_.rate > 0 ? 1 : 100);
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  const auto patience = Clock::now() + std::chrono::seconds{10};
  const auto is_busy = [](const auto& client) { return client->is_busy; };
  while (std::any_of(clients_.begin(), clients_.end(), is_busy) && Clock::now() < patience) {
    turn(100);
  }
  print(seconds);
  return 0;
}

std::uint32_t quantile(std::vector<std::uint32_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto at = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
  return sorted[std::min(at, sorted.size() - 1)];
}

void Load::print(double seconds) const {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  std::printf("{\"seconds\": %.3f, \"own_cpu\": %.3f", seconds, cpu);
  constexpr std::array<const char*, 3> names{"login", "token", "logout"};
  for (const auto& [step, measured] : measured_) {
    std::vector<std::uint32_t> sorted = measured.latencies;
    std::sort(sorted.begin(), sorted.end());
    std::printf(", \"%s\": {\"count\": %zu, \"rate\": %.1f, \"p50_us\": %u, \"p99_us\": %u, "
                "\"max_us\": %u, \"statuses\": {",
                names[static_cast<std::size_t>(step)], sorted.size(),
                static_cast<double>(sorted.size()) / seconds, quantile(sorted, 0.5),
                quantile(sorted, 0.99), sorted.empty() ? 0 : sorted.back());
    const char* comma = "";
    for (const auto& [status, count] : measured.statuses) {
      std::printf("%s\"%d\": %zu", comma, status, count);
      comma = ", ";
    }
    std::printf("}}");
  }
  std::puts("}");
}

Options read_options(int count, char** words) {
  Options options;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string name = words[i];
    const std::string value = words[i + 1];
    if (name == "--mode" && (value == "token" || value == "login")) {
      options.mode = value;
    } else if (name == "--port") {
      options.port = static_cast<std::uint16_t>(std::atoi(value.c_str()));
    } else if (name == "--connections") {
      options.connections = static_cast<std::size_t>(std::atoi(value.c_str()));
    } else if (name == "--seconds") {
      options.seconds = std::atof(value.c_str());
    } else if (name == "--rate") {
      options.rate = std::atof(value.c_str());
    } else if (name == "--cookie") {
      options.cookie = value;
    } else if (name == "--user") {
      options.user = value;
    } else if (name == "--password") {
      options.password = value;
    } else {
      fail("what is " + name + " " + value + "?");
    }
  }
  if (count % 2 == 0 || options.port == 0 || options.connections == 0) {
    fail("usage: token_load --port PORT [--mode token|login] [--connections N] [--seconds S] "
         "[--rate N] [--cookie NAME] [--user NAME] [--password TEXT]");
  }
  return options;
}

}  // namespace

int main(int count, char** words) {
  Load load(read_options(count, words));
  return load.run();
}
