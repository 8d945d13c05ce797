// See local_runtime.h.
#include "proxy/local_runtime.h"

#include <array>

namespace proxy {
namespace {

// In the order of endpoints::Endpoint; the first: refused before a rule was found.
constexpr std::array<std::string_view, 10> endpoint_labels{
    "none", "endpoint:login", "endpoint:token", "endpoint:logout",
    "endpoint:session", "endpoint:userinfo", "endpoint:sessions", "endpoint:jwks",
    "endpoint:auth", "endpoint:session_js"};

}  // namespace

LocalRuntime::LocalRuntime(std::shared_ptr<const Runtime> shared, const net::Executor& executor,
                           net::Wheel& wheel, unsigned workers)
    : runtime(std::move(shared)), tokens(runtime->config.tokens.cache_entries) {
  for (std::size_t i = 0; i < runtime->config.upstreams.size(); ++i) {
    const config::Upstream& upstream = runtime->config.upstreams[i];
    upstreams.push_back(std::make_unique<Upstream>(upstream, executor, wheel, workers,
                                                   runtime->upstream_tls[i]));
    upstream_metrics_.emplace_back(upstream.name);
  }
  for (const Route& route : runtime->routes.routes()) route_metrics_.emplace_back(route.name);
  route_metrics_.emplace_back(runtime->routes.default_route().name);
  for (const std::string_view label : endpoint_labels) {
    route_metrics_.emplace_back(std::string(label));
  }
}

RouteMetrics& LocalRuntime::metrics_of(const Route* route, endpoints::Endpoint endpoint) {
  if (route != nullptr) return route_metrics_[route->index];
  const std::size_t rules = runtime->routes.routes().size() + 1;
  const std::size_t at = rules + static_cast<std::size_t>(endpoint);
  return route_metrics_[at < route_metrics_.size() ? at : rules];
}

void LocalRuntime::learn_from(const LocalRuntime& older) {
  for (const auto& upstream : upstreams) {
    for (const auto& known : older.upstreams) {
      if (known->config().name == upstream->config().name) upstream->learn_from(*known);
    }
  }
}

void LocalRuntime::show_upstreams(bool is_current) {
  for (std::size_t i = 0; i < upstreams.size(); ++i) {
    const Upstream& upstream = *upstreams[i];
    upstream_metrics_[i].show(is_current ? upstream.connection_count() : 0,
                              is_current ? upstream.pending_count() : 0);
  }
}

}  // namespace proxy
