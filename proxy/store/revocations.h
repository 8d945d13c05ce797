// A worker's copy of what was revoked: asked for each request with a session of ours, so it is two
// hash lookups without a lock. Entries are forgotten when the last token they concern has expired.
// One thread.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "proxy/store/session_store.h"

namespace proxy::store {

class Revocations {
 public:
  void add(const Revocation& revocation);
  // `issued_at` is the token's `iat`: an entry for a user or for everybody refuses tokens issued
  // not after its second.
  [[nodiscard]] bool is_revoked(std::string_view session_id, std::string_view username,
                                auth::Time issued_at) const;
  void sweep(auth::Time now);
  [[nodiscard]] bool empty() const {
    return sessions_.empty() && users_.empty() && everybody_.not_after == auth::Time{};
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  struct User {
    auth::Time not_after{};
    auth::Time forget_at{};
  };
  static bool is_meant(const User& user, auth::Time issued_at);

  User everybody_;
  std::unordered_map<std::string, auth::Time, Hash, std::equal_to<>> sessions_;
  std::unordered_map<std::string, User, Hash, std::equal_to<>> users_;
};

}  // namespace proxy::store
