// See quick.h.
#include "config/quick.h"

#include <utility>

#include "config/syntax.h"

namespace config {

Loaded quick_config(const std::string& upstream_url, const std::string& listen) {
  Loaded loaded;
  Config& config = loaded.config;
  Listener& listener = config.listeners.emplace_back();
  listener.address = listen.empty() ? "127.0.0.1:8080" : listen;
  Upstream& upstream = config.upstreams.emplace_back();
  upstream.name = "app";
  upstream.endpoints = {upstream_url};
  // A URL copied from a browser ends with `/`.
  if (upstream_url.rfind("http://", 0) == 0 && upstream_url.back() == '/') {
    upstream.endpoints.front().pop_back();
  }
  config.cookies.secure = false;
  config.drain.delay = milliseconds{0};  // nobody routes traffic here that has to be told first
  if (auto wrong = check_upstream_endpoint(upstream.endpoints.front()); !wrong.empty()) {
    loaded.problems.push_back(Problem{"", {}, "--upstream", std::move(wrong)});
  }
  if (auto wrong = check_listen_address(listener.address); !wrong.empty()) {
    loaded.problems.push_back(Problem{"", {}, "--listen", std::move(wrong)});
  }
  loaded.warnings.push_back(Problem{"", {}, "cookies.secure",
                                    "is false in this mode: for trying out, not for a network"});
  return loaded;
}

}  // namespace config
