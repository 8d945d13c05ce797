// Which endpoint is next, how many connections there may be, and who waits for one. Connections are
// socket pairs; a place without one stands for a connection that is being made.
#include "proxy/upstream.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <list>
#include <map>
#include <optional>
#include <utility>

#include "compiling.h"

namespace proxy {
namespace {

using namespace std::chrono_literals;
using Step = Upstream::Step;

class UpstreamTest : public ::testing::Test {
 protected:
  UpstreamTest() {
    config_ = upstream_at("app", "http://10.0.0.1:80");
    config_.endpoints = {"http://10.0.0.1:80", "http://10.0.0.2:80", "http://10.0.0.3:80"};
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()), 0);
    client_peer_ = pair[0];
    client_ = std::make_unique<net::Stream>(loop_.get_executor(), wheel(), AF_UNIX, pair[1]);
  }
  ~UpstreamTest() override { ::close(client_peer_); }

  [[nodiscard]] net::Poller& poller() { return net::Poller::of(loop_.get_executor()); }
  [[nodiscard]] net::Wheel& wheel() { return poller().wheel(); }

  Upstream& start(unsigned workers = 1) {
    leases_.clear();  // none outlives its upstream
    upstream_ = std::make_unique<Upstream>(config_, loop_.get_executor(), wheel(), workers);
    return *upstream_;
  }

  // The last number of the address that a place is for; 0: none was given.
  int take(const Tried& tried = {}) {
    Lease lease;
    const Step step = upstream_->take(lease, tried, false);
    if (step != Step::connect && step != Step::ready) return 0;
    const int number = number_of(lease);
    leases_.push_back(std::move(lease));
    return number;
  }
  static int number_of(const Lease& lease) {
    const std::string& host = lease.target()->address.host;
    return host.empty() ? 0 : host.back() - '0';
  }
  Step step() {
    Lease lease;
    return upstream_->take(lease, {}, false);
  }
  Target& target(std::size_t index) { return *upstream_->targets()[index]; }
  void eject(std::size_t index) {
    bool out = false;
    for (std::uint32_t i = 0; i < config_.ejection.consecutive_failures; ++i) {
      out = upstream_->failed(target(index));
    }
    EXPECT_TRUE(out);
  }
  void let_time_pass(std::chrono::milliseconds time) {
    passed_ += time + 2 * net::Wheel::tick_length;
    wheel().advance(started_ + passed_);
    poller().poll();
  }

  net::Task<void> wait(std::optional<Step>& step, Lease& lease) {
    const Upstream::Turn turn{
        .tried = tried_,
        .client = *client_,
        .give_up = std::chrono::steady_clock::now() + config_.connect_timeout};
    step = co_await upstream_->wait_for_turn(lease, turn);
  }
  struct Waiting {
    std::optional<Step> step;
    Lease lease;
  };
  Waiting& start_waiting() {
    Waiting& waiting = waiting_.emplace_back();
    boost::asio::co_spawn(loop_, wait(waiting.step, waiting.lease), [](std::exception_ptr) {});
    poller().poll();
    return waiting;
  }

  boost::asio::io_context loop_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::chrono::milliseconds passed_{0};
  config::Upstream config_;
  std::unique_ptr<Upstream> upstream_;
  std::vector<Lease> leases_;
  Tried tried_;  // of whoever waits
  std::list<Waiting> waiting_;
  int client_peer_ = -1;
  std::unique_ptr<net::Stream> client_;
};

TEST_F(UpstreamTest, EachEndpointInTurn) {
  start();
  for (int round = 0; round < 3; ++round) {
    for (const int expected : {1, 2, 3}) EXPECT_EQ(take(), expected);
  }
}

TEST_F(UpstreamTest, TheOneWithTheFewestRequests) {
  config_.balance = config::Balance::least_requests;
  start();
  EXPECT_EQ(take(), 1);
  EXPECT_EQ(take(), 2);
  EXPECT_EQ(take(), 3);
  leases_.erase(leases_.begin() + 1);  // 2 is done
  EXPECT_EQ(take(), 2);
  leases_.erase(leases_.begin());  // 1 is done
  EXPECT_EQ(take(), 1);
}

TEST_F(UpstreamTest, WhatWasTriedIsLeftOutUntilNothingIsLeft) {
  start();
  Tried tried;
  std::map<int, int> seen;
  for (int i = 0; i < 3; ++i) {
    ++seen[take(tried)];
    tried.add(leases_.back().target());
  }
  EXPECT_EQ(seen, (std::map<int, int>{{1, 1}, {2, 1}, {3, 1}}));
  Lease lease;
  EXPECT_EQ(upstream_->take(lease, tried, false), Step::exhausted);
  EXPECT_FALSE(upstream_->has_other(tried));
}

TEST_F(UpstreamTest, AnEndpointThatFailsIsLeftOutAndComesBack) {
  start();
  eject(0);
  for (int i = 0; i < 6; ++i) EXPECT_NE(take(), 1);
  let_time_pass(config_.ejection.base_time);
  std::map<int, int> seen;
  for (int i = 0; i < 6; ++i) ++seen[take()];
  EXPECT_EQ(seen[1], 2);
}

TEST_F(UpstreamTest, OneThatFailsAgainRightAfterItsReturnIsLeftOutForTwiceAsLong) {
  start();
  eject(0);
  let_time_pass(config_.ejection.base_time);
  EXPECT_TRUE(upstream_->failed(target(0)));
  let_time_pass(config_.ejection.base_time);
  for (int i = 0; i < 6; ++i) EXPECT_NE(take(), 1);
  let_time_pass(config_.ejection.base_time);
  EXPECT_EQ(take() + take() + take(), 6);
}

TEST_F(UpstreamTest, AfterAsManySuccessesItHasItsFullCreditAgain) {
  start();
  eject(0);
  let_time_pass(config_.ejection.base_time);
  for (int i = 0; i < 5; ++i) upstream_->succeeded(target(0));
  EXPECT_FALSE(upstream_->failed(target(0)));
}

TEST_F(UpstreamTest, ASuccessBetweenFailuresStartsTheCountAnew) {
  start();
  for (int i = 0; i < 20; ++i) {
    for (int k = 0; k < 4; ++k) EXPECT_FALSE(upstream_->failed(target(0)));
    upstream_->succeeded(target(0));
  }
}

TEST_F(UpstreamTest, TheLastEndpointIsNeverLeftOut) {
  config_.ejection.max_percent = {100};
  start();
  eject(0);
  eject(1);
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(upstream_->failed(target(2)));
  EXPECT_EQ(take(), 3);
}

TEST_F(UpstreamTest, NotMoreThanTheSetShareIsLeftOut) {
  start();  // half of three is one
  eject(0);
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(upstream_->failed(target(1)));
}

TEST_F(UpstreamTest, ASingleEndpointIsAskedWhateverItAnswers) {
  config_.endpoints.resize(1);
  start();
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(upstream_->failed(target(0)));
  EXPECT_EQ(take(), 1);
}

TEST_F(UpstreamTest, WhatTheHealthCheckSaysHolds) {
  start();
  upstream_->set_health("http://10.0.0.2:80", false);
  for (int i = 0; i < 6; ++i) EXPECT_NE(take(), 2);
  upstream_->set_health("http://10.0.0.1:80", false);
  upstream_->set_health("http://10.0.0.3:80", false);
  EXPECT_EQ(step(), Step::unhealthy);
  upstream_->set_health("http://10.0.0.2:80", true);
  EXPECT_EQ(take(), 2);
}

TEST_F(UpstreamTest, WhatWasKnownBeforeAReloadIsKnownFromItsFirstRequestOn) {
  config_.health_check.emplace();
  start();
  eject(0);
  upstream_->set_health("http://10.0.0.2:80", false);
  const auto before = std::move(upstream_);
  start().learn_from(*before);
  EXPECT_EQ(take() + take(), 6);
  // Without a check there is nobody to say that it is well again.
  config_.health_check.reset();
  start().learn_from(*before);
  for (int i = 0; i < 6; ++i) EXPECT_NE(take(), 1);
}

TEST_F(UpstreamTest, AddressesOfANameOutliveAReload) {
  config_.endpoints = {"http://app.internal:80"};
  start();
  upstream_->set_addresses(0, {"10.0.0.4", "10.0.0.5"});
  const auto before = std::move(upstream_);
  config_.endpoints = {"http://10.0.0.9:80", "http://app.internal:80"};
  start().learn_from(*before);
  std::map<int, int> seen;
  for (int i = 0; i < 3; ++i) ++seen[take()];
  EXPECT_EQ(seen, (std::map<int, int>{{4, 1}, {5, 1}, {9, 1}}));
}

TEST_F(UpstreamTest, ANameHasAsManyEndpointsAsAddresses) {
  config_.endpoints = {"http://app.internal:80"};
  start();
  EXPECT_EQ(step(), Step::wait);  // not looked up yet
  upstream_->set_addresses(0, {});
  EXPECT_EQ(step(), Step::unresolved);
  upstream_->set_addresses(0, {"10.0.0.4", "10.0.0.5"});
  EXPECT_EQ(take(), 4);
  EXPECT_EQ(take(), 5);
  upstream_->set_addresses(0, {"10.0.0.5", "10.0.0.6"});
  std::map<int, int> seen;
  for (int i = 0; i < 4; ++i) ++seen[take()];
  EXPECT_EQ(seen, (std::map<int, int>{{5, 2}, {6, 2}}));
  EXPECT_TRUE(leases_.front().target()->is_gone);
  upstream_->set_addresses(0, {});  // the last good answer serves on
  EXPECT_NE(take(), 0);
}

TEST_F(UpstreamTest, TheTurnIsNobodysWhoIsGone) {
  config_.endpoints = {"http://app.internal:80"};
  start();
  upstream_->set_addresses(0, {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"});
  for (const int expected : {1, 2, 3}) EXPECT_EQ(take(), expected);
  upstream_->set_addresses(0, {"10.0.0.2"});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(take(), 2);
}

TEST_F(UpstreamTest, ANameServerCannotMakeTheListEndless) {
  config_.endpoints = {"http://app.internal:80"};
  start();
  std::vector<std::string> many;
  for (int i = 0; i < 200; ++i) many.push_back("10.0.1." + std::to_string(i));
  upstream_->set_addresses(0, many);
  EXPECT_EQ(upstream_->targets().size(), 32U);
}

TEST_F(UpstreamTest, HoweverManyEndpointsAreDeadEachIsTriedOnce) {
  config_.endpoints.clear();
  for (int i = 10; i < 40; ++i) {
    config_.endpoints.push_back("http://10.0.0." + std::to_string(i) + ":80");
  }
  start();
  Tried tried;
  Lease lease;
  for (int i = 10; i < 40; ++i) {
    ASSERT_EQ(upstream_->take(lease, tried, false), Step::connect);
    tried.add(lease.target());
    lease.close();
  }
  EXPECT_EQ(upstream_->take(lease, tried, false), Step::exhausted);
}

// Otherwise two that wait for an application that is gone wake up each other for ever.
TEST_F(UpstreamTest, WhoHasTriedEverythingWaitsForNothing) {
  config_.endpoints.resize(1);
  config_.max_connections = 1;
  start();
  ASSERT_EQ(take(), 1);
  const Waiting& waiting = start_waiting();
  Tried tried;
  tried.add(upstream_->targets().front());
  Lease lease;
  EXPECT_EQ(upstream_->take(lease, tried, false), Step::exhausted);
  EXPECT_FALSE(waiting.step);
  EXPECT_EQ(step(), Step::wait) << "of others";
  leases_.clear();
  poller().poll();
  EXPECT_TRUE(waiting.step);
}

TEST_F(UpstreamTest, WhoWaitsIsNotGivenWhatItHasTried) {
  config_.max_connections = 3;
  start();
  for (const int expected : {1, 2, 3}) ASSERT_EQ(take(), expected);
  tried_.add(upstream_->targets()[0]);
  Waiting& waiting = start_waiting();
  leases_.clear();
  poller().poll();
  ASSERT_EQ(waiting.step, Step::connect);
  EXPECT_EQ(number_of(waiting.lease), 2);
}

TEST_F(UpstreamTest, ConnectionsAreBoundedAndAPlaceComesBackWithTheLease) {
  config_.max_connections = 2;
  start();
  EXPECT_EQ(take(), 1);
  EXPECT_EQ(take(), 2);
  EXPECT_EQ(step(), Step::wait);
  leases_.pop_back();
  EXPECT_EQ(take(), 3);
  leases_.clear();
  EXPECT_EQ(upstream_->connection_count(), 0U);
}

TEST_F(UpstreamTest, TheBoundIsSharedOutToTheWorkers) {
  config_.max_connections = 5;
  start(4);
  EXPECT_NE(take(), 0);
  EXPECT_NE(take(), 0);
  EXPECT_EQ(step(), Step::wait);
}

TEST_F(UpstreamTest, WhoeverWaitsGetsTheNextFreePlaceInOrder) {
  config_.max_connections = 1;
  start();
  EXPECT_EQ(take(), 1);
  Waiting& first = start_waiting();
  Waiting& second = start_waiting();
  EXPECT_EQ(upstream_->pending_count(), 2U);
  leases_.clear();
  EXPECT_EQ(step(), Step::wait);  // nobody overtakes them
  poller().poll();
  EXPECT_EQ(first.step, Step::connect);
  EXPECT_FALSE(second.step);
  first.lease.close();
  poller().poll();
  EXPECT_EQ(second.step, Step::connect);
  EXPECT_EQ(upstream_->pending_count(), 0U);
}

TEST_F(UpstreamTest, TheQueueIsBounded) {
  config_.max_connections = 1;
  config_.max_pending = 1;
  start();
  EXPECT_EQ(take(), 1);
  EXPECT_FALSE(start_waiting().step);
  EXPECT_EQ(start_waiting().step, Step::overloaded);
  leases_.clear();
  poller().poll();
}

TEST_F(UpstreamTest, NobodyWaitsForAClientThatHasLeft) {
  config_.max_connections = 1;
  start();
  EXPECT_EQ(take(), 1);
  Waiting& waiting = start_waiting();
  ::shutdown(client_peer_, SHUT_RDWR);
  poller().poll();
  let_time_pass(1'100ms);
  EXPECT_EQ(waiting.step, Step::overloaded);
}

TEST_F(UpstreamTest, RetriesAreAShareOfWhatIsUnderWay) {
  config_.retry_budget = {10};
  start();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(upstream_->begin_retry());
  EXPECT_FALSE(upstream_->begin_retry());
  for (int i = 0; i < 50; ++i) EXPECT_NE(take(), 0);
  EXPECT_TRUE(upstream_->begin_retry());
  EXPECT_TRUE(upstream_->begin_retry());
  EXPECT_FALSE(upstream_->begin_retry());
  upstream_->end_retry();
  EXPECT_TRUE(upstream_->begin_retry());
}

TEST_F(UpstreamTest, TheHostIsTheConfiguredOneElseTheClientsElseTheEndpointsOwn) {
  config_.endpoints = {"http://app.internal:3000"};
  start().set_addresses(0, {"10.0.0.4"});
  EXPECT_EQ(upstream_->host_for("a.example", target(0)), "a.example");
  EXPECT_EQ(upstream_->host_for("", target(0)), "app.internal:3000");
  EXPECT_EQ(target(0).name, "http://10.0.0.4:3000");
  config_.preserve_host = false;
  config_.endpoints = {"http://[::1]:3000"};
  start();
  EXPECT_EQ(upstream_->host_for("a.example", target(0)), "[::1]:3000");
  config_.host = "fixed.example";
  config_.endpoints = {"unix:/run/app.sock"};
  start();
  EXPECT_EQ(upstream_->host_for("a.example", target(0)), "fixed.example");
  config_.host.clear();
  start();
  EXPECT_EQ(upstream_->host_for("a.example", target(0)), "localhost");
}

}  // namespace
}  // namespace proxy
