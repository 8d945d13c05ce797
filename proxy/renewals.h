// The sessions that one worker is renewing right now: requests of one session that come while it is
// renewed wait for that one renewal instead of asking the store as well. What other workers and
// replicas do at the same time, the store makes one rotation (auth/family.h).
// One thread; the store's own time limit bounds every wait.
#pragma once

#include <boost/intrusive/list.hpp>
#include <memory>
#include <string>
#include <unordered_map>

#include "proxy/endpoints/renew.h"
#include "proxy/net/poller.h"

namespace proxy {

class Renewals {
 public:
  explicit Renewals(const net::Executor& executor);
  ~Renewals();
  Renewals(const Renewals&) = delete;
  Renewals& operator=(const Renewals&) = delete;

  using Result = std::shared_ptr<const endpoints::Renewal>;
  // Arguments outlive the call. Null: whoever renewed it broke off.
  [[nodiscard]] net::Task<Result> renew(const endpoints::Context& context,
                                        const endpoints::Request& request,
                                        const endpoints::RenewalWish& wish);
  // A renewal that could wait is not tried again for a while after the store was out of reach.
  [[nodiscard]] bool rests(auth::Time now) const { return now < rest_until_; }

 private:
  struct Pending;
  class Lead;
  class Place;
  net::Poller& poller_;
  std::unordered_map<std::string, std::shared_ptr<Pending>> pending_;
  auth::Time rest_until_{};
};

}  // namespace proxy
