// See local_runtime.h.
#include "proxy/local_runtime.h"

namespace proxy {

LocalRuntime::LocalRuntime(std::shared_ptr<const Runtime> shared, const net::Executor& executor,
                           net::Wheel& wheel)
    : runtime(std::move(shared)), tokens(runtime->config.tokens.cache_entries) {
  for (const config::Upstream& upstream : runtime->config.upstreams) {
    upstreams.push_back(std::make_unique<Upstream>(upstream, executor, wheel));
  }
}

}  // namespace proxy
