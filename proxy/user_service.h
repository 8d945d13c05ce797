// Somebody else who knows whether a password is right: `users.http`, usually the application that
// had the login before. Asked for every login anew and never cached; each question is bounded in
// time and size, and so is the number of questions at once.
// Immutable but for that number; shared by all workers.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth/users.h"
#include "config/config.h"
#include "proxy/fetch.h"

namespace proxy {

class UserService {
 public:
  // At once, of all workers: what a service that takes its time may be asked without falling over.
  static constexpr int questions_max = 32;

  enum class Outcome { right, wrong, unavailable };
  struct Answer {
    Outcome outcome = Outcome::unavailable;
    auth::User user;      // where it is right; without a password hash
    std::string problem;  // where it is unavailable: a sentence's end for the log
  };

  // Null and a sentence's end when the URL or the system's certificates cannot be used.
  [[nodiscard]] static std::shared_ptr<const UserService> make(const config::UsersHttp& config,
                                                               std::string& problem);
  // POST {"username", "password"}; 200 with the user is right, 401 and 403 are wrong.
  [[nodiscard]] net::Task<Answer> ask(net::Executor executor, std::string login,
                                      std::string password) const;

 private:
  UserService() = default;
  FetchTarget target_;
  std::shared_ptr<const net::TlsClient> tls_;
  std::chrono::milliseconds timeout_{0};
  mutable std::atomic<int> questions_{0};
};

// The user in the body of a 200: {"username", "email", "name", "groups"}, all but the first
// optional. nullopt where it is anything else, or where a value could not stand in a header.
[[nodiscard]] std::optional<auth::User> read_user(std::string_view json);

// Such a user as a session keeps it, since there is no look-up without a password.
[[nodiscard]] std::string to_profile(const auth::User& user);
inline constexpr std::size_t profile_bytes_max = 4096;

}  // namespace proxy
