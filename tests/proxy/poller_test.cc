// The event loop: what epoll tells is remembered and reaches whoever waits, and nobody else.
#include "proxy/net/poller.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "proxy/net/child.h"
#include "proxy/net/stream.h"
#include "proxy/net/timer.h"

namespace proxy::net {
namespace {

using namespace std::chrono_literals;
using boost::system::error_code;

const auto ignore_end = [](std::exception_ptr) {};

class PollerTest : public testing::Test {
 protected:
  PollerTest() {
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()), 0);
    peer_ = pair[0];
    stream_ = std::make_unique<Stream>(loop_.get_executor(), wheel_, AF_UNIX, pair[1]);
  }
  ~PollerTest() override { hang_up(); }

  [[nodiscard]] Poller& poller() { return Poller::of(loop_.get_executor()); }
  void spawn(Task<void> task) { boost::asio::co_spawn(loop_, std::move(task), ignore_end); }
  void send(std::string_view bytes) {
    EXPECT_EQ(::send(peer_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  void hang_up() {
    if (peer_ >= 0) ::close(peer_);
    peer_ = -1;
  }
  void let_time_pass(std::chrono::milliseconds by) {
    wheel_.advance(started_ + by + 2 * Wheel::tick_length);
    poller().poll();
  }

  boost::asio::io_context loop_;
  Wheel wheel_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  int peer_ = -1;
  std::unique_ptr<Stream> stream_;
};

Task<void> read_once(Stream& stream, std::span<char> into, std::optional<IoResult>& result) {
  const IoResult got = co_await stream.read_some(into, 10s);
  result = got;
}

Task<void> wait_once(Stream& stream, std::optional<error_code>& result) {
  const error_code error = co_await stream.wait_readable(10s);
  result = error;
}

Task<void> write_everything(Stream& stream, std::string_view bytes,
                            std::optional<error_code>& result) {
  const Pieces pieces(bytes);
  const error_code error = co_await stream.write_all(pieces, 10s);
  result = error;
}

Task<void> destroy_other(Stream& stream, std::unique_ptr<Stream>& other,
                         std::optional<error_code>& result) {
  const error_code error = co_await stream.wait_readable(10s);
  result = error;
  other.reset();
}

Task<void> cancel_other(Stream& stream, Stream& other) {
  co_await stream.wait_readable(10s);
  other.cancel_read();
}

Task<void> do_nothing() { co_return; }

Task<void> join_child(Executor executor, bool& done) {
  Child child(executor);
  child.start(do_nothing());
  co_await child.join();
  done = true;
}

Task<void> wait_for(Timer& timer, std::optional<error_code>& result) {
  const auto [error] = co_await timer.async_wait(as_result);
  result = error;
}

Task<void> wait_an_hour(Executor executor, std::shared_ptr<int> kept) {
  Timer timer(executor, 1h);
  co_await timer.async_wait(as_result);
  ++*kept;
}

TEST_F(PollerTest, AReaderIsResumedByBytesAndByTheEnd) {
  std::array<char, 64> room{};
  std::optional<IoResult> got;
  spawn(read_once(*stream_, room, got));
  poller().poll();
  EXPECT_FALSE(got);
  send("abc");
  poller().poll();
  ASSERT_TRUE(got);
  EXPECT_EQ(std::string_view(room.data(), got->bytes), "abc");
  got.reset();
  spawn(read_once(*stream_, room, got));
  poller().poll();
  EXPECT_FALSE(got);
  hang_up();
  poller().poll();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->error, boost::asio::error::eof);
}

// The event of an edge-triggered descriptor comes once: an end that came with the bytes must not
// wait for an event that will never be.
TEST_F(PollerTest, AnEndThatCameTogetherWithBytesIsSeenBehindThem) {
  send("last words");
  hang_up();
  std::array<char, 64> room{};
  std::optional<IoResult> got;
  spawn(read_once(*stream_, room, got));
  poller().poll();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->bytes, 10U);
  got.reset();
  spawn(read_once(*stream_, room, got));
  poller().poll();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->error, boost::asio::error::eof);
}

TEST_F(PollerTest, AReadThatFillsItsBufferLeavesTheRestForTheNext) {
  send("abcdef");
  std::array<char, 3> room{};
  std::optional<IoResult> got;
  for (const std::string_view part : {"abc", "def"}) {
    got.reset();
    spawn(read_once(*stream_, room, got));
    poller().poll();
    ASSERT_TRUE(got);
    EXPECT_EQ(std::string_view(room.data(), got->bytes), part);
  }
  // Filled to the last byte, and yet nothing is left.
  EXPECT_FALSE(stream_->has_input());
  got.reset();
  spawn(read_once(*stream_, room, got));
  poller().poll();
  EXPECT_FALSE(got);
  send("g");
  poller().poll();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->bytes, 1U);
}

TEST_F(PollerTest, AnIdleStreamTellsBytesAndAnEndWithoutBeingRead) {
  poller().poll();
  EXPECT_FALSE(stream_->has_input());
  EXPECT_FALSE(stream_->peer_closed());
  send("unasked");
  poller().poll();
  EXPECT_TRUE(stream_->has_input());
  EXPECT_FALSE(stream_->peer_closed());
  hang_up();
  poller().poll();
  EXPECT_TRUE(stream_->has_input());
  EXPECT_FALSE(stream_->peer_closed()) << "bytes are still to be read";
  std::array<char, 64> room{};
  EXPECT_EQ(stream_->read_now(room).bytes, 7U);
  EXPECT_TRUE(stream_->peer_closed());
}

TEST_F(PollerTest, AWriterWaitsUntilThePeerHasRead) {
  const std::string much(4 * 1'024 * 1'024, 'x');
  std::optional<error_code> written;
  spawn(write_everything(*stream_, much, written));
  poller().poll();
  EXPECT_FALSE(written);
  std::size_t read = 0;
  std::vector<char> sink(64 * 1'024);
  while (read < much.size()) {
    const ssize_t got = ::recv(peer_, sink.data(), sink.size(), 0);
    if (got > 0) read += static_cast<std::size_t>(got);
    poller().poll();
  }
  ASSERT_TRUE(written);
  EXPECT_FALSE(*written);
}

TEST_F(PollerTest, ATimeoutEndsOneDirectionOnly) {
  std::optional<error_code> readable;
  spawn(wait_once(*stream_, readable));
  poller().poll();
  let_time_pass(10s);
  ASSERT_TRUE(readable);
  EXPECT_EQ(*readable, boost::asio::error::timed_out);
  EXPECT_TRUE(stream_->is_open());
  readable.reset();
  spawn(wait_once(*stream_, readable));
  send("late");
  poller().poll();
  ASSERT_TRUE(readable);
  EXPECT_FALSE(*readable);
}

TEST_F(PollerTest, ACancelReachesWhoWaitsAndLeavesTheStreamOpen) {
  std::optional<error_code> readable;
  stream_->cancel_read();  // nobody waits yet
  spawn(wait_once(*stream_, readable));
  poller().poll();
  EXPECT_FALSE(readable);
  stream_->cancel_read();
  poller().poll();
  ASSERT_TRUE(readable);
  EXPECT_EQ(*readable, boost::asio::error::operation_aborted);
  EXPECT_TRUE(stream_->is_open());
}

TEST_F(PollerTest, ClosingEndsTheWait) {
  std::optional<error_code> readable;
  spawn(wait_once(*stream_, readable));
  poller().poll();
  stream_->close();
  poller().poll();
  ASSERT_TRUE(readable);
  EXPECT_EQ(*readable, boost::asio::error::operation_aborted);
}

// What is suspended when a loop ends is destroyed with it, and what it owns, too.
TEST_F(PollerTest, TheEndOfTheLoopDestroysWhoeverWaits) {
  auto loop = std::make_unique<boost::asio::io_context>();
  const auto owned = std::make_shared<int>(0);
  boost::asio::co_spawn(*loop, wait_an_hour(loop->get_executor(), owned), ignore_end);
  Poller::of(loop->get_executor()).poll();
  EXPECT_GT(owned.use_count(), 1);
  loop.reset();
  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_EQ(*owned, 0);
}

// One of two that are ready destroys the other's stream: the other must not be resumed on it.
TEST_F(PollerTest, WhoeverIsResumedMayDestroyAStreamThatIsReadyToo) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()), 0);
  auto idle = std::make_unique<Stream>(loop_.get_executor(), wheel_, AF_UNIX, pair[1]);
  std::optional<error_code> readable;
  spawn(destroy_other(*stream_, idle, readable));
  poller().poll();
  send("x");
  ASSERT_EQ(::send(pair[0], "y", 1, MSG_NOSIGNAL), 1);
  poller().poll();
  EXPECT_TRUE(readable);
  EXPECT_FALSE(idle);
  ::close(pair[0]);
}

// Whoever gives a stream up may rely on it that nobody takes another byte from it.
TEST_F(PollerTest, ACancelReachesWhoWasJustAboutToRead) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()), 0);
  Stream other(loop_.get_executor(), wheel_, AF_UNIX, pair[1]);
  std::array<char, 8> room{};
  std::optional<IoResult> got;
  spawn(cancel_other(*stream_, other));
  spawn(read_once(other, room, got));
  poller().poll();
  send("x");
  ASSERT_EQ(::send(pair[0], "y", 1, MSG_NOSIGNAL), 1);
  poller().poll();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->error, boost::asio::error::operation_aborted);
  EXPECT_EQ(got->bytes, 0U);
  EXPECT_EQ(other.read_now(room).bytes, 1U) << "what came is still there";
  ::close(pair[0]);
}

TEST_F(PollerTest, TwoReadersOfOneStreamEndTheProcess) {
  std::optional<error_code> first;
  std::optional<error_code> second;
  spawn(wait_once(*stream_, first));
  poller().poll();
  spawn(wait_once(*stream_, second));
  EXPECT_DEATH(poller().poll(), "two coroutines wait on one waiter");
}

TEST_F(PollerTest, TasksOfOtherThreadsRunOnTheLoopAtOnce) {
  constexpr int tasks = 1'000;
  std::thread::id loop_thread;
  int run = 0;
  std::thread loop([&] {
    loop_thread = std::this_thread::get_id();
    poller().run();
  });
  std::thread poster([&] {
    for (int i = 0; i < tasks; ++i) {
      poller().post([&] {
        EXPECT_EQ(std::this_thread::get_id(), loop_thread);
        if (++run == tasks) poller().stop();
      });
    }
  });
  poster.join();
  loop.join();
  EXPECT_EQ(run, tasks);
}

TEST_F(PollerTest, AChildThatNeverWaitsIsJoinedAtOnce) {
  bool joined = false;
  spawn(join_child(loop_.get_executor(), joined));
  poller().poll();
  EXPECT_TRUE(joined);
}

TEST_F(PollerTest, ATimerThatWasNotSetCompletesWhenTheLoopComesRound) {
  std::optional<error_code> result;
  Timer timer(loop_.get_executor());
  spawn(wait_for(timer, result));
  poller().poll();
  ASSERT_TRUE(result);
  EXPECT_FALSE(*result);
}

TEST_F(PollerTest, ACancelledTimerSaysSo) {
  std::optional<error_code> result;
  Timer timer(loop_.get_executor(), 1h);
  spawn(wait_for(timer, result));
  poller().poll();
  EXPECT_FALSE(result);
  timer.cancel();
  poller().poll();
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, boost::asio::error::operation_aborted);
}

}  // namespace
}  // namespace proxy::net
