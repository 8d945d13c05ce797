// Where refresh-token families, their owners' session lists and the login counters live. The memory
// store answers at once; other stores suspend, so all calls are coroutines of the calling worker.
// Arguments of a call outlive it (the caller awaits). A call either happened or failed with
// StoreError: a revocation that could not be stored is never reported as done (SECURITY H18).
#pragma once

#include <boost/system/result.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/family.h"
#include "auth/throttle.h"
#include "proxy/net/task.h"

namespace proxy::store {

enum class StoreError {
  unavailable,  // 503 with Retry-After; nothing is known to have happened
  full,         // 503: the store's bound is reached and nothing may be evicted
};
[[nodiscard]] std::string_view name(StoreError error);
[[noreturn]] void throw_exception_from_error(StoreError error, const boost::source_location& where);

template <class T>
using Result = boost::system::result<T, StoreError>;

// Of one user; then the oldest makes room.
inline constexpr std::size_t sessions_per_user_max = 1'000;

enum class RevokeReason { logout, logout_all, login, reuse, admin, user_changed, expired };
[[nodiscard]] std::string_view name(RevokeReason reason);

// A login, as it is remembered.
struct NewSession {
  auth::FamilyId family{};
  std::string username;
  std::string user_agent;      // cut to 200 bytes
  std::string address_prefix;  // "192.0.2.0/24", "2001:db8::/48": not the whole address
  auth::Time now{};            // when it began: what was revoked since must not be outlived
  // What the session has to remember of a user that nobody can look up (users.http), at most 4 KiB;
  // handed back by profile().
  std::string profile;
  // auth::password_mark of the user then; handed back with the session. 0: nobody will ask.
  std::uint32_t password_mark = 0;
  // Lives of its own ("remember me"), in whole seconds; unset: the configured ones.
  std::optional<auth::milliseconds> idle_life;
  std::optional<auth::milliseconds> absolute_life;
};

struct Session {
  auth::FamilyId family{};
  std::string username;
  std::string user_agent;
  std::string address_prefix;
  // By the store's clock. At most two seconds in its future, when all sessions of the user (or of
  // everybody) were revoked a moment ago: an access token's `iat` is not before it, or that would
  // refuse the new session.
  auth::Time created_at{};
  auth::Time last_seen_at{};
  auth::Time idle_expires_at{};
  auth::Time absolute_expires_at{};
  std::uint64_t generation = 0;
  std::uint32_t password_mark = 0;
};

struct Rotated {
  auth::Rotation rotation;
  Session session;  // whose; empty when the family is unknown (dead)
};

// The counters a login is asked about; see auth/throttle.h.
struct ThrottleKeys {
  std::string account;  // auth::throttle_name
  std::string address;  // IPv4, or the /64 of an IPv6 address
};
struct ThrottleRules {
  auth::ThrottleRate account_and_address;
  auth::ThrottleRate account;
  auth::ThrottleRate address;
  auth::milliseconds ban{300'000};
};

// What a store tells every worker: this session, all sessions of this user, or everybody's are
// over. Access tokens of the session (or of the user or of everybody, issued not after the second
// of `at`) are refused from now until `forget_at`, when the last of them has expired anyway.
struct Revocation {
  std::string session_id;  // empty: the whole user
  std::string username;    // both empty: everybody
  auth::Time at{};
  auth::Time forget_at{};
  RevokeReason reason = RevokeReason::logout;

  [[nodiscard]] bool is_for_everybody() const { return session_id.empty() && username.empty(); }
};

class SessionStore {
 public:
  virtual ~SessionStore() = default;

  [[nodiscard]] virtual net::Task<Result<Session>> create(const NewSession& session) = 0;
  // The rotation rule as one atomic step. `now` is used by the memory store; stores with a clock of
  // their own ignore it. Only an `active` rotation extends the idle life and counts as a visit: a
  // page that refreshes by itself keeps no session open for ever. Reuse revokes the family before
  // it is reported.
  [[nodiscard]] virtual net::Task<Result<Rotated>> rotate(const auth::FamilyId& family,
                                                          std::uint64_t generation, bool active,
                                                          auth::Time now) = 0;
  // A client presented an access token carrying `generation`. Never fails, may be late or lost.
  virtual void prove(const auth::FamilyId& family, std::uint64_t generation, auth::Time now) = 0;
  // The session when it is open.
  [[nodiscard]] virtual net::Task<Result<std::optional<Session>>> find(
      const auth::FamilyId& family, auth::Time now) = 0;
  // The profile that the open session was created with; empty when there is neither.
  [[nodiscard]] virtual net::Task<Result<std::string>> profile(const auth::FamilyId& family,
                                                               auth::Time now) = 0;
  // False when it was not open. Publishes a Revocation either way.
  [[nodiscard]] virtual net::Task<Result<bool>> revoke(const auth::FamilyId& family,
                                                       RevokeReason reason, auth::Time now) = 0;
  // How many were open.
  [[nodiscard]] virtual net::Task<Result<std::size_t>> revoke_user(std::string_view username,
                                                                   RevokeReason reason,
                                                                   auth::Time now) = 0;
  // Ends every session there is; logins from then on are not meant.
  [[nodiscard]] virtual net::Task<Result<void>> revoke_everybody(RevokeReason reason,
                                                                 auth::Time now) = 0;
  // Open sessions of a user, newest first.
  [[nodiscard]] virtual net::Task<Result<std::vector<Session>>> list(std::string_view username,
                                                                     auth::Time now) = 0;

  // Zero: try. Otherwise how long to wait.
  [[nodiscard]] virtual net::Task<Result<auth::milliseconds>> throttled(const ThrottleKeys& keys,
                                                                        auth::Time now) = 0;
  [[nodiscard]] virtual net::Task<Result<void>> note_login_failure(const ThrottleKeys& keys,
                                                                   const ThrottleRules& rules,
                                                                   auth::Time now) = 0;
  // A right password clears what was counted for the account from this address.
  [[nodiscard]] virtual net::Task<Result<void>> note_login_success(const ThrottleKeys& keys,
                                                                   auth::Time now) = 0;

  // Takes one from the bucket of that name, which all replicas share where the store is shared.
  // Zero: it was there; otherwise how long to wait.
  [[nodiscard]] virtual net::Task<Result<auth::milliseconds>> take(std::string_view bucket,
                                                                   const auth::BucketRate& rate,
                                                                   auth::Time now) = 0;
};

}  // namespace proxy::store
