// How a Client keeps to a cluster's topology; see client.h.
#include <algorithm>
#include <set>
#include <utility>

#include "proxy/redis/client.h"
#include "proxy/redis/topology.h"

namespace proxy::redis {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t all_slots = 16'384;
constexpr std::size_t nodes_max = 512;
// Redirections say when something has moved; this is for what nobody asked for meanwhile.
constexpr milliseconds rest_time{30'000};
constexpr milliseconds hurried_rest{100};

}  // namespace

const std::shared_ptr<Node>& Client::node_at(const net::Endpoint& address) {
  const std::string text = to_text(address);
  std::shared_ptr<Node>& node = nodes_[text];
  if (!node) {
    const std::vector<net::Endpoint> only{address};
    node = std::make_shared<Node>(*executor_, options_.link, std::make_unique<ListLocator>(only));
  }
  return node;
}

void Client::refresh_topology() {
  if (options_.mode != Mode::cluster) return;
  is_topology_due_ = true;
  if (topology_rest_ != nullptr) topology_rest_->cancel();
}

net::Task<void> Client::keep_topology() {
  net::Timer rest(*executor_);
  while (!is_detached_) {
    is_topology_due_ = false;
    const bool is_whole = co_await read_topology();
    if (is_detached_) break;
    // While it is not whole, or somebody was sent away, it is looked at again and again.
    const bool hurries = !is_whole || is_topology_due_;
    rest.expires_after(hurries ? hurried_rest : rest_time);
    if (!hurries) topology_rest_ = &rest;
    co_await rest.async_wait(net::as_result);
    topology_rest_ = nullptr;
  }
}

// Asks those that serve, then those that the configuration names.
net::Task<bool> Client::read_topology() {
  std::vector<net::Endpoint> places;
  for (const auto& [address, node] : nodes_) {
    const auto place = net::parse_endpoint(address);
    if (place && node->is_up()) places.push_back(*place);
  }
  places.insert(places.end(), options_.endpoints.begin(), options_.endpoints.end());
  std::string command;
  const Arguments arguments{"CLUSTER", "SLOTS"};
  append_command(command, arguments);
  for (const net::Endpoint& place : places) {
    const Target target{node_at(place), false};
    const Answer answer = co_await send_once(command, target);
    if (is_detached_) co_return false;
    if (!answer.is_reply() || answer.reply.type != Reply::Type::array) {
      topology_trouble_ = answer.is_reply() ? answer.reply.text : target.node->trouble();
      continue;
    }
    take_topology(answer.reply, place);
    co_return std::find(slots_.begin(), slots_.end(), nullptr) == slots_.end();
  }
  co_return false;
}

// [[first slot, last slot, [host, port, ...], replicas...], ...]
void Client::take_topology(const Reply& slots, const net::Endpoint& asked) {
  std::vector<std::shared_ptr<Node>> found(all_slots);
  std::set<std::shared_ptr<Node>> wanted;
  for (const Reply& range : slots.items) {
    if (range.items.size() < 3 || range.items[2].items.size() < 2) continue;
    const std::int64_t first = range.items[0].integer;
    const std::int64_t last = range.items[1].integer;
    const Reply& master = range.items[2];
    if (first < 0 || last >= static_cast<std::int64_t>(all_slots) || first > last) continue;
    net::Endpoint address;
    address.host = master.items[0].text.empty() ? asked.host : master.items[0].text;
    address.port = static_cast<std::uint16_t>(master.items[1].integer);
    if (nodes_.size() >= nodes_max && !nodes_.contains(to_text(address))) continue;
    const std::shared_ptr<Node> node = node_at(address);
    wanted.insert(node);
    node->start();
    std::fill(found.begin() + first, found.begin() + last + 1, node);
  }
  slots_ = std::move(found);
  // Who has left the cluster is forgotten once the connection has ended, too.
  std::erase_if(nodes_, [&wanted](const auto& entry) {
    if (wanted.contains(entry.second)) return false;
    entry.second->release();
    return !entry.second->is_running();
  });
  topology_trouble_ = wanted.empty() ? "the cluster serves no slot" : "";
}

}  // namespace proxy::redis
