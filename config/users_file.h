// users.yaml or an htpasswd file -> plain entries. Which of the two it is, is told by its content:
// a YAML document has the top-level key `users`. Pure: text in, entries and problems out.
#pragma once

#include <string>
#include <string_view>
#include <map>
#include <vector>

#include "config/config.h"

namespace config {

struct UserEntry {
  std::string username;
  std::string password_hash;
  std::string email;
  std::string name;
  std::vector<std::string> groups;
  std::vector<std::string> scopes;
  std::map<std::string, std::string> claims;
  bool disabled = false;
  Location at;
};

struct UsersFile {
  std::vector<UserEntry> users;
  std::vector<Problem> problems;  // duplicates, unknown keys, missing hashes, too many entries
};

[[nodiscard]] UsersFile parse_users(std::string_view text, const std::string& file_name);

}  // namespace config
