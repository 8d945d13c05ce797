// Which keys are taken, what they sign and verify, and how a ring chooses among them (auth/keys).
#include "auth/keys.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "forge.h"

namespace auth {
namespace {

using enum Algorithm;

Key::Made from_pkey(Algorithm algorithm, const forge::Pkey& key) {
  return Key::from_pem("k", algorithm, forge::private_pem(key.get()));
}

std::string certificate_pem(EVP_PKEY* key) {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_sign(certificate.get(), key, EVP_sha256());
  return forge::written([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate.get()); });
}

TEST(Algorithm, NamesAreExact) {
  for (const auto algorithm : forge::all_algorithms()) {
    EXPECT_EQ(algorithm_from(name(algorithm)), algorithm);
  }
  EXPECT_EQ(algorithm_from("Ed25519"), eddsa);  // RFC 9864
  for (const char* const other :
       {"", "none", "None", "hs256", "HS256 ", "ES256K", "EDDSA", "RS1"}) {
    EXPECT_FALSE(algorithm_from(other)) << other;
  }
}

TEST(Key, RoundTripsWithEveryAlgorithm) {
  for (const auto algorithm : forge::all_algorithms()) {
    SCOPED_TRACE(name(algorithm));
    const auto& key = forge::key(algorithm);
    EXPECT_TRUE(key.can_sign());
    const auto signature = key.sign("message").value();
    EXPECT_TRUE(key.verify("message", signature));
    EXPECT_FALSE(key.verify("messagf", signature));
    EXPECT_FALSE(key.verify("", signature));
    EXPECT_FALSE(key.verify("message", ""));
    EXPECT_FALSE(key.verify("message", signature + '\0'));
    EXPECT_FALSE(key.verify("message", signature.substr(0, signature.size() - 1)));
    for (std::size_t bit = 0; bit < signature.size() * 8; bit += 5) {
      auto broken = signature;
      broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << (bit % 8)));
      ASSERT_FALSE(key.verify("message", broken)) << bit;
    }
  }
}

TEST(Key, NoAlgorithmTakesTheSignatureOfAnother) {
  for (const auto signer : forge::all_algorithms()) {
    const auto signature = forge::key(signer).sign("message").value();
    for (const auto verifier : forge::all_algorithms()) {
      EXPECT_EQ(forge::key(verifier).verify("message", signature), signer == verifier)
          << name(signer) << " under " << name(verifier);
    }
  }
}

// The same RSA key under two names, so that only the scheme differs.
TEST(Key, OneRsaKeyDoesNotMixItsSchemes) {
  const auto pem = forge::key(rs256).private_pem();
  const std::vector<Algorithm> schemes = {rs256, rs384, rs512, ps256, ps384, ps512};
  for (const auto signer : schemes) {
    const auto signature = forge::made(Key::from_pem("k", signer, pem)).sign("m").value();
    for (const auto verifier : schemes) {
      EXPECT_EQ(forge::made(Key::from_pem("k", verifier, pem)).verify("m", signature),
                signer == verifier);
    }
  }
}

TEST(Key, PrivatePemReadsBackAndPublicOnesVerifyOnly) {
  for (const auto algorithm : {rs256, ps384, es256, es384, es512, eddsa}) {
    SCOPED_TRACE(name(algorithm));
    const auto& key = forge::key(algorithm);
    const auto again = forge::made(Key::from_pem("k", algorithm, key.private_pem()));
    EXPECT_EQ(again.thumbprint(), key.thumbprint());
    EXPECT_TRUE(key.verify("m", again.sign("m").value()));

    const auto set = keys_from_jwks(KeyRing({key}).jwks(), {});
    ASSERT_EQ(set.error, "");
    EXPECT_FALSE(set.keys.at(0).can_sign());
    EXPECT_TRUE(set.keys.at(0).verify("m", key.sign("m").value()));
    EXPECT_EQ(set.keys.at(0).sign("m").error(), Error::unknown_key);
    EXPECT_EQ(set.keys.at(0).private_pem(), "");
  }
}

TEST(Key, ReadsEveryUsualPemForm) {
  const auto rsa = forge::rsa(2048);
  const auto ec = forge::ec("P-256");
  const auto rsa_private = forge::private_pem(rsa.get());
  const auto traditional = forge::written([&](BIO* bio) {
    return PEM_write_bio_PrivateKey_traditional(bio, rsa.get(), nullptr, nullptr, 0, nullptr,
                                                nullptr);
  });
  const auto sec1 = forge::written([&](BIO* bio) {
    return PEM_write_bio_PrivateKey_traditional(bio, ec.get(), nullptr, nullptr, 0, nullptr,
                                                nullptr);
  });
  const std::string parameters =
      "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
  const auto certificate = certificate_pem(rsa.get());
  const auto can_sign = [](Algorithm algorithm, const std::string& pem) {
    return forge::made(Key::from_pem("k", algorithm, pem)).can_sign();
  };
  EXPECT_TRUE(can_sign(rs256, rsa_private));
  EXPECT_TRUE(can_sign(rs256, traditional));
  EXPECT_TRUE(can_sign(es256, sec1));
  EXPECT_TRUE(can_sign(es256, parameters + sec1));
  EXPECT_TRUE(can_sign(rs256, "a comment\n" + rsa_private + "\n\n"));
  EXPECT_FALSE(can_sign(rs256, forge::public_pem(rsa.get())));
  EXPECT_FALSE(can_sign(es256, forge::public_pem(ec.get())));
  EXPECT_FALSE(can_sign(rs256, certificate));
  EXPECT_TRUE(can_sign(rs256, certificate + rsa_private));
  EXPECT_TRUE(can_sign(rs256, rsa_private + certificate));
}

TEST(Key, TakesAnRsaKeyRestrictedToPssForPssOnly) {
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_name(nullptr, "RSA-PSS", nullptr), &EVP_PKEY_CTX_free);
  EVP_PKEY* raw = nullptr;
  ASSERT_EQ(EVP_PKEY_keygen_init(context.get()), 1);
  ASSERT_EQ(EVP_PKEY_generate(context.get(), &raw), 1);
  const forge::Pkey key(raw, &EVP_PKEY_free);
  EXPECT_TRUE(forge::made(from_pkey(ps256, key)).can_sign());
  EXPECT_EQ(forge::why(from_pkey(rs256, key)),
            "RS256 needs an RSA key, but this is an RSA key restricted to PSS");
}

TEST(Key, G07RefusesTheWrongTypeOrCurveInASentence) {
  const auto rsa = forge::rsa(2048);
  const auto p256 = forge::ec("P-256");
  const auto p384 = forge::ec("P-384");
  EXPECT_EQ(forge::why(from_pkey(es256, p384)),
            "ES256 needs an EC key on P-256, but this is an EC key on secp384r1");
  EXPECT_EQ(forge::why(from_pkey(es512, p256)),
            "ES512 needs an EC key on P-521, but this is an EC key on prime256v1");
  EXPECT_EQ(forge::why(from_pkey(es256, forge::ec("secp256k1"))),
            "ES256 needs an EC key on P-256, but this is an EC key on secp256k1");
  EXPECT_EQ(forge::why(from_pkey(rs256, p256)),
            "RS256 needs an RSA key, but this is an EC key on prime256v1");
  EXPECT_EQ(forge::why(from_pkey(es256, rsa)),
            "ES256 needs an EC key on P-256, but this is an RSA key");
  EXPECT_EQ(forge::why(from_pkey(eddsa, forge::pkey("X25519"))),
            "EdDSA needs an Ed25519 key, but this is an X25519 key, which cannot sign");
  EXPECT_EQ(forge::why(from_pkey(eddsa, forge::pkey("ED448"))),
            "EdDSA needs an Ed25519 key, but this is an Ed448 key");
  EXPECT_EQ(forge::why(from_pkey(hs256, rsa)),
            "HS256 needs a secret, not a key pair, but this is an RSA key");
  EXPECT_EQ(forge::why(Key::from_secret("k", rs256, std::string(64, 's'))),
            "RS256 needs an RSA key, but this is a secret");
}

TEST(Key, G21RefusesWeakRsaKeys) {
  EXPECT_EQ(forge::why(from_pkey(rs256, forge::rsa(1024))),
            "the RSA key has 1024 bits, at least 2048 are needed");
  EXPECT_EQ(forge::why(from_pkey(ps512, forge::rsa(2040))),
            "the RSA key has 2040 bits, at least 2048 are needed");
}

TEST(Key, RefusesAnEcKeyThatSpellsItsCurveOut) {
  const auto key = forge::ec("P-256");
  ASSERT_EQ(EVP_PKEY_set_utf8_string_param(key.get(), "encoding", "explicit"), 1);
  EXPECT_EQ(forge::why(Key::from_pem("k", es256, forge::public_pem(key.get()))),
            "the EC key spells its curve out instead of naming it");
}

TEST(Key, RefusesAPrivateKeyWithTheWrongPublicHalf) {
  const auto first = forge::ec("P-256");
  const auto second = forge::ec("P-256");
  // In SEC 1 form the public point is the last 65 bytes.
  const auto der_of = [](EVP_PKEY* key) {
    unsigned char* der = nullptr;
    const int size = i2d_PrivateKey(key, &der);
    std::string out(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return out;
  };
  auto mixed = der_of(first.get());
  const auto other = der_of(second.get());
  mixed.replace(mixed.size() - 64, 64, other, other.size() - 64, 64);
  const auto pem = forge::written([&](BIO* bio) {
    return PEM_write_bio(bio, "EC PRIVATE KEY", "",
                         reinterpret_cast<const unsigned char*>(mixed.data()),
                         static_cast<long>(mixed.size())) > 0
               ? 1
               : 0;
  });
  EXPECT_NE(forge::why(Key::from_pem("k", es256, pem)), "");
}

TEST(Key, SaysWhatIsWrongWithAPemFile) {
  const auto key = forge::ec("P-256");
  const auto good = forge::private_pem(key.get());
  const auto why = [](const std::string& pem) {
    return forge::why(Key::from_pem("k", es256, pem));
  };
  const std::string not_pem = "this is not PEM (no -----BEGIN ...----- block with intact base64)";
  EXPECT_EQ(why(""), not_pem);
  EXPECT_EQ(why("secret"), not_pem);
  EXPECT_EQ(why(good.substr(0, good.size() / 2)), not_pem);
  EXPECT_EQ(why("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            "the PEM block \"PRIVATE KEY\" cannot be decoded");
  EXPECT_EQ(why("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"),
            "a PEM block \"OPENSSH PRIVATE KEY\" holds no key that can be used here");
  EXPECT_EQ(why(good + forge::private_pem(forge::ec("P-256").get())),
            "there are two private keys in one file");
  const auto encrypted = forge::written([&](BIO* bio) {
    const std::string password = "hunter2";
    return PEM_write_bio_PrivateKey(bio, key.get(), EVP_aes_256_cbc(),
                                    reinterpret_cast<const unsigned char*>(password.data()),
                                    static_cast<int>(password.size()), nullptr, nullptr);
  });
  EXPECT_EQ(why(encrypted), "the private key is protected by a passphrase; store it without one");
  EXPECT_EQ(forge::why(Key::from_pem(std::string(257, 'k'), es256, good)),
            "the kid is longer than 256 bytes");
}

TEST(Key, RefusesTrailingBytesBehindTheKey) {
  const auto key = forge::ec("P-256");
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key.get(), &der);
  std::string bytes(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  const auto pem_of = [](const std::string& content) {
    return forge::written([&](BIO* bio) {
      return PEM_write_bio(bio, "PUBLIC KEY", "",
                           reinterpret_cast<const unsigned char*>(content.data()),
                           static_cast<long>(content.size())) > 0
                 ? 1
                 : 0;
    });
  };
  EXPECT_EQ(forge::why(Key::from_pem("k", es256, pem_of(bytes))), "");
  EXPECT_EQ(forge::why(Key::from_pem("k", es256, pem_of(bytes + "x"))),
            "the PEM block \"PUBLIC KEY\" cannot be decoded");
}

TEST(Key, G03G21RefusesSecretsShorterThanTheHash) {
  EXPECT_EQ(forge::why(Key::from_secret("k", hs256, "")),
            "the secret has 0 bytes, HS256 needs at least 32");
  EXPECT_EQ(forge::why(Key::from_secret("k", hs256, std::string(31, '\xa7'))),
            "the secret has 31 bytes, HS256 needs at least 32");
  EXPECT_EQ(forge::why(Key::from_secret("k", hs384, std::string(47, '\xa7'))),
            "the secret has 47 bytes, HS384 needs at least 48");
  EXPECT_EQ(forge::why(Key::from_secret("k", hs512, std::string(63, '\xa7'))),
            "the secret has 63 bytes, HS512 needs at least 64");
  EXPECT_EQ(forge::why(Key::from_secret("k", hs256, std::string(32, '\xa7'))), "");
  EXPECT_EQ(forge::why(Key::from_secret("k", hs384, std::string(48, '\xa7'))), "");
  EXPECT_EQ(forge::why(Key::from_secret("k", hs512, std::string(64, '\xa7'))), "");
}

TEST(Key, G21RefusesThePublicSecretsOfExamples) {
  EXPECT_EQ(forge::why(Key::from_secret("k", hs256, "a-string-secret-at-least-256-bits-long")),
            "the secret is on the public list of example secrets; anybody could sign");
  EXPECT_FALSE(is_publicly_known_secret("a-string-secret-at-least-256-bits-lonh"));
}

TEST(Key, EcdsaTakesFixedLengthOnlyAndNeverDer) {
  const std::vector<std::pair<Algorithm, std::size_t>> sizes = {
      {es256, 64}, {es384, 96}, {es512, 132}};
  for (const auto& [algorithm, size] : sizes) {
    SCOPED_TRACE(name(algorithm));
    const auto& key = forge::key(algorithm);
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(key.sign("m").value().size(), size);
    }
    const auto pem = key.private_pem();
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free_all);
    const forge::Pkey pkey(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr),
                           &EVP_PKEY_free);
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          &EVP_MD_CTX_free);
    const char* const digest = algorithm == es256   ? "SHA256"
                               : algorithm == es384 ? "SHA384"
                                                    : "SHA512";
    ASSERT_EQ(EVP_DigestSignInit_ex(context.get(), nullptr, digest, nullptr, nullptr, pkey.get(),
                                    nullptr),
              1);
    std::string der(200, '\0');
    std::size_t der_size = der.size();
    const unsigned char message = 'm';
    ASSERT_EQ(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(der.data()), &der_size,
                             &message, 1),
              1);
    der.resize(der_size);
    EXPECT_FALSE(key.verify("m", der));
  }
}

TEST(Key, G04RefusesPsychicSignatures) {
  const auto& key = forge::key(es256);
  const std::string zero(32, '\0');
  const auto order = base64url_decode("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE").value();
  std::string one(32, '\0');
  one.back() = '\x01';
  for (const auto& r : {zero, one, order, std::string(32, '\xff')}) {
    for (const auto& s : {zero, one, order, std::string(32, '\xff')}) {
      EXPECT_FALSE(key.verify("m", r + s));
    }
  }
  EXPECT_FALSE(key.verify("m", std::string("\x30\x06\x02\x01\x00\x02\x01\x00", 8)));
}

TEST(Key, FailedVerificationLeavesNoErrorsBehindForTls) {
  for (const auto algorithm : forge::all_algorithms()) {
    EXPECT_FALSE(forge::key(algorithm).verify("m", std::string(64, 'x')));
    EXPECT_FALSE(forge::key(algorithm).verify("m", std::string(384, 'x')));
    EXPECT_EQ(ERR_peek_error(), 0u) << name(algorithm);
    EXPECT_NE(forge::why(Key::from_pem("k", algorithm, "nonsense")), "");
    EXPECT_EQ(ERR_peek_error(), 0u) << name(algorithm);
  }
}

TEST(Key, PublicJwkHasWhatVerifiersNeedAndNothingSecret) {
  const auto jwk = forge::key(es256).public_jwk();
  for (const char* const part : {"\"kty\":\"EC\"", "\"crv\":\"P-256\"", "\"x\":\"", "\"y\":\"",
                                 "\"kid\":\"k1\"", "\"alg\":\"ES256\"", "\"use\":\"sig\""}) {
    EXPECT_NE(jwk.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(jwk.find("\"d\""), std::string::npos);
  EXPECT_NE(forge::key(eddsa).public_jwk().find("\"kty\":\"OKP\""), std::string::npos);
  EXPECT_NE(forge::key(rs256).public_jwk().find("\"e\":\"AQAB\""), std::string::npos);
  EXPECT_EQ(forge::key(hs256).public_jwk(), "");
  EXPECT_EQ(KeyRing({forge::key(hs256)}).jwks(), "{\"keys\":[]}");
}

// RFC 7638 section 3.1 and RFC 8037 appendix A.3.
TEST(Key, ThumbprintsOfTheStandards) {
  const auto rsa = keys_from_jwks(
      R"({"keys":[{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAt)"
      R"(VT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93)"
      R"(lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajr)"
      R"(n1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-cs)"
      R"(FCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}]})",
      {});
  ASSERT_EQ(rsa.error, "");
  EXPECT_EQ(rsa.keys[0].thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
  const auto okp = keys_from_jwks(
      R"({"keys":[{"kty":"OKP","crv":"Ed25519",)"
      R"("x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})",
      {eddsa});
  ASSERT_EQ(okp.error, "");
  EXPECT_EQ(okp.keys[0].thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

TEST(Key, ThumbprintTellsMaterialApartWhateverItIsNamed) {
  const auto pem = forge::key(rs256).private_pem();
  EXPECT_EQ(forge::made(Key::from_pem("a", rs256, pem)).thumbprint(),
            forge::made(Key::from_pem("b", ps256, pem)).thumbprint());
  EXPECT_NE(Key::generate("a", es256).thumbprint(), Key::generate("a", es256).thumbprint());
  EXPECT_NE(Key::generate("a", hs256).thumbprint(), Key::generate("a", hs256).thumbprint());
}

TEST(KeyRing, FindsByKidAndAlgorithmTogether) {
  const auto a = Key::generate("a", es256);
  const auto b = Key::generate("b", es256);
  const auto c = Key::generate("c", eddsa);
  const KeyRing ring({a, b, c});
  EXPECT_EQ(ring.find("b", es256)->kid(), "b");
  EXPECT_EQ(ring.find("b", eddsa), nullptr);
  EXPECT_EQ(ring.find("B", es256), nullptr);
  EXPECT_EQ(ring.find("", es256), nullptr);
  EXPECT_EQ(ring.find(std::nullopt, eddsa)->kid(), "c");
  EXPECT_EQ(ring.find(std::nullopt, es256), nullptr) << "two candidates";
  EXPECT_EQ(ring.find(std::nullopt, rs256), nullptr);
  EXPECT_EQ(KeyRing().find("a", es256), nullptr);
}

TEST(KeyRing, ActiveKeyIsTheNamedOneOrTheFirstThatSigns) {
  const auto a = keys_from_jwks(KeyRing({Key::generate("a", es256)}).jwks(), {}).keys.at(0);
  const auto b = Key::generate("b", es256);
  const auto c = Key::generate("c", es256);
  EXPECT_EQ(KeyRing({a, b, c}).active()->kid(), "b");
  EXPECT_EQ(KeyRing({a, b, c}, "c").active()->kid(), "c");
  EXPECT_EQ(KeyRing({a, b, c}, "a").active(), nullptr) << "cannot sign";
  EXPECT_EQ(KeyRing({a, b, c}, "other").active(), nullptr);
  EXPECT_EQ(KeyRing({a}).active(), nullptr);
  EXPECT_EQ(KeyRing().active(), nullptr);
}

}  // namespace
}  // namespace auth
