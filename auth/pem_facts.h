// What an operator wants to know about a PEM file without using it: until when its certificates
// are valid, and how large its RSA keys are. Pure; any thread; not for the way of a request.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "auth/policy.h"

namespace auth {

struct CertificateFacts {
  std::string subject;  // its common name, or the whole of it
  Time not_before{};
  Time not_after{};
};

struct PemFacts {
  std::vector<CertificateFacts> certificates;  // in the order of the file
  int rsa_bits_min = 0;                        // of all keys and certificates; 0: no RSA
};

// What cannot be read is left out: whoever uses the file says what is wrong with it.
[[nodiscard]] PemFacts facts_of_pem(std::string_view pem);

}  // namespace auth
