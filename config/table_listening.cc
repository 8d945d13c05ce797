// The keys of listeners, admin, health, limits, timeouts, drain: where clients connect and how much
// they may ask.
#include "config/table_sections.h"

#include <array>
#include <string_view>

namespace config {

template <>
struct Words<ClientAuth> {
  static constexpr std::array<std::string_view, 3> list{"none", "optional", "required"};
};
template <>
struct Words<TlsVersion> {
  static constexpr std::array<std::string_view, 2> list{"1.2", "1.3"};
};

namespace {

using namespace std::chrono_literals;

Section<Certificate> certificate_keys() {
  using T = Certificate;
  return {
      file("certificate_file", &T::certificate_file,
           "The certificate and behind it its chain, PEM; re-read when it changes.").required(),
      file("key_file", &T::key_file, "The certificate's private key, PEM.").required(),
      file("ocsp_file", &T::ocsp_file, "An OCSP answer to staple, DER."),
  };
}

Section<ListenerTls> tls_keys() {
  using T = ListenerTls;
  return {
      file("certificate_file", &T::certificate_file,
           "The certificate and behind it its chain, PEM; re-read when it changes."),
      file("key_file", &T::key_file, "The certificate's private key, PEM."),
      file("ocsp_file", &T::ocsp_file, "An OCSP answer to staple, DER."),
      list("certificates", &T::certificates, certificate_keys(),
           "Instead of those: several certificates. The name that the client asks for (SNI) "
           "chooses, wildcards included; the first one is for all others."),
      choice("min_version", &T::min_version, "The oldest version that is spoken."),
      file("client_ca_file", &T::client_ca_file,
           "Who issues the certificates of clients, PEM; re-read when it changes."),
      choice("client_auth", &T::client_auth,
             "Whether clients are asked for a certificate, and whether they need one.")
          .by_default("`required` with `client_ca_file`, else `none`"),
      files("ticket_key_files", &T::ticket_key_files,
            "Keys of session tickets that replicas share, 48 or 80 random bytes each, as nginx has "
            "them; the first one seals. Without them each process has its own, renewed hourly."),
  };
}

}  // namespace

Section<Listener> listener_keys() {
  using T = Listener;
  return {
      key("address", &T::address,
          "Where to accept clients: an IP address with a port, or `unix:` and an absolute path. "
          "`localhost` is 127.0.0.1.")
          .required(),
      section("tls", &T::tls, tls_keys(),
              "Certificates, client certificates and protocol versions of this listener."),
      key("proxy_protocol", &T::proxy_protocol,
          "Every connection begins with a PROXY protocol header (version 1 or 2) that tells the "
          "client's address; only `trusted_proxies` may connect."),
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
      key("memory", &T::memory,
          "What the process may hold of memory, sessions included, 0 is unlimited. Beyond it idle "
          "connections are closed and new clients get 503 with `Retry-After`; a quarter beyond it "
          "every request does.")
          .raising("Exactly that. In a container: two thirds of its memory limit."),
      key("pending", &T::pending,
          "Requests under way in the whole process, 0 is unlimited; 503 with `Retry-After` beyond "
          "it. Each worker has its share.")
          .range(0, 10'000'000)
          .raising("Up to 50 KiB each."),
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
      key("tls_handshake", &T::tls_handshake,
          "How long a client's TLS handshake may take, and its PROXY protocol header before it.")
          .range(1ms, 1h)
          .raising("Clients that stall hold their connections that much longer."),
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
