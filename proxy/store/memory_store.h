// Sessions in this process, shared by all workers: striped by family, a mutex a stripe, none held
// across a suspension and none taken for a forwarded request. Bounded by `sessions_max`: when full
// the oldest session of the same user goes first, otherwise logins are refused (never somebody
// else's session). Expired entries are swept a few at a time as the store is used.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "proxy/store/session_store.h"

namespace proxy::store {

struct MemoryStoreOptions {
  std::size_t sessions_max = 1'000'000;
  auth::FamilyRules rules{};
  auth::milliseconds absolute_life{30LL * 24 * 3600 * 1000};
  auth::milliseconds access_life{15 * 60 * 1000};  // how long a revocation has to be remembered
};

class MemoryStore final : public SessionStore {
 public:
  // `publish` is called on the calling thread, outside every lock, for each revocation.
  using Publish = std::function<void(const Revocation&)>;
  MemoryStore(MemoryStoreOptions options, Publish publish);
  ~MemoryStore() override;

  net::Task<Result<Session>> create(const NewSession& session) override;
  net::Task<Result<Rotated>> rotate(const auth::FamilyId& family, std::uint64_t generation,
                                    bool active, auth::Time now) override;
  void prove(const auth::FamilyId& family, std::uint64_t generation, auth::Time now) override;
  net::Task<Result<std::optional<Session>>> find(const auth::FamilyId& family,
                                                 auth::Time now) override;
  net::Task<Result<std::string>> profile(const auth::FamilyId& family, auth::Time now) override;
  net::Task<Result<bool>> revoke(const auth::FamilyId& family, RevokeReason reason,
                                 auth::Time now) override;
  net::Task<Result<std::size_t>> revoke_user(std::string_view username, RevokeReason reason,
                                             auth::Time now) override;
  net::Task<Result<void>> revoke_everybody(RevokeReason reason, auth::Time now) override;
  net::Task<Result<std::vector<Session>>> list(std::string_view username,
                                               auth::Time now) override;
  net::Task<Result<auth::milliseconds>> throttled(const ThrottleKeys& keys,
                                                  auth::Time now) override;
  net::Task<Result<void>> note_login_failure(const ThrottleKeys& keys, const ThrottleRules& rules,
                                             auth::Time now) override;
  net::Task<Result<void>> note_login_success(const ThrottleKeys& keys, auth::Time now) override;
  net::Task<Result<auth::milliseconds>> take(std::string_view bucket, const auth::BucketRate& rate,
                                             auth::Time now) override;

  // Other rules after a reload; families keep their absolute end.
  void set_options(const MemoryStoreOptions& options);
  [[nodiscard]] std::size_t size() const;
  // Revocations that are still to be known by a new worker or snapshot.
  [[nodiscard]] std::vector<Revocation> revocations(auth::Time now) const;

  // All open sessions, revocations and bans as bytes, and back; sealing and files are snapshot.h.
  [[nodiscard]] std::string save(auth::Time now) const;
  // How many sessions were taken; nullopt when the bytes are not a snapshot of this version.
  [[nodiscard]] std::optional<std::size_t> load(std::string_view bytes, auth::Time now);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace proxy::store
