// The numbers of one route, or of one upstream, found once and then at hand, so that a request is
// counted by a few additions without a look-up. Owned by a worker's LocalRuntime; one thread.
#pragma once

#include <array>
#include <string>

#include "proxy/metrics.h"

namespace proxy {

class RouteMetrics {
 public:
  explicit RouteMetrics(std::string route) : route_(std::move(route)) {}
  // A request that is over. Status 0: the client left before an answer, counted as 499.
  void record(int status, std::chrono::microseconds duration);

 private:
  struct Code {
    int status = 0;
    Number* number = nullptr;
  };
  Number* number_of(Metrics& metrics, int status);

  std::string route_;
  std::array<Code, 16> codes_{};  // in the order of their first use; others are looked up
  Histogram* duration_ = nullptr;
};

class UpstreamMetrics {
 public:
  explicit UpstreamMetrics(std::string upstream) : upstream_(std::move(upstream)) {}
  void record(std::chrono::microseconds duration);
  // How things stand now; shown until the next call.
  void show(std::size_t connections, std::size_t pending);
  [[nodiscard]] const std::string& name() const { return upstream_; }

 private:
  std::string upstream_;
  Histogram* duration_ = nullptr;
  Number* connections_ = nullptr;
  Number* pending_ = nullptr;
};

}  // namespace proxy
