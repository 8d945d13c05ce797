// SECURITY H19: when the random generator fails, nothing is issued. OpenSSL's generator is replaced
// by one that always fails for the life of one test.
#include <gtest/gtest.h>
#include <openssl/rand.h>

#include "auth/bytes.h"
#include "auth/jwt.h"

namespace auth {
namespace {

// OpenSSL 3 would rather have a provider; for a test the old way is shorter.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
class BrokenRandom {
 public:
  BrokenRandom() {
    static const RAND_METHOD broken = {
        nullptr, [](unsigned char*, int) { return 0; }, nullptr,
        nullptr, [](unsigned char*, int) { return 0; }, [] { return 0; }};
    // OpenSSL makes its own state at the first use, and loses it where that use fails.
    static_cast<void>(random_bytes(1));
    RAND_set_rand_method(&broken);
  }
  BrokenRandom(const BrokenRandom&) = delete;
  BrokenRandom& operator=(const BrokenRandom&) = delete;
  ~BrokenRandom() { RAND_set_rand_method(nullptr); }
};
#pragma GCC diagnostic pop

TEST(NoEntropy, H19RandomBytesAreRefused) {
  const BrokenRandom broken;
  EXPECT_EQ(random_bytes(16).error(), Error::no_entropy);
}

TEST(NoEntropy, H19NoTokenIsIssued) {
  const KeyRing ring({Key::generate("k1", Algorithm::hs256)});
  AccessClaims claims;
  claims.subject = "alice";
  const Time now{milliseconds{1'700'000'000'000}};
  const auto issue = [&] {
    return issue_access_token(ring, "gatehouse", {"gatehouse"}, claims, now, milliseconds{1000});
  };
  {
    const BrokenRandom broken;
    EXPECT_EQ(issue().error(), Error::no_entropy);
  }
  EXPECT_TRUE(issue());
}

TEST(NoEntropy, H19NoKeyIsMadeAndNothingIsSealed) {
  const BrokenRandom broken;
  EXPECT_THROW(static_cast<void>(Key::generate("k", Algorithm::hs256)), std::runtime_error);
  EXPECT_THROW(static_cast<void>(Key::generate("k", Algorithm::es256)), std::runtime_error);
  EXPECT_EQ(seal(std::string(32, 'k'), "x", "").error(), Error::no_entropy);
}

}  // namespace
}  // namespace auth
