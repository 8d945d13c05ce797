// See hash_pool.h. A queue under one mutex, a few threads that hash, and one that fails whoever has
// waited too long even while all of those are busy. Coroutines are resumed by posting to their own
// loop, so nothing of a worker ever runs on a thread of the pool. The loops outlive the pool: a
// worker that is waiting for an answer is part of what the pool's end completes.
// Without memory nothing here may throw: on a thread of the pool that would end the process, and in
// the middle of a suspension it would tear down the loop. So room is set aside before a coroutine
// suspends, and whoever waits is told as soon as there is memory to do so.
#include "proxy/hash_pool.h"

#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "auth/bytes.h"
#include "auth/password.h"
#include "proxy/metrics.h"
#include "proxy/net/poller.h"
#include "proxy/net/until_memory.h"

namespace proxy {
namespace {

using Clock = std::chrono::steady_clock;

// What becomes of a password. Not auth::Result<bool>: a copy of that from a variable takes Boost's
// converting constructor and asks whether there is a value at all, and any password would be right.
struct Verdict {
  bool fits = false;
  std::optional<auth::Error> error;
};
using Token = boost::asio::use_awaitable_t<net::Executor>;
using Handler = boost::asio::async_result<Token, void(Verdict)>::handler_type;

// One password on its way. Wiped as soon as it was tried or given up.
struct Job {
  Job(std::string_view stored_hash, std::string_view tried, net::Poller& of)
      : hash(stored_hash), password(tried), loop(of) {}
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  ~Job() { auth::cleanse(password); }

  std::string hash;
  std::string password;
  Clock::time_point give_up_at{};
  net::Poller& loop;
  std::optional<Handler> waiting;
};
using JobPtr = std::shared_ptr<Job>;

// Resumes the coroutine on its own loop.
void tell(const JobPtr& job, Verdict verdict) noexcept {
  net::until_memory([&] {
    job->loop.post([job, verdict] { std::move (*job->waiting)(verdict); });
  });
}

Verdict try_password(const Job& job) noexcept {
  try {
    return {auth::verify_password(job.hash, job.password), std::nullopt};
  } catch (const std::exception&) {
    return {false, auth::Error::overloaded};
  }
}

}  // namespace

struct HashPool::Impl {
  explicit Impl(HashPoolOptions wanted) : options(wanted) {
    queue.reserve(options.queue_max);
    for (std::size_t i = 0; i < std::max<std::size_t>(options.threads, 1); ++i) {
      threads.emplace_back([this] { hash_loop(); });
    }
    threads.emplace_back([this] { expire_loop(); });
  }

  void stop() {
    std::vector<JobPtr> left;
    {
      const std::lock_guard lock(mutex);
      stopping = true;
      left.swap(queue);
    }
    changed.notify_all();
    for (const JobPtr& job : left) tell(job, {false, auth::Error::overloaded});
    for (std::thread& thread : threads) {
      thread.join();
    }
  }

  // A place in the queue that submit() then takes. False: there is none.
  bool reserve() {
    const std::lock_guard lock(mutex);
    if (stopping || queue.size() + reserved >= options.queue_max) return false;
    ++reserved;
    return true;
  }

  void submit(JobPtr job) noexcept {
    {
      const std::lock_guard lock(mutex);
      --reserved;
      if (!stopping) {
        job->give_up_at = Clock::now() + options.wait_max;
        queue.push_back(std::move(job));
      }
    }
    if (job) {
      tell(job, {false, auth::Error::overloaded});
      return;
    }
    changed.notify_all();
  }

  void hash_loop() {
    while (const JobPtr job = next()) {
      const Verdict verdict = try_password(*job);
      auth::cleanse(job->password);
      tell(job, verdict);
    }
  }

  JobPtr next() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return stopping || !queue.empty(); });
    return stopping ? nullptr : take_front();
  }

  JobPtr take_front() {
    JobPtr job = std::move(queue.front());
    queue.erase(queue.begin());
    return job;
  }

  // Everybody waits equally long, so the front of the queue is always the next to give up.
  void expire_loop() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      if (queue.empty()) {
        changed.wait(lock);
        continue;
      }
      const Clock::time_point due = queue.front()->give_up_at;
      if (Clock::now() < due) {
        changed.wait_until(lock, due);
        continue;
      }
      const JobPtr late = take_front();
      lock.unlock();
      tell(late, {false, auth::Error::overloaded});
      lock.lock();
    }
  }

  // Not a coroutine, and its lambda is no part of a co_await expression.
  auto async_verify(JobPtr job, const Token& token) {
    return boost::asio::async_initiate<const Token, void(Verdict)>(
        [this](auto handler, JobPtr waiting) {
          waiting->waiting.emplace(std::move(handler));
          submit(std::move(waiting));
        },
        token, std::move(job));
  }

  const HashPoolOptions options;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::vector<JobPtr> queue;  // at most queue_max with what is reserved: it never grows
  std::size_t reserved = 0;
  bool stopping = false;
  std::vector<std::thread> threads;
};

HashPool::HashPool(HashPoolOptions options) : impl_(std::make_shared<Impl>(options)) {}

HashPool::~HashPool() { impl_->stop(); }

net::Task<auth::Result<bool>> HashPool::verify(std::string hash, std::string password) {
  const net::Executor executor = co_await boost::asio::this_coro::executor;
  auto job = std::make_shared<Job>(hash, password, net::Poller::of(executor));
  auth::cleanse(password);
  // Holds the queue's memory until this coroutine has been resumed, whatever became of the pool.
  const std::shared_ptr<Impl> impl = impl_;
  if (!impl->reserve()) {
    count(Metric::hash_queue_refused, "full");
    co_return auth::Error::overloaded;
  }
  const Token token;
  const Clock::time_point asked = Clock::now();
  const Verdict verdict = co_await impl->async_verify(std::move(job), token);
  if (verdict.error) {
    count(Metric::hash_queue_refused, "late");
    co_return *verdict.error;
  }
  observe(Metric::hash_queue_duration,
          std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - asked));
  co_return verdict.fits;
}

std::size_t HashPool::waiting() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->queue.size();
}

}  // namespace proxy
