// Verified tokens of one worker, bounded. The key is the whole token (compared in full, found by
// its end), the value its principal and what the worker rendered from it. An entry dies at the
// token's expiry, when its session is revoked, and with the runtime snapshot it was made under
// (SECURITY G18). One thread; lookups allocate nothing.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "auth/policy.h"

namespace auth {

// What is known about a token that verified. `identity_headers` is filled once by the owner of the
// cache and then copied into each forwarded request.
struct CachedToken : boost::intrusive_ref_counter<CachedToken, boost::thread_unsafe_counter> {
  PrincipalRef principal;
  std::string identity_headers;
  // From when on presenting it proves that its client holds its generation (family.h); Time::max()
  // once that was noted. Kept by the owner of the cache.
  mutable Time prove_at = Time::max();
};
using CachedTokenRef = boost::intrusive_ptr<const CachedToken>;

class TokenCache {
 public:
  explicit TokenCache(std::size_t entries_max);
  ~TokenCache();
  TokenCache(const TokenCache&) = delete;
  TokenCache& operator=(const TokenCache&) = delete;

  // nullptr: not there, or expired at `now`. The pointer holds until the next non-const call;
  // take a reference to keep it longer.
  [[nodiscard]] const CachedToken* find(std::string_view token, Time now);
  // Evicts the least recently used entry when full.
  const CachedToken* insert(std::string_view token, CachedTokenRef entry);
  void erase_session(std::string_view session_id);
  void erase_subject(std::string_view subject);
  void clear();
  [[nodiscard]] std::size_t size() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace auth
