// Tunnels; see tunnel.h.
#include "proxy/tunnel.h"

#include <boost/asio/error.hpp>

#include "auth/bytes.h"
#include "proxy/http/frames.h"
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
  std::uint16_t close_code = 1008;
  const SessionStreamGuard& session;
};

// How long this direction may wait: quiet in one direction is fine while the other one talks.
milliseconds patience(const Both& both) {
  const auto idle_for =
      std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - both.last_byte);
  const auto limit = both.one_ended ? farewell : both.idle_timeout;
  return limit - idle_for;
}

// Between two frames, and at the latest after this time, a revoked session's tunnel is closed.
constexpr milliseconds frame_patience{1'000};

// One direction. `mask` is for the frames that go to the application.
struct Direction {
  net::Stream& from;
  net::Stream& to;
  http::Buffer& buffer;
  std::string mask;
  std::uint64_t* counted = nullptr;
  http::FrameFollower frames{};
  bool is_intact = true;  // nothing was cut while it was written
};

net::Task<void> relay(Direction& way, Both& both) {
  const auto never = std::chrono::steady_clock::time_point::max();
  auto end_at = never;
  for (;;) {
    milliseconds wait = patience(both);
    if (wait <= milliseconds{0}) break;
    const bool is_over = both.session.is_over();
    if (is_over) {
      const auto now = std::chrono::steady_clock::now();
      if (end_at == never) end_at = now + frame_patience;
      if (way.frames.at_boundary() || now >= end_at) break;
      wait = std::min(wait, frame_patience);
    }
    way.buffer.clear();
    const auto room = way.buffer.reserve(http::Buffer::block_bytes);
    const net::IoResult got = co_await way.from.read_some(room, wait);
    // Woken up by the clock or by the other direction: how long to wait has changed.
    if (got.error == boost::asio::error::timed_out) continue;
    if (got.error == boost::asio::error::operation_aborted && way.from.is_open()) continue;
    if (got.error) break;
    way.buffer.commit(got.bytes);
    both.last_byte = std::chrono::steady_clock::now();
    std::string_view bytes = way.buffer.view();
    if (both.session.is_over()) {
      bytes = bytes.substr(0, way.frames.pass_to_boundary(bytes));
    } else {
      way.frames.pass(bytes);
    }
    const net::Pieces pieces(bytes);
    const auto error = co_await way.to.write_all(pieces, both.idle_timeout);
    way.is_intact = !error;
    if (error) break;
    if (way.counted != nullptr) *way.counted += bytes.size();
  }
}

net::Task<void> copy(Direction& way, Both& both) {
  co_await relay(way, both);
  if (both.session.is_over() && way.is_intact && way.frames.at_boundary()) {
    const std::uint16_t code = both.session.close_code(both.close_code);
    const std::string frame = http::close_frame(code, way.mask);
    const net::Pieces farewell_frame(frame);
    static_cast<void>(co_await way.to.write_all(farewell_frame, frame_patience));
  }
  // The end is passed on; the other direction gets a last while.
  way.to.shutdown_send();
  if (both.one_ended) co_return;
  both.one_ended = true;
  both.last_byte = std::chrono::steady_clock::now();
  way.to.cancel_read();
}

// RFC 6455 section 5.3: unpredictable for the application's client; zeros where there is no
// randomness, which is a mask as well.
std::string new_mask() {
  auto random = auth::random_bytes(4);
  return random ? std::move(*random) : std::string(4, '\0');
}

}  // namespace

SessionStreamGuard::SessionStreamGuard(WorkerState& worker, const Exchange& exchange,
                                       Connection& connection, net::Stream& upstream)
    : worker_(worker) {
  entry_.client = &connection.stream();
  entry_.upstream = &upstream;
  if (exchange.decision.token && exchange.decision.token->principal->ours) {
    const auth::Principal& principal = *exchange.decision.token->principal;
    entry_.session_id = principal.session_id;
    entry_.username = principal.subject;
    entry_.issued_at = principal.issued_at;
    // The session may have ended while the application took its time to answer.
    entry_.revoked = worker.revocations.is_revoked(principal.session_id, principal.subject,
                                                   principal.issued_at);
  }
  worker_.session_streams.push_back(entry_);
  move(Metric::tunnels, 1);
}

SessionStreamGuard::~SessionStreamGuard() {
  worker_.session_streams.erase(worker_.session_streams.iterator_to(entry_));
  move(Metric::tunnels, -1);
}

net::Task<Failure> run_tunnel(WorkerState& worker, Connection& connection, Exchange& exchange,
                              net::Stream& upstream, SessionStreamGuard& session,
                              milliseconds idle_timeout) {
  net::Stream& client = connection.stream();
  Both both{.idle_timeout = idle_timeout,
            .close_code = exchange.decision.route->close_code,
            .session = session};
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
  session.end_by_itself();
  Direction upwards{client, upstream, exchange.relay_up, new_mask()};
  upwards.frames.pass(exchange.request.bytes.view().substr(exchange.request.head_size));
  Direction downwards{upstream, client, exchange.relay_down, "", &exchange.bytes_out};
  downwards.frames.pass(exchange.response.bytes.view().substr(exchange.response.head_size));
  net::Child up(worker.executor);
  up.start(copy(upwards, both));
  co_await copy(downwards, both);
  co_await up.join();
  co_return session.is_over() ? Failure::session_ended : Failure::none;
}

}  // namespace proxy
