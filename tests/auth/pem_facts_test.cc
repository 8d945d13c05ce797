// What is told about PEM files: dates of certificates, sizes of keys, nothing of what is no PEM.
#include "auth/pem_facts.h"

#include <gtest/gtest.h>

#include "auth/keys.h"

namespace auth {
namespace {

TEST(PemFacts, OfKeys) {
  const auto rsa = Key::generate("a", Algorithm::rs256);
  EXPECT_GE(facts_of_pem(rsa.private_pem()).rsa_bits_min, 2048);
  EXPECT_TRUE(facts_of_pem(rsa.private_pem()).certificates.empty());
  const auto curve = Key::generate("b", Algorithm::es256);
  EXPECT_EQ(facts_of_pem(curve.private_pem()).rsa_bits_min, 0);
}

TEST(PemFacts, OfWhatIsNoPem) {
  for (const char* text : {"", "no key", "-----BEGIN CERTIFICATE-----\nAAAA\n"}) {
    const PemFacts facts = facts_of_pem(text);
    EXPECT_TRUE(facts.certificates.empty()) << text;
    EXPECT_EQ(facts.rsa_bits_min, 0) << text;
  }
}

}  // namespace
}  // namespace auth
