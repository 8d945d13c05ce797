// Certificates for tests, made when they are needed: an authority of the test's own, and files in a
// directory that ends with the object. One thread.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <filesystem>
#include <string>

namespace proxy {

class Authority {
 public:
  explicit Authority(const std::string& name);
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  [[nodiscard]] std::string ca_file() const { return (directory_ / "ca.pem").string(); }
  struct Files {
    std::string certificate;
    std::string key;
  };
  // A certificate for `subject_alternative_name` ("DNS:a.example, IP:127.0.0.1"). `raw_dns` stands
  // beside it byte by byte, to say what the text form cannot.
  [[nodiscard]] Files issue(const std::string& name, const std::string& subject_alternative_name,
                            const std::string& raw_dns = "");
  [[nodiscard]] std::filesystem::path directory() const { return directory_; }

 private:
  std::filesystem::path directory_;
  EVP_PKEY* key_;
  X509* certificate_;
  long serial_ = 1;
};

}  // namespace proxy
