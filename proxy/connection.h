// The client's side of an exchange over HTTP/1.1: reads heads and bodies, writes answers, knows
// whether another request may follow. An exchange speaks to the client only through this class, in
// terms of heads, pieces and ends, so that another protocol version can take its place.
// One thread; owned by the loop that serves it or, while it is parked, by its wait for a request.
#pragma once

#include <algorithm>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/client.h"
#include "proxy/exchange_state.h"
#include "proxy/listener.h"
#include "proxy/net/stream.h"
#include "proxy/net/tls.h"
#include "proxy/reply.h"
#include "proxy/slab.h"
#include "proxy/worker_state.h"

namespace proxy {

// Leaves the worker's list by itself when it ends.
using ConnectionHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

class Connection : public ConnectionHook {
 public:
  // Throws where there is no memory or no room in epoll; `descriptor` then stays the caller's.
  // `surplus`: there are too many clients, and this one's first request is answered with 503.
  Connection(WorkerState& worker, int descriptor, ListenerId id, ListenerSetupPtr listener,
             const net::Address& peer, bool surplus);
  ~Connection();

  // What comes before the first request: the PROXY protocol's header and the TLS handshake, where
  // the listener has them. False: nothing can be said to this client.
  [[nodiscard]] bool needs_opening() const {
    return first_ && (listener_->proxy_protocol || listener_->tls);
  }
  [[nodiscard]] net::Task<bool> open();

  enum class HeadResult : std::uint8_t {
    complete,
    refused,    // parse_error() says why: answer and close
    timed_out,  // a head that never ended: 408 and close
    closed,     // nothing to answer: the peer left, was idle for too long, or we drain
    idle,       // for a while now: to be parked
  };
  // Waits for the next request and reads its head into `exchange`, which is taken from the worker's
  // pool where it is null.
  [[nodiscard]] net::Task<HeadResult> read_head(std::unique_ptr<Exchange>& exchange);
  [[nodiscard]] http::ParseError parse_error() const { return parse_error_; }
  // The long part of the wait between two requests: `resume` is called with the connection when
  // there may be one. Until then, a connection costs no more than this object; without a request in
  // time, or when it is stopped, it ends.
  using Pointer = Slab<Connection>::Pointer;
  using Resume = void (*)(WorkerState&, Pointer);
  static void park(Pointer connection, Resume resume);

  // Whether the client waits to be told that its body is wanted, and telling it; false: it is gone.
  // By whoever writes to the client, before the body is read by somebody else.
  [[nodiscard]] bool awaits_continue(const Exchange& exchange) const {
    return exchange.request.expects_continue && !continued_ &&
           !exchange.request_body.has_started() && !exchange.request_body.at_end();
  }
  [[nodiscard]] net::Task<bool> send_continue();
  // The next piece of the request's body.
  [[nodiscard]] net::Task<BodyPiece> read_body(Exchange& exchange);
  // The whole body of one of our endpoints. false: over `bytes_max`, malformed or cut; `status`
  // says what to answer.
  struct WholeBody {
    int status = 0;  // 0: complete
    std::string_view data;
  };
  [[nodiscard]] net::Task<WholeBody> read_whole_body(Exchange& exchange, std::size_t bytes_max);

  // Answers ourselves. Decides about keep-alive: what was not read of the request's body is read
  // and dropped up to a bound, or the connection is closed (SECURITY P14).
  [[nodiscard]] net::Task<void> reply(Exchange& exchange, const Reply& reply);
  // Writes what `pieces` holds; false when the client is gone. Try stream().try_write() first.
  [[nodiscard]] net::Task<bool> write(net::Pieces pieces);
  // Whether the request's body has been read to its end. Otherwise the rest has to be dropped.
  [[nodiscard]] static bool is_finished(const Exchange& exchange) {
    return exchange.request_body.at_end();
  }
  // Reads and drops the rest of the body within a bound; false: the connection must be closed.
  [[nodiscard]] net::Task<bool> drop_body(Exchange& exchange);
  // What was read behind this request is the next one: it moves to the front of the input.
  static void keep_rest(Exchange& exchange);
  // Lets the client read our last answer before the close (RFC 9112 section 9.6).
  [[nodiscard]] net::Task<void> linger();

  // "Connection: close\r\n", "Connection: keep-alive\r\n" for HTTP/1.0, or nothing. What it says
  // is kept: whoever was not told that an answer is the last one may send another request, even
  // where the end of the process or of the listener comes a moment later.
  [[nodiscard]] std::string_view persistence_line(const Exchange& exchange);
  // Whether another request may follow the answer that was given.
  [[nodiscard]] bool persists() const { return promised_ && !close_; }
  void close_after_this() { close_ = true; }
  [[nodiscard]] bool is_surplus() const { return surplus_; }
  // Its listener is gone: the next answer that begins is the last one.
  void retire() { retired_ = true; }
  [[nodiscard]] bool is_retired() const { return retired_; }
  [[nodiscard]] bool had_request() const { return had_request_; }

  // Ends the wait for a next request, unless one has come; an exchange that runs is left alone.
  void stop_if_idle();
  // For how many ticks of the wheel it has waited for a next request; 0 while one runs.
  [[nodiscard]] std::int64_t idle_ticks() const {
    return idle_ ? worker_.wheel.now_tick() - idle_since_ : 0;
  }
  // For how many ticks it has waited for its client to send the rest of a head or body, or to take
  // the piece of an answer that is being written; 0 while it does not.
  [[nodiscard]] std::int64_t stalled_ticks() const {
    const std::int64_t since = std::min(reading_since_, writing_since_);
    return since == not_waiting ? 0 : worker_.wheel.now_tick() - since;
  }
  // Ends it, whatever is under way.
  void cut();
  [[nodiscard]] net::Stream& stream() { return stream_; }
  [[nodiscard]] Role role() const { return listener_->role; }
  [[nodiscard]] ListenerId listener_id() const { return listener_id_; }
  [[nodiscard]] Peer peer() const {
    Peer peer{peer_address_, peer_text_, listener_->port, listener_->tls != nullptr, {}, {}};
    if (certificate_) {
      peer.certificate_subject = certificate_->subject;
      peer.certificate_text = certificate_->forwarded;
    }
    return peer;
  }

  // A connection to the application that carries an identity of its own (NTLM, Negotiate) belongs
  // to this client alone (SECURITY E07).
  LocalRuntimeRef pinned_local;  // the runtime in which `pinned_index` has its meaning
  std::size_t pinned_index = 0;
  Lease pinned_upstream;  // behind the runtime, which its upstream is part of

 private:
  void begin_idle();
  [[nodiscard]] std::chrono::milliseconds idle_time_left() const;
  void count_places(int by);
  [[nodiscard]] bool is_too_slow(const Exchange& exchange);
  [[nodiscard]] net::Task<bool> read_proxy_header();
  [[nodiscard]] net::Task<bool> begin_tls();
  void say_why_not(const boost::system::error_code& error);
  [[nodiscard]] bool may_persist(const Exchange& exchange) const;
  [[nodiscard]] net::IoResult last_look(net::IoResult got, std::span<char> room);

  WorkerState& worker_;
  const ListenerId listener_id_;
  const ListenerSetupPtr listener_;
  net::Address peer_address_;
  std::string peer_text_;
  net::Stream stream_;  // behind whatever may throw: it closes the descriptor
  std::unique_ptr<const net::TlsPeer> certificate_;  // null: the client showed none
  http::ParseError parse_error_ = http::ParseError::none;
  bool first_ = true;  // no request has been read yet
  bool idle_ = false;  // since `idle_since_`, also while it is parked
  std::int64_t idle_since_ = 0;
  static constexpr std::int64_t not_waiting = INT64_MAX;
  std::int64_t reading_since_ = not_waiting;  // a head that has begun, or a body
  std::int64_t writing_since_ = not_waiting;
  bool close_ = false;
  bool promised_ = false;  // the answer left the connection open for another request
  bool retired_ = false;
  const bool surplus_;
  bool had_request_ = false;
  std::int64_t body_waited_ = 0;    // ticks of the current window
  std::uint64_t body_counted_ = 0;  // bytes before it
  bool continued_ = false;  // 100 Continue was sent for this request
};

using ConnectionList =
    boost::intrusive::list<Connection, boost::intrusive::constant_time_size<false>>;

}  // namespace proxy
