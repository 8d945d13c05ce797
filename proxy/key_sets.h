// Keys of trusted issuers that are fetched: each set at the start, before a request can need it,
// every few minutes, and when a token names a key that is not known, once a minute at most. What
// cannot be fetched or used changes nothing: the last good keys stay.
// Lives on the control thread, whose loop it runs on; outlives its coroutine.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "proxy/metrics.h"
#include "proxy/net/tls.h"
#include "proxy/runtime.h"
#include "proxy/worker_state.h"

namespace proxy {

class KeySets {
 public:
  // Puts new sets into force; false when they cannot be.
  using Install = std::function<bool(const KeySetTexts&)>;
  KeySets(WorkerState& control, Install install)
      : control_(control), install_(std::move(install)) {}
  KeySets(const KeySets&) = delete;
  KeySets& operator=(const KeySets&) = delete;

  // The sets that a configuration names; what is known of them already stays known.
  void follow(const config::Config& config);
  // Until the loop ends.
  [[nodiscard]] net::Task<void> run();
  // How things stand, for /metrics.
  void collect(Scrape& scrape) const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Set {
    std::string text;  // the last good one; empty: never fetched
    std::vector<auth::Algorithm> algorithms;
    Clock::time_point due{};
    Clock::time_point asked = Clock::time_point::min();
    std::string complaint;
    std::size_t keys = 0;  // in `text`
    std::chrono::system_clock::time_point fetched{};
  };
  net::Task<void> refresh(std::string url);
  [[nodiscard]] std::string take(const std::string& url, const std::string& text);
  void complain(Set& set, const std::string& url, const std::string& reason);
  void tell_readiness();

  WorkerState& control_;
  Install install_;
  std::map<std::string, Set> sets_;  // by URL
  std::shared_ptr<const net::TlsClient> tls_;
};

}  // namespace proxy
