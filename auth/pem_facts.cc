// See pem_facts.h.
#include "auth/pem_facts.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <climits>
#include <memory>

namespace auth {
namespace {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

// Nobody is asked for a passphrase.
int no_passphrase(char*, int, int, void*) { return 0; }

std::unique_ptr<BIO, Free> reader_of(std::string_view pem) {
  const auto size = std::min<std::size_t>(pem.size(), INT_MAX);
  return std::unique_ptr<BIO, Free>(BIO_new_mem_buf(pem.data(), static_cast<int>(size)));
}

Time time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return Time{};
  using namespace std::chrono;
  const auto day = year_month_day{year{parts.tm_year + 1900},
                                  month{static_cast<unsigned>(parts.tm_mon + 1)},
                                  std::chrono::day{static_cast<unsigned>(parts.tm_mday)}};
  return sys_days{day} + hours{parts.tm_hour} + minutes{parts.tm_min} +
         std::chrono::seconds{parts.tm_sec};
}

std::string subject_of(const X509* certificate) {
  std::array<char, 256> text{};
  const X509_NAME* name = X509_get_subject_name(certificate);
  if (X509_NAME_get_text_by_NID(const_cast<X509_NAME*>(name), NID_commonName, text.data(),
                                static_cast<int>(text.size())) > 0) {
    return text.data();
  }
  return X509_NAME_oneline(name, text.data(), static_cast<int>(text.size()));
}

void note_key(const EVP_PKEY* key, PemFacts& facts) {
  if (key == nullptr || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) return;
  const int bits = EVP_PKEY_get_bits(key);
  facts.rsa_bits_min = facts.rsa_bits_min == 0 ? bits : std::min(bits, facts.rsa_bits_min);
}

}  // namespace

PemFacts facts_of_pem(std::string_view pem) {
  PemFacts facts;
  // Certificates, private keys and public keys are looked for in passes of their own, since each
  // reader skips what it does not know.
  if (const auto bio = reader_of(pem)) {
    for (;;) {
      const std::unique_ptr<X509, Free> certificate(
          PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
      if (!certificate) break;
      facts.certificates.push_back({subject_of(certificate.get()),
                                    time_of(X509_get0_notBefore(certificate.get())),
                                    time_of(X509_get0_notAfter(certificate.get()))});
      note_key(X509_get0_pubkey(certificate.get()), facts);
    }
  }
  if (const auto bio = reader_of(pem)) {
    const std::unique_ptr<EVP_PKEY, Free> key(
        PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    note_key(key.get(), facts);
  }
  if (const auto bio = reader_of(pem)) {
    const std::unique_ptr<EVP_PKEY, Free> key(
        PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr));
    note_key(key.get(), facts);
  }
  ERR_clear_error();
  return facts;
}

}  // namespace auth
