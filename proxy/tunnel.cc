// Tunnels; see tunnel.h.
#include "proxy/tunnel.h"

#include <boost/asio/error.hpp>

#include "proxy/net/child.h"

namespace proxy {
namespace {

using std::chrono::milliseconds;

// After one side has ended, how long the other may still talk.
constexpr milliseconds farewell{5'000};

// What both directions know of each other.
struct Both {
  std::chrono::steady_clock::time_point last_byte = std::chrono::steady_clock::now();
  bool one_ended = false;
  milliseconds idle_timeout{0};
  const SessionStreamGuard& session;
};

// How long this direction may wait: quiet in one direction is fine while the other one talks.
milliseconds patience(const Both& both) {
  const auto idle_for =
      std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - both.last_byte);
  const auto limit = both.one_ended ? farewell : both.idle_timeout;
  return limit - idle_for;
}

net::Task<void> copy(net::Stream& from, net::Stream& to, http::Buffer& buffer, Both& both,
                     std::uint64_t* counted) {
  for (;;) {
    const milliseconds wait = patience(both);
    if (wait <= milliseconds{0} || both.session.revoked()) break;
    buffer.clear();
    const auto room = buffer.reserve(http::Buffer::block_bytes);
    const net::IoResult got = co_await from.read_some(room, wait);
    // Woken up by the clock or by the other direction: how long to wait has changed.
    if (got.error == boost::asio::error::timed_out) continue;
    if (got.error == boost::asio::error::operation_aborted && from.is_open()) continue;
    if (got.error) break;
    buffer.commit(got.bytes);
    both.last_byte = std::chrono::steady_clock::now();
    const net::Pieces pieces(buffer.view());
    const auto error = co_await to.write_all(pieces, both.idle_timeout);
    if (error) break;
    if (counted != nullptr) *counted += got.bytes;
  }
  // The end is passed on; the other direction gets a last while.
  to.shutdown_send();
  if (both.one_ended) co_return;
  both.one_ended = true;
  both.last_byte = std::chrono::steady_clock::now();
  to.cancel_read();
}

}  // namespace

SessionStreamGuard::SessionStreamGuard(WorkerState& worker, const Exchange& exchange,
                                       Connection& connection, net::Stream& upstream)
    : worker_(worker) {
  if (!exchange.decision.token) return;
  const auth::Principal& principal = *exchange.decision.token->principal;
  if (!principal.ours) return;
  entry_.session_id = principal.session_id;
  entry_.username = principal.subject;
  entry_.issued_at = principal.issued_at;
  entry_.client = &connection.stream();
  entry_.upstream = &upstream;
  // The session may have ended while the application took its time to answer.
  entry_.revoked =
      worker.revocations.is_revoked(principal.session_id, principal.subject, principal.issued_at);
  worker_.session_streams.push_back(entry_);
  registered_ = true;
  move(Metric::tunnels, 1);
}

SessionStreamGuard::~SessionStreamGuard() {
  if (!registered_) return;
  worker_.session_streams.erase(worker_.session_streams.iterator_to(entry_));
  move(Metric::tunnels, -1);
}

net::Task<Failure> run_tunnel(WorkerState& worker, Connection& connection, Exchange& exchange,
                              net::Stream& upstream, milliseconds idle_timeout) {
  SessionStreamGuard session(worker, exchange, connection, upstream);
  if (session.revoked()) co_return Failure::session_ended;
  net::Stream& client = connection.stream();
  Both both{.idle_timeout = idle_timeout, .session = session};
  // Bytes the application sent right behind its 101.
  net::Pieces greeting(exchange.out.view());
  greeting.add(exchange.response.bytes.view().substr(exchange.response.head_size));
  bool alive = co_await connection.write(greeting);
  // Bytes the client sent before the 101 were held back until now (RFC 9931, SECURITY E04).
  const net::Pieces early(exchange.request.bytes.view().substr(exchange.request.head_size));
  if (alive) {
    const auto error = co_await upstream.write_all(early, idle_timeout);
    alive = !error;
  }
  if (!alive) co_return Failure::client_closed;
  net::Child up(worker.executor);
  up.start(copy(client, upstream, exchange.relay_up, both, nullptr));
  co_await copy(upstream, client, exchange.relay_down, both, &exchange.bytes_out);
  co_await up.join();
  co_return session.revoked() ? Failure::session_ended : Failure::none;
}

}  // namespace proxy
