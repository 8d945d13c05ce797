// See topology.h.
#include "proxy/redis/topology.h"

#include <charconv>
#include <utility>

namespace proxy::redis {

net::Task<std::optional<net::Endpoint>> ListLocator::locate(net::Executor) {
  if (endpoints_.empty()) co_return std::nullopt;
  const net::Endpoint found = endpoints_[next_ % endpoints_.size()];
  ++next_;
  co_return found;
}

net::Task<std::optional<net::Endpoint>> SentinelLocator::ask(net::Executor executor,
                                                             const net::Endpoint& sentinel) {
  const Link::Opened opened = co_await Link::open(executor, sentinel, options_, false);
  if (!opened.link) co_return std::nullopt;
  std::string command;
  const std::vector<std::string_view> arguments{"SENTINEL", "get-master-addr-by-name", master_};
  append_command(command, arguments);
  Call call(net::Poller::of(executor));
  opened.link->send(command, 1, &call);
  co_await call.wait();
  opened.link->close(Failure::lost);
  const Reply& reply = call.answer.reply;
  if (!call.answer.is_reply() || reply.type != Reply::Type::array || reply.items.size() != 2) {
    co_return std::nullopt;
  }
  net::Endpoint found;
  found.host = reply.items[0].text;
  const std::string& port = reply.items[1].text;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), found.port);
  if (error != std::errc{} || end != port.data() + port.size()) co_return std::nullopt;
  co_return found;
}

// The sentinel that answered is asked first the next time (as Redis' own guide for clients says).
net::Task<std::optional<net::Endpoint>> SentinelLocator::locate(net::Executor executor) {
  for (std::size_t i = 0; i < sentinels_.size(); ++i) {
    const net::Endpoint sentinel = sentinels_[i];
    const auto found = co_await ask(executor, sentinel);
    if (!found) continue;
    std::swap(sentinels_[0], sentinels_[i]);
    co_return found;
  }
  co_return std::nullopt;
}

}  // namespace proxy::redis
