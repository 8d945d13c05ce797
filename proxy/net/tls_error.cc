// Error codes of TLS; see tls_error.h and tls.h.
#include "proxy/net/tls_error.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <string>

#include "proxy/net/tls.h"

namespace proxy::net {
namespace {

using boost::system::error_code;

// Values above these bounds carry a number of OpenSSL's.
constexpr int certificates_from = 1'000;  // + X509_V_ERR_*
constexpr int reasons_from = 10'000;      // + SSL_R_*

// Boost's base class has no virtual destructor, and needs none: categories live for ever.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
class TlsCategory final : public boost::system::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "tls"; }
  [[nodiscard]] std::string message(int value) const override {
    if (value >= reasons_from) {
      const char* const reason = ::ERR_reason_error_string(
          ERR_PACK(ERR_LIB_SSL, 0, static_cast<unsigned>(value - reasons_from)));
      return reason == nullptr ? "TLS failed" : std::string("TLS: ") + reason;
    }
    if (value >= certificates_from) {
      return std::string("certificate refused: ") +
             ::X509_verify_cert_error_string(value - certificates_from);
    }
    switch (static_cast<TlsError>(value)) {
      case TlsError::truncated:
        return "TLS: ended without notice";
      case TlsError::needless:
        return "TLS: renegotiation or empty records";
      case TlsError::failed:
        break;
    }
    return "TLS failed";
  }
};
#pragma GCC diagnostic pop

}  // namespace

const boost::system::error_category& tls_category() {
  static const TlsCategory category;
  return category;
}

error_code make_error_code(TlsError error) { return {static_cast<int>(error), tls_category()}; }

bool is_refused_certificate(const error_code& error) {
  return error.category() == tls_category() && error.value() >= certificates_from &&
         error.value() < reasons_from;
}

error_code take_tls_error(SSL* ssl, bool handshake_is_done) {
  const unsigned long newest = ::ERR_peek_last_error();
  const int reason = ERR_GET_REASON(newest);
  if (ERR_GET_LIB(newest) != ERR_LIB_SSL) return make_error_code(TlsError::failed);
  if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) return make_error_code(TlsError::truncated);
  const long verified = ::SSL_get_verify_result(ssl);
  if (!handshake_is_done && reason == SSL_R_CERTIFICATE_VERIFY_FAILED && verified != X509_V_OK) {
    return {certificates_from + static_cast<int>(verified), tls_category()};
  }
  return {reasons_from + reason, tls_category()};
}

}  // namespace proxy::net
