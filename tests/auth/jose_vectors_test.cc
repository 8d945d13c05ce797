// Other people's vectors: Wycheproof, the JOSE cookbook (RFC 7520, 8037, 7797), the examples of
// RFC 7515 and the public list of weak secrets.
#include <algorithm>
#include <iterator>
#include <map>
#include <sstream>

#include "auth/jws.h"
#include "forge.h"
#include "vectors.h"

namespace auth {
namespace {

namespace json = boost::json;
using vectors::from_hex;
using vectors::member;
using vectors::string;

const std::string wycheproof = "wycheproof/testvectors_v1/";

// A ring out of a test's JWK or JWK set, the way an operator would configure it: secrets one by
// one, public keys as a set. An empty ring where the keys are refused.
std::optional<Key> secret_key(const json::object& jwk) {
  if (const auto use = member(jwk, "use"); !use.empty() && use != "sig") return std::nullopt;
  const auto algorithm = algorithm_from(member(jwk, "alg"));
  const auto secret = base64url_decode(member(jwk, "k"));
  if (!algorithm || !secret) return std::nullopt;
  auto made = Key::from_secret(member(jwk, "kid"), *algorithm, *secret);
  auto* const key = std::get_if<Key>(&made);
  return key == nullptr ? std::nullopt : std::optional<Key>(std::move(*key));
}

KeyRing ring_of(const json::object& group) {
  const auto& given =
      (group.contains("public") ? group.at("public") : group.at("private")).as_object();
  json::array list;
  if (given.contains("keys")) {
    list = given.at("keys").as_array();
  } else {
    list.push_back(given);
  }
  const auto& first = list.at(0).as_object();
  if (member(first, "kty") != "oct") {
    const json::object set{{"keys", list}};
    return KeyRing(keys_from_jwks(json::serialize(set), {Algorithm::rs256, Algorithm::es256}).keys);
  }
  std::vector<Key> keys;
  std::map<std::string, int> kids;
  for (const auto& item : list) {
    // Secrets and key pairs under one roof, or one kid twice: no configuration of ours.
    if (member(item.as_object(), "kty") != "oct" || ++kids[member(item.as_object(), "kid")] > 1) {
      return {};
    }
    if (auto key = secret_key(item.as_object())) {
      keys.push_back(*key);
    }
  }
  return KeyRing(keys);
}

bool verifies(const std::string& token, const KeyRing& ring) {
  Jws jws;
  return jws.read(token) && jws.verify(ring) && jws.payload();
}

// OVERRIDES.json: rows where the file's label is not what a strict program does. Its policy has
// four algorithms; rows refused there for another algorithm follow their label here, but for those
// whose key names one that does not exist (ES521) or another one than the token (PS256 and PS384).
std::map<int, std::string> overrides(const std::string& file) {
  std::map<int, std::string> out;
  if (!vectors::present("wycheproof/OVERRIDES.json")) return out;
  const auto document = vectors::json("wycheproof/OVERRIDES.json");
  for (const auto& row : document.at("rows").as_array()) {
    const auto& object = row.as_object();
    if (member(object, "file") != file) continue;
    const auto id = static_cast<int>(object.at("tcId").as_int64());
    constexpr int other_algorithm[] = {346, 350};
    if (member(object, "reason") == "algorithm outside our four" &&
        std::find(std::begin(other_algorithm), std::end(other_algorithm), id) ==
            std::end(other_algorithm)) {
      continue;
    }
    out[id] = member(object, "our_expected");
  }
  return out;
}

int run_jws_file(const std::string& file) {
  const auto document = vectors::json(wycheproof + file);
  const auto ours = overrides(file);
  int rows = 0;
  for (const auto& group_value : document.at("testGroups").as_array()) {
    const auto& group = group_value.as_object();
    const auto ring = ring_of(group);
    const bool no_such_algorithm = json::serialize(group).find("ES521") != std::string::npos;
    for (const auto& test_value : group.at("tests").as_array()) {
      const auto& test = test_value.as_object();
      if (!test.contains("jws")) continue;
      ++rows;
      const auto id = static_cast<int>(test.at("tcId").as_int64());
      auto expected = member(test, "result");
      if (no_such_algorithm) expected = "invalid";
      if (const auto found = ours.find(id); found != ours.end()) expected = found->second;
      if (expected == "either") continue;
      // Rows in JSON serialization are objects: never a token of ours.
      const auto& jws = test.at("jws");
      const auto token = jws.is_string() ? string(jws) : json::serialize(jws);
      EXPECT_EQ(verifies(token, ring), expected == "valid")
          << file << " tcId " << id << ' ' << member(group, "comment") << ' '
          << member(test, "comment");
    }
  }
  return rows;
}

TEST(Wycheproof, JsonWebSignatures) {
  SKIP_WITHOUT_VECTOR(wycheproof + "json_web_signature_test.json");
  EXPECT_EQ(run_jws_file("json_web_signature_test.json"), 401);
}

TEST(Wycheproof, JsonWebKeys) {
  SKIP_WITHOUT_VECTOR(wycheproof + "json_web_key_test.json");
  EXPECT_EQ(run_jws_file("json_web_key_test.json"), 26);
}

TEST(Wycheproof, JsonWebCrypto) {
  SKIP_WITHOUT_VECTOR(wycheproof + "json_web_crypto_test.json");
  EXPECT_EQ(run_jws_file("json_web_crypto_test.json"), 49);
}

// G13: nothing encrypted is ever looked into, whatever its file says about it.
TEST(Wycheproof, G13EncryptedTokensAreAllRefused) {
  for (const char* const file : {"json_web_encryption_test.json", "json_web_crypto_test.json"}) {
    SKIP_WITHOUT_VECTOR(wycheproof + file);
    const auto document = vectors::json(wycheproof + file);
    int rows = 0;
    for (const auto& group : document.at("testGroups").as_array()) {
      for (const auto& test : group.as_object().at("tests").as_array()) {
        const auto* const jwe = test.as_object().if_contains("jwe");
        if (jwe == nullptr) continue;
        ++rows;
        const auto token = jwe->is_string() ? string(*jwe) : json::serialize(*jwe);
        Jws jws;
        EXPECT_FALSE(jws.read(token)) << token;
      }
    }
    EXPECT_GE(rows, 34) << file;
  }
}

// Runs signatures in hexadecimal under the public key of each group.
template <class MakeKey>
int run_signatures(const std::string& file, MakeKey make_key, bool must_all_fail = false) {
  const auto document = vectors::json(wycheproof + file);
  int rows = 0;
  for (const auto& group_value : document.at("testGroups").as_array()) {
    const auto& group = group_value.as_object();
    const Key key = make_key(group);
    for (const auto& test_value : group.at("tests").as_array()) {
      const auto& test = test_value.as_object();
      const auto result = member(test, "result");
      const bool valid = key.verify(from_hex(member(test, "msg")), from_hex(member(test, "sig")));
      ++rows;
      const auto id = test.at("tcId").as_int64();
      if (must_all_fail) {
        EXPECT_FALSE(valid) << file << " tcId " << id;
      } else if (result != "acceptable") {
        EXPECT_EQ(valid, result == "valid")
            << file << " tcId " << id << ' ' << member(test, "comment");
      }
    }
  }
  return rows;
}

Key public_key(Algorithm algorithm, const json::object& group) {
  return forge::made(Key::from_pem("k", algorithm, member(group, "publicKeyPem")));
}

TEST(Wycheproof, Ed25519) {
  SKIP_WITHOUT_VECTOR(wycheproof + "ed25519_test.json");
  EXPECT_EQ(run_signatures("ed25519_test.json",
                           [](const auto& group) { return public_key(Algorithm::eddsa, group); }),
            151);
}

TEST(Wycheproof, EcdsaWithFixedLength) {
  SKIP_WITHOUT_VECTOR(wycheproof + "ecdsa_secp256r1_sha256_p1363_test.json");
  EXPECT_EQ(run_signatures("ecdsa_secp256r1_sha256_p1363_test.json",
                           [](const auto& group) { return public_key(Algorithm::es256, group); }),
            262);
}

TEST(Wycheproof, EcdsaInDerIsNeverASignatureOfATokenHere) {
  SKIP_WITHOUT_VECTOR(wycheproof + "ecdsa_secp256r1_sha256_test.json");
  EXPECT_EQ(run_signatures(
                "ecdsa_secp256r1_sha256_test.json",
                [](const auto& group) { return public_key(Algorithm::es256, group); }, true),
            484);
}

TEST(Wycheproof, Rsa2048And3072) {
  for (const char* const file :
       {"rsa_signature_2048_sha256_test.json", "rsa_signature_3072_sha256_test.json"}) {
    SKIP_WITHOUT_VECTOR(wycheproof + file);
    EXPECT_EQ(
        run_signatures(file, [](const auto& group) { return public_key(Algorithm::rs256, group); }),
        259);
  }
}

// Keys shorter than the hash and truncated tags are in the file, and are refused here.
TEST(Wycheproof, HmacSha256) {
  SKIP_WITHOUT_VECTOR(wycheproof + "hmac_sha256_test.json");
  const auto document = vectors::json(wycheproof + "hmac_sha256_test.json");
  int rows = 0;
  int verified = 0;
  for (const auto& group : document.at("testGroups").as_array()) {
    const bool full_tag = group.at("tagSize").as_int64() == 256;
    for (const auto& test_value : group.at("tests").as_array()) {
      const auto& test = test_value.as_object();
      ++rows;
      const auto secret = from_hex(member(test, "key"));
      const auto made = Key::from_secret("k", Algorithm::hs256, secret);
      EXPECT_EQ(std::holds_alternative<Key>(made), secret.size() >= 32);
      if (secret.size() < 32) continue;
      const bool valid =
          std::get<Key>(made).verify(from_hex(member(test, "msg")), from_hex(member(test, "tag")));
      EXPECT_EQ(valid, full_tag && member(test, "result") == "valid") << test.at("tcId");
      verified += valid ? 1 : 0;
    }
  }
  EXPECT_EQ(rows, 174);
  EXPECT_GT(verified, 20);
}

// --- The JOSE cookbook ------------------------------------------------------------------------

bool cookbook_verifies(const std::string& file) {
  const auto document = vectors::json("jose-cookbook/" + file);
  auto jwk = document.at("input").at("key").as_object();
  if (!jwk.contains("alg")) jwk["alg"] = document.at("input").at("alg");
  for (const char* const secret : {"d", "p", "q", "dp", "dq", "qi"}) {
    jwk.erase(secret);
  }
  const auto ring = ring_of(json::object{{"public", jwk}});
  EXPECT_EQ(ring.keys().size(), 1u) << file;
  const auto token = string(document.at("output").at("compact"));
  EXPECT_FALSE(verifies(token + "A", ring));
  return verifies(token, ring);
}

TEST(Cookbook, SignaturesHold) {
  SKIP_WITHOUT_VECTOR("jose-cookbook/jws");
  EXPECT_TRUE(cookbook_verifies("jws/4_1.rsa_v15_signature.json"));
  EXPECT_TRUE(cookbook_verifies("jws/4_2.rsa-pss_signature.json"));
  EXPECT_TRUE(cookbook_verifies("jws/4_3.ecdsa_signature.json"));
  EXPECT_TRUE(cookbook_verifies("jws/4_4.hmac-sha2_integrity_protection.json"));
  EXPECT_TRUE(cookbook_verifies("curve25519/jws.json"));
}

TEST(Cookbook, UnencodedPayloadsAreRefused) {
  SKIP_WITHOUT_VECTOR("jose-cookbook/rfc7797");
  EXPECT_FALSE(cookbook_verifies("rfc7797/hmac-sha2_b64_false.json"));
}

TEST(Cookbook, TokensThatAreNotCompactOrNestedAreRefused) {
  SKIP_WITHOUT_VECTOR("jose-cookbook/jws");
  for (const char* const file :
       {"jws/4_5.signature_with_detached_content.json",
        "jws/4_6.protecting_specific_header_fields.json", "jws/4_7.protecting_content_only.json",
        "jws/4_8.multiple_signatures.json", "6.nesting_signatures_and_encryption.json"}) {
    const auto document = vectors::json("jose-cookbook/" + std::string(file));
    const json::value* const output =
        document.as_object().contains("output") ? &document.at("output") : &document.at("encrypt");
    int tried = 0;
    const std::string detached = "4_5";
    const auto refuse = [&](const std::string& token) {
      ++tried;
      Jws jws;
      const auto read = jws.read(token);
      // Detached content leaves an empty payload: a JWS, but the signature is over something else.
      if (std::string(file).find(detached) == std::string::npos) {
        EXPECT_FALSE(read) << file;
      } else if (read) {
        auto jwk = document.at("input").at("key").as_object();
        EXPECT_FALSE(jws.verify(ring_of(json::object{{"public", jwk}}))) << file;
      }
    };
    if (!output->is_object()) continue;
    for (const auto& form : output->as_object()) {
      refuse(form.value().is_string() ? string(form.value()) : json::serialize(form.value()));
    }
    EXPECT_GT(tried, 0) << file;
  }
}

// --- RFC 7515, appendix A ---------------------------------------------------------------------

const std::string rfc_payload =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q";

TEST(Rfc7515, A1HmacSha256) {
  const auto secret = base64url_decode(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  const KeyRing ring({forge::made(Key::from_secret("", Algorithm::hs256, secret.value()))});
  const auto token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + rfc_payload +
                     ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  EXPECT_TRUE(verifies(token, ring));
  auto broken = token;
  broken[60] = static_cast<char>(broken[60] ^ 1);
  EXPECT_FALSE(verifies(broken, ring));
}

TEST(Rfc7515, A3EcdsaP256) {
  const auto set = keys_from_jwks(
      R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
      R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})",
      {Algorithm::es256});
  ASSERT_EQ(set.error, "");
  EXPECT_TRUE(verifies(
      "eyJhbGciOiJFUzI1NiJ9." + rfc_payload +
          ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
      KeyRing(set.keys)));
}

TEST(Rfc7515, A5UnsecuredIsRefused) {
  Jws jws;
  EXPECT_EQ(jws.read("eyJhbGciOiJub25lIn0." + rfc_payload + ".").error(),
            Error::unsupported_algorithm);
}

// --- Public secrets ---------------------------------------------------------------------------

TEST(PublicSecrets, G21EveryLineOfTheListIsRefused) {
  SKIP_WITHOUT_VECTOR("jwt-secrets/jwt.secrets.list");
  std::istringstream lines(vectors::text(vectors::path("jwt-secrets/jwt.secrets.list")));
  int count = 0;
  int by_digest = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) {
      line.pop_back();
    }
    ++count;
    for (const auto algorithm : {Algorithm::hs256, Algorithm::hs512}) {
      const auto why = forge::why(Key::from_secret("k", algorithm, line));
      ASSERT_NE(why, "") << line;
      by_digest += why.find("public list") != std::string::npos ? 1 : 0;
    }
  }
  EXPECT_EQ(count, 103'979);
  EXPECT_GT(by_digest, 1900);
}

}  // namespace
}  // namespace auth
