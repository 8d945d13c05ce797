// Rate limits of routes: token buckets, each kept as the one moment at which it will be full again
// (GCRA). The table is the process's and has a fixed size; workers share it without a lock, by
// comparing and exchanging single words. When a set of it is full, the bucket that needs least
// remembering gives way, which can only be in its client's favour.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "auth/throttle.h"
#include "config/config.h"

namespace proxy {

struct RateRule {
  config::RateKey key = config::RateKey::principal;
  std::string route;  // part of every bucket's name
  std::chrono::nanoseconds interval{0};  // in which one request's worth comes back
  std::chrono::nanoseconds tolerance{0};  // how far a bucket's moment may lie ahead: the burst
  bool is_cluster = false;   // counted in the store, as `shared` says
  auth::BucketRate shared;
  std::string policy;  // "RateLimit-Policy: ...\r\n"
};
[[nodiscard]] RateRule rate_rule(const config::RateLimit& config, std::string route);

class RateTable {
 public:
  // Buckets; 16 bytes each, of memory that is touched only when it is used.
  static constexpr std::size_t sets = 8 * 1024;
  static constexpr std::size_t ways = 8;

  explicit RateTable(std::uint64_t seed);

  // Takes one request's worth out of the bucket of `who`; zero, or how long until there is one.
  // Any thread.
  [[nodiscard]] std::chrono::nanoseconds take(const RateRule& rule, std::string_view who,
                                              std::chrono::steady_clock::time_point now);

 private:
  struct Entry {
    std::uint64_t key;      // 0: nobody's
    std::uint64_t full_at;  // nanoseconds of the steady clock
  };
  struct Free {
    void operator()(Entry* entries) const { std::free(entries); }
  };
  [[nodiscard]] Entry& find(std::uint64_t key, std::uint64_t now);

  const std::uint64_t seed_;
  std::unique_ptr<Entry[], Free> entries_;
};

// Who is counted: an address by itself, an IPv6 one by its /64. `room` holds the result.
[[nodiscard]] std::string_view rate_key_of_address(std::string_view address, std::string& room);
// "RateLimit: ...\r\n" and the policy, for a request that has to wait (RateLimit header fields for
// HTTP, draft-ietf-httpapi-ratelimit-headers).
[[nodiscard]] std::string rate_limit_lines(const RateRule& rule, std::chrono::seconds wait);

}  // namespace proxy
