// See route_metrics.h.
#include "proxy/route_metrics.h"

namespace proxy {
namespace {

// What nginx logs for it.
constexpr int client_left = 499;

}  // namespace

Number* RouteMetrics::number_of(Metrics& metrics, int status) {
  return &metrics.series(Metric::requests, route_, std::to_string(status)).number;
}

void RouteMetrics::record(int status, std::chrono::microseconds duration) {
  Metrics* const metrics = Metrics::current();
  if (metrics == nullptr) return;
  if (status == 0) status = client_left;
  if (duration_ == nullptr) {
    duration_ = metrics->series(Metric::request_duration, route_, {}).histogram.get();
  }
  duration_->observe(duration);
  for (Code& code : codes_) {
    if (code.number == nullptr) code = {status, number_of(*metrics, status)};
    if (code.status != status) continue;
    code.number->add(1);
    return;
  }
  number_of(*metrics, status)->add(1);
}

void UpstreamMetrics::show(std::size_t connections, std::size_t pending) {
  if (connections_ == nullptr) {
    Metrics* const metrics = Metrics::current();
    if (metrics == nullptr) return;
    connections_ = &metrics->series(Metric::upstream_connections, upstream_, {}).number;
    pending_ = &metrics->series(Metric::upstream_pending, upstream_, {}).number;
  }
  connections_->set(static_cast<std::int64_t>(connections));
  pending_->set(static_cast<std::int64_t>(pending));
}

void UpstreamMetrics::record(std::chrono::microseconds duration) {
  if (duration_ == nullptr) {
    Metrics* const metrics = Metrics::current();
    if (metrics == nullptr) return;
    duration_ = metrics->series(Metric::upstream_duration, upstream_, {}).histogram.get();
  }
  duration_->observe(duration);
}

}  // namespace proxy
