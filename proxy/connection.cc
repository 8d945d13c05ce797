// The client's side over HTTP/1.1; see connection.h.
#include "proxy/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>

#include "proxy/http/guard.h"
#include "proxy/http/status.h"

namespace proxy {
namespace {

using std::chrono::milliseconds;

// How long an idle connection keeps its buffer before it lets go of it: long enough for a busy
// client, short enough that ten thousand idle ones hold none.
constexpr milliseconds parked_after{1'000};
constexpr milliseconds finish_timeout{5'000};
// A client that is to be told that there is no room has this long to send its request.
constexpr milliseconds surplus_head_timeout{1'000};
// The slowest body: 256 bytes a second over half a minute (SECURITY X-12).
constexpr std::int64_t body_window = std::chrono::seconds{30} / net::Wheel::tick_length;
constexpr std::uint64_t body_window_bytes_min = 30 * 256;
constexpr std::size_t finish_bytes_max = 64 * 1024;
constexpr milliseconds linger_timeout{2'000};

bool is_timeout(const boost::system::error_code& error) {
  return error == boost::asio::error::timed_out;
}

bool is_cancelled(const boost::system::error_code& error) {
  return error == boost::asio::error::operation_aborted;
}

}  // namespace

Connection::Connection(WorkerState& worker, int descriptor, ListenerId id,
                       ListenerSetupPtr listener, const net::Address& peer, bool surplus)
    : worker_(worker),
      listener_id_(id),
      listener_(std::move(listener)),
      peer_address_(peer),
      peer_text_(listener_->family == AF_UNIX ? "unix" : net::to_text(peer)),
      stream_(worker.executor, worker.wheel, listener_->family, descriptor),
      surplus_(surplus) {
  count_places(+1);
}

Connection::~Connection() { count_places(-1); }

void Connection::count_places(int by) {
  if (surplus_) {
    worker_.surplus += by;
  } else if (role() != Role::main) {
    worker_.others += by;
  } else {
    worker_.process.connections.fetch_add(static_cast<std::uint32_t>(by),
                                          std::memory_order_relaxed);
  }
}

void Connection::stop_if_idle() {
  if (idle_) stream_.cancel_read();
}

void Connection::cut() {
  stream_.cancel();
  stream_.close();
}

void Connection::begin_idle() {
  idle_ = true;
  idle_since_ = worker_.wheel.now_tick();
}

// The wait was ended by the clock or by a drain, perhaps in the very moment when a request came:
// that one is still answered.
net::IoResult Connection::last_look(net::IoResult got, std::span<char> room) {
  const bool ended_by_us = is_timeout(got.error) || is_cancelled(got.error);
  return ended_by_us && stream_.is_open() ? stream_.read_now(room) : got;
}

milliseconds Connection::idle_time_left() const {
  const auto idle = (worker_.wheel.now_tick() - idle_since_) * net::Wheel::tick_length;
  return std::max<milliseconds>(milliseconds{0},
                                worker_.local->runtime->config.timeouts.keep_alive - idle);
}

void Connection::park(Pointer connection, Resume resume) {
  Connection& parked = *connection;
  // Bytes that came a moment ago are no event any more.
  if (parked.stream_.has_input()) return resume(parked.worker_, std::move(connection));
  auto go_on = [connection = std::move(connection),
                resume](const boost::system::error_code& error) mutable {
    net::Stream& stream = connection->stream_;
    WorkerState& worker = connection->worker_;
    // Ended by the clock or by a drain, perhaps in the very moment when a request came: that one is
    // still answered.
    const bool goes_on = !error || (stream.is_open() && stream.has_input());
    if (goes_on) resume(worker, std::move(connection));
  };
  parked.stream_.when_readable(parked.idle_time_left(), std::move(go_on));
}

net::Task<Connection::HeadResult> Connection::read_head(std::unique_ptr<Exchange>& exchange) {
  if (exchange && exchange->request.bytes.empty() && !worker_.is_current(*exchange)) {
    exchange.reset();  // its parsers hold the limits of an older configuration
  }
  if (!exchange) exchange = worker_.take_exchange();
  const bool is_next = !first_;
  first_ = close_ = continued_ = promised_ = false;
  body_waited_ = 0;
  body_counted_ = 0;
  if (is_next && exchange->request.bytes.empty()) {
    // A busy client's next request comes soon: for a moment the buffer is kept ready for it.
    if (!idle_) begin_idle();
    const auto room = exchange->request.bytes.reserve(http::Buffer::block_bytes / 2);
    const milliseconds limit = std::min(parked_after, idle_time_left());
    net::IoResult got = co_await stream_.read_some(room, limit);
    const bool is_idle = is_timeout(got.error) && idle_time_left().count() > 0;
    got = last_look(got, room);
    if (is_idle && got.error == boost::asio::error::would_block) co_return HeadResult::idle;
    idle_ = false;
    if (got.error) co_return HeadResult::closed;
    exchange->request.bytes.commit(got.bytes);
  }
  // The whole head has one deadline, whatever trickles in (SECURITY L04).
  milliseconds limit = worker_.local->runtime->config.timeouts.request_head;
  if (surplus_) limit = std::min(limit, surplus_head_timeout);
  const std::int64_t began = worker_.wheel.now_tick();
  for (;;) {
    http::RequestHead& head = exchange->request;
    if (!head.bytes.empty()) {
      const auto progress = exchange->request_parser.feed(head);
      if (progress == http::Progress::complete) break;
      if (progress == http::Progress::failed) {
        parse_error_ = exchange->request_parser.error();
        co_return HeadResult::refused;
      }
    }
    const auto elapsed = (worker_.wheel.now_tick() - began) * net::Wheel::tick_length;
    const auto left = std::max<milliseconds>(milliseconds{0}, limit - elapsed);
    const auto room = head.bytes.reserve(http::Buffer::block_bytes / 4);
    // A CRLF behind the last body is not the beginning of a head yet.
    const bool nothing_yet = head.bytes.empty() || exchange->request_parser.at_start();
    if (nothing_yet) {
      begin_idle();
    } else {
      reading_since_ = began;
    }
    net::IoResult got = co_await stream_.read_some(room, left);
    reading_since_ = not_waiting;
    if (nothing_yet && is_cancelled(got.error)) got = last_look(got, room);
    idle_ = false;
    if (is_timeout(got.error)) {
      co_return nothing_yet ? HeadResult::closed : HeadResult::timed_out;
    }
    if (got.error) co_return HeadResult::closed;
    head.bytes.commit(got.bytes);
  }
  had_request_ = true;
  parse_error_ = http::check_request(exchange->request);
  if (parse_error_ != http::ParseError::none) co_return HeadResult::refused;
  exchange->request_body.start(stream_, exchange->request.body, exchange->request.bytes,
                               exchange->request.head_size, exchange->relay_up);
  co_return HeadResult::complete;
}

net::Task<bool> Connection::send_continue() {
  continued_ = true;
  const net::Pieces interim("HTTP/1.1 100 Continue\r\n\r\n");
  co_return co_await write(interim);
}

net::Task<BodyPiece> Connection::read_body(Exchange& exchange) {
  const auto timeout = exchange.local->runtime->config.timeouts.request_body;
  const std::int64_t began = reading_since_ = worker_.wheel.now_tick();
  BodyPiece piece = co_await exchange.request_body.next(timeout);
  reading_since_ = not_waiting;
  body_waited_ += worker_.wheel.now_tick() - began;
  if (is_too_slow(exchange)) {
    piece.outcome = BodyPiece::Outcome::failed;
    piece.error = boost::asio::error::make_error_code(boost::asio::error::timed_out);
  }
  co_return piece;
}

// A body that trickles holds a connection to the application, however regularly it does. Only time
// in which we waited for the client counts, not that in which the application took what came.
bool Connection::is_too_slow(const Exchange& exchange) {
  if (body_waited_ < body_window) return false;
  const std::uint64_t came = exchange.request_body.bytes() - body_counted_;
  body_counted_ = exchange.request_body.bytes();
  body_waited_ = 0;
  return came < body_window_bytes_min && !exchange.request_body.at_end();
}

net::Task<Connection::WholeBody> Connection::read_whole_body(Exchange& exchange,
                                                             std::size_t bytes_max) {
  WholeBody result;
  const http::Body body = exchange.request.body;
  if (body.kind == http::BodyKind::length && body.length > bytes_max) {
    result.status = 413;
    co_return result;
  }
  http::Buffer& whole = exchange.relay_down;  // free: nothing is forwarded for our own endpoints
  whole.clear();
  if (awaits_continue(exchange)) {
    const bool written = co_await send_continue();
    if (!written) {
      result.status = 400;
      close_ = true;
      co_return result;
    }
  }
  while (!exchange.request_body.at_end()) {
    const BodyPiece piece = co_await read_body(exchange);
    if (piece.outcome != BodyPiece::Outcome::data) {
      result.status = is_timeout(piece.error) ? 408 : 400;
      close_ = true;
      co_return result;
    }
    if (whole.size() + piece.data.size() > bytes_max) {
      result.status = 413;
      co_return result;
    }
    whole.append(piece.data);
  }
  result.data = whole.view();
  co_return result;
}

bool Connection::may_persist(const Exchange& exchange) const {
  return exchange.request.keep_alive && !close_ && !retired_ &&
         !worker_.process.closing.load(std::memory_order_relaxed);
}

std::string_view Connection::persistence_line(const Exchange& exchange) {
  promised_ = may_persist(exchange);
  if (!promised_) return "Connection: close\r\n";
  return exchange.request.version_minor == 0 ? std::string_view("Connection: keep-alive\r\n")
                                             : std::string_view{};
}

net::Task<bool> Connection::write(net::Pieces pieces) {
  const auto timeout = worker_.local->runtime->config.timeouts.write;
  writing_since_ = worker_.wheel.now_tick();
  const auto error = co_await stream_.write_all(pieces, timeout);
  writing_since_ = not_waiting;
  co_return !error;
}

net::Task<void> Connection::reply(Exchange& exchange, const Reply& answer) {
  // A client that waits for 100 Continue and gets a final answer instead may or may not send its
  // body: only a close is unambiguous (RFC 9110 section 10.1.1, SECURITY D22).
  const bool unread_body = !exchange.request_body.at_end();
  if (unread_body && exchange.request.expects_continue && !continued_) close_ = true;
  http::Buffer& out = exchange.out;
  out.clear();
  out.append("HTTP/1.1 ");
  out.append_number(static_cast<std::uint64_t>(answer.status));
  out.append(" ");
  out.append(http::reason_phrase(answer.status));
  out.append("\r\n");
  out.append(worker_.date_line(wall_clock()));
  if (!answer.content_type.empty()) {
    out.append("Content-Type: ");
    out.append(answer.content_type);
    out.append("\r\n");
  }
  out.append("X-Content-Type-Options: nosniff\r\n");
  if (!answer.cacheable) out.append("Cache-Control: no-store\r\n");
  out.append(answer.headers);
  out.append(exchange.cookies);
  if (const Route* route = exchange.decision.route; route != nullptr && route->cors) {
    route->cors->append_fields(exchange.request.value(http::HeaderId::origin), {}, out);
  }
  if (answer.status != 204) {
    out.append("Content-Length: ");
    out.append_number(answer.body.size());
    out.append("\r\n");
  }
  out.append(persistence_line(exchange));
  out.append("\r\n");
  net::Pieces pieces(out.view());
  if (exchange.request.method != http::Method::head) {
    pieces.add(answer.body);
    exchange.bytes_out = answer.body.size();
  }
  exchange.status = answer.status;
  if (stream_.try_write(pieces)) co_return;
  const bool written = co_await write(pieces);
  if (!written) close_ = true;
}

net::Task<bool> Connection::drop_body(Exchange& exchange) {
  const auto give_up = std::chrono::steady_clock::now() + finish_timeout;
  std::size_t dropped = 0;
  while (!exchange.request_body.at_end()) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= give_up || dropped > finish_bytes_max) co_return false;
    const auto left = std::chrono::duration_cast<milliseconds>(give_up - now);
    const BodyPiece piece = co_await exchange.request_body.next(left);
    if (piece.outcome != BodyPiece::Outcome::data) co_return false;
    dropped += piece.data.size();
  }
  co_return true;
}

void Connection::keep_rest(Exchange& exchange) {
  exchange.request_body.keep_rest_in(exchange.request.bytes);
  exchange.request.head_size = 0;
}

net::Task<void> Connection::linger() {
  stream_.shutdown_send();
  const auto give_up = std::chrono::steady_clock::now() + linger_timeout;
  std::array<char, 512> sink{};
  for (;;) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= give_up) break;
    const auto left = std::chrono::duration_cast<milliseconds>(give_up - now);
    const auto error = co_await stream_.wait_readable(left);
    if (error) break;
    // A bounded bite each time: a peer that sends without end must not hold the loop.
    net::IoResult got;
    for (int bite = 0; bite < 32 && !got.error; ++bite) got = stream_.read_now(sink);
    if (got.error && got.error != boost::asio::error::would_block) break;
  }
  stream_.close();
}

}  // namespace proxy
