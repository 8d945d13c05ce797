// What TLS connections are made from: for us as a client (applications, Redis, key sets, webhooks)
// and for listeners. Reads files when made and never again; whoever wants new certificates makes a
// new one. Immutable and shared by all threads; connections keep alive what they were made from.
#pragma once

#include <boost/system/error_code.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace proxy::net {

class TlsSession;

// Beside these there are the reasons of OpenSSL and those for refusing a certificate, which have a
// message and no name.
enum class TlsError : std::uint8_t {
  truncated = 1,   // the peer's side ended without the close_notify that says it was meant to
  failed = 2,      // broken or hostile bytes, or no agreement
  needless = 3,    // renegotiation, or records without end that hold nothing
};
[[nodiscard]] const boost::system::error_category& tls_category();
[[nodiscard]] boost::system::error_code make_error_code(TlsError error);
// The peer's certificate was looked at and refused.
[[nodiscard]] bool is_refused_certificate(const boost::system::error_code& error);

// Who the other side is, by its verified certificate.
struct TlsPeer {
  std::string subject;    // "CN=client one,O=Example", as RFC 2253 has it
  std::string forwarded;  // X-Forwarded-Client-Cert as Envoy writes it
};

enum class TlsVersion : std::uint8_t { v1_2, v1_3 };

// What is wrong with the files of an option; `option` is its name in the structs below.
struct TlsProblem {
  std::string option;
  std::string message;
  std::size_t certificate = 0;  // which one of several
};

struct TlsClientOptions {
  std::string ca_file;           // empty: the system's roots
  std::string server_name;       // for SNI and verification: a DNS name or an IP address
  std::string certificate_file;  // ours, with its chain; empty: none
  std::string key_file;
  TlsVersion min_version = TlsVersion::v1_2;
  std::string alpn;              // "http/1.1"; empty: none is offered
};

class TlsClient : public std::enable_shared_from_this<TlsClient> {
 public:
  // Null and a problem when a file cannot be used.
  [[nodiscard]] static std::shared_ptr<const TlsClient> make(TlsClientOptions options,
                                                             TlsProblem& problem);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  // A session that verifies the peer: its chain always, and its name. `name` is used where the
  // options name none. Null when there is no memory, or no name.
  [[nodiscard]] std::unique_ptr<TlsSession> start(const std::string& name) const;

 private:
  struct Context;
  TlsClient();
  std::unique_ptr<Context> context_;
};

struct TlsCertificateFiles {
  std::string certificate_file;  // PEM: the certificate, then the chain without its root
  std::string key_file;
  std::string ocsp_file;         // a DER answer to staple; empty: none
};
enum class ClientAuth : std::uint8_t { none, optional, required };

struct TlsServerOptions {
  // Which listener this is: a session is resumed only where this and the client certificates asked
  // for are the same (SECURITY L07).
  std::string identity;
  std::vector<TlsCertificateFiles> certificates;  // the first one serves unknown names, too
  TlsVersion min_version = TlsVersion::v1_2;
  std::string client_ca_file;
  ClientAuth client_auth = ClientAuth::none;
  // 48 or 80 random bytes each, as nginx has them. The first one seals tickets, all of them open
  // some. Empty: keys of our own.
  std::vector<std::string> ticket_key_files;
};

// What session tickets are sealed with. Immutable.
class TicketKeys;
// Random ones; nullptr when the system has no randomness to give.
[[nodiscard]] std::shared_ptr<const TicketKeys> make_ticket_keys();
// A new one seals from now on; those of `older` open tickets for two rotations more.
[[nodiscard]] std::shared_ptr<const TicketKeys> rotate(const TicketKeys& older);

class TlsServer : public std::enable_shared_from_this<TlsServer> {
 public:
  // Null and a problem when a file cannot be used. `keys` are used where no files are named, so
  // that a server with new certificates opens its predecessor's tickets.
  [[nodiscard]] static std::shared_ptr<const TlsServer> make(TlsServerOptions options,
                                                             std::shared_ptr<const TicketKeys> keys,
                                                             TlsProblem& problem);
  ~TlsServer();
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

  // Null when there is no memory.
  [[nodiscard]] std::unique_ptr<TlsSession> start() const;
  // Sentences about what works less well than it was meant to, such as an OCSP answer out of date.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  struct Context;
  TlsServer();
  std::unique_ptr<Context> context_;
  std::vector<std::string> warnings_;
};

}  // namespace proxy::net
