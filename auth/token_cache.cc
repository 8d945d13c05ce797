// One array of entries that never moves once full, chained from hash buckets and threaded by a
// list in order of use. Indices instead of pointers keep it compact; no lookup allocates.
#include "auth/token_cache.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "auth/bytes.h"

namespace auth {
namespace {

// The end of a token is the end of its signature: 96 bits that nobody chooses. Only tokens that
// verified are kept, so nobody can fill a bucket with collisions either, and no keyed hash over the
// whole token is needed. Multiplying folds the characters' upper bits into the lower ones.
std::uint64_t hash_of(std::string_view token) {
  std::array<std::uint64_t, 2> words{};
  const std::size_t size = std::min(token.size(), sizeof words);
  std::memcpy(words.data(), token.data() + token.size() - size, size);
  constexpr std::uint64_t odd = 0x9e3779b97f4a7c15;
  const std::uint64_t mixed = (words[0] * odd) ^ (words[1] + token.size());
  return (mixed * odd) ^ (mixed >> 29);
}

}  // namespace

struct TokenCache::Impl {
  using Index = std::uint32_t;
  static constexpr Index none = static_cast<Index>(-1);

  struct Entry {
    std::string token;
    CachedTokenRef cached;
    std::uint64_t hash = 0;
    Index chain = none;  // next in the bucket, or next free one
    Index newer = none;
    Index older = none;
  };

  explicit Impl(std::size_t entries_max)
      : capacity(std::clamp<std::size_t>(entries_max, 1, none - 1)),
        buckets(std::bit_ceil(capacity), none) {}

  [[nodiscard]] Index& bucket(std::uint64_t hash) { return buckets[hash & (buckets.size() - 1)]; }

  [[nodiscard]] Index look_up(std::string_view token, std::uint64_t hash) {
    Index at = bucket(hash);
    // The plain comparison leaks nothing: whoever reaches it knows the end of the signature.
    while (at != none && (entries[at].hash != hash || entries[at].token != token)) {
      at = entries[at].chain;
    }
    return at;
  }

  void link_newest(Index at) {
    entries[at].newer = none;
    entries[at].older = newest;
    (newest == none ? oldest : entries[newest].newer) = at;
    newest = at;
  }

  void unlink(Index at) {
    const Entry& entry = entries[at];
    (entry.newer == none ? newest : entries[entry.newer].older) = entry.older;
    (entry.older == none ? oldest : entries[entry.older].newer) = entry.newer;
  }

  void erase(Index at) {
    Index* link = &bucket(entries[at].hash);
    while (*link != at) {
      link = &entries[*link].chain;
    }
    *link = entries[at].chain;
    unlink(at);
    cleanse(entries[at].token);
    entries[at].cached.reset();
    entries[at].chain = free;
    free = at;
    --count;
  }

  [[nodiscard]] Index take_free() {
    if (count == capacity) erase(oldest);
    if (free == none) {
      entries.emplace_back();
      return static_cast<Index>(entries.size() - 1);
    }
    return std::exchange(free, entries[free].chain);
  }

  // Erases what the predicate picks. Reads every entry: a revocation is rare, and an index by
  // session would cost each of the frequent insertions.
  template <class Predicate>
  void erase_if(Predicate picks) {
    for (Index at = newest; at != none;) {
      const Index next = entries[at].older;
      if (picks(*entries[at].cached->principal)) erase(at);
      at = next;
    }
  }

  std::size_t capacity;
  std::size_t count = 0;
  std::vector<Entry> entries;
  std::vector<Index> buckets;
  Index newest = none;
  Index oldest = none;
  Index free = none;
};

TokenCache::TokenCache(std::size_t entries_max) : impl_(std::make_unique<Impl>(entries_max)) {}
TokenCache::~TokenCache() = default;

const CachedToken* TokenCache::find(std::string_view token, Time now) {
  const auto at = impl_->look_up(token, hash_of(token));
  if (at == Impl::none) return nullptr;
  if (now >= impl_->entries[at].cached->principal->expires_at) {
    impl_->erase(at);
    return nullptr;
  }
  if (at != impl_->newest) {
    impl_->unlink(at);
    impl_->link_newest(at);
  }
  return impl_->entries[at].cached.get();
}

const CachedToken* TokenCache::insert(std::string_view token, CachedTokenRef entry) {
  const std::uint64_t hash = hash_of(token);
  if (const auto old = impl_->look_up(token, hash); old != Impl::none) impl_->erase(old);
  const auto at = impl_->take_free();
  auto& fresh = impl_->entries[at];
  fresh.token = token;
  fresh.cached = std::move(entry);
  fresh.hash = hash;
  fresh.chain = std::exchange(impl_->bucket(hash), at);
  impl_->link_newest(at);
  ++impl_->count;
  return fresh.cached.get();
}

void TokenCache::erase_session(std::string_view session_id) {
  // Foreign tokens have no session of ours; the empty id must not mean all of them.
  if (session_id.empty()) return;
  impl_->erase_if([&](const Principal& principal) { return principal.session_id == session_id; });
}

void TokenCache::erase_subject(std::string_view subject) {
  impl_->erase_if([&](const Principal& principal) { return principal.subject == subject; });
}

void TokenCache::clear() {
  impl_->erase_if([](const Principal&) { return true; });
}

std::size_t TokenCache::size() const { return impl_->count; }

}  // namespace auth
