// The hashing pool from coroutines on one and on several event loops: answers, bounds, and its end
// while coroutines wait. The slow hash costs some 100 ms, so that the pool is busy for certain.
#include "proxy/hash_pool.h"

#include "auth/password.h"

#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace proxy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Verdict = auth::Result<bool>;

// Both of "correct horse".
constexpr std::string_view quick_hash =
    "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
constexpr std::string_view slow_hash =
    "$2b$12$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";

struct Answer {
  std::optional<Verdict> verdict;
  std::thread::id thread;
};

void ask(boost::asio::io_context& loop, HashPool& pool, std::string_view hash,
         std::string_view password, Answer& answer) {
  boost::asio::co_spawn(loop, pool.verify(std::string(hash), std::string(password)),
                        [&answer](const std::exception_ptr& error, Verdict verdict) {
                          ASSERT_FALSE(error);
                          // Moved: from an lvalue result<bool> makes a result of "it has a value".
                          answer.verdict = std::move(verdict);
                          answer.thread = std::this_thread::get_id();
                        });
}

std::size_t overloaded(const std::vector<Answer>& answers) {
  return static_cast<std::size_t>(
      std::count_if(answers.begin(), answers.end(), [](const Answer& answer) {
        return answer.verdict && answer.verdict->has_error() &&
               answer.verdict->error() == auth::Error::overloaded;
      }));
}

TEST(HashPool, RightAndWrongPasswordsAreTold) {
  boost::asio::io_context loop{1};
  HashPool pool({});
  Answer right;
  Answer wrong;
  Answer unusable;
  ask(loop, pool, quick_hash, "correct horse", right);
  ask(loop, pool, quick_hash, "wrong horse", wrong);
  ask(loop, pool, "no hash at all", "correct horse", unusable);
  loop.run();
  EXPECT_TRUE(right.verdict.value().value());
  EXPECT_FALSE(wrong.verdict.value().value());
  EXPECT_FALSE(unusable.verdict.value().value());
}

TEST(HashPool, CoroutineGoesOnOnItsOwnThread) {
  boost::asio::io_context first{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  boost::asio::io_context second{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  HashPool pool({});
  std::vector<Answer> answers(2);
  std::vector<std::thread> workers;
  std::vector<std::thread::id> ids(2);
  for (std::size_t i = 0; i < 2; ++i) {
    workers.emplace_back([&, i] {
      boost::asio::io_context& loop = i == 0 ? first : second;
      ids[i] = std::this_thread::get_id();
      ask(loop, pool, quick_hash, "correct horse", answers[i]);
      loop.run();
    });
  }
  for (std::thread& worker : workers) {
    worker.join();
  }
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(answers[i].verdict.value().value());
    EXPECT_EQ(answers[i].thread, ids[i]);
  }
}

TEST(HashPool, FullQueueRefusesAtOnce) {
  boost::asio::io_context loop{1};
  HashPool pool({.threads = 1, .queue_max = 2, .wait_max = seconds{60}});
  std::vector<Answer> answers(20);
  for (Answer& answer : answers) {
    ask(loop, pool, slow_hash, "correct horse", answer);
  }
  loop.poll();
  EXPECT_LE(pool.waiting(), 2U);
  // One runs at most and two wait; the others were told so before any hash was done.
  EXPECT_GE(overloaded(answers), answers.size() - 4);
  loop.run();
  EXPECT_GE(overloaded(answers), answers.size() - 4);
  EXPECT_LE(overloaded(answers), answers.size() - 2);
}

TEST(HashPool, WaitIsBoundedWhileAllThreadsAreBusy) {
  boost::asio::io_context loop{1};
  HashPool pool({.threads = 1, .queue_max = 100, .wait_max = milliseconds{20}});
  std::vector<Answer> answers(40);
  for (Answer& answer : answers) {
    ask(loop, pool, slow_hash, "correct horse", answer);
  }
  loop.run();
  for (const Answer& answer : answers) {
    ASSERT_TRUE(answer.verdict.has_value());
  }
  EXPECT_GE(overloaded(answers), 30U);
  EXPECT_LT(overloaded(answers), 40U) << "the first was tried";
  EXPECT_EQ(pool.waiting(), 0U);
}

TEST(HashPool, ItsEndFailsWhoeverWaits) {
  boost::asio::io_context loop{1};
  std::vector<Answer> answers(10);
  {
    HashPool pool({.threads = 1, .queue_max = 100, .wait_max = seconds{60}});
    for (Answer& answer : answers) {
      ask(loop, pool, slow_hash, "correct horse", answer);
    }
    loop.poll();
  }
  loop.restart();
  loop.run();
  for (const Answer& answer : answers) {
    ASSERT_TRUE(answer.verdict.has_value());
  }
  EXPECT_GE(overloaded(answers), 9U);
}

// A worker that is torn down with coroutines inside: their frames go with the loop.
TEST(HashPool, LoopThatNeverRunsAgainTakesItsCoroutinesAlong) {
  std::vector<Answer> answers(10);
  {
    boost::asio::io_context loop{1};
    HashPool pool({.threads = 2, .queue_max = 100, .wait_max = seconds{60}});
    for (Answer& answer : answers) {
      ask(loop, pool, quick_hash, "correct horse", answer);
    }
    loop.poll();
  }
  EXPECT_EQ(overloaded(answers), 0U);
}

TEST(HashPool, ManyLoopsAndManyLogins) {
  constexpr int loops = 4;
  constexpr int logins = 50;
  std::vector<std::unique_ptr<boost::asio::io_context>> contexts;
  for (int i = 0; i < loops; ++i) {
    contexts.push_back(
        std::make_unique<boost::asio::io_context>(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO));
  }
  HashPool pool({.threads = 2, .queue_max = 1'000, .wait_max = seconds{60}});
  std::vector<std::vector<Answer>> answers(loops, std::vector<Answer>(logins));
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < loops; ++i) {
    workers.emplace_back([&, i] {
      for (int login = 0; login < logins; ++login) {
        ask(*contexts[i], pool, quick_hash, login % 2 == 0 ? "correct horse" : "wrong",
            answers[i][static_cast<std::size_t>(login)]);
      }
      contexts[i]->run();
    });
  }
  for (std::thread& worker : workers) {
    worker.join();
  }
  for (const auto& of_loop : answers) {
    for (std::size_t login = 0; login < logins; ++login) {
      EXPECT_EQ(of_loop[login].verdict.value().value(), login % 2 == 0);
    }
  }
}

}  // namespace
}  // namespace proxy
