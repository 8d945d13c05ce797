// See tls_peer.h.
#include "proxy/net/tls_peer.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace proxy::net {
namespace {

// Names beyond this are not passed on: a header has its bounds, too.
constexpr std::size_t text_max = 2'048;

std::string subject_of(X509& certificate) {
  BIO* const text = ::BIO_new(::BIO_s_mem());
  if (text == nullptr) return {};
  std::string subject;
  // Control characters and everything beyond ASCII are escaped in this form.
  if (::X509_NAME_print_ex(text, ::X509_get_subject_name(&certificate), 0, XN_FLAG_RFC2253) >= 0) {
    char* bytes = nullptr;
    const long size = ::BIO_ctrl(text, BIO_CTRL_INFO, 0, &bytes);
    subject.assign(bytes, static_cast<std::size_t>(size));
  }
  ::BIO_free(text);
  return subject;
}

std::string fingerprint_of(X509& certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (::X509_digest(&certificate, ::EVP_sha256(), digest.data(), &size) != 1) return {};
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += digits[digest[i] >> 4U];
    text += digits[digest[i] & 15U];
  }
  return text;
}

// Nothing that could end the element, the entry or the header.
bool is_plain(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != ',' && c != ';' && c != '=' && c != '"' && c != '\\';
  });
}

void add_names(X509& certificate, std::string& text) {
  auto* const all = static_cast<GENERAL_NAMES*>(
      ::X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(all, i);
    if (name->type != GEN_URI && name->type != GEN_DNS) continue;
    const ASN1_IA5STRING* const value = name->type == GEN_URI ? name->d.uniformResourceIdentifier
                                                              : name->d.dNSName;
    const std::string_view bytes(reinterpret_cast<const char*>(::ASN1_STRING_get0_data(value)),
                                 static_cast<std::size_t>(::ASN1_STRING_length(value)));
    if (!is_plain(bytes) || text.size() + bytes.size() > text_max) continue;
    text += name->type == GEN_URI ? ";URI=" : ";DNS=";
    text += bytes;
  }
  ::GENERAL_NAMES_free(all);
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

}  // namespace

std::unique_ptr<const TlsPeer> describe_peer(X509& certificate) {
  auto peer = std::make_unique<TlsPeer>();
  peer->subject = subject_of(certificate);
  peer->forwarded = "Hash=" + fingerprint_of(certificate);
  if (!peer->subject.empty() && peer->subject.size() <= text_max) {
    peer->forwarded += ";Subject=" + quoted(peer->subject);
  }
  add_names(certificate, peer->forwarded);
  ::ERR_clear_error();
  return peer;
}

}  // namespace proxy::net
