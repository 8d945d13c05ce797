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

template <>
struct Words<Balance> {
  static constexpr std::array<std::string_view, 2> list{"round_robin", "least_requests"};
};

namespace {

using namespace std::chrono_literals;

Section<HealthCheck> health_check_keys() {
  using T = HealthCheck;
  return {
      key("path", &T::path, "What is asked for with GET, such as `/health`.").required(),
      key("host", &T::host, "The `Host` to ask with.")
          .by_default("the upstream's host, or the endpoint's own"),
      key("interval", &T::interval, "How often each endpoint is asked, once for the process.")
          .range(100ms, day),
      key("timeout", &T::timeout, "How long an answer may take.").range(1ms, 10min),
      key("unhealthy_threshold", &T::unhealthy_threshold,
          "Failures in a row after which an endpoint gets no more requests.")
          .range(1, 1'000),
      key("healthy_threshold", &T::healthy_threshold,
          "Successes in a row after which it gets requests again.")
          .range(1, 1'000),
      key("status", &T::status, "The one status that counts as well; 0 is any 2xx or 3xx.")
          .range(0, 599),
  };
}

Section<Ejection> ejection_keys() {
  using T = Ejection;
  return {
      key("consecutive_failures", &T::consecutive_failures,
          "Answers with 5xx, broken and failed connections in a row after which a worker leaves an "
          "endpoint out for a while; 0 never does.")
          .range(0, 1'000),
      key("base_time", &T::base_time,
          "How long it is left out; twice as long each time it fails again right after its return.")
          .range(100ms, day),
      key("max_time", &T::max_time, "The longest time an endpoint is left out.").range(100ms, day),
      key("max_percent", &T::max_percent,
          "How many of the endpoints may be left out at once; one may in any case, unless it is "
          "the last."),
  };
}

Section<IdentityHeader> header_keys() {
  using T = IdentityHeader;
  return {
      key("name", &T::header, "The header's name.").required(),
      key("claim", &T::claim, "The claim it carries.").required(),
  };
}

Section<ClientTls> client_tls_keys() {
  using T = ClientTls;
  return {
      file("ca_file", &T::ca_file,
           "Who may issue the other side's certificate, PEM; without it the system's authorities."),
      key("server_name", &T::server_name,
          "The name that the certificate has to be for, and that is asked for (SNI).")
          .by_default("the host of the address"),
      file("certificate_file", &T::certificate_file,
           "A certificate of our own to show, with its chain, PEM."),
      file("key_file", &T::key_file, "Its private key, PEM."),
  };
}

}  // namespace

Section<Upstream> upstream_keys() {
  using T = Upstream;
  return {
      key("endpoints", &T::endpoints,
          "Where the application listens: `http://host:port`, `https://host:port` or `unix:/path`, "
          "one or several. Every address of a host name is one endpoint.")
          .required(),
      choice("balance", &T::balance,
             "Which endpoint is next: each in turn, or the one with the fewest requests under "
             "way."),
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
      key("host", &T::host, "A fixed `Host` to send; `preserve_host` has no effect then."),
      key("dns_refresh", &T::dns_refresh,
          "How often host names are looked up again, once for the process; the last good answer "
          "serves on while the name server fails.")
          .range(100ms, day)
          .raising("An endpoint that moved is found that much later."),
      key("max_connections", &T::max_connections,
          "An upper bound on connections to the application, used and unused ones, shared out "
          "equally to the workers (rounded up); 0 is unlimited.")
          .range(0, 1'000'000),
      key("max_pending", &T::max_pending,
          "How many requests may wait for a connection, for `connect_timeout` at most; further "
          "ones are 503 at once. Shared out equally to the workers.")
          .range(0, 1'000'000)
          .raising("A stuck application makes that many more clients wait before they are "
                   "refused."),
      section("health_check", &T::health_check, health_check_keys(),
              "Asking every endpoint regularly whether it is well. Without any that is, requests "
              "are 503 at once."),
      section("ejection", &T::ejection, ejection_keys(),
              "Leaving out endpoints that fail, beside or without a health check."),
      key("retry_budget", &T::retry_budget,
          "How many of the requests under way may be retries of a route's `retry`; three may in "
          "any case."),
      section("tls", &T::tls, client_tls_keys(),
              "How `https://` endpoints are verified, and what we show them."),
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
