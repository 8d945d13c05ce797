// Key sets: which are taken, which are refused as a whole, and which keys in them are left out.
#include <gtest/gtest.h>

#include "auth/keys.h"
#include "forge.h"

namespace auth {
namespace {

using enum Algorithm;

const std::string ec_point =
    R"("kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")";
const std::string ed_point =
    R"("kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")";

std::string set_of(const std::vector<std::string>& keys) {
  std::string out = "{\"keys\":[";
  for (const auto& key : keys) {
    out += (out.back() == '[' ? "{" : ",{") + key + "}";
  }
  return out + "]}";
}

std::string error_of(const std::string& key, const std::vector<Algorithm>& algorithms = {es256}) {
  const auto set = keys_from_jwks(set_of({key}), algorithms);
  EXPECT_EQ(set.keys.empty(), !set.error.empty());
  return set.error;
}

TEST(Jwks, ReadsKeysWithTheirOwnAlgorithm) {
  const auto set = keys_from_jwks(
      set_of({ec_point + R"(,"kid":"a","alg":"ES256","use":"sig","key_ops":["verify"],"x5t":"abc")",
              ed_point + R"(,"kid":"b","alg":"Ed25519")"}),
      {});
  ASSERT_EQ(set.error, "");
  ASSERT_EQ(set.keys.size(), 2u);
  EXPECT_EQ(set.keys[0].kid(), "a");
  EXPECT_EQ(set.keys[0].algorithm(), es256);
  EXPECT_EQ(set.keys[1].algorithm(), eddsa);
}

TEST(Jwks, GivesKeysWithoutAnAlgorithmTheFirstThatFits) {
  const auto set = keys_from_jwks(set_of({ec_point + R"(,"kid":"a")", ed_point + R"(,"kid":"b")"}),
                                  {rs256, es384, es256, eddsa});
  ASSERT_EQ(set.error, "");
  EXPECT_EQ(set.keys[0].algorithm(), es256);
  EXPECT_EQ(set.keys[1].algorithm(), eddsa);
  EXPECT_EQ(error_of(ec_point, {rs256, es384}),
            "key 1: it names no alg and none of the configured ones fits it");
  EXPECT_EQ(error_of(ec_point, {hs256}),
            "key 1: it names no alg and none of the configured ones fits it");
}

TEST(Jwks, LeavesKeysForEncryptionOut) {
  const std::string enc = ec_point + R"(,"kid":"enc","use":"enc")";
  const std::string sig = ec_point + R"(,"kid":"sig","use":"sig")";
  const auto set = keys_from_jwks(set_of({enc, sig}), {es256});
  ASSERT_EQ(set.error, "");
  ASSERT_EQ(set.keys.size(), 1u);
  EXPECT_EQ(set.keys[0].kid(), "sig");
  const std::string nothing = "the key set holds no key for signatures that can be used";
  EXPECT_EQ(error_of(enc), nothing);
  EXPECT_EQ(error_of(ec_point + R"(,"use":5)"), nothing);
  EXPECT_EQ(error_of(ec_point + R"(,"key_ops":["encrypt"])"), nothing);
  EXPECT_EQ(error_of(ec_point + R"(,"key_ops":[])"), nothing);
  EXPECT_EQ(error_of(ec_point + R"(,"key_ops":"verify")"), nothing);
  EXPECT_EQ(error_of(ec_point + R"(,"alg":"ECDH-ES")"), nothing);
  EXPECT_EQ(error_of(ec_point + R"(,"alg":null)"), nothing);
}

TEST(Jwks, G20RefusesSetsWithPrivateOrSecretMembers) {
  for (const char* const member : {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}) {
    const auto error = error_of(ec_point + ",\"" + member + "\":\"AA\"");
    EXPECT_EQ(error, "key 1: it holds a private or secret member \"" + std::string(member) +
                         "\"; a key set must hold public keys only");
  }
  const auto enc = error_of(ec_point + R"(,"use":"enc","d":"AA")");
  EXPECT_NE(enc.find("private or secret"), std::string::npos) << "in a key that is left out too";
  const std::string secret =
      R"("kty":"oct","alg":"HS256","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T")";
  EXPECT_NE(error_of(secret), "");
  EXPECT_NE(keys_from_jwks(set_of({ec_point, secret}), {es256}).error, "") << "mixed set";
}

TEST(Jwks, G20RefusesDuplicateKids) {
  const std::string key = ec_point + R"(,"kid":"a")";
  EXPECT_EQ(keys_from_jwks(set_of({key, ed_point + R"(,"kid":"a")"}), {es256, eddsa}).error,
            "key 2 (kid \"a\"): it has the kid of another one");
  EXPECT_EQ(keys_from_jwks(set_of({ec_point, ed_point}), {es256, eddsa}).error,
            "key 2: it is the second one without a kid");
  EXPECT_EQ(keys_from_jwks(set_of({key, ed_point}), {es256, eddsa}).error, "");
}

TEST(Jwks, G07RefusesInvalidKeysAsAWhole) {
  EXPECT_EQ(error_of(R"("kty":"XYZ","kid":"a")"),
            "key 1 (kid \"a\"): it has the unsupported kty \"XYZ\"");
  EXPECT_EQ(error_of(R"("kid":"a")"), "key 1 (kid \"a\"): it has no kty");
  EXPECT_EQ(error_of(ec_point + R"(,"kid":5)"), "key 1: it has a kid that is not a string");
  EXPECT_EQ(error_of(ec_point + R"(,"alg":"ES384")"), "key 1: it is not a valid key for ES384");
  EXPECT_EQ(error_of(ec_point + R"(,"alg":"RS256")"), "key 1: it is not a valid key for RS256");
  EXPECT_EQ(error_of(ed_point + R"(,"alg":"ES256")"), "key 1: it is not a valid key for ES256");
  EXPECT_EQ(error_of(ec_point + R"(,"alg":"HS256")"),
            "key 1: it names the symmetric algorithm HS256");
  // A point beside the curve, and coordinates that are too short or badly encoded.
  auto off = ec_point;
  off.replace(off.find("5a0\""), 3, "5a1");
  EXPECT_EQ(error_of(off), "key 1: it is not a valid key for ES256");
  EXPECT_EQ(error_of(R"("kty":"EC","crv":"P-256","x":"AQ","y":"AQ")"),
            "key 1: it is not a valid key for ES256");
  EXPECT_EQ(error_of(R"("kty":"OKP","crv":"Ed25519","x":"11qY=")", {eddsa}),
            "key 1: it is not a valid key for EdDSA");
  EXPECT_EQ(
      error_of(
          R"("kty":"OKP","crv":"X25519","alg":"EdDSA",)"
          R"("x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")"),
      "key 1: it is not a valid key for EdDSA");
}

TEST(Jwks, G07RefusesWeakRsaKeys) {
  const auto modulus = [](std::size_t bytes) {
    std::string n(bytes, '\xc1');
    return base64url_encode(n);
  };
  const auto rsa = [&](std::size_t bytes, const std::string& e) {
    return R"("kty":"RSA","alg":"RS256","e":")" + e + R"(","n":")" + modulus(bytes) + '"';
  };
  EXPECT_EQ(error_of(rsa(128, "AQAB")),
            "key 1: the RSA key has 1024 bits, at least 2048 are needed");
  EXPECT_EQ(error_of(rsa(2000, "AQAB")),
            "key 1: the RSA key has 16000 bits, more than 8192 are too slow to use");
  const std::string exponent =
      "key 1: the RSA key has an unusable public exponent (it must be odd and at least 3)";
  EXPECT_EQ(error_of(rsa(256, "AQ")), exponent);
  EXPECT_EQ(error_of(rsa(256, "BA")), exponent);
  EXPECT_EQ(error_of(rsa(256, "AA")), exponent);
  EXPECT_NE(error_of(rsa(256, "")), "");
}

TEST(Jwks, RefusesWhatIsNoKeySet) {
  for (const char* const text : {"", "[]", "{}", R"({"keys":{}})", R"({"keys":[5]})",
                                 R"({"keys":[]})", R"({"keys":[],"keys":[]})", "{\"keys\":[}"}) {
    const auto set = keys_from_jwks(text, {es256});
    EXPECT_NE(set.error, "") << text;
    EXPECT_TRUE(set.keys.empty());
  }
  EXPECT_EQ(keys_from_jwks(std::string(2'000'000, ' '), {}).error,
            "the key set is larger than 1 MiB");
  std::vector<std::string> many;
  for (int i = 0; i < 101; ++i) {
    many.push_back(ec_point + ",\"kid\":\"" + std::to_string(i) + '"');
  }
  EXPECT_EQ(keys_from_jwks(set_of(many), {es256}).error, "the key set holds more than 100 keys");
}

TEST(Jwks, RingIsPublishedAsASetThatReadsBack) {
  std::vector<Key> keys;
  for (const auto algorithm : {rs256, ps256, es256, es384, es512, eddsa, hs256}) {
    keys.push_back(Key::generate("kid \"" + std::string(name(algorithm)) + "\\", algorithm));
  }
  const auto set = keys_from_jwks(KeyRing(keys).jwks(), {});
  ASSERT_EQ(set.error, "");
  ASSERT_EQ(set.keys.size(), keys.size() - 1) << "all but the secret";
  for (std::size_t i = 0; i < set.keys.size(); ++i) {
    EXPECT_EQ(set.keys[i].kid(), keys[i].kid());
    EXPECT_EQ(set.keys[i].algorithm(), keys[i].algorithm());
    EXPECT_EQ(set.keys[i].thumbprint(), keys[i].thumbprint());
  }
}

}  // namespace
}  // namespace auth
