// See link.h.
#include "proxy/redis/link.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <utility>
#include <vector>

#include "proxy/net/timer.h"

namespace proxy::redis {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// The reader waits for replies for as long as there are callers; their deadline is the link's.
constexpr milliseconds no_timeout{std::chrono::hours{24 * 365}};

void ignore_end(std::exception_ptr) {}

Failure greeting_failure(const Reply& error) {
  const std::string_view code = error.error_code();
  if (code == "LOADING" || code == "MASTERDOWN" || code == "BUSY") return Failure::loading;
  return Failure::unauthorized;
}

Link::Opened not_opened(Failure failure, std::string message) {
  return {nullptr, failure, std::move(message)};
}

// The answer of ROLE, whose first item is "master", "slave" or "sentinel".
bool is_master(const Reply& role) {
  return role.type == Reply::Type::array && !role.items.empty() && role.items[0].text == "master";
}

}  // namespace

std::string_view name(Failure failure) {
  switch (failure) {
    case Failure::none: return "none";
    case Failure::refused: return "refused";
    case Failure::timed_out: return "timeout";
    case Failure::lost: return "lost";
    case Failure::broken: return "protocol";
    case Failure::overloaded: return "overloaded";
    case Failure::unauthorized: return "auth";
    case Failure::loading: return "loading";
    case Failure::moved: return "cluster";
  }
  return "unknown";
}

Call::~Call() {
  if (link_) link_->forget(*this);
}

net::Task<void> Call::wait() {
  while (!is_done_) co_await done_.async_wait(net::as_result);
}

void Call::finish(Answer result) {
  link_.reset();
  answer = std::move(result);
  is_done_ = true;
  done_.complete({});
}

Link::Link(const net::Executor& executor, std::unique_ptr<net::Stream> stream, LinkOptions options)
    : net::Deadline(net::Poller::of(executor).wheel()),
      executor_(executor),
      stream_(std::move(stream)),
      options_(std::move(options)),
      closed_(net::Poller::of(executor)) {}

Link::~Link() = default;

void Link::start() {
  boost::asio::co_spawn(executor_, read_loop(shared_from_this()), ignore_end);
}

void Link::send(std::string_view commands, std::size_t count, Call* call) {
  if (is_closed_ || pending_.size() + count > options_.pending_max) {
    const Failure why = is_closed_ ? Failure::lost : Failure::overloaded;
    if (call != nullptr) call->finish({why, {}});
    return;
  }
  const auto now = Clock::now();
  for (std::size_t i = 1; i < count; ++i) pending_.push_back({nullptr, now});
  pending_.push_back({call, now});
  if (call != nullptr) {
    call->link_ = shared_from_this();
    call->number_ = first_number_ + pending_.size() - 1;
  }
  out_.append(commands);
  arm();
  if (is_flush_due_) return;
  // Behind everything that is ready now, so that its commands go out with the same write.
  is_flush_due_ = true;
  net::Poller::of(executor_).defer([self = shared_from_this()] { self->flush(); });
}

void Link::flush() {
  is_flush_due_ = false;
  if (is_closed_ || !sending_.empty() || out_.empty()) return;
  sending_.swap(out_);
  net::Pieces pieces(sending_);
  if (stream_->try_write(pieces)) {
    sending_.clear();
    return;
  }
  boost::asio::co_spawn(executor_, write_rest(shared_from_this(), pieces), ignore_end);
}

net::Task<void> Link::write_rest(std::shared_ptr<Link> self, net::Pieces rest) {
  const auto error = co_await self->stream_->write_all(rest, self->options_.command_timeout);
  if (error) {
    self->close(error == boost::asio::error::timed_out ? Failure::timed_out : Failure::lost);
    co_return;
  }
  self->sending_.clear();
  self->flush();
}

net::Task<void> Link::read_loop(std::shared_ptr<Link> self) {
  while (!self->is_closed_) {
    const std::span<char> room = self->reader_.room();
    const net::IoResult got = co_await self->stream_->read_some(room, no_timeout);
    if (self->is_closed_) co_return;
    if (got.error == boost::asio::error::timed_out) continue;
    if (got.error) {
      self->close(Failure::lost);
      co_return;
    }
    self->reader_.commit(got.bytes);
    self->take_replies();
  }
}

void Link::take_replies() {
  while (!is_closed_) {
    std::optional<Reply> reply = reader_.next();
    if (!reply) break;
    // Nobody asked for it: whatever speaks there, it is not in step with us.
    if (pending_.empty()) return close(Failure::broken);
    Call* const call = pending_.front().call;
    pending_.pop_front();
    ++first_number_;
    if (call != nullptr) call->finish({Failure::none, std::move(*reply)});
  }
  if (reader_.broken()) return close(Failure::broken);
  if (is_retired_ && pending_.empty()) return close(Failure::lost);
  arm();
}

void Link::retire() {
  is_retired_ = true;
  if (pending_.empty()) close(Failure::lost);
}

// One deadline for all: the oldest command's, since replies come in order.
void Link::arm() {
  if (pending_.empty()) return Deadline::cancel();
  const auto age =
      std::chrono::duration_cast<milliseconds>(Clock::now() - pending_.front().since);
  expires_after(std::max(options_.command_timeout - age, milliseconds{1}));
}

void Link::on_expired() { close(Failure::timed_out); }

void Link::forget(const Call& call) {
  if (call.number_ >= first_number_ && call.number_ - first_number_ < pending_.size()) {
    pending_[call.number_ - first_number_].call = nullptr;
  }
}

void Link::close(Failure failure) {
  if (is_closed_) return;
  const std::shared_ptr<Link> keep = weak_from_this().lock();
  is_closed_ = true;
  failure_ = failure;
  Deadline::cancel();
  stream_->close();
  std::deque<Pending> pending;
  pending.swap(pending_);
  failed_calls_ = pending.size();
  for (const Pending& one : pending) {
    if (one.call != nullptr) one.call->finish({failure, {}});
  }
  closed_.complete({});
}

net::Task<void> Link::closed() {
  while (!is_closed_) co_await closed_.async_wait(net::as_result);
}

net::Task<Answer> Link::ask(const std::vector<std::string_view>& arguments) {
  std::string command;
  append_command(command, arguments);
  Call call(net::Poller::of(executor_));
  send(command, 1, &call);
  co_await call.wait();
  co_return std::move(call.answer);
}

// Logs in and asks whether it serves: PING is refused while a server loads, and without AUTH.
net::Task<Link::Opened> Link::greet(std::shared_ptr<Link> link, bool must_be_master) {
  const LinkOptions& options = link->options_;
  std::vector<std::vector<std::string_view>> commands;
  if (!options.password.empty()) {
    std::vector<std::string_view> auth{"AUTH", options.password};
    if (!options.username.empty()) auth.insert(auth.begin() + 1, options.username);
    commands.push_back(std::move(auth));
  }
  const std::string database = std::to_string(options.database);
  if (options.database != 0) commands.push_back({"SELECT", database});
  commands.push_back({must_be_master ? "ROLE" : "PING"});
  for (const auto& command : commands) {
    const Answer answer = co_await link->ask(command);
    if (!answer.is_reply()) {
      co_return not_opened(answer.failure, std::string(name(answer.failure)));
    }
    if (answer.reply.is_error()) {
      const Failure failure = greeting_failure(answer.reply);
      link->close(failure);
      co_return not_opened(failure, answer.reply.text);
    }
    if (command[0] == "ROLE" && !is_master(answer.reply)) {
      link->close(Failure::refused);
      co_return not_opened(Failure::refused, "it is not the master");
    }
  }
  Opened opened;
  opened.link = std::move(link);
  co_return opened;
}

net::Task<Link::Opened> Link::open(net::Executor executor, const net::Endpoint& address,
                                   const LinkOptions& options, bool must_be_master) {
  net::Endpoint target = address;
  if (target.unix_path.empty() && !net::parse_address(target.host)) {
    const net::Resolved resolved =
        co_await net::resolve(executor, target.host, options.command_timeout);
    if (resolved.error == boost::asio::error::timed_out) {
      co_return not_opened(Failure::timed_out, "no name server answers for " + target.host);
    }
    if (resolved.error || resolved.addresses.empty()) {
      co_return not_opened(Failure::refused, "the name " + target.host + " is not known");
    }
    target.host = resolved.addresses.front();
  }
  const net::ConnectTls tls{options.tls, address.host};
  const net::ConnectTls* const with_tls = options.tls ? &tls : nullptr;
  net::ConnectResult connected =
      co_await net::connect(executor, net::Poller::of(executor).wheel(), target,
                            options.command_timeout, with_tls);
  if (!connected.stream) {
    const bool late = connected.error == boost::asio::error::timed_out;
    co_return not_opened(late ? Failure::timed_out : Failure::refused, connected.error.message());
  }
  auto link = std::make_shared<Link>(executor, std::move(connected.stream), options);
  link->start();
  co_return co_await greet(std::move(link), must_be_master);
}

}  // namespace proxy::redis
