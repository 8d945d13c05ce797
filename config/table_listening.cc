// The keys of listeners, admin, health, limits, timeouts, drain: where clients connect and how much
// they may ask.
#include "config/table_sections.h"

namespace config {

namespace {

using namespace std::chrono_literals;

}  // namespace

Section<Listener> listener_keys() {
  using T = Listener;
  return {
      key("address", &T::address,
          "Where to accept clients: an IP address with a port, or `unix:` and an absolute path.")
          .required(),
      later<T>("tls", "Certificates, client certificates and protocol versions of this listener."),
      later<T>("proxy_protocol", "Take the client's address from a PROXY protocol header.",
               "false"),
  };
}

Section<Admin> admin_keys() {
  using T = Admin;
  return {
      key("address", &T::address,
          "Where session administration listens; without it there is none.").required(),
      secret_file("token_file", &T::token,
                  "Holds the bearer token that administrators send; required unless the address "
                  "is loopback or a unix socket."),
  };
}

Section<Health> health_keys() {
  using T = Health;
  return {
      key("address", &T::address,
          "Where `/livez`, `/readyz`, `/metrics` and `/prestop` listen; without it they do not.")
          .required(),
  };
}

Section<Limits> limit_keys() {
  using T = Limits;
  return {
      key("request_head", &T::request_head, "Request line and headers together; 431 beyond it.")
          .range(1024, 1024 * 1024)
          .raising("Memory of each connection while a head is read."),
      key("header_count", &T::header_count, "Header lines of a request; 431 beyond it.")
          .range(1, 10'000)
          .raising("Work for each request."),
      key("request_body", &T::request_body,
          "Size of a request's body, 0 is unlimited; 413 beyond it.")
          .raising("None here, bodies are streamed; the application gets them."),
      key("connections", &T::connections, "Client connections of the whole process.")
          .range(1, 10'000'000)
          .raising("Two descriptors and up to 50 KiB each while busy."),
      later<T>("memory", "A bound on the memory of all buffers."),
      later<T>("pending", "A bound on requests in progress."),
  };
}

Section<Timeouts> timeout_keys() {
  using T = Timeouts;
  return {
      key("request_head", &T::request_head, "From a request's first byte to the end of its head.")
          .range(1ms, 1h)
          .raising("Slow clients hold their connections that much longer."),
      key("keep_alive", &T::keep_alive, "Between two requests of a connection.")
          .range(1ms, day)
          .raising("One descriptor for each idle client."),
      key("request_body", &T::request_body, "Without a byte of a request's body.")
          .range(1ms, day)
          .raising("Slow clients hold the application's connections that much longer."),
      key("write", &T::write, "Without a byte of progress towards the client.")
          .range(1ms, day)
          .raising("Slow clients hold the application's connections that much longer."),
      later<T>("tls_handshake", "How long a TLS handshake may take."),
  };
}

Section<Drain> drain_keys() {
  using T = Drain;
  return {
      key("delay", &T::delay, "At the end `/readyz` says 503 this long while requests are served.")
          .range(0ms, 1h)
          .raising("Together with `timeout` stay below Kubernetes' 30 s, or the end is a kill."),
      key("timeout", &T::timeout, "Then requests in progress have this long to finish.")
          .range(0ms, 1h)
          .raising("Together with `delay` stay below Kubernetes' 30 s, or the end is a kill."),
  };
}

}  // namespace config
