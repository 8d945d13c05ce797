// The runtime as one worker uses it, together with everything that dies with it: the tokens its
// keys verified and the connections to its upstreams. One thread.
#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <memory>
#include <vector>

#include "auth/token_cache.h"
#include "proxy/endpoints/endpoint.h"
#include "proxy/net/deadline.h"
#include "proxy/net/task.h"
#include "proxy/route_metrics.h"
#include "proxy/runtime.h"
#include "proxy/upstream.h"

namespace proxy {

// Counted without atomics; an exchange holds one from its head to its access line.
struct LocalRuntime : boost::intrusive_ref_counter<LocalRuntime, boost::thread_unsafe_counter> {
  LocalRuntime(std::shared_ptr<const Runtime> shared, const net::Executor& executor,
               net::Wheel& wheel, unsigned workers);
  std::shared_ptr<const Runtime> runtime;
  auth::TokenCache tokens;                           // dies with the keys that verified them
  std::vector<std::unique_ptr<Upstream>> upstreams;  // index: Route::upstream
  // What a request counts under: its rule, one of our endpoints, or neither.
  [[nodiscard]] RouteMetrics& metrics_of(const Route* route, endpoints::Endpoint endpoint);
  [[nodiscard]] UpstreamMetrics& metrics_of(const Route& route) {
    return upstream_metrics_[route.upstream];
  }
  // What the upstreams of the same names had learned, before the first request.
  void learn_from(const LocalRuntime& older);
  // Shows how the upstreams stand; nothing of them when another runtime has taken over.
  void show_upstreams(bool is_current);

 private:
  std::vector<RouteMetrics> route_metrics_;  // the rules, the default route, then the endpoints
  std::vector<UpstreamMetrics> upstream_metrics_;
};
using LocalRuntimeRef = boost::intrusive_ptr<LocalRuntime>;

}  // namespace proxy
