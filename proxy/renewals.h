// The sessions that one worker is renewing right now: requests of one session that come while it is
// renewed wait for that one renewal instead of asking the store as well. What other workers and
// replicas do at the same time, the store makes one rotation (auth/family.h). A session that is
// over is asked about once a minute, not with every request that still shows its cookie.
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
  // A session that the store called over stays so; a browser may carry its cookie for days.
  struct Ended {
    Result result;
    auth::Time ask_again_at{};
  };
  [[nodiscard]] Result find_ended(std::string_view token, auth::Time now);
  void keep_ended(std::string_view token, const Result& result, auth::Time now);

  net::Poller& poller_;
  std::unordered_map<std::string, std::shared_ptr<Pending>> pending_;
  std::unordered_map<std::string, Ended> ended_;  // by refresh token
  auth::Time rest_until_{};
};

}  // namespace proxy
