// One try; see attempt.h. Read it from the bottom: run() is the order of things, the functions
// above it are its steps.
#include "proxy/attempt.h"

#include <algorithm>
#include <boost/asio/error.hpp>

#include "proxy/http/guard.h"
#include "proxy/tunnel.h"
#include "proxy/upstream_request.h"

namespace proxy {
namespace {

using http::BodyKind;
using std::chrono::milliseconds;

// While we wait for an answer we look now and then whether somebody is still waiting for it.
constexpr milliseconds client_check{1'000};
// Interim answers of one exchange; an endless row of them is an attack (SECURITY D27).
constexpr int interim_max = 16;

bool is_interim(const http::ResponseHead& response) {
  return response.status < 200 && response.status != 101;
}

bool is_event_stream(const http::ResponseHead& response) {
  constexpr std::string_view type = "text/event-stream";
  const std::string_view value = response.value(http::HeaderId::content_type);
  return value.size() >= type.size() &&
         http::equal_ignoring_case(value.substr(0, type.size()), type);
}

Failure upstream_failure(const boost::system::error_code& error) {
  return error == boost::asio::error::timed_out ? Failure::upstream_timeout
                                                : Failure::upstream_closed;
}

}  // namespace

void Attempt::frame_request(const BodyPiece& piece, net::Pieces& pieces) {
  http::Buffer& trailers = exchange_.trailers_up;
  if (piece.end && !trailers.empty()) {
    end_with_trailers(exchange_.local->runtime->header_policy, trailers, request_framer_);
  }
  request_framer_.add(piece.data, piece.end, pieces);
}

void Attempt::frame_answer(const BodyPiece& piece, net::Pieces& pieces) {
  http::Buffer& trailers = exchange_.trailers_down;
  if (piece.end && !trailers.empty()) {
    end_with_trailers(exchange_.local->runtime->header_policy, trailers, response_framer_);
  }
  response_framer_.add(piece.data, piece.end, pieces);
}

// The head and what is there of the body go out in one write; the rest goes beside the answer.
Failure Attempt::prepare_request(net::Pieces& pieces) {
  const http::Body body = exchange_.request.body;
  const Target& target = *lease_.target();
  write_upstream_head(exchange_, upstream_.host_for(exchange_.request.authority, target),
                      exchange_.out);
  pieces.add(exchange_.out.view());
  request_framer_.start(body.kind);
  if (body.kind == BodyKind::none) {
    request_sent_ = true;
    return Failure::none;
  }
  if (exchange_.decision.route->forwards_trailers) {
    exchange_.request_body.keep_trailers(exchange_.trailers_up);
  }
  BodyPiece first;
  if (exchange_.request_body.next_buffered(first)) {
    if (first.outcome == BodyPiece::Outcome::malformed) return Failure::bad_request_body;
    const std::uint64_t limit = exchange_.local->runtime->config.limits.request_body;
    if (limit != 0 && exchange_.request_body.bytes() > limit) {
      return Failure::request_body_too_large;
    }
    body_sent_ += first.data.size();
    frame_request(first, pieces);
  }
  request_sent_ = exchange_.request_body.at_end();
  return Failure::none;
}

net::Task<void> Attempt::upload_rest() {
  const std::uint64_t limit = exchange_.local->runtime->config.limits.request_body;
  for (;;) {
    const BodyPiece piece = co_await connection_.read_body(exchange_);
    if (upload_stopped_) co_return;
    if (piece.outcome != BodyPiece::Outcome::data) {
      const bool late = piece.error == boost::asio::error::timed_out;
      const bool malformed = piece.outcome == BodyPiece::Outcome::malformed;
      upload_failure_ = malformed ? Failure::bad_request_body
                                  : (late ? Failure::request_body_timeout : Failure::client_closed);
      break;
    }
    if (limit != 0 && exchange_.request_body.bytes() > limit) {
      upload_failure_ = Failure::request_body_too_large;
      break;
    }
    body_sent_ += piece.data.size();
    net::Pieces pieces;
    frame_request(piece, pieces);
    const auto error = co_await stream().write_all(pieces, upstream_.config().stream_idle_timeout);
    if (error) {
      // The application may have answered already and closed its side; the answer decides.
      co_return;
    }
    if (piece.end) {
      request_sent_ = true;
      asked_at_ = worker_.wheel.now_tick();
      co_return;
    }
  }
  // Without the body there will be no answer worth waiting for.
  stream().cancel_read();
}

// After the answer: an upload that still runs is given up, and with it the upstream connection.
net::Task<void> Attempt::stop_upload() {
  if (!uploading()) co_return;
  // A cancel reaches only what waits at this moment; the flag and the close reach what begins
  // later.
  upload_stopped_ = true;
  stream().close();
  connection_.stream().cancel_read();
  co_await upload_->join();
}

milliseconds Attempt::answer_timeout() const {
  const milliseconds per_try = exchange_.decision.route->retry.per_try_timeout;
  return per_try > milliseconds{0} ? per_try : upstream_.config().response_timeout;
}

net::Task<Failure> Attempt::read_head() {
  while (exchange_.response.bytes.empty() ||
         exchange_.response_parser.feed(exchange_.response) != http::Progress::complete) {
    if (exchange_.response_parser.error() != http::ParseError::none) {
      co_return Failure::bad_response;
    }
    if (upload_failure_ != Failure::none) co_return upload_failure_;
    // The clock starts when the request has been sent, not while a long upload is under way.
    if (uploading()) asked_at_ = worker_.wheel.now_tick();
    const milliseconds waited =
        (worker_.wheel.now_tick() - asked_at_) * net::Wheel::tick_length;
    const milliseconds slice = std::min(answer_timeout() - waited, client_check);
    if (slice <= milliseconds{0}) co_return Failure::upstream_timeout;
    const auto room = exchange_.response.bytes.reserve(http::Buffer::block_bytes / 2);
    const net::IoResult got = co_await stream().read_some(room, slice);
    if (upload_failure_ != Failure::none) co_return upload_failure_;
    if (!got.error) {
      exchange_.response.bytes.commit(got.bytes);
      got_bytes_ = true;
    } else if (got.error != boost::asio::error::timed_out) {
      co_return Failure::upstream_closed;
    } else if (!uploading() && connection_.stream().peer_closed()) {
      co_return Failure::client_closed;
    }
  }
  const auto error =
      http::check_response(exchange_.response, exchange_.request.method, exchange_.decision.tunnel);
  co_return error == http::ParseError::none ? Failure::none : Failure::bad_response;
}

// 100 is ours to send; 103 and others are passed on to clients that know them.
net::Task<Failure> Attempt::send_interim() {
  http::ResponseHead& response = exchange_.response;
  if (response.status != 100 && exchange_.request.version_minor > 0) {
    http::Buffer& out = exchange_.out;
    out.clear();
    append_status_line(response, out);
    exchange_.local->runtime->header_policy.append_response_fields(response, {}, out);
    out.append("\r\n");
    const net::Pieces pieces(out.view());
    const bool written = co_await connection_.write(pieces);
    if (!written) co_return Failure::client_closed;
  }
  response.bytes.consume(response.head_size);
  response.clear();
  exchange_.response_parser.reset();
  co_return Failure::none;
}

BodyKind Attempt::downstream_kind() const {
  const BodyKind kind = exchange_.response.body.kind;
  if (kind == BodyKind::none || kind == BodyKind::length) return kind;
  return exchange_.request.version_minor > 0 ? BodyKind::chunked : BodyKind::until_close;
}

void Attempt::append_answer_head(BodyKind kind) {
  http::Buffer& out = exchange_.out;
  const http::ResponseHead& response = exchange_.response;
  out.clear();
  append_status_line(response, out);
  append_answer_fields(exchange_, out);
  // HEAD and 304 keep the length of the answer they stand for (RFC 9110 section 8.6).
  const std::string_view length = response.value(http::HeaderId::content_length);
  if (kind == BodyKind::chunked) {
    out.append("Transfer-Encoding: chunked\r\n");
    if (takes_trailers(exchange_)) {
      exchange_.local->runtime->header_policy.append_trailer_names(
          response.value(http::HeaderId::trailer), out);
    }
  } else if (kind == BodyKind::length) {
    append_content_length(response.body.length, out);
  } else if (kind == BodyKind::none && !length.empty() && response.status != 204) {
    out.append("Content-Length: ");
    out.append(length);
    out.append("\r\n");
  }
  out.append(connection_.persistence_line(exchange_));
  out.append("\r\n");
}

// The head and what came with it of the body: nearly always the whole answer.
void Attempt::prepare_answer(net::Pieces& pieces, BodyPiece& piece, bool& ready) {
  http::ResponseHead& response = exchange_.response;
  const BodyKind kind = downstream_kind();
  if (kind == BodyKind::until_close) connection_.close_after_this();
  append_answer_head(kind);
  exchange_.response_body.start(stream(), response.body, response.bytes, response.head_size,
                                exchange_.relay_down);
  if (kind == BodyKind::chunked && takes_trailers(exchange_)) {
    exchange_.response_body.keep_trailers(exchange_.trailers_down);
  }
  response_framer_.start(kind);
  pieces.add(exchange_.out.view());
  ready = exchange_.response_body.next_buffered(piece);
  if (ready && piece.outcome == BodyPiece::Outcome::data && kind != BodyKind::none) {
    frame_answer(piece, pieces);
  }
  exchange_.bytes_out = piece.data.size();
}

// The next piece of the answer's body. While there is none, we look now and then whether somebody
// is still waiting for it.
net::Task<BodyPiece> Attempt::next_piece() {
  milliseconds left = upstream_.config().stream_idle_timeout;
  for (;;) {
    const milliseconds slice = std::min(left, client_check);
    BodyPiece piece = co_await exchange_.response_body.next(slice);
    left -= slice;
    const bool is_quiet =
        piece.outcome == BodyPiece::Outcome::failed && piece.error == boost::asio::error::timed_out;
    if (!is_quiet || left <= milliseconds{0}) co_return piece;
    if (upload_failure_ != Failure::none) co_return piece;
    if (!uploading() && connection_.stream().peer_closed()) {
      client_left_ = true;
      co_return piece;
    }
  }
}

// An event stream whose session is over, or that outlives us. What was written is whole chunks, and
// a browser drops an event whose end it has not seen. Only a body that announced its length has to
// be cut.
net::Task<Failure> Attempt::end_stream(BodyKind kind) {
  if (kind == BodyKind::chunked) {
    const net::Pieces last(http::last_chunk);
    answer_ended_ = co_await connection_.write(last);
  } else {
    answer_ended_ = kind == BodyKind::until_close;
  }
  co_return Failure::session_ended;
}

// Writes what is there and goes on with the rest of the body. `ready`: `piece` has been framed.
net::Task<Failure> Attempt::relay_answer(net::Pieces pieces, BodyPiece piece, bool ready) {
  // An event stream ends with its session, not with the token that opened it.
  std::optional<SessionStreamGuard> session;
  if (is_event_stream(exchange_.response)) {
    session.emplace(worker_, exchange_, connection_, stream());
  }
  if (session && session->is_over()) co_return Failure::session_ended;
  if (session) session->end_by_itself();
  const BodyKind kind = downstream_kind();
  for (;;) {
    if (ready && piece.outcome == BodyPiece::Outcome::malformed) co_return Failure::bad_response;
    // The head goes out at once, even where the body takes its time (server-sent events).
    answer_started_ = true;
    exchange_.status = exchange_.response.status;
    const bool written = co_await connection_.write(pieces);
    if (!written) co_return Failure::client_closed;
    if (ready && piece.end) co_return Failure::none;
    if (session && session->is_over()) co_return co_await end_stream(kind);
    piece = co_await next_piece();
    ready = true;
    if (session && session->is_over()) co_return co_await end_stream(kind);
    if (client_left_) co_return Failure::client_closed;
    if (upload_failure_ != Failure::none) co_return upload_failure_;
    if (piece.outcome == BodyPiece::Outcome::failed) co_return upstream_failure(piece.error);
    pieces = net::Pieces();
    if (kind != BodyKind::none) frame_answer(piece, pieces);
    exchange_.bytes_out += piece.data.size();
  }
}

net::Task<Failure> Attempt::switch_protocols() {
  SessionStreamGuard session(worker_, exchange_, connection_, stream());
  if (session.is_over()) co_return Failure::session_ended;
  http::Buffer& out = exchange_.out;
  out.clear();
  append_status_line(exchange_.response, out);
  append_answer_fields(exchange_, out);
  out.append("Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  exchange_.status = 101;
  answer_started_ = true;
  connection_.close_after_this();
  const Failure failure = co_await run_tunnel(worker_, connection_, exchange_, stream(), session,
                                              upstream_.config().stream_idle_timeout);
  // The Close frame is the end, which a reset behind it could take away again.
  answer_ended_ = failure == Failure::session_ended;
  co_return failure;
}

// Whether the connection to the application may serve another request: only if this one is
// provably over on both sides (SECURITY P13, D28).
void Attempt::settle() {
  const http::ResponseHead& response = exchange_.response;
  const bool clean = request_sent_ && body_sent_ == exchange_.request_body.bytes() &&
                     !upload_stopped_ && response.keep_alive &&
                     exchange_.response_body.at_end() && exchange_.response_body.rest().empty() &&
                     response.body.kind != BodyKind::until_close && response.status != 101;
  if (!clean) {
    lease_.close();
    return;
  }
  // Once it has carried an identity it does so for good, whatever the later requests look like.
  if (pinned_ || carries_connection_identity(exchange_)) {
    lease_.end_request();
    connection_.pinned_upstream = std::move(lease_);
    connection_.pinned_local = exchange_.local;
    connection_.pinned_index = exchange_.decision.route->upstream;
    return;
  }
  upstream_.give_back(std::move(lease_));
}

// From a connection to the head of the final answer.
net::Task<Failure> Attempt::ask(Plan& plan) {
  Failure failure = Failure::none;
  if (plan.fresh || !take_pinned()) {
    const Upstream::Step step = upstream_.take(lease_, plan.tried, plan.fresh);
    reused_ = step == Upstream::Step::ready;
    if (!reused_) {
      failure = co_await obtain_connection(plan, step);
      if (failure != Failure::none) co_return failure;
    }
  }
  exchange_.target = lease_.target();
  net::Pieces pieces;
  failure = prepare_request(pieces);
  if (failure != Failure::none) co_return failure;
  if (!stream().try_write(pieces)) {
    const auto error = co_await stream().write_all(pieces, upstream_.config().stream_idle_timeout);
    if (error) co_return upstream_failure(error);
  }
  if (!request_sent_) {
    if (connection_.awaits_continue(exchange_)) {
      const bool written = co_await connection_.send_continue();
      if (!written) co_return Failure::client_closed;
    }
    upload_.emplace(worker_.executor);
    upload_->start(upload_rest());
  }
  asked_at_ = worker_.wheel.now_tick();
  failure = co_await read_head();
  for (int interim = 0; failure == Failure::none && is_interim(exchange_.response); ++interim) {
    if (interim == interim_max) co_return Failure::bad_response;
    failure = co_await send_interim();
    if (failure != Failure::none) co_return failure;
    failure = co_await read_head();
  }
  if (failure != Failure::none || plan.is_last || body_taken()) co_return failure;
  const int status = exchange_.response.status;
  const RetryRule& rule = exchange_.decision.route->retry;
  const bool wanted = status >= 500 && status < 600 &&
                      rule.on_status.test(static_cast<std::size_t>(status - 500));
  if (!wanted) co_return Failure::none;
  // Without a place in the budget this answer is the one the client gets.
  plan.holds_retry = plan.holds_retry || upstream_.begin_retry();
  co_return plan.holds_retry ? Failure::retryable_status : Failure::none;
}

net::Task<Failure> Attempt::answer() {
  if (exchange_.response.status == 101) co_return co_await switch_protocols();
  net::Pieces pieces;
  BodyPiece piece;
  bool ready = false;
  prepare_answer(pieces, piece, ready);
  const bool is_whole = ready && piece.end && piece.outcome == BodyPiece::Outcome::data;
  if (is_whole) {
    answer_started_ = true;
    exchange_.status = exchange_.response.status;
    if (connection_.stream().try_write(pieces)) co_return Failure::none;
  }
  co_return co_await relay_answer(pieces, piece, ready);
}

net::Task<Failure> Attempt::run(Plan& plan) {
  Failure failure = co_await ask(plan);
  if (failure == Failure::none) failure = co_await answer();
  if (uploading()) co_await stop_upload();
  // Endpoints that could not be reached have been noted on the way.
  if (lease_.stream() != nullptr) note_outcome(failure);
  if (failure == Failure::none) {
    settle();
  } else {
    lease_.close();
  }
  co_return failure;
}

}  // namespace proxy
