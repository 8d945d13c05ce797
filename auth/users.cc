// See users.h. Names are compared byte by byte: `Alice`, `alice ` and a full-width `alice` are
// other people or nobody, so the name in the session, in the counters and in the headers is always
// the one that stands in the file (SECURITY A11).
#include "auth/users.h"

#include "auth/bytes.h"
#include "auth/password.h"

#include <algorithm>
#include <utility>

namespace auth {
namespace {

constexpr std::size_t ambiguous = static_cast<std::size_t>(-1);

std::string common_decoy(const std::vector<User>& users) {
  std::map<std::string_view, std::size_t> counts;
  std::size_t most = 0;
  std::string_view model;
  for (const User& user : users) {
    const std::string_view parameters = hash_parameters(user.password_hash);
    if (parameters.empty()) continue;
    const std::size_t count = ++counts[parameters];
    if (count > most) {
      most = count;
      model = user.password_hash;
    }
  }
  return model.empty() ? auth::decoy_hash() : decoy_like(model);
}

}  // namespace

std::uint32_t password_mark(const User& user) {
  if (user.password_hash.empty()) return 0;
  const Digest digest = sha256(user.password_hash);
  const std::uint32_t mark = static_cast<std::uint32_t>(digest[0]) << 24 |
                             static_cast<std::uint32_t>(digest[1]) << 16 |
                             static_cast<std::uint32_t>(digest[2]) << 8 |
                             static_cast<std::uint32_t>(digest[3]);
  return std::max<std::uint32_t>(mark, 1);
}

Users::Users(std::vector<User> users) : users_(std::move(users)), decoy_(common_decoy(users_)) {
  for (std::size_t i = 0; i < users_.size(); ++i) {
    by_name_.emplace(users_[i].username, i);
    if (users_[i].email.empty()) continue;
    const auto [entry, is_new] = by_email_.emplace(users_[i].email, i);
    if (!is_new) entry->second = ambiguous;
  }
}

const User* Users::find(std::string_view login) const {
  if (const User* user = find_username(login)) return user;
  if (login.find('@') == std::string_view::npos) return nullptr;
  const auto entry = by_email_.find(std::string(login));
  if (entry == by_email_.end() || entry->second == ambiguous) return nullptr;
  return &users_[entry->second];
}

const User* Users::find_username(std::string_view username) const {
  const auto entry = by_name_.find(std::string(username));
  return entry == by_name_.end() ? nullptr : &users_[entry->second];
}

std::vector<std::string> Users::ended_by(const Users& next) const {
  std::vector<std::string> ended;
  for (const User& user : users_) {
    const User* successor = next.find_username(user.username);
    if (successor == nullptr || successor->password_hash != user.password_hash ||
        (successor->disabled && !user.disabled)) {
      ended.push_back(user.username);
    }
  }
  return ended;
}

const std::string& Users::decoy_hash() const {
  return decoy_.empty() ? auth::decoy_hash() : decoy_;
}

std::string throttle_name(std::string_view login) {
  constexpr std::size_t bytes_max = 256;
  constexpr std::string_view blanks = " \t\r\n\v\f";
  const std::size_t first = login.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  login.remove_prefix(first);
  login = login.substr(0, login.find_last_not_of(" \t\r\n\v\f@") + 1);
  std::string name(login.substr(0, bytes_max));
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  return name;
}

}  // namespace auth
