// Follows the stream of revocations on the control thread, so that every worker of every replica
// refuses what was revoked without asking Redis for each request. After a gap it reads everything
// of the last access-token life; what it knew and does not find there (a failover has lost it) it
// writes again. Also the one who knows whether Redis is up, for probes and the outage policy.
// One thread; outlives its loop's coroutines.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "proxy/redis/client.h"
#include "proxy/store/redis_shared.h"

namespace proxy::store {

class RevocationFollower {
 public:
  RevocationFollower(redis::ClientOptions options, RedisShared& shared);

  void attach(const net::Executor& executor);
  void detach();
  // See redis::Client::install(); on the loop's thread.
  void install(redis::ClientOptions options);
  [[nodiscard]] redis::Client& client() { return client_; }

 private:
  net::Task<void> run();
  // Each of these: false when Redis did not answer as it should.
  [[nodiscard]] net::Task<bool> check_rights();
  [[nodiscard]] net::Task<bool> catch_up();
  [[nodiscard]] net::Task<bool> read_clock_and_end();
  [[nodiscard]] net::Task<bool> follow();
  [[nodiscard]] net::Task<bool> rewrite_lost(std::vector<Revocation> lost);
  [[nodiscard]] net::Task<bool> rewrite(const Revocation& revocation);
  [[nodiscard]] net::Task<bool> ask(std::vector<std::string> command, std::string_view key,
                                    redis::Reply& reply);
  // Entries are [[id, [name, value, ...]], ...]; the newest id is kept.
  using Seen = std::map<std::string, auth::Time>;  // whom, and the latest of them
  void take(const redis::Reply& entries, Seen* seen);
  [[nodiscard]] std::int64_t redis_now_ms() const;
  void note_contact();

  redis::Client client_;
  RedisShared& shared_;
  std::string last_id_;
  std::int64_t clock_offset_ms_ = 0;  // Redis' clock less the steady one
  std::int64_t clock_read_ms_ = 0;    // by the steady one
  std::string trouble_;
  bool has_rights_ = false;
  bool is_detached_ = false;
};

}  // namespace proxy::store
