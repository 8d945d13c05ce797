// Hashes of all four schemes made by others (libcrypt, argon2), the bounds on what a stored hash
// may ask for, and passwords at the edges.
#include "auth/password.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace auth {
namespace {

// All of "correct horse".
constexpr std::string_view bcrypt_b =
    "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
constexpr std::string_view bcrypt_a =
    "$2a$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2";
constexpr std::string_view bcrypt_y =
    "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
constexpr std::string_view scrypt =
    "$7$A6..../....abcdefgh$3.256d6OmfZjVHqbeeHZMUcaQ2QKOD.cdzwcnr4tL/6";
constexpr std::string_view yescrypt =
    "$y$j75$abcdefghijklmnop$1kKL1r02wT4HlcktLfzeoOHd1GFgv7Ay4JeEbqGj80B";
// "password" with the salt "somesalt", from the reference implementation's own test program.
constexpr std::string_view argon2id =
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ"
    "$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

TEST(Password, HashesOfOthersAreVerified) {
  for (const std::string_view hash : {bcrypt_b, bcrypt_a, bcrypt_y, scrypt, yescrypt}) {
    EXPECT_EQ(check_hash(hash), "") << hash;
    EXPECT_TRUE(verify_password(hash, "correct horse")) << hash;
    for (const std::string_view wrong : {"correct hors", "correct horse ", "Correct horse", ""}) {
      EXPECT_FALSE(verify_password(hash, wrong)) << hash << " with " << wrong;
    }
  }
  EXPECT_TRUE(verify_password(argon2id, "password"));
  EXPECT_FALSE(verify_password(argon2id, "Password"));
}

TEST(Password, WhatWasHashedIsVerified) {
  const std::string hash = hash_password("hunter2 \xC3\xA9").value();
  EXPECT_TRUE(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")) << hash;
  EXPECT_EQ(check_hash(hash), "");
  EXPECT_EQ(hash_warning(hash), "");
  EXPECT_TRUE(verify_password(hash, "hunter2 \xC3\xA9"));
  // The same letter in another Unicode form is another password.
  EXPECT_FALSE(verify_password(hash, "hunter2 e\xCC\x81"));
  EXPECT_NE(hash, hash_password("hunter2 \xC3\xA9").value());
}

// SECURITY I02.
TEST(Password, OverlongIsRefusedBeforeAnyHash) {
  const std::string hash = hash_password(std::string(password_bytes_max, 'p')).value();
  EXPECT_TRUE(verify_password(hash, std::string(password_bytes_max, 'p')));
  const auto before = std::chrono::steady_clock::now();
  EXPECT_FALSE(verify_password(hash, std::string(password_bytes_max + 1, 'p')));
  EXPECT_FALSE(verify_password(hash, std::string(100 * 1024 * 1024, 'p')));
  // One hash takes some 30 ms.
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds{1});
  EXPECT_EQ(hash_password(std::string(password_bytes_max + 1, 'p')).error(), Error::malformed);
  EXPECT_EQ(hash_password("").error(), Error::malformed);
}

// SECURITY I03.
TEST(Password, BcryptNeverCutsSilently) {
  constexpr std::string_view of_72_x =
      "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i";
  EXPECT_TRUE(verify_password(of_72_x, std::string(72, 'x')));
  EXPECT_FALSE(verify_password(of_72_x, std::string(73, 'x')));
  EXPECT_FALSE(verify_password(of_72_x, std::string(72, 'x') + "junk"));
  EXPECT_FALSE(verify_password(of_72_x, std::string(71, 'x')));
}

TEST(Password, NulIsRefused) {
  using std::string_literals::operator""s;
  for (const std::string_view hash : {bcrypt_b, scrypt, yescrypt}) {
    EXPECT_FALSE(verify_password(hash, "correct horse\0"s)) << hash;
    EXPECT_FALSE(verify_password(hash, "correct horse\0junk"s)) << hash;
  }
  EXPECT_FALSE(verify_password(argon2id, "password\0"s));
  EXPECT_EQ(hash_password("a\0b"s).error(), Error::malformed);
}

TEST(Password, LibcryptsLimitOf511BytesNeverCutsSilently) {
  for (const std::string_view hash : {scrypt, yescrypt}) {
    EXPECT_FALSE(verify_password(hash, std::string(511, 'x')));
    EXPECT_FALSE(verify_password(hash, std::string(512, 'x')));
    EXPECT_FALSE(verify_password(hash, std::string(1'024, 'x')));
  }
}

// SECURITY I04.
TEST(Password, HostileHashesAreRefusedWithoutRunningThem) {
  const std::string salt = "c29tZXNhbHQ";
  const std::string digest = "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
  const std::string tail = "$" + salt + "$" + digest;
  const std::vector<std::string> hashes{
      "", "x", "$", "$argon2id$", "plaintext", "{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=",
      "$apr1$abcdefgh$2iNhXDZc9TsjK7ovdqsOV1", "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0",
      "$5$saltsalt$", "$6$saltsalt$", "$argon2i$v=19$m=256,t=2,p=1" + tail,
      "$argon2d$v=19$m=256,t=2,p=1" + tail,
      "$argon2id$v=19$m=99999999,t=2,p=1" + tail, "$argon2id$v=19$m=262145,t=2,p=1" + tail,
      "$argon2id$v=19$m=4294967297,t=2,p=1" + tail, "$argon2id$v=19$m=8,t=2,p=2" + tail,
      "$argon2id$v=19$m=7,t=2,p=1" + tail, "$argon2id$v=19$m=256,t=0,p=1" + tail,
      "$argon2id$v=19$m=256,t=11,p=1" + tail, "$argon2id$v=19$m=256,t=2,p=0" + tail,
      "$argon2id$v=19$m=256,t=2,p=5" + tail, "$argon2id$v=16$m=256,t=2,p=1" + tail,
      "$argon2id$m=256,t=2,p=1" + tail, "$argon2id$v=19$m=0256,t=2,p=1" + tail,
      "$argon2id$v=19$m=-1,t=2,p=1" + tail, "$argon2id$v=19$m=256,t=2" + tail,
      "$argon2id$v=19$m=256,t=2,p=1,x=1" + tail, "$argon2id$v=19$t=2,m=256,p=1" + tail,
      "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$", "$argon2id$v=19$m=256,t=2,p=1$" + salt,
      "$argon2id$v=19$m=256,t=2,p=1$c29t$" + digest,
      "$argon2id$v=19$m=256,t=2,p=1$" + salt + "=$" + digest,
      "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + digest + "\xFF",
      "$argon2id$v=19$m=256,t=2,p=1" + tail + "$more",
      "$2b$16$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
      "$2b$31$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
      "$2b$03$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
      "$2b$4$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
      "$2b$04$abcdefghijklmnopqrstuvjydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
      "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6",
      "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6\xC3",
      "$2x$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
      "$7$z6..../....abcdefgh$3.256d6OmfZjVHqbeeHZMUcaQ2QKOD.cdzwcnr4tL/6",
      "$7$A..1../....abcdefgh$3.256d6OmfZjVHqbeeHZMUcaQ2QKOD.cdzwcnr4tL/6",
      "$7$Azzzzz/....abcdefgh$3.256d6OmfZjVHqbeeHZMUcaQ2QKOD.cdzwcnr4tL/6",
      "$7$A6....zzzzzabcdefgh$3.256d6OmfZjVHqbeeHZMUcaQ2QKOD.cdzwcnr4tL/6",
      "$7$A6..../....abcdefgh$3.256d6Omf", "$7$A6", "$7$",
      "$y$jzT$abcdefghijklmnop$1kKL1r02wT4HlcktLfzeoOHd1GFgv7Ay4JeEbqGj80B",
      "$y$jIT$abcdefghijklmnop$1kKL1r02wT4HlcktLfzeoOHd1GFgv7Ay4JeEbqGj80B",
      "$y$j751$abcdefghijklmnop$1kKL1r02wT4HlcktLfzeoOHd1GFgv7Ay4JeEbqGj80B",
      "$y$k75$abcdefghijklmnop$1kKL1r02wT4HlcktLfzeoOHd1GFgv7Ay4JeEbqGj80B",
      "$y$j75$$1kKL1r02wT4HlcktLfzeoOHd1GFgv7Ay4JeEbqGj80B", "$y$j75$", "$y$",
      "$argon2id$v=19$m=256,t=2,p=1$" + std::string(300, 'A') + "$" + digest};
  const auto before = std::chrono::steady_clock::now();
  for (const std::string& hash : hashes) {
    EXPECT_NE(check_hash(hash), "") << hash;
    EXPECT_FALSE(verify_password(hash, "password")) << hash;
    EXPECT_EQ(hash_parameters(hash), "") << hash;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds{1});
}

TEST(Password, EachTruncationIsRefused) {
  for (const std::string_view hash : {bcrypt_b, scrypt, yescrypt, argon2id}) {
    for (std::size_t length = 0; length < hash.size(); ++length) {
      const std::string cut(hash.substr(0, length));
      // An argon2 digest may be shorter; all others have one length.
      EXPECT_FALSE(verify_password(cut, hash == argon2id ? "password" : "correct horse")) << cut;
      if (hash != argon2id) {
        EXPECT_NE(check_hash(cut), "") << cut;
      }
    }
  }
}

TEST(Password, LargestAllowedCostsAreAccepted) {
  const std::string tail = "$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
  EXPECT_EQ(check_hash("$argon2id$v=19$m=262144,t=10,p=4" + tail), "");
  EXPECT_EQ(check_hash("$2b$15$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"), "");
  // N = 2^17, r = 8, p = 1, OWASP's first choice; N = 2^18 is 256 MiB.
  EXPECT_EQ(check_hash("$7$F6..../....abcdefgh$3.256d6OmfZjVHqbeeHZMUcaQ2QKOD.cdzwcnr4tL/6"), "");
  EXPECT_EQ(check_hash("$7$G6..../....abcdefgh$3.256d6OmfZjVHqbeeHZMUcaQ2QKOD.cdzwcnr4tL/6"), "");
  EXPECT_NE(check_hash("$7$H6..../....abcdefgh$3.256d6OmfZjVHqbeeHZMUcaQ2QKOD.cdzwcnr4tL/6"), "");
  // What passwd of Debian writes: N = 4096, r = 32.
  EXPECT_EQ(check_hash("$y$j9T$abcdefghijklmnop$0Hi8KsZH/hAMRN9Bam6ce3nmi5QAIz3R/KeaXG/c7p9"), "");
}

TEST(Password, WeakHashesAreWarnedAbout) {
  EXPECT_NE(hash_warning(bcrypt_b), "");
  EXPECT_NE(hash_warning(argon2id), "");
  EXPECT_NE(hash_warning(scrypt), "");
  EXPECT_NE(hash_warning(yescrypt), "");
  EXPECT_EQ(hash_warning("$2b$10$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"), "");
  EXPECT_EQ(hash_warning("$y$j9T$abcdefghijklmnop$0Hi8KsZH/hAMRN9Bam6ce3nmi5QAIz3R/KeaXG/c7p9"),
            "");
}

// SECURITY I01: the same scheme and cost, and nobody's password.
TEST(Password, DecoyCostsWhatItsModelCosts) {
  EXPECT_EQ(check_hash(decoy_hash()), "");
  EXPECT_EQ(hash_parameters(decoy_hash()), "$argon2id$v=19$m=19456,t=2,p=1$");
  for (const std::string_view hash : {bcrypt_b, scrypt, yescrypt, argon2id}) {
    const std::string decoy = decoy_like(hash);
    EXPECT_EQ(check_hash(decoy), "") << decoy;
    EXPECT_EQ(hash_parameters(decoy), hash_parameters(hash));
    EXPECT_NE(decoy, hash);
    EXPECT_FALSE(verify_password(decoy, hash == argon2id ? "password" : "correct horse"));
  }
  EXPECT_EQ(hash_parameters(bcrypt_b), "$2b$04$");
  EXPECT_EQ(hash_parameters(scrypt), "$7$A6..../....");
  EXPECT_EQ(hash_parameters(yescrypt), "$y$j75$");
}

}  // namespace
}  // namespace auth
