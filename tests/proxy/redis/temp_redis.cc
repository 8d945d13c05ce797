// See temp_redis.h.
#include "temp_redis.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace proxy::redis {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds patience{60};

void wait_a_moment() { ::poll(nullptr, 0, 5); }

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int connect_to(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return socket;
  }
  ::close(socket);
  return -1;
}

std::string raw(const Reply& reply) {
  if (reply.type == Reply::Type::integer) return std::to_string(reply.integer);
  std::string text = reply.text;
  for (const Reply& item : reply.items) text += raw(item) + "\n";
  return text;
}

}  // namespace

std::uint16_t free_port() {
  for (;;) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    ::bind(socket, reinterpret_cast<const sockaddr*>(&address), size);
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(socket);
    // A cluster's nodes talk to each other 10,000 above.
    const std::uint16_t port = ntohs(address.sin_port);
    if (port < 55'000) return port;
  }
}

TempRedis::TempRedis(std::vector<std::string> options, std::string program)
    : program_(std::move(program)), options_(std::move(options)), port_(free_port()) {
  std::string pattern = (std::filesystem::temp_directory_path() / "redis.XXXXXX").string();
  directory_ = ::mkdtemp(pattern.data());
  start();
}

TempRedis::~TempRedis() {
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void TempRedis::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void TempRedis::start() {
  std::vector<std::string> words{program_, "--port", std::to_string(port_), "--bind", "127.0.0.1",
                                 "--dir", directory_, "--logfile", "log"};
  if (!options_.empty() && options_.front() == "--sentinel") {
    // It writes what it learns into its file.
    const std::string file = directory_ + "/sentinel.conf";
    if (!std::filesystem::exists(file)) std::ofstream(file) << "\n";
    words.insert(words.begin() + 1, file);
  } else {
    words.insert(words.end(), {"--save", ""});
  }
  words.insert(words.end(), options_.begin(), options_.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, 1);
    ::dup2(null, 2);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  const auto give_up_at = Clock::now() + patience;
  for (;;) {
    const int socket = connect_to(port_);
    if (socket >= 0) {
      ::close(socket);
      return;
    }
    if (Clock::now() > give_up_at || ::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      throw std::runtime_error(program_ + " does not start; see " + directory_);
    }
    wait_a_moment();
  }
}

std::string TempRedis::run(const std::vector<std::string>& arguments) const {
  const int socket = connect_to(port_);
  if (socket < 0) return "no connection";
  std::string command;
  const std::vector<std::string_view> views(arguments.begin(), arguments.end());
  append_command(command, views);
  (void)!::write(socket, command.data(), command.size());
  ReplyReader reader;
  std::optional<Reply> reply;
  while (!reply) {
    const std::span<char> room = reader.room();
    const ssize_t got = ::read(socket, room.data(), room.size());
    if (got <= 0) break;
    reader.commit(static_cast<std::size_t>(got));
    reply = reader.next();
  }
  ::close(socket);
  return reply ? raw(*reply) : "no reply";
}

TempCluster::TempCluster() {
  const std::vector<std::string> options{"--cluster-enabled", "yes", "--appendonly", "no"};
  const std::vector<std::pair<std::string, std::string>> ranges{
      {"0", "5460"}, {"5461", "10922"}, {"10923", "16383"}};
  for (const auto& [first, last] : ranges) {
    nodes_.push_back(std::make_unique<TempRedis>(options));
    nodes_.back()->run({"CLUSTER", "ADDSLOTSRANGE", first, last});
    nodes_.back()->run({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(nodes_.size())});
  }
  for (std::size_t i = 1; i < nodes_.size(); ++i) {
    nodes_[i]->run({"CLUSTER", "MEET", "127.0.0.1", std::to_string(nodes_[0]->port())});
  }
  for (const auto& node : nodes_) {
    while (node->run({"CLUSTER", "INFO"}).find("cluster_state:ok") == std::string::npos) {
      wait_a_moment();
    }
  }
}

std::vector<net::Endpoint> TempCluster::endpoints() const {
  std::vector<net::Endpoint> result;
  for (const auto& node : nodes_) result.push_back(node->endpoint());
  return result;
}

}  // namespace proxy::redis
