// TLS of listeners; see tls.h.
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <deque>
#include <fstream>
#include <iterator>
#include <unordered_map>

#include "proxy/net/tls.h"
#include "proxy/net/tls_context.h"
#include "proxy/net/tls_session.h"
#include "proxy/net/tls_tickets.h"

namespace proxy::net {
namespace {

constexpr long session_life_s = 2 * 3'600;
// A ticket is used once; clients that open several connections at a time get one from each.
constexpr std::size_t tickets_each = 1;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

std::string read_all(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// The DNS names a certificate is for; those with a NUL inside are nobody's.
std::vector<std::string> names_in(X509* certificate) {
  std::vector<std::string> names;
  auto* const all = static_cast<GENERAL_NAMES*>(
      ::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(all, i);
    if (name->type != GEN_DNS) continue;
    const auto* const bytes =
        reinterpret_cast<const char*>(::ASN1_STRING_get0_data(name->d.dNSName));
    const std::string text(bytes, static_cast<std::size_t>(::ASN1_STRING_length(name->d.dNSName)));
    if (text.find('\0') == std::string::npos) names.push_back(lower(text));
  }
  ::GENERAL_NAMES_free(all);
  return names;
}

// A DER answer that can be stapled today; otherwise why not.
std::string check_ocsp(const std::string& der) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  OCSP_RESPONSE* const answer = ::d2i_OCSP_RESPONSE(nullptr, &bytes, static_cast<long>(der.size()));
  if (answer == nullptr) return "is no OCSP answer";
  std::string wrong = "holds no answer about a certificate";
  OCSP_BASICRESP* const basic = ::OCSP_response_get1_basic(answer);
  if (basic != nullptr && ::OCSP_resp_count(basic) > 0) {
    ASN1_GENERALIZEDTIME* since = nullptr;
    ASN1_GENERALIZEDTIME* until = nullptr;
    ::OCSP_single_get0_status(::OCSP_resp_get0(basic, 0), nullptr, nullptr, &since, &until);
    wrong = ::OCSP_check_validity(since, until, 300, -1) == 1 ? "" : "is out of date";
  }
  ::OCSP_BASICRESP_free(basic);
  ::OCSP_RESPONSE_free(answer);
  ::ERR_clear_error();
  return wrong;
}

}  // namespace

struct TlsServer::Context {
  struct Certificate {
    ContextPtr ssl;
    std::string ocsp;  // DER; empty: nothing to staple
  };
  std::deque<Certificate> certificates;  // their addresses are known to OpenSSL
  std::unordered_map<std::string, SSL_CTX*> names;  // "a.example", "*.example"
  std::shared_ptr<const TicketKeys> tickets;

  // OpenSSL's callbacks; sessions keep the server alive that these point into.
  static int choose_certificate(SSL* ssl, int*, void* self);
  static int use_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                        EVP_MAC_CTX* mac, int seals);
  [[nodiscard]] SSL_CTX* find(const std::string& name) const {
    if (const auto exact = names.find(name); exact != names.end()) return exact->second;
    const auto dot = name.find('.');
    if (dot == std::string::npos || dot == 0) return nullptr;
    const auto wildcard = names.find("*" + name.substr(dot));
    return wildcard == names.end() ? nullptr : wildcard->second;
  }
  bool add(const TlsServerOptions& options, const TlsCertificateFiles& files, TlsProblem& problem,
           std::vector<std::string>& warnings);
  bool staple(Certificate& certificate, const std::string& file, TlsProblem& problem,
              std::vector<std::string>& warnings);
};

namespace {

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size,
                    const unsigned char* offered, unsigned offered_size, void*) {
  constexpr std::string_view ours = "http/1.1";
  // Each name behind its length; nothing lies behind the last.
  for (unsigned at = 0; at < offered_size; at += 1U + offered[at]) {
    if (at + 1U + offered[at] > offered_size) break;
    const std::string_view protocol(reinterpret_cast<const char*>(offered) + at + 1, offered[at]);
    if (protocol != ours) continue;
    *chosen = offered + at + 1;
    *size = offered[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;  // RFC 7301 section 3.2
}

int give_ocsp(SSL* ssl, void* argument) {
  const auto& der = *static_cast<const std::string*>(argument);
  if (der.empty()) return SSL_TLSEXT_ERR_NOACK;
  void* const copy = ::OPENSSL_memdup(der.data(), der.size());
  if (copy == nullptr) return SSL_TLSEXT_ERR_NOACK;
  ::SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_STATUS_REQ_OCSP_RESP, static_cast<long>(der.size()), copy);
  return SSL_TLSEXT_ERR_OK;
}

bool ask_for_client_certificate(SSL_CTX& context, const TlsServerOptions& options,
                                TlsProblem& problem) {
  if (options.client_auth == ClientAuth::none) return true;
  ::ERR_clear_error();
  STACK_OF(X509_NAME)* const names = ::SSL_load_client_CA_file(options.client_ca_file.c_str());
  if (names == nullptr ||
      ::SSL_CTX_load_verify_file(&context, options.client_ca_file.c_str()) != 1) {
    problem = {"client_ca_file", options.client_ca_file + ": " + newest_reason()};
    sk_X509_NAME_pop_free(names, ::X509_NAME_free);
    return false;
  }
  ::SSL_CTX_set_client_CA_list(&context, names);
  const bool required = options.client_auth == ClientAuth::required;
  ::SSL_CTX_set_verify(&context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       nullptr);
  // A resumed session would not look at the certificate again, which may have expired meanwhile.
  ::SSL_CTX_set_options(&context, SSL_OP_NO_TICKET);
  ::SSL_CTX_set_num_tickets(&context, 0);
  return true;
}

std::array<unsigned char, SHA256_DIGEST_LENGTH> session_context(const TlsServerOptions& options) {
  const std::string text = options.identity + '\0' +
                           std::to_string(static_cast<int>(options.client_auth)) + '\0' +
                           (options.client_ca_file.empty() ? "" : read_all(options.client_ca_file));
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

}  // namespace

int TlsServer::Context::choose_certificate(SSL* ssl, int*, void* self) {
  const char* const name = ::SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_OK;
  SSL_CTX* const found = static_cast<const Context*>(self)->find(lower(name));
  if (found != nullptr) ::SSL_set_SSL_CTX(ssl, found);
  return SSL_TLSEXT_ERR_OK;
}

int TlsServer::Context::use_ticket(SSL* ssl, unsigned char* name, unsigned char* iv,
                                   EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int seals) {
  const auto* const self =
      static_cast<const Context*>(::SSL_CTX_get_ex_data(::SSL_get_SSL_CTX(ssl), 0));
  return seals == 1 ? self->tickets->seal(name, iv, cipher, mac)
                    : self->tickets->open(name, iv, cipher, mac);
}

bool TlsServer::Context::staple(Certificate& certificate, const std::string& file,
                                TlsProblem& problem, std::vector<std::string>& warnings) {
  if (file.empty()) return true;
  certificate.ocsp = read_all(file);
  if (certificate.ocsp.empty()) {
    problem = {"ocsp_file", file + ": cannot be read, or is empty"};
    return false;
  }
  if (const std::string wrong = check_ocsp(certificate.ocsp); !wrong.empty()) {
    warnings.push_back(file + " " + wrong + ": nothing is stapled");
    certificate.ocsp.clear();
  }
  return true;
}

bool TlsServer::Context::add(const TlsServerOptions& options, const TlsCertificateFiles& files,
                             TlsProblem& problem, std::vector<std::string>& warnings) {
  Certificate& made = certificates.emplace_back();
  made.ssl = new_context(::TLS_server_method(), options.min_version);
  SSL_CTX* const raw = made.ssl.get();
  const auto identity = session_context(options);
  if (raw == nullptr || ::SSL_CTX_set_ex_data(raw, 0, this) != 1 ||
      ::SSL_CTX_set_session_id_context(raw, identity.data(), identity.size()) != 1) {
    problem = {"", "TLS cannot be set up: " + newest_reason()};
    return false;
  }
  if (!use_certificate(*raw, files.certificate_file, files.key_file, problem) ||
      !ask_for_client_certificate(*raw, options, problem) ||
      !staple(made, files.ocsp_file, problem, warnings)) {
    return false;
  }
  ::SSL_CTX_set_timeout(raw, session_life_s);
  if (options.client_auth == ClientAuth::none) ::SSL_CTX_set_num_tickets(raw, tickets_each);
  ::SSL_CTX_set_alpn_select_cb(raw, choose_protocol, nullptr);
  ::SSL_CTX_callback_ctrl(raw, SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB,
                          reinterpret_cast<void (*)()>(give_ocsp));
  ::SSL_CTX_ctrl(raw, SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB_ARG, 0, &made.ocsp);
  ::SSL_CTX_callback_ctrl(raw, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                          reinterpret_cast<void (*)()>(choose_certificate));
  ::SSL_CTX_ctrl(raw, SSL_CTRL_SET_TLSEXT_SERVERNAME_ARG, 0, this);
  ::SSL_CTX_set_tlsext_ticket_key_evp_cb(raw, use_ticket);
  for (std::string& name : names_in(::SSL_CTX_get0_certificate(raw))) {
    names.emplace(std::move(name), raw);  // the first one with a name has it
  }
  return true;
}

TlsServer::TlsServer() : context_(std::make_unique<Context>()) {}
TlsServer::~TlsServer() = default;

std::shared_ptr<const TlsServer> TlsServer::make(TlsServerOptions options,
                                                 std::shared_ptr<const TicketKeys> keys,
                                                 TlsProblem& problem) {
  std::shared_ptr<TlsServer> made(new TlsServer());
  Context& context = *made->context_;
  context.tickets = options.ticket_key_files.empty()
                        ? std::move(keys)
                        : read_ticket_keys(options.ticket_key_files, problem);
  if (!context.tickets) {
    if (problem.message.empty()) problem.message = "there is no randomness for ticket keys";
    return nullptr;
  }
  for (std::size_t i = 0; i < options.certificates.size(); ++i) {
    if (context.add(options, options.certificates[i], problem, made->warnings_)) continue;
    problem.certificate = i;
    return nullptr;
  }
  return made;
}

std::unique_ptr<TlsSession> TlsServer::start() const {
  SSL* const ssl = ::SSL_new(context_->certificates.front().ssl.get());
  if (ssl == nullptr) return nullptr;
  ::SSL_set_accept_state(ssl);
  return std::make_unique<TlsSession>(ssl, shared_from_this());
}

}  // namespace proxy::net
