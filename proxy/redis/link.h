// One pipelined connection to one Redis server: commands of many callers go out together,
// replies are matched in order. Whatever goes wrong (an answer that does not come in time, bytes
// that are no reply, the peer's end) closes the connection, so that a late answer can never
// reach another caller (SECURITY K01, X-31). Opening and opening again is server.h's business.
// One thread. A Link lives as long as somebody holds it; its own coroutines do until it is
// closed.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/net/deadline.h"
#include "proxy/net/stream.h"
#include "proxy/net/task.h"
#include "proxy/net/tls.h"
#include "proxy/redis/resp.h"

namespace proxy::redis {

enum class Failure : std::uint8_t {
  none,
  refused,      // no connection: nobody there, wrong name or certificate, or the breaker is open
  timed_out,    // no answer in time; what was asked may have happened
  lost,         // the connection ended before the answer; what was asked may have happened
  broken,       // bytes that are no reply
  overloaded,   // too many commands wait already
  unauthorized, // the password, or a right, is missing
  loading,      // the server is up, but still reads its data
  moved,        // sent from one server to the next too often, or the cluster is not whole
};
[[nodiscard]] std::string_view name(Failure failure);

struct Answer {
  Failure failure = Failure::none;
  Reply reply;
  [[nodiscard]] bool is_reply() const { return failure == Failure::none; }
};

struct LinkOptions {
  std::string username;  // empty: the default user
  std::string password;  // empty: no AUTH
  std::uint32_t database = 0;
  std::shared_ptr<const net::TlsClient> tls;  // null: in clear
  std::chrono::milliseconds command_timeout{500};
  std::size_t pending_max = 8'192;
};

class Link;

// One command whose answer somebody waits for. Lives in the waiter's coroutine; when that is
// destroyed first, the answer is dropped when it comes.
class Call {
 public:
  explicit Call(net::Poller& poller) : done_(poller) {}
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  // Once, after it was given to a Link, which has filled it or will.
  [[nodiscard]] net::Task<void> wait();
  void finish(Answer answer);

  Answer answer;

 private:
  friend class Link;
  net::Waiter done_;
  bool is_done_ = false;
  std::shared_ptr<Link> link_;  // while it is pending there
  std::uint64_t number_ = 0;
};

class Link : public std::enable_shared_from_this<Link>, private net::Deadline {
 public:
  struct Opened {
    std::shared_ptr<Link> link;  // null on failure
    Failure failure = Failure::none;
    std::string message;  // what the server or the system said
  };
  // Connects, logs in and asks whether it serves, within command_timeout in all.
  // `must_be_master` refuses replicas. The arguments outlive the task.
  [[nodiscard]] static net::Task<Opened> open(net::Executor executor, const net::Endpoint& address,
                                              const LinkOptions& options, bool must_be_master);

  Link(const net::Executor& executor, std::unique_ptr<net::Stream> stream, LinkOptions options);
  ~Link() override;

  // `commands` are formatted; `call` gets the answer of the last of them, those of the others are
  // dropped. A null call: nobody wants to know.
  void send(std::string_view commands, std::size_t count, Call* call);
  [[nodiscard]] bool is_open() const { return !is_closed_; }
  [[nodiscard]] Failure failure() const { return failure_; }
  // Whoever waits is told `failure`.
  void close(Failure failure);
  // Closes once everything that was asked is answered; nothing more may be asked.
  void retire();
  [[nodiscard]] bool is_retired() const { return is_retired_; }
  // Completes when the link is closed.
  [[nodiscard]] net::Task<void> closed();
  [[nodiscard]] std::size_t pending() const { return pending_.size(); }
  // How many calls have failed with it.
  [[nodiscard]] std::size_t failed_calls() const { return failed_calls_; }

 private:
  friend class Call;
  struct Pending {
    Call* call;
    std::chrono::steady_clock::time_point since;
  };
  static net::Task<void> read_loop(std::shared_ptr<Link> self);
  static net::Task<void> write_rest(std::shared_ptr<Link> self, net::Pieces rest);
  [[nodiscard]] static net::Task<Opened> greet(std::shared_ptr<Link> link, bool must_be_master);
  [[nodiscard]] net::Task<Answer> ask(const std::vector<std::string_view>& arguments);
  void start();
  void flush();
  void take_replies();
  void arm();
  void forget(const Call& call);
  void on_expired() override;

  net::Executor executor_;
  std::unique_ptr<net::Stream> stream_;
  LinkOptions options_;
  ReplyReader reader_;
  std::string out_;      // what callers have asked for in this turn of the loop
  std::string sending_;  // what is on its way
  bool is_flush_due_ = false;
  bool is_closed_ = false;
  bool is_retired_ = false;
  Failure failure_ = Failure::none;
  std::size_t failed_calls_ = 0;
  std::deque<Pending> pending_;  // in the order of their commands
  std::uint64_t first_number_ = 0;
  net::Waiter closed_;
};

}  // namespace proxy::redis
