// See renewals.h.
#include "proxy/renewals.h"

#include <list>

#include "proxy/net/timer.h"

namespace proxy {
namespace {

constexpr std::chrono::milliseconds rest_time{5'000};
constexpr std::chrono::milliseconds ended_time{60'000};
constexpr std::size_t ended_max = 256;

}  // namespace

// Shared by all that wait for it, and alive as long as one of them.
struct Renewals::Pending {
  std::list<net::Waiter*> waiters;
  Result result;
};

// A place in the queue, given up however the wait ends.
class Renewals::Place {
 public:
  Place(net::Poller& poller, std::shared_ptr<Pending> pending)
      : waiter(poller), pending_(std::move(pending)) {
    pending_->waiters.push_back(&waiter);
  }
  ~Place() { pending_->waiters.remove(&waiter); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  [[nodiscard]] const Result& result() const { return pending_->result; }
  net::Waiter waiter;

 private:
  const std::shared_ptr<Pending> pending_;
};

// Whoever came first. However its coroutine ends, the others go on.
class Renewals::Lead {
 public:
  Lead(Renewals& renewals, std::string key, std::shared_ptr<Pending> pending)
      : renewals_(renewals), key_(std::move(key)), pending_(std::move(pending)) {}
  ~Lead() {
    renewals_.pending_.erase(key_);
    for (net::Waiter* waiter : pending_->waiters) waiter->complete({});
  }
  Lead(const Lead&) = delete;
  Lead& operator=(const Lead&) = delete;

 private:
  Renewals& renewals_;
  const std::string key_;
  const std::shared_ptr<Pending> pending_;
};

Renewals::Renewals(const net::Executor& executor) : poller_(net::Poller::of(executor)) {}
Renewals::~Renewals() = default;

Renewals::Result Renewals::find_ended(std::string_view token, auth::Time now) {
  if (ended_.empty()) return nullptr;
  const auto found = ended_.find(std::string(token));
  if (found == ended_.end()) return nullptr;
  if (now < found->second.ask_again_at) return found->second.result;
  ended_.erase(found);
  return nullptr;
}

void Renewals::keep_ended(std::string_view token, const Result& result, auth::Time now) {
  if (ended_.size() >= ended_max) {
    std::erase_if(ended_, [now](const auto& entry) { return now >= entry.second.ask_again_at; });
  }
  if (ended_.size() >= ended_max) ended_.clear();
  ended_.insert_or_assign(std::string(token), Ended{result, now + ended_time});
}

net::Task<Renewals::Result> Renewals::renew(const endpoints::Context& context,
                                            const endpoints::Request& request,
                                            const endpoints::RenewalWish& wish) {
  if (Result ended = find_ended(wish.token, context.now)) co_return ended;
  // One that somebody's presence asks for must not be answered by one that nobody's did.
  std::string key(wish.token);
  key.push_back(wish.active ? '+' : '-');
  const auto found = pending_.find(key);
  if (found != pending_.end()) {
    Place place(poller_, found->second);
    co_await place.waiter.async_wait(net::as_result);
    co_return place.result();
  }
  auto pending = std::make_shared<Pending>();
  pending_.emplace(key, pending);
  const Lead lead(*this, key, pending);
  endpoints::Renewal renewal = co_await endpoints::renew(context, request, wish);
  if (renewal.outcome == endpoints::Renewal::Outcome::unavailable) {
    rest_until_ = context.now + rest_time;
  }
  pending->result = std::make_shared<const endpoints::Renewal>(std::move(renewal));
  if (pending->result->is_over) keep_ended(wish.token, pending->result, context.now);
  co_return pending->result;
}

}  // namespace proxy
