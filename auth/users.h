// The people who may log in, by username. Immutable; a changed file makes a new one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace auth {

struct User {
  std::string username;  // also `sub`
  std::string password_hash;
  std::string email;
  std::string name;
  std::vector<std::string> groups;
  std::vector<std::string> scopes;
  std::map<std::string, std::string> claims;
  bool disabled = false;
};

// A short digest of the user's hash, by which a session that outlived the process (or lives in
// Redis) sees that the password is another one since. 0 for a user without a hash.
[[nodiscard]] std::uint32_t password_mark(const User& user);

class Users {
 public:
  Users() = default;
  // Names must be distinct.
  explicit Users(std::vector<User> users);
  // By the exact username; an address is looked up as an e-mail when no username matches and
  // exactly one user has it.
  [[nodiscard]] const User* find(std::string_view login) const;
  // By username only; for rotation and administration.
  [[nodiscard]] const User* find_username(std::string_view username) const;
  [[nodiscard]] std::size_t size() const { return users_.size(); }
  // Usernames whose sessions must end when `next` replaces this: gone, disabled, or another hash.
  [[nodiscard]] std::vector<std::string> ended_by(const Users& next) const;
  // The hash an unknown user's password is checked against. It has the scheme and the parameters
  // that most users' hashes have, so that an unknown name costs the time of a known one (I01); with
  // no users, those of `hash_password`. Users with other parameters stay distinguishable by time,
  // which is why `hash_warning` and a common cost matter. No password fits it.
  [[nodiscard]] const std::string& decoy_hash() const;

 private:
  std::vector<User> users_;
  std::unordered_map<std::string, std::size_t> by_name_;
  std::unordered_map<std::string, std::size_t> by_email_;
  std::string decoy_;
};

// The one form of a login name under which failures are counted: trimmed (also of a trailing `@`),
// ASCII lower case, at most 256 bytes (SECURITY A12). Not used to find the user; of a user who was
// found the username is counted, so that the e-mail address is no second counter.
[[nodiscard]] std::string throttle_name(std::string_view login);

}  // namespace auth
