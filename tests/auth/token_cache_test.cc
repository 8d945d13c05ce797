// The cache of verified tokens (auth/token_cache). G18: a hit must never outlive what made it true.
#include "auth/token_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "allocations.h"

namespace auth {
namespace {

const Time now{milliseconds{1'700'000'000'000}};

CachedTokenRef entry(const std::string& subject, const std::string& session = "",
                     Time expires_at = now + milliseconds{1000}) {
  const boost::intrusive_ptr<Principal> principal(new Principal);
  principal->subject = subject;
  principal->session_id = session;
  principal->expires_at = expires_at;
  const boost::intrusive_ptr<CachedToken> cached(new CachedToken);
  cached->principal = principal;
  return cached;
}

std::string subject_of(TokenCache& cache, const std::string& token, Time at = now) {
  const auto* const found = cache.find(token, at);
  return found == nullptr ? "" : found->principal->subject;
}

TEST(TokenCache, FindsWhatWasPutIn) {
  TokenCache cache(10);
  EXPECT_EQ(cache.find("a.b.c", now), nullptr);
  const auto* const inserted = cache.insert("a.b.c", entry("alice"));
  EXPECT_EQ(cache.find("a.b.c", now), inserted);
  EXPECT_EQ(inserted->principal->subject, "alice");
  EXPECT_EQ(cache.size(), 1u);
}

TEST(TokenCache, G18ComparesTheWholeToken) {
  TokenCache cache(10);
  cache.insert("a.b.c", entry("alice"));
  for (const char* const other : {"a.b.d", "a.b.", "a.b.cc", "A.b.c", "", "a.b.c "}) {
    EXPECT_EQ(cache.find(other, now), nullptr) << other;
  }
  EXPECT_EQ(cache.find(std::string_view("a.b.c\0", 6), now), nullptr);
}

TEST(TokenCache, G18AnEntryDiesAtItsExpiryToTheMillisecond) {
  TokenCache cache(10);
  cache.insert("t", entry("alice", "", now + milliseconds{1000}));
  EXPECT_NE(cache.find("t", now + milliseconds{999}), nullptr);
  EXPECT_EQ(cache.find("t", now + milliseconds{1000}), nullptr);
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_EQ(cache.find("t", now), nullptr) << "an expired entry does not come back";
}

TEST(TokenCache, G18RevokingASessionErasesItsTokensAndNoOthers) {
  TokenCache cache(10);
  cache.insert("t1", entry("alice", "s1"));
  cache.insert("t2", entry("alice", "s1"));
  cache.insert("t3", entry("alice", "s2"));
  cache.insert("t4", entry("foreign", ""));
  cache.erase_session("s1");
  EXPECT_EQ(subject_of(cache, "t1"), "");
  EXPECT_EQ(subject_of(cache, "t2"), "");
  EXPECT_EQ(subject_of(cache, "t3"), "alice");
  EXPECT_EQ(subject_of(cache, "t4"), "foreign");
  cache.erase_session("");
  EXPECT_EQ(cache.size(), 2u) << "the empty id means no session, not every one";
}

TEST(TokenCache, G18RevokingAUserErasesAllOfTheirTokens) {
  TokenCache cache(10);
  cache.insert("t1", entry("alice", "s1"));
  cache.insert("t2", entry("bob", "s2"));
  cache.insert("t3", entry("alice", "s3"));
  cache.erase_subject("alice");
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_EQ(subject_of(cache, "t2"), "bob");
}

TEST(TokenCache, G18AReloadEmptiesIt) {
  TokenCache cache(10);
  for (int i = 0; i < 20; ++i) {
    cache.insert(std::to_string(i), entry("alice"));
  }
  cache.clear();
  EXPECT_EQ(cache.size(), 0u);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(cache.find(std::to_string(i), now), nullptr);
  }
  cache.insert("t", entry("bob"));
  EXPECT_EQ(subject_of(cache, "t"), "bob");
}

TEST(TokenCache, EvictsTheLeastRecentlyUsed) {
  TokenCache cache(3);
  cache.insert("a", entry("a"));
  cache.insert("b", entry("b"));
  cache.insert("c", entry("c"));
  EXPECT_EQ(subject_of(cache, "a"), "a");
  cache.insert("d", entry("d"));
  EXPECT_EQ(subject_of(cache, "b"), "");
  EXPECT_EQ(subject_of(cache, "a"), "a");
  EXPECT_EQ(subject_of(cache, "c"), "c");
  EXPECT_EQ(subject_of(cache, "d"), "d");
  EXPECT_EQ(cache.size(), 3u);
}

TEST(TokenCache, TheSameTokenReplacesItsEntry) {
  TokenCache cache(3);
  cache.insert("a", entry("old"));
  cache.insert("a", entry("new"));
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_EQ(subject_of(cache, "a"), "new");
}

TEST(TokenCache, HoldsOneEntryEvenWithoutRoom) {
  TokenCache cache(0);
  const auto* const inserted = cache.insert("a", entry("a"));
  EXPECT_EQ(inserted->principal->subject, "a");
  cache.insert("b", entry("b"));
  EXPECT_EQ(cache.size(), 1u);
}

TEST(TokenCache, AReferenceOutlivesItsEntry) {
  TokenCache cache(1);
  const CachedTokenRef kept(cache.insert("a", entry("alice")));
  cache.insert("b", entry("bob"));
  EXPECT_EQ(kept->principal->subject, "alice");
  cache.clear();
  EXPECT_EQ(kept->principal->subject, "alice");
}

TEST(TokenCache, LookupsAllocateNothing) {
  TokenCache cache(1000);
  const std::string prefix(400, 'x');
  std::vector<std::string> tokens;
  for (int i = 0; i < 1000; ++i) {
    tokens.push_back(prefix + std::to_string(i));
    cache.insert(tokens.back(), entry("alice"));
  }
  const auto before = allocations();
  std::size_t hits = 0;
  for (int round = 0; round < 100; ++round) {
    for (const auto& token : tokens) {
      hits += cache.find(token, now) != nullptr ? 1 : 0;
    }
    hits += cache.find("absent", now) != nullptr ? 1 : 0;
  }
  EXPECT_EQ(allocations(), before);
  EXPECT_EQ(hits, 100'000u);
}

// The same operations on the cache and on a plain list kept in order of use.
TEST(TokenCache, AgreesWithAPlainModelOverRandomOperations) {
  struct Model {
    std::string token;
    std::string session;
    Time expires_at;
  };
  constexpr std::size_t capacity = 16;
  TokenCache cache(capacity);
  std::vector<Model> model;  // newest first
  std::mt19937 random(7);
  Time at = now;
  for (int step = 0; step < 200'000; ++step) {
    at += milliseconds{random() % 3};
    const auto token = std::to_string(random() % 40);
    const auto position =
        std::find_if(model.begin(), model.end(), [&](const Model& m) { return m.token == token; });
    switch (random() % 16) {
      case 0: {
        const auto session = "s" + std::to_string(random() % 5);
        std::erase_if(model, [&](const Model& m) { return m.session == session; });
        cache.erase_session(session);
        break;
      }
      case 1:
      case 2:
      case 3:
      case 4:
      case 5: {
        const auto session = "s" + std::to_string(random() % 5);
        const auto expires_at = at + milliseconds{1 + random() % 100};
        if (position != model.end()) model.erase(position);
        if (model.size() == capacity) model.pop_back();
        model.insert(model.begin(), {token, session, expires_at});
        cache.insert(token, entry("u", session, expires_at));
        break;
      }
      default: {
        const bool expected = position != model.end() && at < position->expires_at;
        ASSERT_EQ(cache.find(token, at) != nullptr, expected) << step;
        if (position != model.end()) {
          const Model used = *position;
          model.erase(position);
          if (expected) model.insert(model.begin(), used);
        }
      }
    }
    ASSERT_EQ(cache.size(), model.size()) << step;
  }
}

}  // namespace
}  // namespace auth
