// The parts of a MemoryStore, for the two files that implement it: the calls (memory_store.cc) and
// the bytes of its snapshot (memory_snapshot.cc). Each part has its own locks.
#pragma once

#include <atomic>

#include "proxy/store/login_counters.h"
#include "proxy/store/memory_store.h"
#include "proxy/store/revocation_log.h"
#include "proxy/store/session_table.h"
#include "proxy/store/token_buckets.h"

namespace proxy::store {

struct MemoryStore::Impl {
  void set_options(const MemoryStoreOptions& wanted);
  [[nodiscard]] auth::FamilyRules rules() const {
    return {.grace = grace.load(), .idle_life = idle_life.load()};
  }
  // The newest revocation that this user's sessions fall under, if one is still remembered.
  [[nodiscard]] std::optional<auth::Time> revoked_at(const std::string& username) const;
  [[nodiscard]] auth::Time begin_of(const std::string& username, auth::Time now) const;
  // Remembers and publishes; the caller holds no lock and has filled in whose and why.
  void revoke(Revocation revocation, auth::Time now);
  void remember(Revocation revocation, auth::Time at, auth::Time now);
  // Adds a session of a snapshot, unless it is over or revoked.
  bool restore(const SavedSession& saved, auth::Time now);

  // Single values, because a reload changes them while workers read: each is right by itself.
  std::atomic<std::size_t> sessions_max{0};
  std::atomic<auth::milliseconds> grace{};
  std::atomic<auth::milliseconds> idle_life{};
  std::atomic<auth::milliseconds> absolute_life{};
  std::atomic<auth::milliseconds> access_life{};

  SessionTable sessions;
  LoginCounters logins;
  TokenBuckets buckets;
  RevocationLog log;
  Publish publish;
};

}  // namespace proxy::store
