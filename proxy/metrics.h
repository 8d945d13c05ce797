// What /metrics tells. Each event loop has a Metrics of its own, and only its thread writes there:
// a count is a load and a store, without a lock and without a shared cache line. The control thread
// adds them up when somebody scrapes (MetricsBook::text), which costs a request nothing.
//
// A new metric is two lines: an enumerator in Metric, and its row in metrics.cc (and one line in
// docs/metrics.md, which a test asks for). Then anywhere on an event loop: count(Metric::things),
// count(Metric::things, "label"), move(Metric::open_things, -1), or
// observe(Metric::thing_duration, microseconds, "label"). Numbers that only exist when asked for (a
// queue's length) are set by a collector: see Server::collect in server_metrics.cc.
//
// The number of series is bounded: a label's value comes from the configuration or from our code,
// never from a client, and no metric knows a user. Beyond series_max a label turns into "other".
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace proxy {

enum class Metric : std::uint8_t {
  // Requests, by their route.
  requests,
  request_duration,
  requests_in_flight,
  request_body_bytes,
  response_body_bytes,
  connections,
  connections_accepted,
  connections_refused,
  tls_handshakes,
  tls_handshakes_failed,
  tunnels,
  // The application.
  upstream_duration,
  upstream_failures,
  upstream_connections_opened,
  upstream_connections,
  upstream_pending,
  upstream_retries,
  upstream_ejections,
  upstream_endpoint_healthy,
  // Who is asking.
  logins,
  token_refresh,
  logouts,
  sessions_revoked,
  sessions,
  token_cache_hits,
  token_cache_misses,
  token_cache_entries,
  hash_queue_length,
  hash_queue_duration,
  hash_queue_refused,
  // Redis.
  store_latency,
  store_errors,
  store_up,
  store_breaker_open,
  store_outage_decisions,
  revocation_lag,
  revocation_delivery,
  revocations_followed,
  alerts,
  // Keys of trusted issuers that are fetched.
  jwks_fetches,
  jwks_keys,
  jwks_fetched_time,
  // The process.
  log_lines_dropped,
  spans,
  config_reloads,
  config_last_reload_success,
  config_last_reload_time,
  tls_cert_not_after,
  ready,
  workers,
  build_info,
  process_cpu,
  process_memory,
  process_descriptors,
  process_descriptors_max,
  process_start_time,
  count_  // not a metric: how many there are
};

inline constexpr std::size_t metric_count = static_cast<std::size_t>(Metric::count_);
// Of one metric on one thread.
inline constexpr std::size_t series_max = 4'000;

enum class MetricKind : std::uint8_t { counter, gauge, histogram };

struct MetricInfo {
  Metric metric;
  MetricKind kind;
  std::string_view name;
  std::array<std::string_view, 2> labels;  // names; empty: none
  std::string_view help;
};

// One row for each Metric, in their order.
[[nodiscard]] const std::array<MetricInfo, metric_count>& metric_table();

// Written by one thread, read by any.
class Number {
 public:
  void add(std::int64_t amount) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Durations. The bounds suit an HTTP request: half a millisecond to half a minute.
class Histogram {
 public:
  static constexpr std::array<std::uint32_t, 15> bounds_us{
      500, 1'000, 2'500, 5'000, 10'000, 25'000, 50'000, 100'000, 250'000, 500'000,
      1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000};

  void observe(std::chrono::microseconds duration) {
    std::size_t bucket = 0;
    while (bucket < bounds_us.size() && duration.count() > bounds_us[bucket]) ++bucket;
    buckets_[bucket].add(1);
    sum_us_.add(duration.count());
  }
  [[nodiscard]] std::int64_t bucket(std::size_t index) const { return buckets_[index].value(); }
  [[nodiscard]] std::int64_t sum_us() const { return sum_us_.value(); }

 private:
  std::array<Number, bounds_us.size() + 1> buckets_;  // the last: longer than every bound
  Number sum_us_;
};

// The numbers of one thread.
class Metrics {
 public:
  using Labels = std::array<std::string, 2>;
  struct Series {
    Labels labels;
    Number number;
    std::unique_ptr<Histogram> histogram;  // of histograms only
    std::atomic<const Series*> next{nullptr};
  };

  Metrics() = default;
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // From its thread. A series is made when it is first asked for, and stays where it is: keep the
  // reference where it is needed often.
  [[nodiscard]] Number& plain(Metric metric) { return plain_[index(metric)]; }
  [[nodiscard]] Series& series(Metric metric, std::string_view first, std::string_view second);

  // From any thread: the newest series; follow `next`.
  [[nodiscard]] const Series* series_of(Metric metric) const {
    return newest_[index(metric)].load(std::memory_order_acquire);
  }
  [[nodiscard]] std::int64_t plain_of(Metric metric) const { return plain_[index(metric)].value(); }

  // The calling thread's; null before attach().
  [[nodiscard]] static Metrics* current() { return current_; }
  void attach() { current_ = this; }
  static void detach() { current_ = nullptr; }

 private:
  static std::size_t index(Metric metric) { return static_cast<std::size_t>(metric); }
  inline static thread_local Metrics* current_ = nullptr;

  std::array<Number, metric_count> plain_;
  std::array<std::atomic<const Series*>, metric_count> newest_{};
  std::array<std::size_t, metric_count> sizes_{};
};

// These count for the calling thread, and nothing on a thread without an event loop.
inline void count(Metric metric) {
  if (Metrics* const here = Metrics::current()) here->plain(metric).add(1);
}
// A counter without labels by more than one, or a gauge up and down.
inline void move(Metric metric, std::int64_t amount) {
  if (Metrics* const here = Metrics::current()) here->plain(metric).add(amount);
}
inline void count(Metric metric, std::string_view first, std::string_view second = {},
                  std::int64_t amount = 1) {
  if (Metrics* const here = Metrics::current()) {
    here->series(metric, first, second).number.add(amount);
  }
}
inline void observe(Metric metric, std::chrono::microseconds duration, std::string_view first = {},
                    std::string_view second = {}) {
  if (Metrics* const here = Metrics::current()) {
    here->series(metric, first, second).histogram->observe(duration);
  }
}

// What a collector fills in; values of the same metric and labels are added up.
class Scrape {
 public:
  virtual void set(Metric metric, double value, std::string_view first = {},
                   std::string_view second = {}) = 0;

 protected:
  ~Scrape() = default;
};

// All numbers of the process. Threads are added at start; text() is called by the control thread.
class MetricsBook {
 public:
  MetricsBook();
  ~MetricsBook();
  // Lives as long as the book: what was counted stays counted.
  [[nodiscard]] Metrics& add_thread();
  // Called in each text(), on its thread.
  void collect(std::function<void(Scrape&)> collector);
  // Prometheus' text format, version 0.0.4.
  [[nodiscard]] std::string text() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Metrics>> threads_;
  std::vector<std::function<void(Scrape&)>> collectors_;
};

inline constexpr std::string_view metrics_content_type =
    "text/plain; version=0.0.4; charset=utf-8";

}  // namespace proxy
