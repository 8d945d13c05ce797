// The keys of upstreams and identity: the applications and what they learn.
#include "config/table_sections.h"

#include <array>
#include <string_view>

namespace config {

template <>
struct Words<IdentityPreset> {
  static constexpr std::array<std::string_view, 4> list{"oauth2_proxy", "authelia",
                                                        "x_auth_request", "none"};
};
template <>
struct Words<Authorization> {
  static constexpr std::array<std::string_view, 3> list{"remove", "keep", "access_token"};
};

namespace {

using namespace std::chrono_literals;

Section<IdentityHeader> header_keys() {
  using T = IdentityHeader;
  return {
      key("name", &T::header, "The header's name.").required(),
      key("claim", &T::claim, "The claim it carries.").required(),
  };
}

}  // namespace

Section<Upstream> upstream_keys() {
  using T = Upstream;
  return {
      key("endpoints", &T::endpoints,
          "Where the application listens: one `http://host:port` or `unix:/path`; `https://` and "
          "more than one endpoint are not supported yet.").required(),
      key("preserve_host", &T::preserve_host,
          "Send the client's `Host`; false sends the endpoint's own host and port."),
      key("connect_timeout", &T::connect_timeout, "How long connecting may take.")
          .range(1ms, 10min)
          .raising("A client waits that much longer for the 502 of a dead application."),
      key("response_timeout", &T::response_timeout,
          "From the end of the request to the head of the response; 504 after it.")
          .range(1ms, day)
          .raising("A stuck application holds that many more connections open."),
      key("stream_idle_timeout", &T::stream_idle_timeout,
          "How long a body, an event stream or a websocket may be silent.")
          .range(1ms, day)
          .raising("Connections whose client vanished are kept that much longer."),
      key("idle_connection_timeout", &T::idle_connection_timeout,
          "How long an unused connection is kept; stay below the application's own keep-alive "
          "time (5 s in Node), or reused connections fail.")
          .range(1ms, 1h)
          .raising("Above the application's keep-alive time requests fail on closed connections."),
      key("max_idle_connections", &T::max_idle_connections,
          "How many unused connections each worker keeps.")
          .range(0, 65'535)
          .raising("One descriptor each, here and in the application."),
      later<T>("tls", "TLS towards the application."),
      later<T>("health_check", "Asking the application regularly whether it is well."),
      later<T>("balance", "How endpoints are chosen among several."),
      later<T>("host", "A fixed `Host` to send."),
      later<T>("dns_refresh", "How often host names are looked up again."),
      later<T>("max_connections", "An upper bound on connections to the application."),
      later<T>("max_pending", "An upper bound on requests that wait for a connection."),
      later<T>("ejection", "Leaving out endpoints that fail."),
      later<T>("retry_budget", "A bound on the share of requests that are retried."),
  };
}

Section<Identity> identity_keys() {
  using T = Identity;
  return {
      choice("preset", &T::preset, "Whose headers the application expects."),
      list("headers", &T::headers, header_keys(), "Further headers beside the preset's."),
      choice("authorization", &T::authorization,
             "What the application sees in `Authorization`: nothing, what the client sent, or the "
             "access token."),
  };
}

}  // namespace config
