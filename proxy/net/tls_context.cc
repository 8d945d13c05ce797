// Contexts; see tls_context.h.
#include "proxy/net/tls_context.h"

#include <openssl/err.h>

#include <cerrno>
#include <cstring>

namespace proxy::net {
namespace {

// Forward secrecy and authenticated encryption only; what TLS 1.3 has is all of that kind.
constexpr const char* ciphers_of_tls_1_2 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* groups = "X25519:P-256:P-384";

// A program without a terminal asks nobody for a password.
int no_password(char*, int, int, void*) { return -1; }

}  // namespace

std::string newest_reason() {
  // Errors pile up on their way out; what the system said is the first one.
  unsigned long newest = ::ERR_peek_last_error();
  if (const unsigned long first = ::ERR_peek_error(); ERR_SYSTEM_ERROR(first)) newest = first;
  ::ERR_clear_error();
  if (ERR_SYSTEM_ERROR(newest)) return std::strerror(ERR_GET_REASON(newest));
  const char* const reason = ::ERR_reason_error_string(newest);
  return reason == nullptr ? "it cannot be used" : reason;
}

ContextPtr new_context(const SSL_METHOD* method, TlsVersion min_version) {
  ContextPtr context(::SSL_CTX_new(method));
  if (!context) return context;
  SSL_CTX* const raw = context.get();
  ::SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_clear_mode(raw, SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // One receive for a record instead of one for its header and one for the rest.
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_early_data(raw, 0);
  ::SSL_CTX_set_default_passwd_cb(raw, no_password);
  const int version = min_version == TlsVersion::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
  if (SSL_CTX_set_min_proto_version(raw, version) != 1 ||
      ::SSL_CTX_set_cipher_list(raw, ciphers_of_tls_1_2) != 1 ||
      SSL_CTX_set1_groups_list(raw, groups) != 1) {
    context.reset();
  }
  return context;
}

bool use_certificate(SSL_CTX& context, const std::string& certificate_file,
                     const std::string& key_file, TlsProblem& problem) {
  ::ERR_clear_error();
  if (::SSL_CTX_use_certificate_chain_file(&context, certificate_file.c_str()) != 1) {
    problem = {"certificate_file", certificate_file + ": " + newest_reason()};
    return false;
  }
  if (::SSL_CTX_use_PrivateKey_file(&context, key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      ::SSL_CTX_check_private_key(&context) != 1) {
    problem = {"key_file", key_file + ": " + newest_reason()};
    return false;
  }
  return true;
}

}  // namespace proxy::net
