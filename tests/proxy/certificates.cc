// See certificates.h.
#include "certificates.h"

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace proxy {
namespace {

void check(bool done) {
  if (!done) throw std::runtime_error("a test certificate could not be made");
}

void add_extension(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = ::X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  check(extension != nullptr && ::X509_add_ext(certificate, extension, -1) == 1);
  ::X509_EXTENSION_free(extension);
}

X509* begin_certificate(const std::string& name, EVP_PKEY* key, long serial) {
  X509* const certificate = ::X509_new();
  check(certificate != nullptr);
  ::X509_set_version(certificate, 2);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(certificate), serial);
  ::X509_gmtime_adj(::X509_getm_notBefore(certificate), -3'600);
  ::X509_gmtime_adj(::X509_getm_notAfter(certificate), 24 * 3'600);
  ::X509_set_pubkey(certificate, key);
  ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return certificate;
}

void add_raw_dns(X509* certificate, const std::string& name) {
  GENERAL_NAMES* const names = sk_GENERAL_NAME_new_null();
  GENERAL_NAME* const entry = ::GENERAL_NAME_new();
  ASN1_IA5STRING* const text = ::ASN1_IA5STRING_new();
  ::ASN1_STRING_set(text, name.data(), static_cast<int>(name.size()));
  ::GENERAL_NAME_set0_value(entry, GEN_DNS, text);
  sk_GENERAL_NAME_push(names, entry);
  check(::X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_REPLACE) == 1);
  ::GENERAL_NAMES_free(names);
}

void write_certificate(const std::string& file, X509* certificate) {
  std::FILE* const out = std::fopen(file.c_str(), "w");
  check(out != nullptr && ::PEM_write_X509(out, certificate) == 1);
  std::fclose(out);
}

void write_key(const std::string& file, EVP_PKEY* key) {
  std::FILE* const out = std::fopen(file.c_str(), "w");
  check(out != nullptr &&
        ::PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  std::fclose(out);
}

}  // namespace

Authority::Authority(const std::string& name) : key_(::EVP_EC_gen("P-256")) {
  std::string pattern = ::testing::TempDir() + "gatehouse-certificates-XXXXXX";
  check(::mkdtemp(pattern.data()) != nullptr);
  directory_ = pattern;
  certificate_ = begin_certificate(name, key_, serial_++);
  ::X509_set_issuer_name(certificate_, ::X509_get_subject_name(certificate_));
  add_extension(certificate_, certificate_, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate_, certificate_, NID_key_usage, "critical,keyCertSign");
  check(::X509_sign(certificate_, key_, ::EVP_sha256()) > 0);
  write_certificate(ca_file(), certificate_);
}

Authority::~Authority() {
  ::X509_free(certificate_);
  ::EVP_PKEY_free(key_);
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

Authority::Files Authority::issue(const std::string& name,
                                  const std::string& subject_alternative_name,
                                  const std::string& raw_dns) {
  EVP_PKEY* const key = ::EVP_EC_gen("P-256");
  check(key != nullptr);
  const long serial = serial_++;
  X509* const certificate = begin_certificate(name, key, serial);
  ::X509_set_issuer_name(certificate, ::X509_get_subject_name(certificate_));
  if (raw_dns.empty()) {
    add_extension(certificate, certificate_, NID_subject_alt_name, subject_alternative_name);
  } else {
    add_raw_dns(certificate, raw_dns);
  }
  check(::X509_sign(certificate, key_, ::EVP_sha256()) > 0);
  const std::string stem = (directory_ / std::to_string(serial)).string();
  Files files{stem + ".pem", stem + ".key"};
  write_certificate(files.certificate, certificate);
  write_key(files.key, key);
  ::X509_free(certificate);
  ::EVP_PKEY_free(key);
  return files;
}

}  // namespace proxy
