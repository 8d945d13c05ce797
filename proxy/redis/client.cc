// See client.h.
#include "proxy/redis/client.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <charconv>
#include <utility>

#include "proxy/redis/topology.h"

namespace proxy::redis {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t slot_count = 16'384;
constexpr int tries_max = 5;

// Redis 6 wraps what a command in a script says into an error of the script.
bool says(const Reply& error, std::string_view code) {
  return error.error_code() == code ||
         (error.error_code() == "ERR" && error.text.find(code) != std::string::npos);
}

// Errors that are about the server, not about what was asked.
Failure failure_of(const Reply& error) {
  for (const std::string_view code : {"LOADING", "MASTERDOWN", "BUSY", "READONLY"}) {
    if (says(error, code)) return Failure::loading;
  }
  for (const std::string_view code : {"NOAUTH", "NOPERM", "WRONGPASS"}) {
    if (says(error, code)) return Failure::unauthorized;
  }
  for (const std::string_view code : {"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN"}) {
    if (says(error, code)) return Failure::moved;
  }
  return Failure::none;
}

// "MOVED 3999 127.0.0.1:6381", "ASK ..."; an empty host is the one that was asked.
std::optional<std::pair<std::size_t, net::Endpoint>> redirection(const std::string& text) {
  const std::size_t first = text.find(' ');
  const std::size_t second = text.find(' ', first + 1);
  const std::size_t colon = text.rfind(':');
  if (first == std::string::npos || second == std::string::npos || colon == std::string::npos ||
      colon < second) {
    return std::nullopt;
  }
  std::size_t slot = 0;
  net::Endpoint to;
  to.host = text.substr(second + 1, colon - second - 1);
  const char* const end = text.data() + text.size();
  const bool is_read =
      std::from_chars(text.data() + first + 1, text.data() + second, slot).ec == std::errc{} &&
      std::from_chars(text.data() + colon + 1, end, to.port).ec == std::errc{};
  if (!is_read || slot >= slot_count) return std::nullopt;
  return std::pair{slot, to};
}

// A password or a certificate that has changed is for the next connection: the present one was let
// in already. In a cluster the endpoints are only where one begins.
bool leads_elsewhere(const ClientOptions& now, const ClientOptions& next) {
  const auto same_place = [](const net::Endpoint& a, const net::Endpoint& b) {
    return a.host == b.host && a.port == b.port && a.unix_path == b.unix_path;
  };
  const bool same_places = std::equal(now.endpoints.begin(), now.endpoints.end(),
                                      next.endpoints.begin(), next.endpoints.end(), same_place);
  return (!same_places && now.mode != Mode::cluster) || now.master != next.master ||
         now.link.username != next.link.username || now.link.database != next.link.database ||
         (now.link.tls == nullptr) != (next.link.tls == nullptr);
}

std::string eval(std::string_view verb, std::string_view script, const Client::Arguments& keys,
                 const Client::Arguments& arguments) {
  const std::string count = std::to_string(keys.size());
  Client::Arguments all{verb, script, count};
  all.insert(all.end(), keys.begin(), keys.end());
  all.insert(all.end(), arguments.begin(), arguments.end());
  std::string command;
  append_command(command, all);
  return command;
}

}  // namespace

std::uint16_t slot_of(std::string_view key) {
  const std::size_t open = key.find('{');
  if (open != std::string_view::npos) {
    const std::size_t close = key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1) {
      key = key.substr(open + 1, close - open - 1);
    }
  }
  std::uint16_t crc = 0;  // CRC-16/XMODEM, as the cluster's specification has it
  for (const char byte : key) {
    crc = static_cast<std::uint16_t>(crc ^ static_cast<unsigned char>(byte) << 8);
    for (int bit = 0; bit < 8; ++bit) {
      crc = static_cast<std::uint16_t>((crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1);
    }
  }
  return crc % slot_count;
}

std::string to_text(const net::Endpoint& address) {
  if (!address.unix_path.empty()) return "unix:" + address.unix_path;
  const bool is_v6 = address.host.find(':') != std::string::npos;
  const std::string host = is_v6 ? "[" + address.host + "]" : address.host;
  return host + ":" + std::to_string(address.port);
}

Client::Client(ClientOptions options) : options_(std::move(options)) {}
Client::~Client() = default;

void Client::attach(const net::Executor& executor) {
  executor_ = executor;
  if (options_.mode == Mode::cluster) {
    boost::asio::co_spawn(executor, keep_topology(), [](std::exception_ptr) {});
    return;
  }
  auto node = std::make_shared<Node>(executor, options_.link, make_locator());
  node->start();
  nodes_.emplace("", std::move(node));
}

std::unique_ptr<Locator> Client::make_locator() const {
  if (options_.mode == Mode::sentinel) {
    return std::make_unique<SentinelLocator>(options_.endpoints, options_.master,
                                             options_.sentinel);
  }
  return std::make_unique<ListLocator>(options_.endpoints);
}

void Client::install(ClientOptions options) {
  const bool moves = leads_elsewhere(options_, options);
  options_ = std::move(options);
  for (const auto& [address, node] : nodes_) {
    if (options_.mode != Mode::cluster) {
      node->renew(options_.link, make_locator(), moves);
    } else if (const auto place = net::parse_endpoint(address)) {
      const std::vector<net::Endpoint> only{*place};
      node->renew(options_.link, std::make_unique<ListLocator>(only), moves);
    }
  }
  refresh_topology();
}

void Client::detach() {
  is_detached_ = true;
  for (const auto& [address, node] : nodes_) node->stop();
  if (topology_rest_ != nullptr) topology_rest_->cancel();
}

bool Client::is_up() const {
  if (options_.mode != Mode::cluster) return nodes_.at("")->is_up();
  if (slots_.empty()) return false;
  return std::none_of(slots_.begin(), slots_.end(),
                      [last = static_cast<Node*>(nullptr)](const auto& node) mutable {
                        const bool is_new = node.get() != last;
                        last = node.get();
                        return node == nullptr || (is_new && node->is_breaker_open());
                      });
}

Client::Route Client::route_of(std::string_view key) {
  const Target target = target_of(key);
  if (target.node == nullptr) return {};
  return {target.node.get(), target.node->connection()};
}

bool Client::is_breaker_open() const {
  return std::any_of(nodes_.begin(), nodes_.end(),
                     [](const auto& node) {
                       return node.second->is_running() && node.second->is_breaker_open();
                     });
}

std::string Client::trouble() const {
  for (const auto& [address, node] : nodes_) {
    if (node->trouble().empty() || !node->is_running()) continue;
    return address.empty() ? node->trouble() : address + ": " + node->trouble();
  }
  return topology_trouble_;
}

Client::Target Client::target_of(std::string_view key) {
  if (options_.mode != Mode::cluster) return {nodes_.at(""), false};
  if (slots_.empty()) return {};
  return {slots_[slot_of(key)], false};
}

net::Task<void> Client::wait_a_moment() {
  net::Timer timer(*executor_, milliseconds{1});
  co_await timer.async_wait(net::as_result);
}

net::Task<Answer> Client::send_once(const std::string& commands, Target target) {
  Call call(net::Poller::of(*executor_));
  if (target.asking) {
    std::string with_asking;
    const Arguments asking{"ASKING"};
    append_command(with_asking, asking);
    with_asking += commands;
    target.node->send(with_asking, 2, &call);
  } else {
    target.node->send(commands, 1, &call);
  }
  co_await call.wait();
  co_return std::move(call.answer);
}

std::optional<Client::Target> Client::redirect(const Reply& error, Target from) {
  if (says(error, "READONLY")) {
    // A master that has become a replica: whoever knows the new one is asked again.
    from.node->reconnect();
    refresh_topology();
    if (options_.mode == Mode::standalone) return std::nullopt;
    return options_.mode == Mode::cluster ? Target{} : Target{from.node, false};
  }
  if (options_.mode != Mode::cluster) return std::nullopt;
  if (says(error, "TRYAGAIN") || says(error, "CLUSTERDOWN")) {
    refresh_topology();
    return Target{};
  }
  const bool asks = error.error_code() == "ASK";
  if (!asks && error.error_code() != "MOVED") return std::nullopt;
  const auto to = redirection(error.text);
  if (!to || to->second.host.empty()) {
    refresh_topology();
    return Target{};
  }
  const std::shared_ptr<Node> node = node_at(to->second);
  if (!asks) {
    if (!slots_.empty()) slots_[to->first] = node;
    refresh_topology();
  }
  return Target{node, asks};
}

// A target without a node means: wait until the topology says where.
net::Task<Answer> Client::send(std::string commands, std::string_view key, Repeat repeat) {
  const auto give_up_at = Clock::now() + options_.link.command_timeout;
  Answer answer{Failure::refused, {}};
  if (is_detached_) co_return answer;
  Target target = target_of(key);
  for (int i = 0; i < tries_max && (i == 0 || Clock::now() < give_up_at); ++i) {
    while (target.node == nullptr && Clock::now() < give_up_at && !is_detached_) {
      refresh_topology();
      co_await wait_a_moment();
      target = target_of(key);
    }
    if (target.node == nullptr) co_return answer;
    answer = co_await send_once(commands, target);
    if (answer.is_reply() && !answer.reply.is_error()) co_return answer;
    if (answer.is_reply()) {
      const auto next = redirect(answer.reply, target);
      if (!next) break;
      target = *next;
      continue;
    }
    if (options_.mode == Mode::cluster) refresh_topology();
    if (answer.failure != Failure::lost || repeat == Repeat::never) break;
    repeat = Repeat::never;
  }
  if (answer.is_reply() && answer.reply.is_error()) answer.failure = failure_of(answer.reply);
  co_return answer;
}

net::Task<Answer> Client::command(Arguments arguments, std::string_view key, Repeat repeat) {
  std::string commands;
  append_command(commands, arguments);
  co_return co_await send(std::move(commands), key, repeat);
}

net::Task<Answer> Client::script(const Script& script, Arguments keys, Arguments arguments,
                                 Repeat repeat) {
  std::string by_hash = eval("EVALSHA", script.sha, keys, arguments);
  Answer answer = co_await send(std::move(by_hash), keys.front(), repeat);
  if (!answer.is_reply() || !answer.reply.is_error() ||
      answer.reply.error_code() != "NOSCRIPT") {
    co_return answer;
  }
  std::string with_text = eval("EVAL", script.text, keys, arguments);
  co_return co_await send(std::move(with_text), keys.front(), repeat);
}

}  // namespace proxy::redis
