// The table of all metrics, and adding up what the threads counted; see metrics.h.
#include "proxy/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>
#include <map>
#include <utility>

namespace proxy {
namespace {

using enum MetricKind;

constexpr std::array<MetricInfo, metric_count> table{{
    {Metric::requests, counter, "gatehouse_requests_total", {"route", "code"},
     "Requests that are over; code 499: the client left before an answer."},
    {Metric::request_duration, histogram, "gatehouse_request_duration_seconds", {"route"},
     "From a request's first byte to the end of its answer."},
    {Metric::requests_in_flight, gauge, "gatehouse_requests_in_flight", {},
     "Requests that are being worked on, tunnels and streams included."},
    {Metric::request_body_bytes, counter, "gatehouse_request_body_bytes_total", {},
     "Body bytes that clients sent."},
    {Metric::response_body_bytes, counter, "gatehouse_response_body_bytes_total", {},
     "Body bytes that clients were sent."},
    {Metric::connections, gauge, "gatehouse_connections", {}, "Open client connections."},
    {Metric::connections_accepted, counter, "gatehouse_connections_accepted_total", {},
     "Client connections that were accepted."},
    {Metric::connections_refused, counter, "gatehouse_connections_refused_total", {"reason"},
     "Client connections that were closed before their first request was read."},
    {Metric::tls_handshakes, counter, "gatehouse_tls_handshakes_total", {},
     "TLS handshakes of clients that succeeded."},
    {Metric::tls_handshakes_failed, counter, "gatehouse_tls_handshakes_failed_total", {},
     "TLS handshakes of clients that failed or took too long."},
    {Metric::tunnels, gauge, "gatehouse_tunnels", {},
     "Open tunnels and event streams."},
    {Metric::upstream_duration, histogram, "gatehouse_upstream_duration_seconds", {"upstream"},
     "Time that requests spent waiting for the application."},
    {Metric::upstream_failures, counter, "gatehouse_upstream_failures_total",
     {"upstream", "reason"}, "Requests that the application did not answer as it should."},
    {Metric::upstream_connections_opened, counter, "gatehouse_upstream_connections_opened_total",
     {}, "Connections to the application that were opened."},
    {Metric::upstream_connections, gauge, "gatehouse_upstream_connections", {"upstream"},
     "Connections to the application: used, idle, and being made."},
    {Metric::upstream_pending, gauge, "gatehouse_upstream_requests_pending", {"upstream"},
     "Requests that wait for a connection to the application."},
    {Metric::upstream_retries, counter, "gatehouse_upstream_retries_total", {"upstream"},
     "Requests that were sent again after a failure."},
    {Metric::upstream_ejections, counter, "gatehouse_upstream_ejections_total",
     {"upstream", "endpoint"}, "How often an endpoint was left out after repeated failures."},
    {Metric::upstream_endpoint_healthy, gauge, "gatehouse_upstream_endpoint_healthy",
     {"upstream", "endpoint"}, "1, or 0 when the health check says no."},
    {Metric::logins, counter, "gatehouse_logins_total", {"result"}, "Attempts to log in."},
    {Metric::token_refresh, counter, "gatehouse_token_refresh_total", {"outcome"},
     "Refresh tokens that were shown; outcome reuse is a theft signal."},
    {Metric::logouts, counter, "gatehouse_logouts_total", {"result"}, "Logouts."},
    {Metric::sessions_revoked, counter, "gatehouse_sessions_revoked_total", {"reason"},
     "Events that ended sessions before their time."},
    {Metric::sessions, gauge, "gatehouse_sessions", {}, "Sessions in the memory store."},
    {Metric::token_cache_hits, counter, "gatehouse_token_cache_hits_total", {},
     "Access tokens that were known to be good."},
    {Metric::token_cache_misses, counter, "gatehouse_token_cache_misses_total", {},
     "Access tokens whose signature had to be checked."},
    {Metric::token_cache_entries, gauge, "gatehouse_token_cache_entries", {},
     "Access tokens that are known to be good, in all workers."},
    {Metric::hash_queue_length, gauge, "gatehouse_hash_queue_length", {},
     "Logins that wait for a password to be hashed."},
    {Metric::hash_queue_duration, histogram, "gatehouse_hash_queue_duration_seconds", {},
     "From a login's wish to have a password hashed to the verdict, waiting included."},
    {Metric::hash_queue_refused, counter, "gatehouse_hash_queue_refused_total", {"reason"},
     "Logins whose password was not hashed: the queue was full, or it took too long."},
    {Metric::store_latency, histogram, "gatehouse_store_latency_seconds", {},
     "Time that calls of Redis took."},
    {Metric::store_errors, counter, "gatehouse_store_errors_total", {"kind"},
     "Calls that Redis did not answer as it should."},
    {Metric::store_up, gauge, "gatehouse_store_up", {}, "1 while the session store answers."},
    {Metric::store_breaker_open, gauge, "gatehouse_store_breaker_open", {},
     "Workers that ask Redis for nothing, because it failed."},
    {Metric::store_outage_decisions, counter, "gatehouse_store_outage_decisions_total",
     {"decision"}, "Requests that were decided while the session store did not answer."},
    {Metric::revocation_lag, gauge, "gatehouse_revocation_lag_seconds", {},
     "How late revocations of other replicas are known here."},
    {Metric::revocation_delivery, histogram, "gatehouse_revocation_delivery_seconds", {},
     "From Redis taking a revocation to our workers being told."},
    {Metric::revocations_followed, counter, "gatehouse_revocations_followed_total", {},
     "Entries read from the stream of revocations."},
    {Metric::alerts, counter, "gatehouse_alerts_total", {"result"},
     "Alarms about stolen tokens, by what became of their webhook."},
    {Metric::jwks_fetches, counter, "gatehouse_jwks_fetches_total", {"url", "result"},
     "How often the keys of a trusted issuer were asked for."},
    {Metric::jwks_keys, gauge, "gatehouse_jwks_keys", {"url"},
     "Keys of a trusted issuer that are in force."},
    {Metric::jwks_fetched_time, gauge, "gatehouse_jwks_last_success_timestamp_seconds", {"url"},
     "When the keys of a trusted issuer were last fetched."},
    {Metric::log_lines_dropped, counter, "gatehouse_log_lines_dropped_total", {},
     "Log lines that could not be written in time."},
    {Metric::spans, counter, "gatehouse_spans_total", {"result"},
     "Recorded spans: exported, dropped because there were too many, or failed."},
    {Metric::config_reloads, counter, "gatehouse_config_reloads_total", {"result"},
     "Reloads of the configuration or of a file that it names."},
    {Metric::config_last_reload_success, gauge, "gatehouse_config_last_reload_success", {},
     "1 when the last reload succeeded, 0 when it was refused."},
    {Metric::config_last_reload_time, gauge,
     "gatehouse_config_last_reload_success_timestamp_seconds", {},
     "When the configuration in force was loaded."},
    {Metric::tls_cert_not_after, gauge, "gatehouse_tls_cert_not_after_seconds", {"file"},
     "When the first certificate in that file ends, in seconds since 1970."},
    {Metric::ready, gauge, "gatehouse_ready", {}, "1 while /readyz says yes."},
    {Metric::workers, gauge, "gatehouse_workers", {}, "Event loops that serve requests."},
    {Metric::build_info, gauge, "gatehouse_build_info", {"version", "compiler"},
     "Always 1; the labels tell what runs."},
    {Metric::process_cpu, counter, "process_cpu_seconds_total", {}, "CPU time of the process."},
    {Metric::process_memory, gauge, "process_resident_memory_bytes", {}, "Resident memory."},
    {Metric::process_descriptors, gauge, "process_open_fds", {}, "Open file descriptors."},
    {Metric::process_descriptors_max, gauge, "process_max_fds", {},
     "How many file descriptors may be open."},
    {Metric::process_start_time, gauge, "process_start_time_seconds", {},
     "When the process was started."},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (static_cast<std::size_t>(table[i].metric) != i) return false;
  }
  return true;
}
static_assert(in_order(), "the table has the order of the enumerators");

struct Sum {
  double value = 0;
  std::array<std::int64_t, Histogram::bounds_us.size() + 1> buckets{};
  std::int64_t sum_us = 0;
};
using Sums = std::map<Metrics::Labels, Sum>;

// The sums of all threads, then of the collectors.
class Gathering final : public Scrape {
 public:
  void set(Metric metric, double value, std::string_view first, std::string_view second) override {
    of(metric)[{std::string(first), std::string(second)}].value += value;
  }
  void add(const Metrics& thread);
  [[nodiscard]] Sums& of(Metric metric) { return sums_[static_cast<std::size_t>(metric)]; }

 private:
  std::array<Sums, metric_count> sums_;
};

void Gathering::add(const Metrics& thread) {
  for (const MetricInfo& info : table) {
    const bool labelled = !info.labels[0].empty();
    // A number without labels is told from the beginning, so that its first change can be seen.
    if (!labelled && info.kind == counter) {
      set(info.metric, static_cast<double>(thread.plain_of(info.metric)), {}, {});
    } else if (!labelled && info.kind == gauge && thread.plain_of(info.metric) != 0) {
      set(info.metric, static_cast<double>(thread.plain_of(info.metric)), {}, {});
    }
    for (const auto* one = thread.series_of(info.metric); one != nullptr; one = one->next) {
      Sum& sum = of(info.metric)[one->labels];
      sum.value += static_cast<double>(one->number.value());
      if (!one->histogram) continue;
      for (std::size_t i = 0; i < sum.buckets.size(); ++i) {
        sum.buckets[i] += one->histogram->bucket(i);
      }
      sum.sum_us += one->histogram->sum_us();
    }
  }
}

prometheus::ClientMetric to_client_metric(const MetricInfo& info, const Metrics::Labels& labels,
                                          const Sum& sum) {
  prometheus::ClientMetric metric;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (info.labels[i].empty()) continue;
    metric.label.push_back({std::string(info.labels[i]), labels[i]});
  }
  switch (info.kind) {
    case counter:
      metric.counter.value = sum.value;
      break;
    case gauge:
      metric.gauge.value = sum.value;
      break;
    case histogram: {
      std::uint64_t total = 0;
      for (std::size_t i = 0; i < sum.buckets.size(); ++i) {
        total += static_cast<std::uint64_t>(sum.buckets[i]);
        const double bound = i < Histogram::bounds_us.size()
                                 ? static_cast<double>(Histogram::bounds_us[i]) / 1e6
                                 : std::numeric_limits<double>::infinity();
        metric.histogram.bucket.push_back({total, bound});
      }
      metric.histogram.sample_count = total;
      metric.histogram.sample_sum = static_cast<double>(sum.sum_us) / 1e6;
      break;
    }
  }
  return metric;
}

prometheus::MetricType type_of(MetricKind kind) {
  if (kind == counter) return prometheus::MetricType::Counter;
  return kind == gauge ? prometheus::MetricType::Gauge : prometheus::MetricType::Histogram;
}

}  // namespace

const std::array<MetricInfo, metric_count>& metric_table() { return table; }

Metrics::~Metrics() {
  if (current_ == this) current_ = nullptr;
  for (const auto& newest : newest_) {
    const Series* one = newest.load(std::memory_order_relaxed);
    while (one != nullptr) delete std::exchange(one, one->next.load(std::memory_order_relaxed));
  }
}

Metrics::Series& Metrics::series(Metric metric, std::string_view first, std::string_view second) {
  const std::size_t at = index(metric);
  const auto find = [&]() -> Series* {
    for (const Series* one = newest_[at].load(std::memory_order_relaxed); one != nullptr;
         one = one->next.load(std::memory_order_relaxed)) {
      // Made by this thread and only read by others.
      if (one->labels[0] == first && one->labels[1] == second) return const_cast<Series*>(one);
    }
    return nullptr;
  };
  if (Series* const known = find()) return *known;
  if (sizes_[at] >= series_max) {
    first = table[at].labels[0].empty() ? std::string_view{} : "other";
    second = table[at].labels[1].empty() ? std::string_view{} : "other";
    if (Series* const known = find()) return *known;
  }
  auto made = std::make_unique<Series>();
  made->labels = {std::string(first), std::string(second)};
  if (table[at].kind == histogram) made->histogram = std::make_unique<Histogram>();
  made->next.store(newest_[at].load(std::memory_order_relaxed), std::memory_order_relaxed);
  ++sizes_[at];
  Series& result = *made;
  // Whoever sees the series sees what it was made with.
  newest_[at].store(made.release(), std::memory_order_release);
  return result;
}

MetricsBook::MetricsBook() = default;
MetricsBook::~MetricsBook() = default;

Metrics& MetricsBook::add_thread() {
  const std::lock_guard lock(mutex_);
  threads_.push_back(std::make_unique<Metrics>());
  return *threads_.back();
}

void MetricsBook::collect(std::function<void(Scrape&)> collector) {
  const std::lock_guard lock(mutex_);
  collectors_.push_back(std::move(collector));
}

std::string MetricsBook::text() const {
  Gathering gathering;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& thread : threads_) gathering.add(*thread);
    for (const auto& collector : collectors_) collector(gathering);
  }
  std::vector<prometheus::MetricFamily> families;
  for (const MetricInfo& info : table) {
    const Sums& sums = gathering.of(info.metric);
    if (sums.empty()) continue;
    prometheus::MetricFamily family;
    family.name = info.name;
    family.help = info.help;
    family.type = type_of(info.kind);
    for (const auto& [labels, sum] : sums) {
      family.metric.push_back(to_client_metric(info, labels, sum));
    }
    families.push_back(std::move(family));
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace proxy
