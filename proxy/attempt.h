// One try of an exchange with the application: a connection to one of its endpoints, the request,
// and the answer on its way to the client, both bodies at the same time with one buffer each.
// forward.h decides whether there is another try. One thread; the exchange outlives it.
#pragma once

#include <chrono>
#include <optional>

#include "proxy/connection.h"
#include "proxy/exchange_state.h"
#include "proxy/failure.h"
#include "proxy/net/child.h"
#include "proxy/net/task.h"
#include "proxy/worker_state.h"

namespace proxy {

class Attempt {
 public:
  Attempt(WorkerState& worker, Connection& connection, Exchange& exchange, Upstream& upstream)
      : worker_(worker), connection_(connection), exchange_(exchange), upstream_(upstream) {}

  // How to go about it.
  struct Plan {
    bool fresh = false;        // on a new connection
    bool is_last = true;       // no status is worth another try
    bool holds_retry = false;  // a place in the upstream's retry budget, kept to the end
    Tried tried;               // targets left out; those that could not be reached join them
  };
  // Failure::retryable_status: an answer the route wants to try again instead of passing it on.
  [[nodiscard]] net::Task<Failure> run(Plan& plan);

  // A reused connection broke before the first byte of an answer, and nothing of a body had been
  // sent: the one failure that is always tried again where the method allows it (SECURITY P15).
  [[nodiscard]] bool was_stale(Failure failure) const {
    return failure == Failure::upstream_closed && reused_ && !got_bytes_ && !body_taken();
  }
  // Whether the client and the application have seen nothing that forbids another try.
  [[nodiscard]] bool is_repeatable() const { return !answer_started_ && !body_taken(); }
  [[nodiscard]] bool answer_started() const { return answer_started_; }
  // With the session's end, and so that the client sees an end and no cut.
  [[nodiscard]] bool answer_ended() const { return answer_ended_; }

 private:
  bool take_pinned();
  net::Task<Failure> obtain_connection(Plan& plan, Upstream::Step step);
  // Whether a byte of the request's body was taken from the client: it cannot be had again, whether
  // it has gone out or not.
  [[nodiscard]] bool body_taken() const { return exchange_.request_body.bytes() != 0; }
  void note_outcome(Failure failure);
  Failure prepare_request(net::Pieces& pieces);
  void frame_request(const BodyPiece& piece, net::Pieces& pieces);
  void frame_answer(const BodyPiece& piece, net::Pieces& pieces);
  net::Task<void> upload_rest();
  net::Task<void> stop_upload();
  [[nodiscard]] bool uploading() const { return upload_ && upload_->running(); }
  [[nodiscard]] std::chrono::milliseconds answer_timeout() const;
  net::Task<Failure> read_head();
  net::Task<Failure> send_interim();
  void prepare_answer(net::Pieces& pieces, BodyPiece& piece, bool& ready);
  net::Task<Failure> ask(Plan& plan);
  net::Task<Failure> answer();
  net::Task<BodyPiece> next_piece();
  net::Task<Failure> relay_answer(net::Pieces pieces, BodyPiece piece, bool ready);
  net::Task<Failure> end_stream(http::BodyKind kind);
  net::Task<Failure> switch_protocols();
  void append_answer_head(http::BodyKind kind);
  [[nodiscard]] http::BodyKind downstream_kind() const;
  void settle();
  [[nodiscard]] net::Stream& stream() const { return *lease_.stream(); }

  WorkerState& worker_;
  Connection& connection_;
  Exchange& exchange_;
  Upstream& upstream_;
  Lease lease_;
  BodyFramer request_framer_;
  BodyFramer response_framer_;
  std::optional<net::Child> upload_;  // only where the body does not fit the first write
  Failure upload_failure_ = Failure::none;
  std::int64_t asked_at_ = 0;  // the wheel's tick; the whole wait for an answer counts from here
  bool reused_ = false;
  bool got_bytes_ = false;       // of an answer
  std::uint64_t body_sent_ = 0;  // bytes of the request's body that this try has framed
  bool request_sent_ = false;    // completely
  bool answer_started_ = false;  // towards the client
  bool answer_ended_ = false;
  bool client_left_ = false;
  bool pinned_ = false;  // the connection belongs to this client alone
  bool upload_stopped_ = false;
};

}  // namespace proxy
