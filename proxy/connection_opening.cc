// What a client's connection begins with on some listeners; see connection.h.
#include "proxy/connection.h"

#include <array>
#include <utility>

#include "proxy/metrics.h"
#include "proxy/net/proxy_header.h"
#include "proxy/net/tls_session.h"

namespace proxy {
namespace {

using std::chrono::milliseconds;

}  // namespace

net::Task<bool> Connection::open() {
  if (listener_->proxy_protocol) {
    const bool known = co_await read_proxy_header();
    if (!known) co_return false;
  }
  if (listener_->tls) {
    const bool secured = co_await begin_tls();
    if (!secured) co_return false;
  }
  co_return true;
}

// Whoever is not a trusted proxy cannot say who it speaks for, and is not served at all here: a
// client that came past the balancer would choose its own address. A unix socket is guarded by the
// rights of its file.
net::Task<bool> Connection::read_proxy_header() {
  const Runtime& runtime = *worker_.local->runtime;
  const bool is_unix = peer_text_ == "unix";
  if (!is_unix && !is_trusted(runtime, peer_address_)) {
    count(Metric::connections_refused, "not_trusted");
    co_return false;
  }
  const milliseconds limit = runtime.config.timeouts.tls_handshake;
  const std::int64_t began = worker_.wheel.now_tick();
  net::ProxyHeader header;
  auto state = net::ProxyHeader::State::need_more;
  while (state == net::ProxyHeader::State::need_more) {
    const auto left = limit - (worker_.wheel.now_tick() - began) * net::Wheel::tick_length;
    std::array<char, 128> bytes;
    const std::span<char> room(bytes.data(), std::min(bytes.size(), header.wants()));
    net::IoResult got;
    const bool has_time = left.count() > 0;
    if (has_time) got = co_await stream_.read_some(room, left);
    if (got.error || got.bytes == 0) {
      count(Metric::connections_refused, "no_proxy_header");
      co_return false;
    }
    state = header.feed({bytes.data(), got.bytes});
  }
  if (state == net::ProxyHeader::State::failed) {
    count(Metric::connections_refused, "bad_proxy_header");
    co_return false;
  }
  if (header.source()) {
    peer_address_ = header.source()->address;
    peer_text_ = net::to_text(peer_address_);
  }
  co_return true;
}

// One line a second: whoever looks for the reason finds one, and a flood does not fill the log. Who
// connects and leaves without a word (the probe of a load balancer) is not worth a line.
void Connection::say_why_not(const boost::system::error_code& error) {
  if (error == net::make_error_code(net::TlsError::truncated)) return;
  constexpr std::int64_t interval = std::chrono::seconds{1} / net::Wheel::tick_length;
  if (worker_.wheel.now_tick() - worker_.handshake_told < interval) {
    ++worker_.handshakes_untold;
    return;
  }
  worker_.handshake_told = worker_.wheel.now_tick();
  const std::string reason = error.message();
  const std::string untold = std::to_string(std::exchange(worker_.handshakes_untold, 0U));
  worker_.log.write(Level::info, "a TLS handshake failed",
                    {{"client", peer_text_}, {"reason", reason}, {"untold_before", untold}});
}

net::Task<bool> Connection::begin_tls() {
  auto session = listener_->tls->start();
  if (!session) co_return false;
  const milliseconds limit = worker_.local->runtime->config.timeouts.tls_handshake;
  const auto error = co_await stream_.secure(std::move(session), limit);
  if (error) {
    count(Metric::tls_handshakes_failed);
    say_why_not(error);
    co_return false;
  }
  count(Metric::tls_handshakes);
  certificate_ = stream_.tls()->peer();
  co_return true;
}

}  // namespace proxy
