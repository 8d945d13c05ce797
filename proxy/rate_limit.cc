// See rate_limit.h.
#include "proxy/rate_limit.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

#include "proxy/net/address.h"

namespace proxy {
namespace {

using std::chrono::nanoseconds;
using Word = std::atomic_ref<std::uint64_t>;

// Keyed by the process's own seed, and never shown: nobody can aim at another one's bucket.
std::uint64_t mixed(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9E3779B97F4A7C15ULL;
  hash ^= hash >> 32;
  hash *= 0xD6E8FEB86659FD93ULL;
  return hash ^ (hash >> 29);
}

std::uint64_t hashed(std::uint64_t hash, std::string_view text) {
  hash = mixed(hash, text.size());
  while (!text.empty()) {
    std::uint64_t word = 0;
    const std::size_t count = std::min(text.size(), sizeof word);
    std::memcpy(&word, text.data(), count);
    hash = mixed(hash, word);
    text.remove_prefix(count);
  }
  return hash;
}

// The name of a route may be anything that is printable; in a structured field it is quoted.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

}  // namespace

RateRule rate_rule(const config::RateLimit& config, std::string route) {
  RateRule rule;
  rule.key = config.key;
  rule.interval = nanoseconds{config.rate.window} / std::max(config.rate.count, 1U);
  const std::uint32_t burst = std::max(config.burst != 0 ? config.burst : config.rate.count, 1U);
  // A century at most: further away no moment can be counted.
  constexpr nanoseconds tolerance_max = std::chrono::hours{24 * 365 * 100};
  const std::int64_t affordable = tolerance_max / std::max(rule.interval, nanoseconds{1});
  rule.tolerance = rule.interval * std::min<std::int64_t>(burst - 1, affordable);
  rule.shared = {config.rate.count, config.rate.window, burst};
  rule.is_cluster = config.scope == config::RateScope::cluster;
  const auto window = std::chrono::ceil<std::chrono::seconds>(config.rate.window);
  rule.policy = "RateLimit-Policy: " + quoted(route) + ";q=" + std::to_string(config.rate.count) +
                ";w=" + std::to_string(window.count()) + "\r\n";
  rule.route = std::move(route);
  return rule;
}

RateTable::RateTable(std::uint64_t seed)
    : seed_(seed), entries_(static_cast<Entry*>(std::calloc(sets * ways, sizeof(Entry)))) {
  if (!entries_) throw std::bad_alloc();
}

// The entry of the key, which takes over another one where it has none yet. While two threads do so
// at once, one of the counts may be lost: a request more for one client, once.
RateTable::Entry& RateTable::find(std::uint64_t key, std::uint64_t now) {
  Entry* const set = &entries_[(key & (sets - 1)) * ways];
  for (std::size_t i = 0; i < ways; ++i) {
    if (Word(set[i].key).load(std::memory_order_acquire) == key) return set[i];
  }
  Entry* least = set;
  for (std::size_t i = 1; i < ways; ++i) {
    const std::uint64_t full_at = Word(set[i].full_at).load(std::memory_order_relaxed);
    if (full_at < Word(least->full_at).load(std::memory_order_relaxed)) least = &set[i];
  }
  Word(least->full_at).store(now, std::memory_order_relaxed);
  Word(least->key).store(key, std::memory_order_release);
  return *least;
}

nanoseconds RateTable::take(const RateRule& rule, std::string_view who,
                            std::chrono::steady_clock::time_point now) {
  std::uint64_t key = hashed(hashed(seed_, rule.route), who);
  key += key == 0;
  const auto time = static_cast<std::uint64_t>(now.time_since_epoch().count());
  const auto interval = static_cast<std::uint64_t>(rule.interval.count());
  const auto tolerance = static_cast<std::uint64_t>(rule.tolerance.count());
  const Word full_at(find(key, time).full_at);
  std::uint64_t old = full_at.load(std::memory_order_relaxed);
  for (;;) {
    const std::uint64_t start = std::max(old, time);
    if (start - time > tolerance) {
      return nanoseconds{static_cast<std::int64_t>(start - time - tolerance)};
    }
    if (full_at.compare_exchange_weak(old, start + interval, std::memory_order_relaxed)) {
      return nanoseconds{0};
    }
  }
}

std::string_view rate_key_of_address(std::string_view address, std::string& room) {
  const auto parsed = net::parse_address(address);
  if (!parsed) return address;  // a unix socket
  const std::size_t bytes = parsed->is_v4() ? 16 : 8;
  room.assign(parsed->bytes.begin(), parsed->bytes.begin() + static_cast<std::ptrdiff_t>(bytes));
  return room;
}

std::string rate_limit_lines(const RateRule& rule, std::chrono::seconds wait) {
  return "RateLimit: " + quoted(rule.route) + ";r=0;t=" + std::to_string(wait.count()) + "\r\n" +
         rule.policy;
}

}  // namespace proxy
