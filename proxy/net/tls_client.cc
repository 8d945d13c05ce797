// TLS as a client; see tls.h.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "proxy/net/address.h"
#include "proxy/net/tls.h"
#include "proxy/net/tls_context.h"
#include "proxy/net/tls_session.h"

namespace proxy::net {
namespace {

bool trust(SSL_CTX& context, const std::string& ca_file, TlsProblem& problem) {
  ::ERR_clear_error();
  if (ca_file.empty()) {
    if (::SSL_CTX_set_default_verify_paths(&context) == 1) return true;
    problem = {"ca_file", "the system's certificates: " + newest_reason()};
    return false;
  }
  if (::SSL_CTX_load_verify_file(&context, ca_file.c_str()) == 1) return true;
  problem = {"ca_file", ca_file + ": " + newest_reason()};
  return false;
}

// The peer's certificate has to be for this name (SECURITY L06: compared with its full length, so
// that a NUL in a certificate ends nothing).
bool expect_name(SSL& ssl, const std::string& name) {
  X509_VERIFY_PARAM* const rules = ::SSL_get0_param(&ssl);
  ::X509_VERIFY_PARAM_set_hostflags(
      rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (parse_address(name)) return ::X509_VERIFY_PARAM_set1_ip_asc(rules, name.c_str()) == 1;
  return ::X509_VERIFY_PARAM_set1_host(rules, name.data(), name.size()) == 1 &&
         ::SSL_ctrl(&ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    const_cast<char*>(name.c_str())) == 1;
}

bool offer(SSL_CTX& context, const std::string& protocol) {
  if (protocol.empty()) return true;
  const std::string list = static_cast<char>(protocol.size()) + protocol;
  return ::SSL_CTX_set_alpn_protos(&context,
                                   reinterpret_cast<const unsigned char*>(list.data()),
                                   static_cast<unsigned>(list.size())) == 0;
}

}  // namespace

struct TlsClient::Context {
  ContextPtr ssl;
  std::string server_name;
};

TlsClient::TlsClient() : context_(std::make_unique<Context>()) {}
TlsClient::~TlsClient() = default;

std::shared_ptr<const TlsClient> TlsClient::make(TlsClientOptions options, TlsProblem& problem) {
  ContextPtr context = new_context(::TLS_client_method(), options.min_version);
  if (!context || !offer(*context, options.alpn)) {
    problem = {"", "TLS cannot be set up: " + newest_reason()};
    return nullptr;
  }
  if (!trust(*context, options.ca_file, problem)) return nullptr;
  if (!options.certificate_file.empty() &&
      !use_certificate(*context, options.certificate_file, options.key_file, problem)) {
    return nullptr;
  }
  ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  std::shared_ptr<TlsClient> made(new TlsClient());
  made->context_->ssl = std::move(context);
  made->context_->server_name = std::move(options.server_name);
  return made;
}

std::unique_ptr<TlsSession> TlsClient::start(const std::string& name) const {
  const std::string& expected = context_->server_name.empty() ? name : context_->server_name;
  if (expected.empty()) return nullptr;
  SSL* const ssl = ::SSL_new(context_->ssl.get());
  if (ssl == nullptr) return nullptr;
  ::SSL_set_connect_state(ssl);
  if (!expect_name(*ssl, expected)) {
    ::SSL_free(ssl);
    return nullptr;
  }
  return std::make_unique<TlsSession>(ssl, shared_from_this());
}

}  // namespace proxy::net
