// Connections to the application; see upstream.h.
#include "proxy/upstream.h"

#include <boost/asio/error.hpp>

namespace proxy {
namespace {

// How long a name's addresses are used before it is looked up again.
constexpr std::chrono::seconds lookup_life{10};

}  // namespace

std::optional<net::Endpoint> upstream_endpoint(std::string_view url) {
  constexpr std::string_view scheme = "http://";
  if (url.starts_with("unix:")) return net::parse_endpoint(url);
  if (!url.starts_with(scheme)) return std::nullopt;
  url.remove_prefix(scheme.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  const bool has_port = url.rfind(':') != std::string_view::npos && !url.ends_with(']');
  return net::parse_endpoint(has_port ? std::string(url) : std::string(url) + ":80");
}

Upstream::Upstream(const config::Upstream& config, const net::Executor& executor, net::Wheel& wheel)
    : config_(config), executor_(executor), wheel_(wheel) {
  // The configuration was checked; an endpoint that is none has failed there.
  endpoint_ = upstream_endpoint(config.endpoints.front()).value_or(net::Endpoint{});
  const bool is_v6 = endpoint_.host.find(':') != std::string::npos;
  authority_ = is_v6 ? "[" + endpoint_.host + "]" : endpoint_.host;
  if (authority_.empty()) authority_ = "localhost";
  if (endpoint_.port != 80 && endpoint_.port != 0)
    authority_ += ":" + std::to_string(endpoint_.port);
  if (net::parse_address(endpoint_.host)) addresses_.push_back(endpoint_.host);
  idle_.reserve(config.max_idle_connections);
}

bool Upstream::is_too_old(const Idle& idle) const {
  return (wheel_.now_tick() - idle.since + 1) * net::Wheel::tick_length >=
         config_.idle_connection_timeout;
}

std::unique_ptr<net::Stream> Upstream::take_idle() {
  if (idle_.empty()) return nullptr;
  if (is_too_old(idle_.back())) {
    idle_.clear();  // the newest is too old: so are all others
    return nullptr;
  }
  auto stream = std::move(idle_.back().stream);
  idle_.pop_back();
  return stream;
}

net::Task<boost::system::error_code> Upstream::look_up() {
  const auto now = std::chrono::steady_clock::now();
  const bool is_literal = net::parse_address(endpoint_.host).has_value();
  if (is_literal || (!addresses_.empty() && now - looked_up_ < lookup_life)) {
    co_return boost::system::error_code{};
  }
  net::Resolved resolved = co_await net::resolve(executor_, endpoint_.host);
  looked_up_ = std::chrono::steady_clock::now();
  // The last known addresses serve on when the name server does not.
  if (resolved.error) co_return addresses_.empty() ? resolved.error : boost::system::error_code{};
  addresses_ = std::move(resolved.addresses);
  co_return boost::system::error_code{};
}

net::Task<net::ConnectResult> Upstream::connect() {
  net::ConnectResult result;
  if (!endpoint_.unix_path.empty()) {
    result = co_await net::connect(executor_, wheel_, endpoint_, config_.connect_timeout);
    co_return result;
  }
  result.error = co_await look_up();
  if (result.error) co_return result;
  result.error = boost::asio::error::make_error_code(boost::asio::error::host_not_found);
  const std::vector<std::string> addresses = addresses_;
  for (const std::string& address : addresses) {
    net::Endpoint target = endpoint_;
    target.host = address;
    result = co_await net::connect(executor_, wheel_, target, config_.connect_timeout);
    if (result.stream) co_return result;
  }
  co_return result;
}

void Upstream::give_back(std::unique_ptr<net::Stream> stream) {
  if (config_.max_idle_connections == 0) return;
  if (idle_.size() >= config_.max_idle_connections) idle_.erase(idle_.begin());
  idle_.push_back({std::move(stream), wheel_.now_tick()});
}

void Upstream::close_idle() {
  std::size_t old = 0;
  while (old < idle_.size() && is_too_old(idle_[old])) ++old;
  idle_.erase(idle_.begin(), idle_.begin() + static_cast<std::ptrdiff_t>(old));
}

}  // namespace proxy
