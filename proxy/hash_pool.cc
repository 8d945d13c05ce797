// See hash_pool.h. A queue under one mutex, a few threads that hash, and one that fails whoever has
// waited too long even while all of those are busy. Coroutines are resumed by posting to their own
// loop, so nothing of a worker ever runs on a thread of the pool. The loops outlive the pool: a
// worker that is waiting for an answer is part of what the pool's end completes.
#include "proxy/hash_pool.h"

#include <algorithm>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "auth/bytes.h"
#include "auth/password.h"
#include "proxy/net/poller.h"

namespace proxy {
namespace {

using Clock = std::chrono::steady_clock;

// What becomes of a password. Not auth::Result<bool>: a copy of that from a variable takes Boost's
// converting constructor and asks whether there is a value at all, and any password would be right.
struct Verdict {
  bool fits = false;
  std::optional<auth::Error> error;
};
using Done = std::function<void(Verdict)>;

// One password on its way. Wiped as soon as it was tried or given up.
struct Job {
  Job(std::string_view stored_hash, std::string_view tried) : hash(stored_hash), password(tried) {}
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  ~Job() { auth::cleanse(password); }

  std::string hash;
  std::string password;
  Clock::time_point give_up_at{};
  Done done;
};
using JobPtr = std::unique_ptr<Job>;

// Handlers are move-only and std::function copies: the handler lives beside it.
template <class Handler>
Done resume_by_post(Handler&& handler) {
  const auto executor = boost::asio::get_associated_executor(handler);
  net::Poller& loop = net::Poller::of(executor);
  auto kept = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler));
  return [kept = std::move(kept), &loop](Verdict verdict) {
    loop.post([kept, verdict] { std::move (*kept)(verdict); });
  };
}

}  // namespace

struct HashPool::Impl {
  explicit Impl(HashPoolOptions wanted) : options(wanted) {
    for (std::size_t i = 0; i < std::max<std::size_t>(options.threads, 1); ++i) {
      threads.emplace_back([this] { hash_loop(); });
    }
    threads.emplace_back([this] { expire_loop(); });
  }

  void stop() {
    std::deque<JobPtr> left;
    {
      const std::lock_guard lock(mutex);
      stopping = true;
      left.swap(queue);
    }
    changed.notify_all();
    fail(left);
    for (std::thread& thread : threads) {
      thread.join();
    }
  }

  void submit(JobPtr job) {
    {
      const std::lock_guard lock(mutex);
      if (!stopping && queue.size() < options.queue_max) {
        job->give_up_at = Clock::now() + options.wait_max;
        queue.push_back(std::move(job));
      }
    }
    if (job) {
      job->done({false, auth::Error::overloaded});
      return;
    }
    changed.notify_all();
  }

  void hash_loop() {
    while (JobPtr job = next()) {
      const bool fits = auth::verify_password(job->hash, job->password);
      auth::cleanse(job->password);
      job->done({fits, std::nullopt});
    }
  }

  JobPtr next() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return stopping || !queue.empty(); });
    if (stopping) return nullptr;
    JobPtr job = std::move(queue.front());
    queue.pop_front();
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
      std::deque<JobPtr> late;
      late.push_back(std::move(queue.front()));
      queue.pop_front();
      lock.unlock();
      fail(late);
      lock.lock();
    }
  }

  static void fail(std::deque<JobPtr>& jobs) {
    for (const JobPtr& job : jobs) {
      job->done({false, auth::Error::overloaded});
    }
    jobs.clear();
  }

  // Not a coroutine, and its lambda is no part of a co_await expression.
  template <class Token>
  auto async_verify(JobPtr job, Token&& token) {
    return boost::asio::async_initiate<Token, void(Verdict)>(
        [this](auto handler, JobPtr waiting) {
          waiting->done = resume_by_post(std::move(handler));
          submit(std::move(waiting));
        },
        token, std::move(job));
  }

  const HashPoolOptions options;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<JobPtr> queue;
  bool stopping = false;
  std::vector<std::thread> threads;
};

HashPool::HashPool(HashPoolOptions options) : impl_(std::make_shared<Impl>(options)) {}

HashPool::~HashPool() { impl_->stop(); }

net::Task<auth::Result<bool>> HashPool::verify(std::string hash, std::string password) {
  auto job = std::make_unique<Job>(hash, password);
  auth::cleanse(password);
  // Holds the queue's memory until this coroutine has been resumed, whatever became of the pool.
  const std::shared_ptr<Impl> impl = impl_;
  const boost::asio::use_awaitable_t<net::Executor> token;
  const Verdict verdict = co_await impl->async_verify(std::move(job), token);
  if (verdict.error) co_return *verdict.error;
  co_return verdict.fits;
}

std::size_t HashPool::waiting() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->queue.size();
}

}  // namespace proxy
