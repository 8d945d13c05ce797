// The refresh token's format and the table of the rotation rule, row by row.
#include "auth/family.h"

#include "auth/bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace auth {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr Time start{seconds{1'800'000'000}};
constexpr FamilyRules rules{};  // grace 30 s, idle 7 days
constexpr milliseconds absolute_life{30LL * 24 * 3600 * 1000};

RefreshKeys one_key() { return RefreshKeys({{"r", std::string(32, 'k')}}); }

RefreshToken some_token() {
  RefreshToken token;
  for (std::size_t i = 0; i < token.family.size(); ++i) {
    token.family[i] = static_cast<std::uint8_t>(i * 7 + 1);
  }
  token.generation = 5;
  token.expires_at = start + hours{24};
  return token;
}

std::string body_of(const std::string& token) {
  return *base64url_decode(std::string_view(token).substr(refresh_token_prefix.size()));
}

std::string as_token(std::string_view body) {
  return std::string(refresh_token_prefix) + base64url_encode(body);
}

TEST(RefreshKeys, TokenIsAPureFunctionOfItsInputs) {
  const std::string first = one_key().mint(some_token());
  EXPECT_EQ(first, one_key().mint(some_token()));
  EXPECT_TRUE(first.starts_with("gh1."));
  EXPECT_LE(first.size(), 140U);
  RefreshToken other = some_token();
  ++other.generation;
  EXPECT_NE(first, one_key().mint(other));
}

// Made by another program from the description of the format: a change of the format would end all
// sessions, and each field's length is part of what is signed (SECURITY H15).
TEST(RefreshKeys, FormatIsTheDescribedOne) {
  EXPECT_EQ(one_key().mint(some_token()),
            "gh1.AXIBCA8WHSQrMjlAR05VXGNqAAAAAAAAAAUAAAAAa0sjgP"
            "exi6lqAuaahxgwy05Z1Jm1lRWJ5IeeD7gUem0-d04_");
}

TEST(RefreshKeys, WhatWasMintedIsRead) {
  const RefreshToken token = some_token();
  const auto read = one_key().read(one_key().mint(token), start);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->family, token.family);
  EXPECT_EQ(read->generation, token.generation);
  EXPECT_EQ(read->expires_at, token.expires_at);
}

TEST(RefreshKeys, EachFlippedBitIsRefused) {
  const RefreshKeys keys = one_key();
  const std::string body = body_of(keys.mint(some_token()));
  for (std::size_t bit = 0; bit < body.size() * 8; ++bit) {
    std::string changed = body;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(keys.read(as_token(changed), start)) << "bit " << bit;
  }
}

TEST(RefreshKeys, EachOtherCharacterIsRefused) {
  const RefreshKeys keys = one_key();
  const std::string token = keys.mint(some_token());
  for (std::size_t at = 0; at < token.size(); ++at) {
    for (const char c : {'A', 'b', '0', '-', '_', '=', ' ', '\n', '.', '%'}) {
      if (token[at] == c) continue;
      std::string changed = token;
      changed[at] = c;
      EXPECT_FALSE(keys.read(changed, start)) << at << " becomes " << c;
    }
  }
}

TEST(RefreshKeys, ForgedIsNeverAccepted) {
  const RefreshKeys keys = one_key();
  std::mt19937_64 random(1);
  std::string body = body_of(keys.mint(some_token()));
  for (int i = 0; i < 20'000; ++i) {
    for (std::size_t at = body.size() - 32; at < body.size(); ++at) {
      body[at] = static_cast<char>(random());
    }
    ASSERT_FALSE(keys.read(as_token(body), start));
  }
  const RefreshKeys attacker({{"r", std::string(32, 'x')}});
  EXPECT_EQ(keys.read(attacker.mint(some_token()), start).error(), Error::bad_signature);
}

TEST(RefreshKeys, MalformedIsRefusedAsSuch) {
  const RefreshKeys keys = one_key();
  const std::string token = keys.mint(some_token());
  const std::string body = body_of(token);
  for (const std::string& text :
       {std::string{}, std::string("gh1."), std::string("gh1.AAAA"), std::string("GH1.") +
        token.substr(4), "gh2." + token.substr(4), token + "=", token + "A", " " + token,
        token.substr(0, token.size() - 1), as_token(body + "x"), as_token(body.substr(1)),
        as_token(body.substr(0, body.size() - 1)), as_token('\0' + body.substr(2)),
        as_token('\xFF' + body.substr(1)), std::string(100'000, 'A'),
        "gh1." + std::string(100'000, 'A')}) {
    EXPECT_EQ(keys.read(text, start).error(), Error::malformed) << text.substr(0, 200);
  }
}

TEST(RefreshKeys, ExpiresAtItsSecondAndNotBefore) {
  const RefreshKeys keys = one_key();
  const RefreshToken token = some_token();
  EXPECT_TRUE(keys.read(keys.mint(token), token.expires_at - milliseconds{1}));
  EXPECT_EQ(keys.read(keys.mint(token), token.expires_at).error(), Error::expired);
}

TEST(RefreshKeys, RetiringKeyStillReadsButNoLongerMints) {
  const RefreshKey old_key{"old", std::string(32, 'o')};
  const RefreshKey new_key{"new", std::string(32, 'n')};
  const RefreshKeys before({old_key});
  const RefreshKeys during({old_key, new_key}, "new");
  const RefreshKeys after({new_key});
  EXPECT_TRUE(during.read(before.mint(some_token()), start));
  EXPECT_TRUE(after.read(during.mint(some_token()), start));
  EXPECT_EQ(after.read(before.mint(some_token()), start).error(), Error::unknown_key);
  EXPECT_EQ(RefreshKeys{}.read(before.mint(some_token()), start).error(), Error::unknown_key);
}

TEST(RefreshKeys, RefusesKeysThatCannotBeTold) {
  const std::string secret(32, 'k');
  EXPECT_THROW(RefreshKeys({{"", secret}}), std::invalid_argument);
  EXPECT_THROW(RefreshKeys({{std::string(33, 'a'), secret}}), std::invalid_argument);
  EXPECT_THROW(RefreshKeys({{"a", std::string(31, 'k')}}), std::invalid_argument);
  EXPECT_THROW(RefreshKeys({{"a", secret}, {"a", secret}}), std::invalid_argument);
  EXPECT_THROW(RefreshKeys({{"a", secret}}, "b"), std::invalid_argument);
  const RefreshKeys longest({{std::string(32, 'a'), secret}});
  EXPECT_TRUE(longest.read(longest.mint(some_token()), start));
}

// SECURITY H16.
TEST(RefreshKeys, DatesBeyond2038AreOrdinary) {
  const RefreshKeys keys = one_key();
  for (const std::int64_t second : {2'147'483'647LL, 2'147'483'648LL, 4'294'967'296LL,
                                    253'402'300'799LL}) {
    RefreshToken token = some_token();
    token.expires_at = Time{seconds{second}};
    const auto read = keys.read(keys.mint(token), token.expires_at - seconds{1});
    ASSERT_TRUE(read) << second;
    EXPECT_EQ(read->expires_at, token.expires_at);
    EXPECT_EQ(keys.read(keys.mint(token), token.expires_at).error(), Error::expired);
  }
}

// SECURITY H15: with one secret for all kids, only the lengths keep ("ab", "c...") and ("a",
// "bc...") apart.
TEST(RefreshKeys, NoTwoTokensShareAMacInput) {
  const std::string secret(32, 'k');
  const std::vector<RefreshKeys> rings{RefreshKeys({{"a", secret}}), RefreshKeys({{"ab", secret}}),
                                       RefreshKeys({{"abc", secret}})};
  std::set<std::string> macs;
  std::size_t count = 0;
  const auto note = [&](const RefreshKeys& keys, const RefreshToken& token) {
    const std::string body = body_of(keys.mint(token));
    macs.insert(body.substr(body.size() - 32));
    ++count;
  };
  const auto shifted = [](std::string_view front) {
    RefreshToken token;
    token.family.fill('x');
    std::copy(front.begin(), front.end(), token.family.begin());
    return token;
  };
  note(rings[0], shifted("bc"));
  note(rings[1], shifted("c"));
  note(rings[2], shifted(""));
  std::mt19937_64 random(2);
  for (int i = 0; i < 60'000; ++i) {
    RefreshToken token;
    token.family.fill(static_cast<std::uint8_t>(i % 3));
    token.generation = static_cast<std::uint64_t>(i / 3);
    token.expires_at = start + seconds{random() % 1'000'000};
    note(rings[random() % rings.size()], token);
  }
  EXPECT_EQ(macs.size(), count);
}

TEST(RefreshKeys, SnapshotKeyFollowsTheActiveKey) {
  const RefreshKey a{"a", std::string(32, 'a')};
  const RefreshKey b{"b", std::string(32, 'b')};
  EXPECT_EQ(RefreshKeys({a}).snapshot_key().size(), 32U);
  EXPECT_EQ(RefreshKeys({a}).snapshot_key(), RefreshKeys({b, a}, "a").snapshot_key());
  EXPECT_NE(RefreshKeys({a}).snapshot_key(), RefreshKeys({b}).snapshot_key());
  EXPECT_NE(RefreshKeys({a}).snapshot_key(), a.secret);
  EXPECT_EQ(RefreshKeys{}.snapshot_key(), "");
}

TEST(FamilyId, TextHasExactlyOneForm) {
  const FamilyId id = new_family_id().value();
  const std::string text = to_text(id);
  EXPECT_EQ(text.size(), 22U);
  EXPECT_EQ(family_from_text(text), id);
  EXPECT_NE(new_family_id().value(), id);
  EXPECT_EQ(family_from_text(std::string(22, 'A')), FamilyId{});
  // The last character has two bits that count: any others would be a second spelling.
  EXPECT_FALSE(family_from_text(std::string(21, 'A') + "B"));
  for (const std::string& other : {std::string{}, text + "=", text + "A", text.substr(1),
                                   " " + text.substr(1), std::string(22, '+')}) {
    EXPECT_FALSE(family_from_text(other)) << other;
  }
}

// A family at generation `gen` whose last rotation was long ago.
FamilyRecord settled(std::uint64_t gen) {
  FamilyRecord record = new_family(start, absolute_life, rules);
  record.gen = gen;
  record.base = gen == 0 ? 0 : gen - 1;
  record.floor = record.base;
  return record;
}

TEST(Family, FirstRefreshRotatesAtOnce) {
  FamilyRecord record = new_family(start, absolute_life, rules);
  const Rotation rotation = rotate(record, 0, start, rules);
  EXPECT_EQ(rotation.outcome, Outcome::rotated);
  EXPECT_EQ(rotation.generation, 1U);
}

TEST(Family, NewestRotates) {
  FamilyRecord record = settled(5);
  record.proven_at = start;
  EXPECT_EQ(rotate(record, 5, start, rules).outcome, Outcome::rotated);
  EXPECT_EQ(record.gen, 6U);
  EXPECT_EQ(record.base, 5U);
  EXPECT_EQ(record.floor, 4U);
  EXPECT_EQ(record.made_at, start);
  EXPECT_FALSE(record.proven_at);
}

// SECURITY H01: whatever comes within grace, from whichever tab, gets one and the same successor.
TEST(Family, AllWithinGraceGetTheSameSuccessor) {
  FamilyRecord record = settled(5);
  ASSERT_EQ(rotate(record, 5, start, rules).generation, 6U);
  for (const std::uint64_t shown : {5U, 6U, 5U, 4U, 6U}) {
    const Rotation rotation = rotate(record, shown, start + seconds{29}, rules);
    EXPECT_EQ(rotation.outcome, Outcome::replayed) << shown;
    EXPECT_EQ(rotation.generation, 6U);
  }
}

TEST(Family, GraceEndsAtItsLastMillisecond) {
  FamilyRecord record = settled(5);
  static_cast<void>(rotate(record, 5, start, rules));
  FamilyRecord later = record;
  EXPECT_EQ(rotate(record, 6, start + seconds{30} - milliseconds{1}, rules).outcome,
            Outcome::replayed);
  EXPECT_EQ(rotate(later, 6, start + seconds{30}, rules).outcome, Outcome::rotated);
}

TEST(Family, LostAnswerIsReissuedAndVoidsWhatWasBetween) {
  FamilyRecord record = settled(5);
  static_cast<void>(rotate(record, 5, start, rules));
  const Time later = start + seconds{31};
  const Rotation rotation = rotate(record, 5, later, rules);
  EXPECT_EQ(rotation.outcome, Outcome::reissued);
  EXPECT_EQ(rotation.generation, 7U);
  EXPECT_EQ(record.base, 5U);
  // Generation 6 was made for whoever never showed it. Now somebody does.
  FamilyRecord quick = record;
  EXPECT_EQ(rotate(quick, 6, later + seconds{1}, rules).outcome, Outcome::replayed);
  EXPECT_EQ(rotate(record, 6, later + seconds{31}, rules).outcome, Outcome::reuse);
}

TEST(Family, BaseIsReplayedForGraceAfterTheProof) {
  FamilyRecord record = settled(5);
  static_cast<void>(rotate(record, 5, start, rules));
  const Time proof = start + seconds{40};
  ASSERT_TRUE(prove(record, 6, proof, rules));
  EXPECT_EQ(rotate(record, 5, proof + seconds{29}, rules).outcome, Outcome::replayed);
  EXPECT_EQ(rotate(record, 5, proof + seconds{30}, rules).outcome, Outcome::reuse);
}

// SECURITY H02.
TEST(Family, ReuseAfterGraceRevokes) {
  FamilyRecord record = settled(5);
  static_cast<void>(rotate(record, 5, start, rules));
  static_cast<void>(rotate(record, 6, start + seconds{31}, rules));
  EXPECT_EQ(rotate(record, 5, start + seconds{62}, rules).outcome, Outcome::reuse);
  EXPECT_TRUE(record.revoked);
  EXPECT_EQ(rotate(record, 7, start + seconds{63}, rules).outcome, Outcome::dead);
}

TEST(Family, BelowTheFloorIsReuseEvenWithinGrace) {
  FamilyRecord record = settled(5);
  static_cast<void>(rotate(record, 5, start, rules));
  EXPECT_EQ(rotate(record, 3, start + seconds{1}, rules).outcome, Outcome::reuse);
}

// SECURITY H03: the thief is first and goes on with what it got; the victim's token is old then.
TEST(Family, VictimAfterAProvenThiefEndsBoth) {
  FamilyRecord record = settled(1);
  ASSERT_EQ(rotate(record, 1, start, rules).generation, 2U);            // thief
  ASSERT_TRUE(prove(record, 2, start + seconds{31}, rules));            // thief's access token
  EXPECT_EQ(rotate(record, 1, start + seconds{62}, rules).outcome, Outcome::reuse);  // victim
  EXPECT_EQ(rotate(record, 2, start + seconds{63}, rules).outcome, Outcome::dead);   // thief
}

TEST(Family, QuietThiefIsFoundByItsNextRefresh) {
  FamilyRecord record = settled(1);
  ASSERT_EQ(rotate(record, 1, start, rules).generation, 2U);                          // thief
  EXPECT_EQ(rotate(record, 1, start + seconds{62}, rules).outcome, Outcome::reissued);  // victim
  EXPECT_EQ(rotate(record, 2, start + seconds{93}, rules).outcome, Outcome::reuse);   // thief
}

// SECURITY X-28: a failover lost the last writes.
TEST(Family, TokenAheadOfTheStoreRepairsIt) {
  FamilyRecord record = settled(5);
  for (const std::uint64_t ahead : {6U, 9U}) {
    FamilyRecord copy = record;
    const Rotation rotation = rotate(copy, ahead, start, rules);
    EXPECT_EQ(rotation.outcome, Outcome::repaired);
    EXPECT_EQ(rotation.generation, ahead + 1);
    EXPECT_EQ(copy.base, ahead);
    EXPECT_EQ(copy.floor, 4U);
    EXPECT_FALSE(copy.proven_at);
  }
}

TEST(Family, GenerationNeverWraps) {
  FamilyRecord record = settled(5);
  EXPECT_EQ(rotate(record, ~std::uint64_t{0}, start, rules).outcome, Outcome::dead);
  EXPECT_EQ(rotate(record, generation_max + 1, start, rules).outcome, Outcome::dead);
  EXPECT_EQ(record.gen, 5U);
}

// SECURITY H04.
TEST(Family, DiesAtTheAbsoluteEndHoweverBusy) {
  const FamilyRules quick{.grace = seconds{30}, .idle_life = hours{1}};
  FamilyRecord record = new_family(start, hours{24}, quick);
  const Time end = start + hours{24};
  std::uint64_t shown = 0;
  for (Time now = start; now < end; now += seconds{60}) {
    const Rotation rotation = rotate(record, shown, now, quick);
    ASSERT_EQ(rotation.outcome, Outcome::rotated);
    ASSERT_LE(record.idle_expires_at, end);
    shown = rotation.generation;
  }
  FamilyRecord last = record;
  EXPECT_NE(rotate(last, shown, end - milliseconds{1}, quick).outcome, Outcome::dead);
  EXPECT_EQ(rotate(record, shown, end, quick).outcome, Outcome::dead);
}

TEST(Family, DiesWhenIdle) {
  FamilyRecord record = new_family(start, absolute_life, rules);
  const Time idle_end = start + rules.idle_life;
  EXPECT_EQ(record.idle_expires_at, idle_end);
  FamilyRecord other = record;
  EXPECT_EQ(rotate(record, 0, idle_end, rules).outcome, Outcome::dead);
  EXPECT_EQ(rotate(other, 0, idle_end - milliseconds{1}, rules).outcome, Outcome::rotated);
  EXPECT_EQ(other.idle_expires_at, idle_end - milliseconds{1} + rules.idle_life);
}

TEST(Family, EndOfTokenAndFamilyAreTheSameInstant) {
  const Time odd = start + milliseconds{123};
  const FamilyRecord record = new_family(odd, hours{1}, rules);
  RefreshToken token = some_token();
  token.expires_at = record.absolute_expires_at;
  const auto read = one_key().read(one_key().mint(token), odd);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->expires_at, record.absolute_expires_at);
  EXPECT_GE(record.absolute_expires_at, odd + hours{1});
}

TEST(Family, TimeInTheFutureCountsAsNow) {
  FamilyRecord record = settled(5);
  static_cast<void>(rotate(record, 5, start, rules));
  const Time back = start - hours{1};
  EXPECT_EQ(rotate(record, 6, back, rules).outcome, Outcome::replayed);
  EXPECT_EQ(record.made_at, back);
  EXPECT_EQ(rotate(record, 6, back + seconds{30}, rules).outcome, Outcome::rotated);
}

TEST(Family, ProofCountsOnceForTheNewestAndAfterGrace) {
  FamilyRecord record = settled(5);
  static_cast<void>(rotate(record, 5, start, rules));
  EXPECT_FALSE(prove(record, 6, start + seconds{29}, rules));
  EXPECT_FALSE(prove(record, 5, start + seconds{31}, rules));
  EXPECT_TRUE(prove(record, 6, start + seconds{31}, rules));
  EXPECT_FALSE(prove(record, 6, start + seconds{90}, rules));
  EXPECT_EQ(record.proven_at, start + seconds{31});
  record.revoked = true;
  record.proven_at.reset();
  EXPECT_FALSE(prove(record, 6, start + seconds{91}, rules));
}

TEST(Family, ZeroGraceRotatesEachTime) {
  const FamilyRules strict{.grace = milliseconds{0}, .idle_life = hours{1}};
  FamilyRecord record = new_family(start, absolute_life, strict);
  EXPECT_EQ(rotate(record, 0, start, strict).generation, 1U);
  EXPECT_EQ(rotate(record, 1, start, strict).generation, 2U);
  EXPECT_EQ(rotate(record, 0, start, strict).outcome, Outcome::reuse);
}

}  // namespace
}  // namespace auth
