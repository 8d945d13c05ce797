// Sessions in Redis, shared by any number of replicas. Each worker has one of these with a
// pipelined connection of its own; what they share is RedisShared. Every rule is one atomic
// script on Redis' own clock. Nothing here is secret: a token is a pure function of keys that
// Redis never sees. The thread of the loop it is attached to, which it outlives.
#pragma once

#include <deque>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include "proxy/redis/client.h"
#include "proxy/store/redis_record.h"
#include "proxy/store/redis_shared.h"
#include "proxy/store/session_store.h"

namespace proxy::store {

class RedisStore final : public SessionStore {
 public:
  RedisStore(redis::ClientOptions options, RedisShared& shared);
  ~RedisStore() override;

  void attach(const net::Executor& executor);
  void detach();
  // See redis::Client::install(); any thread, while the loop runs or before it does.
  void install(redis::ClientOptions options);

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

  [[nodiscard]] redis::Client& client() { return client_; }
  // Proofs that wait to be told, or whose answer does not come yet.
  [[nodiscard]] bool has_proofs() const { return is_proving_; }

 private:
  struct Proof {
    auth::FamilyId family;
    std::uint64_t generation;
  };
  // A script's own arguments, behind the shift of the clock; they own their text.
  using Texts = std::vector<std::string>;
  [[nodiscard]] net::Task<Result<redis::Reply>> run(const redis::Script& script, Texts keys,
                                                    Texts arguments, redis::Repeat repeat);
  [[nodiscard]] net::Task<Result<redis::Reply>> run_by(redis::Client& way,
                                                       const redis::Script& script, Texts keys,
                                                       Texts arguments, redis::Repeat repeat);
  [[nodiscard]] net::Task<Result<redis::Reply>> ask(Texts arguments, std::string_view key);
  [[nodiscard]] net::Task<Result<redis::Reply>> ask_by(redis::Client& way, Texts arguments,
                                                       std::string_view key);
  // Where revocations go: WAIT is about what its own connection wrote, and holds up whatever
  // comes behind it there.
  [[nodiscard]] redis::Client& revoking();
  [[nodiscard]] Result<redis::Reply> judge(redis::Answer answer);
  [[nodiscard]] bool may_serve() const { return shared_.health.was_up(); }
  [[nodiscard]] bool is_cluster() const { return client_.mode() == redis::Mode::cluster; }

  struct Entered {
    auth::Time created_at{};
    std::int64_t absolute_s = 0;
    std::string evicted;
  };
  [[nodiscard]] net::Task<Result<Entered>> enter(const NewSession& session);
  struct Ended {
    bool was_open = false;
    std::string username;
    auth::Time at{};
  };
  [[nodiscard]] net::Task<Result<Ended>> end(const auth::FamilyId& family,
                                             std::string_view username, RevokeReason reason,
                                             auth::Time now);
  [[nodiscard]] net::Task<Result<void>> tell(const Revocation& revocation);
  // `before`: of revoking(), when what has to be there was not written yet.
  [[nodiscard]] net::Task<bool> wait_for_replicas(std::string_view key,
                                                  redis::Client::Route before);
  net::Task<void> leave(std::string username, std::vector<auth::FamilyId> families);
  [[nodiscard]] net::Task<Result<std::vector<redis::Reply>>> read_all(Texts keys);
  [[nodiscard]] net::Task<Result<void>> add_agents(std::vector<Session>& sessions,
                                                   const std::vector<AgentId>& agents);
  [[nodiscard]] net::Task<Result<std::int64_t>> run_for_counters(const redis::Script& script,
                                                                 Texts keys, Texts arguments,
                                                                 std::size_t per_key,
                                                                 redis::Repeat repeat);
  net::Task<void> send_proofs();
  [[nodiscard]] bool is_open(const RedisRecord& record, auth::Time now) const;

  redis::Client client_;
  redis::Client patient_;  // for revoking() with wait_replicas; attached when first needed
  RedisShared& shared_;
  std::deque<Proof> proofs_;
  bool is_proving_ = false;
};

}  // namespace proxy::store
