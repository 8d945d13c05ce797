// Which tokens are taken and which are not, and why (auth/jwt). The names with G and a number are
// rows of known attacks on JWT libraries; each is sent as it was found.
#include "auth/jwt.h"

#include <chrono>

#include "allocations.h"
#include "forge.h"
#include "token_fixture.h"
#include "vectors.h"

namespace auth {
namespace {

using enum Algorithm;

TEST(Jwt, TakesAGoodToken) {
  EXPECT_EQ(verify_claims(ClaimsText()), "ok");
  const auto principal = principal_of(rules_with({forge::key(es256)}), ClaimsText());
  EXPECT_EQ(principal->subject, "alice");
  EXPECT_EQ(principal->issuer, "gatehouse");
  EXPECT_EQ(principal->expires_at, now + std::chrono::seconds(900));
  EXPECT_EQ(principal->issued_at, now);
  EXPECT_TRUE(principal->ours);
}

TEST(Jwt, G01RefusesAlgNoneInEverySpelling) {
  for (const char* const alg :
       {R"("none")", R"("None")", R"("NONE")", R"("nOnE")", R"("")", "null", "0", R"(["HS256"])",
        R"({"a":1})", R"("HS256 ")", R"("hs256")", R"("none\u0000")"}) {
    const std::string header = R"({"typ":"at+jwt","alg":)" + std::string(alg) + "}";
    for (const std::string signature : {"", "x", "AAAA"}) {
      EXPECT_EQ(verify(forge::token(header, ClaimsText().text(), forge::fixed(signature))),
                "unsupported_algorithm")
          << alg;
    }
    const auto two_parts = base64url_encode(header) + '.' + base64url_encode(ClaimsText().text());
    EXPECT_EQ(verify(two_parts), "malformed");
  }
  EXPECT_EQ(verify(forge::token(R"({"typ":"at+jwt"})", ClaimsText().text(), forge::fixed(""))),
            "unsupported_algorithm");
}

TEST(Jwt, G02NeverTakesAPublicKeyAsAnHmacSecret) {
  for (const auto algorithm : {rs256, es256, eddsa}) {
    const auto& key = forge::key(algorithm);
    const auto private_pem = key.private_pem();
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(
        BIO_new_mem_buf(private_pem.data(), static_cast<int>(private_pem.size())), &BIO_free_all);
    const forge::Pkey pkey(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr),
                           &EVP_PKEY_free);
    const auto spki = forge::public_pem(pkey.get());
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(pkey.get(), &der);
    const std::string der_text(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    std::vector<std::string> secrets = {
        spki, spki.substr(0, spki.size() - 1), der_text, key.public_jwk(), key.thumbprint(), "k1"};
    if (algorithm == rs256) {
      secrets.push_back(forge::written([&](BIO* out) {
        return PEM_write_bio_PrivateKey_traditional(out, pkey.get(), nullptr, nullptr, 0, nullptr,
                                                    nullptr);
      }));
      secrets.push_back(der_text.substr(33, 384));  // the modulus
    }
    for (const auto& secret : secrets) {
      for (const char* const kid : {R"(,"kid":"k1")", ""}) {
        const std::string header = R"({"alg":"HS256","typ":"at+jwt")" + std::string(kid) + "}";
        const auto token = forge::token(header, ClaimsText().text(), forge::hmac(secret));
        EXPECT_EQ(outcome(verifier({key}).verify(token, now)), "unknown_key");
        // An HMAC key in the same ring does not help either.
        const auto other = Key::generate("k2", hs256);
        EXPECT_NE(outcome(verifier({key, other}).verify(token, now)), "ok");
      }
    }
  }
}

TEST(Jwt, G03NeverVerifiesWithAnEmptyKey) {
  for (const auto algorithm : {rs256, es256, hs256}) {
    const auto token = forge::token(R"({"alg":"HS256","typ":"at+jwt","kid":"k1"})",
                                    ClaimsText().text(), forge::hmac(""));
    EXPECT_EQ(outcome(verifier({forge::key(algorithm)}).verify(token, now)),
              algorithm == hs256 ? "bad_signature" : "unknown_key");
  }
}

TEST(Jwt, G04RefusesPsychicSignatures) {
  EXPECT_EQ(
      verify(forge::token(at_header, ClaimsText().text(), forge::fixed(std::string(64, '\0')))),
      "bad_signature");
  const std::string der("\x30\x06\x02\x01\x00\x02\x01\x00", 8);
  EXPECT_EQ(verify(forge::token(at_header, ClaimsText().text(), forge::fixed(der))),
            "bad_signature");
  EXPECT_EQ(verify(forge::token(at_header, ClaimsText().text(), forge::fixed(""))),
            "bad_signature");
}

TEST(Jwt, G05NeverUsesAKeyOutOfTheToken) {
  const auto attacker = Key::generate("k1", es256);
  const std::string certificate = "MIIB";
  for (const auto& member :
       {R"("jwk":)" + attacker.public_jwk(), std::string(R"("jku":"http://127.0.0.1:1/keys")"),
        std::string(R"("x5u":"http://127.0.0.1:1/cert")"), std::string(R"("x5c":["MIIB"])"),
        std::string(R"("x5t":"abc")")}) {
    const auto header = R"({"alg":"ES256","typ":"at+jwt","kid":"k1",)" + member + "}";
    EXPECT_EQ(verify(forge::token(header, ClaimsText().text(), forge::with(attacker))),
              "bad_signature");
    const auto unknown = R"({"alg":"ES256","typ":"at+jwt","kid":"mine",)" + member + "}";
    EXPECT_EQ(verify(forge::token(unknown, ClaimsText().text(), forge::with(attacker))),
              "unknown_key");
    // Such a member beside a good signature changes nothing: it is not looked at.
    EXPECT_EQ(verify(signed_token(ClaimsText().text(), header)), "ok");
  }
}

TEST(Jwt, G06LooksTheKidUpInAFixedMapOnly) {
  for (const char* const kid :
       {R"("../../dev/null")", R"("/proc/self/cmdline")", R"("x' UNION SELECT 'a")",
        R"("http://b/")", R"("k1\u0000")", R"("K1")", R"("")", R"(" k1")"}) {
    const std::string header = R"({"alg":"ES256","typ":"at+jwt","kid":)" + std::string(kid) + "}";
    EXPECT_EQ(verify(signed_token(ClaimsText().text(), header)), "unknown_key") << kid;
  }
  for (const std::string& kid : {std::string("5"), std::string("null"), std::string(R"(["k1"])"),
                                 std::string("{}"), '"' + std::string(257, 'k') + '"'}) {
    const std::string header = R"({"alg":"ES256","typ":"at+jwt","kid":)" + kid + "}";
    EXPECT_EQ(verify(signed_token(ClaimsText().text(), header)), "malformed") << kid;
  }
  const std::string large =
      R"({"alg":"ES256","typ":"at+jwt","kid":")" + std::string(1'000'000, 'k') + "\"}";
  EXPECT_EQ(verify(signed_token(ClaimsText().text(), large)), "malformed");
}

TEST(Jwt, G07KeyAndAlgorithmMustMatch) {
  // The header names each of the others over a signature by the ES256 key.
  for (const auto algorithm : forge::all_algorithms()) {
    if (algorithm == es256) continue;
    const std::string header =
        R"({"alg":")" + std::string(name(algorithm)) + R"(","typ":"at+jwt","kid":"k1"})";
    EXPECT_EQ(verify(signed_token(ClaimsText().text(), header)), "unknown_key") << name(algorithm);
  }
  // RFC 9864: both names of the Ed25519 algorithm mean the same key.
  for (const char* const alg : {"EdDSA", "Ed25519"}) {
    const std::string header = R"({"alg":")" + std::string(alg) + R"(","typ":"at+jwt","kid":"k1"})";
    const auto token = forge::token(header, ClaimsText().text(), forge::with(forge::key(eddsa)));
    EXPECT_EQ(outcome(verifier({forge::key(eddsa)}).verify(token, now)), "ok") << alg;
  }
}

TEST(Jwt, G08AudienceMustContainOurs) {
  EXPECT_EQ(verify_claims(ClaimsText().drop("aud")), "wrong_audience");
  for (const char* const aud : {"[]", R"([""])", R"(["other"])", R"({"a":1})", R"({"us":"us"})",
                                "5", R"("us ")", R"("US")", R"("")", "null", R"("other")",
                                R"("us,other")", R"(["us",5])", R"([["us"]])", R"("us\u0000")"}) {
    EXPECT_EQ(verify_claims(ClaimsText().set("aud", aud)), "wrong_audience") << aud;
  }
  for (const char* const aud : {R"("us")", R"(["us"])", R"(["other","us"])", R"("app")"}) {
    EXPECT_EQ(verify_claims(ClaimsText().set("aud", aud)), "ok") << aud;
  }
}

TEST(Jwt, G09BadSignatureIsSaidBeforeAnyClaimIsRead) {
  const auto attacker = Key::generate("k1", es256);
  const std::vector<std::string> payloads = {ClaimsText().set("exp", "1").text(),
                                             ClaimsText().drop("exp").text(),
                                             ClaimsText().set("iss", "\"x\"").text(),
                                             ClaimsText().set("aud", "5").text(),
                                             ClaimsText().set("sub", "5").text(),
                                             "[]",
                                             "not json",
                                             ""};
  for (const auto& payload : payloads) {
    EXPECT_EQ(verify(forge::token(at_header, payload, forge::with(attacker))), "bad_signature")
        << payload;
  }
  // Of several wrong claims the first in this order is named: issuer, type, audience, times, rest.
  auto claims = ClaimsText().set("iss", "\"x\"").set("aud", "5").set("exp", "1").set("sub", "5");
  EXPECT_EQ(verify_claims(claims), "wrong_issuer");
  claims.set("iss", "\"gatehouse\"");
  EXPECT_EQ(verify(signed_token(claims.text(), R"({"alg":"ES256","typ":"JWT","kid":"k1"})")),
            "unsupported_type");
  EXPECT_EQ(verify_claims(claims), "wrong_audience");
  claims.set("aud", "\"us\"");
  EXPECT_EQ(verify_claims(claims), "expired");
  claims.set("exp", "1700000900").set("nbf", "1700009999");
  EXPECT_EQ(verify_claims(claims), "not_yet_valid");
  claims.drop("nbf");
  EXPECT_EQ(verify_claims(claims), "wrong_claims");
  claims.set("sub", "\"alice\"");
  EXPECT_EQ(verify_claims(claims), "ok");
}

TEST(Jwt, G10ExpiryIsRequiredAndExact) {
  EXPECT_EQ(verify_claims(ClaimsText().drop("exp")), "missing_expiry");
  for (const char* const exp :
       {"null", R"("123")", R"("1700000900")", "1e300", "-1e300", "9223372036854775808",
        "18446744073709551615", "253402300800", "true", "[1700000900]", "{}"}) {
    EXPECT_EQ(verify_claims(ClaimsText().set("exp", exp)), "wrong_claims") << exp;
  }
  EXPECT_NE(verify_claims(ClaimsText().set("exp", "1e999")), "ok");
  EXPECT_EQ(verify_claims(ClaimsText().set("exp", "NaN")), "malformed");
  for (const char* const exp : {"-1", "1e-3", "0", "1.5", "1699999999", "1700000000"}) {
    EXPECT_EQ(verify_claims(ClaimsText().set("exp", exp)), "expired") << exp;
  }
  for (const char* const exp : {"1700000000.5", "1.7000009e9", "1700000001", "253402300799"}) {
    EXPECT_EQ(verify_claims(ClaimsText().set("exp", exp)), "ok") << exp;
  }
}

TEST(Jwt, G10AnExpiryThatIsNowHasPassed) {
  const auto token = signed_token(ClaimsText().set("exp", "1700000900").text());
  const Time end{milliseconds{1'700'000'900'000}};
  EXPECT_EQ(outcome(verifier().verify(token, end - milliseconds{1})), "ok");
  EXPECT_EQ(outcome(verifier().verify(token, end)), "expired");
  EXPECT_EQ(outcome(verifier().verify(token, end + milliseconds{1})), "expired");
}

TEST(Jwt, G10LeewayIsForNotBeforeAndIssuedAtOnly) {
  for (const char* const claim : {"nbf", "iat"}) {
    EXPECT_EQ(verify_claims(ClaimsText().set(claim, "1700000030")), "ok");
    EXPECT_EQ(verify_claims(ClaimsText().set(claim, "1700000030.001")), "not_yet_valid");
    EXPECT_EQ(verify_claims(ClaimsText().set(claim, "1700003600")), "not_yet_valid");
    EXPECT_EQ(verify_claims(ClaimsText().set(claim, "0")), "ok");
    for (const char* const wrong : {"null", R"("1")", "1e300", "[]"}) {
      EXPECT_EQ(verify_claims(ClaimsText().set(claim, wrong)), "wrong_claims") << claim << wrong;
    }
  }
  const TokenVerifier strict({rules_with({forge::key(es256)})}, milliseconds{0});
  const auto token = signed_token(ClaimsText().set("nbf", "1700000001").text());
  EXPECT_EQ(outcome(strict.verify(token, now)), "not_yet_valid");
  EXPECT_EQ(outcome(strict.verify(token, now + std::chrono::seconds(1))), "ok");
}

TEST(Jwt, G11UnderstandsNoCriticalExtension) {
  for (const char* const crit :
       {R"("crit":["b64"],"b64":false)", R"("crit":[])", R"("crit":["exp"])", R"("crit":"x")",
        R"("crit":null)", R"("b64":false)", R"("b64":true)", R"("crit":["alg"])"}) {
    const auto header = R"({"alg":"ES256","typ":"at+jwt","kid":"k1",)" + std::string(crit) + "}";
    EXPECT_EQ(verify(signed_token(ClaimsText().text(), header)), "unsupported_critical") << crit;
  }
}

TEST(Jwt, G12DotsAreCountedBeforeAnythingIsSplit) {
  for (const std::size_t size : {1u, 3u, 8u * 1024, 1024u * 1024}) {
    const std::string dots(size, '.');
    const auto checker = verifier();
    const auto started = std::chrono::steady_clock::now();
    const auto before = allocations();
    EXPECT_EQ(checker.verify(dots, now).error(), Error::malformed);
    EXPECT_EQ(allocations(), before);
    // Generous for sanitizers and a busy machine; splitting a megabyte of dots took seconds.
    EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::milliseconds(200));
  }
  EXPECT_EQ(verify(".."), "malformed");
  EXPECT_EQ(verify(""), "malformed");
}

TEST(Jwt, G13NeverLooksIntoEncryptedTokens) {
  const auto good = signed_token(ClaimsText().text());
  EXPECT_EQ(verify(good + ".a.b"), "malformed");
  EXPECT_EQ(verify("a." + good + ".b"), "malformed");
  for (const char* const member :
       {R"("zip":"DEF")", R"("enc":"A256GCM")", R"("enc":"A256GCM","p2c":2147483647,"p2s":"AA")"}) {
    const auto header = R"({"alg":"ES256","typ":"at+jwt","kid":"k1",)" + std::string(member) + "}";
    EXPECT_EQ(verify(signed_token(ClaimsText().text(), header)), "malformed") << member;
  }
  EXPECT_EQ(
      verify(signed_token(ClaimsText().text(), R"({"alg":"PBES2-HS256+A128KW","p2c":2147483647})")),
      "unsupported_algorithm");
}

TEST(Jwt, G14TakesTheCompactFormOnly) {
  const auto good = signed_token(ClaimsText().text());
  ASSERT_EQ(verify(good), "ok");
  const auto first = good.find('.');
  const auto second = good.rfind('.');
  const auto json = R"({"protected":")" + good.substr(0, first) + R"(","payload":")" +
                    good.substr(first + 1, second - first - 1) + R"(","signature":")" +
                    good.substr(second + 1) + "\"}";
  for (const auto& token :
       {json, " " + good, good + " ", good + "\n", good + "=", good + "==", good + "%3D",
        "Bearer " + good, good + "," + good, good + "." + good, '"' + good + '"', good + '\0',
        good.substr(0, first) + "%2E" + good.substr(first + 1),
        good.substr(0, first) + "=" + good.substr(first),
        good.substr(0, second) + "=" + good.substr(second)}) {
    EXPECT_NE(verify(token), "ok") << token;
  }
}

TEST(Jwt, G14NoCharacterOfATokenCanBeReplaced) {
  const auto good = signed_token(ClaimsText().text());
  const auto checker = verifier();
  const std::string others = "AQgw-_=+/. \n";
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const char other : others) {
      if (good[i] == other) continue;
      auto token = good;
      token[i] = other;
      // The last character of each part has unused bits: those too must not matter.
      ASSERT_FALSE(checker.verify(token, now)) << i << ' ' << other;
    }
  }
}

TEST(Jwt, G14NonCanonicalLastBitsAreRefused) {
  // Of 22 characters for 16 bytes the last carries two bits; the signature of ES256 ends the same.
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const auto good = signed_token(ClaimsText().text());
  const auto value = alphabet.find(good.back());
  ASSERT_EQ(value % 16, 0u);
  for (std::size_t bits = 1; bits < 16; ++bits) {
    auto token = good;
    token.back() = alphabet[value + bits];
    EXPECT_EQ(verify(token), "malformed");
  }
}

TEST(Jwt, G15TakesStrictJsonObjectsOnly) {
  const auto good = ClaimsText().text();
  const auto with_more = [&](const std::string& more) {
    return good.substr(0, good.size() - 1) + "," + more + "}";
  };
  const std::string arrays = std::string(1000, '[') + std::string(1000, ']');
  for (const std::string& payload :
       {std::string("[]"), std::string(R"("x")"), std::string("null"), std::string("5"),
        std::string(""), "[" + good + "]", good + good, good + "x", "\xef\xbb\xbf" + good,
        with_more(R"("sub":"root")"), with_more(R"("exp":1700000900)"),
        with_more(R"("\u0073ub":"x")"), with_more("\"x\":" + arrays), with_more("\"x\":\"\xff\""),
        with_more(R"("x":"\ud800")"), with_more(R"("x":{"a":1,"a":1})")}) {
    EXPECT_EQ(verify(signed_token(payload)), "malformed") << payload.substr(0, 80);
  }
  for (const std::string& header :
       {std::string("[]"), std::string("null"), "\xef\xbb\xbf" + at_header,
        std::string(R"({"alg":"ES256","alg":"ES256","typ":"at+jwt","kid":"k1"})"),
        std::string(R"({"alg":"none","typ":"at+jwt","kid":"k1","alg":"ES256"})"),
        std::string(R"({"alg":"ES256","typ":"at+jwt","kid":"k1","x":"\udc00"})"),
        R"({"alg":"ES256","typ":"at+jwt","kid":"k1","x":)" + arrays + "}"}) {
    EXPECT_EQ(verify(signed_token(good, header)), "malformed") << header.substr(0, 80);
  }
}

TEST(Jwt, G15JsonTestSuiteAsPayloadAndAsHeader) {
  SKIP_WITHOUT_VECTOR("JSONTestSuite/test_parsing");
  const auto checker = verifier();
  int files = 0;
  for (const char* const folder : {"JSONTestSuite/test_parsing", "JSONTestSuite/test_transform"}) {
    for (const auto& file : std::filesystem::directory_iterator(vectors::path(folder))) {
      const auto text = vectors::text(file.path());
      ++files;
      // None of them has the claims of a token, so none may pass; none may crash either.
      EXPECT_FALSE(checker.verify(signed_token(text), now)) << file.path();
      EXPECT_FALSE(checker.verify(signed_token(ClaimsText().text(), text), now)) << file.path();
    }
  }
  EXPECT_GE(files, 340);
}

TEST(Jwt, G16TakesTheTypesItWasToldOnly) {
  const auto typed = [](const std::string& typ) {
    return verify(signed_token(ClaimsText().text(), R"({"alg":"ES256","kid":"k1")" + typ + "}"));
  };
  EXPECT_EQ(typed(""), "unsupported_type");
  for (const char* const typ :
       {"JWT", "jwt", "", "at+jwt ", "refresh+jwt", "rt+jwt", "dpop+jwt", "logout+jwt", "id+jwt",
        "application/jwt", "application/application/at+jwt"}) {
    EXPECT_EQ(typed(R"(,"typ":")" + std::string(typ) + '"'), "unsupported_type") << typ;
  }
  for (const char* const typ : {"null", "5", R"(["at+jwt"])"}) {
    EXPECT_EQ(typed(R"(,"typ":)" + std::string(typ)), "malformed") << typ;
  }
  for (const char* const typ : {"at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"}) {
    EXPECT_EQ(typed(R"(,"typ":")" + std::string(typ) + '"'), "ok") << typ;
  }
  auto rules = rules_with({forge::key(es256)});
  rules.token_types = {"at+jwt", "JWT"};
  const auto token = signed_token(ClaimsText().text(), R"({"alg":"ES256","kid":"k1","typ":"JWT"})");
  EXPECT_EQ(outcome(TokenVerifier({rules}).verify(token, now)), "ok");
  rules.token_types = {};
  EXPECT_EQ(outcome(TokenVerifier({rules}).verify(token, now)), "unsupported_type");
}

TEST(Jwt, G16RefreshTokensAreNoAccessTokens) {
  EXPECT_EQ(verify("gh1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), "malformed");
}

// G17 is a rule on the sources (Sources.G17... in bytes_test.cc) and this: any wrong MAC is
// refused, however much of it is right.
TEST(Jwt, G17EveryPrefixOfARightMacIsWrong) {
  const auto& key = forge::key(hs256);
  const auto checker = verifier({key});
  const std::string header = R"({"alg":"HS256","typ":"at+jwt","kid":"k1"})";
  const auto good = forge::token(header, ClaimsText().text(), forge::with(key));
  ASSERT_EQ(outcome(checker.verify(good, now)), "ok");
  const auto body = good.substr(0, good.rfind('.'));
  const auto mac = key.sign(body).value();
  for (std::size_t right = 0; right < mac.size(); ++right) {
    auto wrong = mac;
    for (std::size_t i = right; i < wrong.size(); ++i) {
      wrong[i] = static_cast<char>(~wrong[i]);
    }
    EXPECT_EQ(outcome(checker.verify(body + '.' + base64url_encode(wrong), now)), "bad_signature");
    EXPECT_EQ(outcome(checker.verify(body + '.' + base64url_encode(mac.substr(0, right)), now)),
              "bad_signature");
  }
}

TEST(Jwt, G19NonsenseIsMalformed) {
  for (const char* const token : {"x", "YTpi", "null", "undefined", "[object Object]", "a.b",
                                  "a.b.c", "..", "a..", ".a.", "..a", "-.-.-"}) {
    EXPECT_EQ(verify(token), "malformed") << token;
  }
}

TEST(Jwt, G20UnknownKidsAreRefusedWithoutAnyOtherWork) {
  const auto checker = verifier();
  for (int i = 0; i < 10'000; ++i) {
    const auto header = R"({"alg":"ES256","typ":"at+jwt","kid":")" + std::to_string(i) + "\"}";
    ASSERT_EQ(checker.verify(forge::token(header, "{}", forge::fixed("x")), now).error(),
              Error::unknown_key);
  }
}

TEST(Jwt, RefusesTokensOverTheLimit) {
  const auto padded = [](std::size_t size) {
    return signed_token(ClaimsText().set("pad", '"' + std::string(size, 'x') + '"').text());
  };
  std::size_t size = 4000;
  while (padded(size + 4).size() <= token_bytes_max) {
    size += 4;
  }
  EXPECT_EQ(verify(padded(size)), "ok");
  EXPECT_EQ(verify(padded(size + 4)), "malformed");
}

// Mix-up: a key of one issuer must not vouch for the name of another.
TEST(Jwt, AnIssuersKeyVouchesForThatIssuerOnly) {
  const auto other_key = Key::generate("k1", es256);
  auto other = foreign_rules();
  other.keys = KeyRing({other_key});
  other.audience = {"us"};
  other.token_types = {"at+jwt"};
  const TokenVerifier both({rules_with({forge::key(es256)}), other});
  const auto by = [&](const Key& key, const std::string& issuer) {
    const auto payload = ClaimsText().set("iss", '"' + issuer + '"').text();
    return both.verify(forge::token(at_header, payload, forge::with(key)), now);
  };
  EXPECT_EQ(outcome(by(forge::key(es256), "gatehouse")), "ok");
  EXPECT_EQ(outcome(by(other_key, "https://idp.example.com")), "ok");
  EXPECT_EQ(outcome(by(other_key, "gatehouse")), "wrong_issuer");
  EXPECT_EQ(outcome(by(forge::key(es256), "https://idp.example.com")), "wrong_issuer");
  EXPECT_EQ((*by(other_key, "https://idp.example.com"))->subject, "idp:alice");
  EXPECT_TRUE((*by(forge::key(es256), "gatehouse"))->ours);
  const auto third = Key::generate("k1", es256);
  EXPECT_EQ(outcome(by(third, "gatehouse")), "bad_signature");
}

TEST(Jwt, TenantsMayShareTheirProvidersKeys) {
  auto first = rules_with({forge::key(es256)});
  auto second = rules_with({forge::key(es256)});
  second.issuer = "tenant-2";
  second.subject_prefix = "t2:";
  second.ours = false;
  const TokenVerifier both({first, second});
  const auto token = signed_token(ClaimsText().set("iss", R"("tenant-2")").text());
  EXPECT_EQ((*both.verify(token, now))->subject, "t2:alice");
  for (const char* const iss :
       {R"("tenant-3")", "null", "5", R"(["gatehouse"])", R"("Gatehouse")"}) {
    EXPECT_EQ(outcome(both.verify(signed_token(ClaimsText().set("iss", iss).text()), now)),
              "wrong_issuer");
  }
  EXPECT_EQ(outcome(both.verify(signed_token(ClaimsText().drop("iss").text()), now)),
            "wrong_issuer");
}

TEST(Jwt, VerifyExpiredForgivesTheExpiryAndNothingElse) {
  const auto checker = verifier();
  const auto expired = [&](ClaimsText claims) {
    return outcome(
        checker.verify_expired(signed_token(claims.set("exp", "1699999000").text()), now));
  };
  EXPECT_EQ(expired(ClaimsText()), "ok");
  EXPECT_EQ(expired(ClaimsText().set("aud", R"("other")")), "wrong_audience");
  EXPECT_EQ(expired(ClaimsText().set("nbf", "1700003600")), "not_yet_valid");
  EXPECT_EQ(expired(ClaimsText().set("iss", R"("x")")), "wrong_issuer");
  EXPECT_EQ(outcome(checker.verify_expired(signed_token(ClaimsText().drop("exp").text()), now)),
            "missing_expiry");
  const auto attacker = Key::generate("k1", es256);
  EXPECT_EQ(outcome(checker.verify_expired(
                forge::token(at_header, ClaimsText().text(), forge::with(attacker)), now)),
            "bad_signature");
}

TEST(Jwt, NoVerifierTakesNothing) {
  EXPECT_EQ(outcome(TokenVerifier().verify(signed_token(ClaimsText().text()), now)), "unknown_key");
}

}  // namespace
}  // namespace auth
