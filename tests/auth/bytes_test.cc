// Encodings, digests, randomness and comparison (auth/bytes).
#include "auth/bytes.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <cctype>
#include <random>
#include <set>

#include "vectors.h"

namespace auth {
namespace {

std::string text_of(const Digest& digest) {
  return hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

TEST(Base64Url, RoundTripsEveryLength) {
  std::string bytes;
  for (int length = 0; length < 300; ++length) {
    const auto text = base64url_encode(bytes);
    EXPECT_EQ(text.find_first_of("=+/\n "), std::string::npos);
    EXPECT_EQ(base64url_decode(text), bytes) << length;
    bytes.push_back(static_cast<char>(length * 37));
  }
}

TEST(Base64Url, KnownAnswers) {
  EXPECT_EQ(base64url_encode(""), "");
  EXPECT_EQ(base64url_encode("f"), "Zg");
  EXPECT_EQ(base64url_encode("fo"), "Zm8");
  EXPECT_EQ(base64url_encode("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64url_encode("\xfb\xff"), "-_8");
}

TEST(Base64Url, G14RefusesWhatLooseDecodersTake) {
  // OpenSSL's EVP_DecodeBlock takes the first six.
  for (const std::string text :
       {"Zm9=", "Zh==", "=m9v", "Zm9v\n", "Zm9v ", " Zm9v", "Zm9v=", "Zg==", "Zm+v", "Zm/v", "Z",
        "Zm9vY", "Zm%39v", "Zm9v\r\n", "Zm 9v"}) {
    EXPECT_FALSE(base64url_decode(text)) << text;
  }
  EXPECT_FALSE(base64url_decode(std::string_view("Zm9\0", 4)));
}

TEST(Base64Url, G14RefusesUnusedBitsThatAreNotZero) {
  EXPECT_TRUE(base64url_decode("Zg"));
  EXPECT_FALSE(base64url_decode("Zh"));
  EXPECT_TRUE(base64url_decode("Zm8"));
  EXPECT_FALSE(base64url_decode("Zm9"));
}

TEST(Base64Url, RefusesEveryByteOutsideItsAlphabet) {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = {'Z', static_cast<char>(byte), '9', 'v'};
    const bool belongs = alphabet.find(static_cast<char>(byte)) != std::string::npos;
    EXPECT_EQ(base64url_decode(text).has_value(), belongs) << byte;
  }
}

// One text for each byte string: otherwise a revoked or cached token would have a second spelling.
TEST(Base64Url, WhatDecodesIsExactlyWhatEncodes) {
  std::mt19937 random(1);
  int decoded = 0;
  const std::string likely = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=";
  for (int i = 0; i < 300'000; ++i) {
    std::string text(random() % 12, 'A');
    for (auto& c : text) {
      c = likely[random() % likely.size()];
    }
    if (const auto bytes = base64url_decode(text)) {
      ++decoded;
      ASSERT_EQ(base64url_encode(*bytes), text);
    }
  }
  EXPECT_GT(decoded, 1000);
}

TEST(Base64, NeedsItsPadding) {
  EXPECT_EQ(base64_decode("Zg=="), "f");
  EXPECT_EQ(base64_decode("Zm8="), "fo");
  EXPECT_EQ(base64_decode("+/8="), "\xfb\xff");
  EXPECT_EQ(base64_decode(""), "");
  for (const std::string text :
       {"Zg", "Zg=", "Zg===", "Zh==", "Z===", "====", "-_8=", "Zm9v\n", "Zg==Zg==", "Zm9v Zm9v"}) {
    EXPECT_FALSE(base64_decode(text)) << text;
  }
}

TEST(Digests, KnownAnswers) {
  EXPECT_EQ(text_of(sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // RFC 4231 test case 2.
  EXPECT_EQ(text_of(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(text_of(hmac_sha256("", "")),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
  // RFC 5869 test case 3.
  EXPECT_EQ(hex(hkdf_sha256(std::string(22, '\x0b'), "", 42)),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(Random, IsLongEnoughAndDifferent) {
  std::set<std::string> seen;
  for (int i = 0; i < 10'000; ++i) {
    seen.insert(random_bytes(16).value());
  }
  EXPECT_EQ(seen.size(), 10'000u);
  EXPECT_EQ(random_bytes(0).value(), "");
}

TEST(Constant, ComparesLengthAndContent) {
  EXPECT_TRUE(equal_constant_time("", ""));
  EXPECT_TRUE(equal_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_constant_time("abc", "ab"));
  EXPECT_FALSE(equal_constant_time("", "a"));
}

TEST(Seal, OpensOnlyWhatItSealed) {
  const std::string key(32, 'k');
  const auto sealed = seal(key, "plain text", "about").value();
  EXPECT_EQ(open_sealed(key, sealed, "about").value(), "plain text");
  EXPECT_NE(seal(key, "plain text", "about").value(), sealed);
  EXPECT_EQ(open_sealed(key, sealed, "other").error(), Error::bad_signature);
  EXPECT_EQ(open_sealed(std::string(32, 'l'), sealed, "about").error(), Error::bad_signature);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    auto broken = sealed;
    broken[i] = static_cast<char>(broken[i] ^ 1);
    EXPECT_EQ(open_sealed(key, broken, "about").error(), Error::bad_signature) << i;
  }
  for (std::size_t length = 0; length < sealed.size(); ++length) {
    EXPECT_FALSE(open_sealed(key, sealed.substr(0, length), "about")) << length;
  }
  EXPECT_EQ(seal("short", "x", "").error(), Error::malformed);
  EXPECT_EQ(open_sealed(key, seal(key, "", "").value(), "").value(), "");
}

TEST(Seal, HandlesLargeTexts) {
  const std::string key(32, 'k');
  const std::string plain(3'000'000, 'x');
  EXPECT_EQ(open_sealed(key, seal(key, plain, "a").value(), "a").value(), plain);
}

TEST(Cleanse, LeavesNothing) {
  std::string secret(100, 's');
  const char* const where = secret.data();
  cleanse(secret);
  EXPECT_TRUE(secret.empty());
  EXPECT_EQ(where, secret.data());
  secret.resize(100, '\0');
  EXPECT_EQ(secret.find('s'), std::string::npos);
}

// True where `word` stands in the line and is not the end of a longer name.
bool has_word(std::string_view line, std::string_view word) {
  for (auto at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
    const char before = at == 0 ? ' ' : line[at - 1];
    if (before != '_' && std::isalnum(static_cast<unsigned char>(before)) == 0) return true;
  }
  return false;
}

// Lines of our sources, without comments, that have one of the words.
std::vector<std::string> lines_with(const std::vector<std::string>& words) {
  std::vector<std::string> found;
  for (const char* const folder : {"auth", "config", "proxy"}) {
    const auto root = vectors::source_dir() / folder;
    for (const auto& file : std::filesystem::recursive_directory_iterator(root)) {
      if (file.path().extension() != ".cc" && file.path().extension() != ".h") continue;
      std::istringstream lines(vectors::text(file.path()));
      for (std::string line; std::getline(lines, line);) {
        line = line.substr(0, line.find("//"));
        for (const auto& word : words) {
          if (has_word(line, word)) found.push_back(file.path().string() + ": " + line);
        }
      }
    }
  }
  return found;
}

TEST(Sources, G17CompareSecretsWithCryptoMemcmpOnly) {
  EXPECT_EQ(lines_with({"memcmp("}), std::vector<std::string>());
  EXPECT_EQ(lines_with({"CRYPTO_memcmp("}).size(), 1u);
}

TEST(Sources, H19DrawRandomnessFromOpenSslOnly) {
  EXPECT_EQ(lines_with({"mt19937", "random_device", "rand(", "srand(", "random(", "drand48",
                        "minstd_rand", "ranlux"}),
            std::vector<std::string>());
}

}  // namespace
}  // namespace auth
