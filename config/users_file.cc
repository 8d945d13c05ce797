// See users_file.h. What a user is called goes into headers and log lines, so the bytes allowed
// there are decided here, once (SECURITY A08, A11).
#include "config/users_file.h"

#include <map>
#include <optional>
#include <utility>

#include "config/field.h"
#include "config/report.h"
#include "config/table.h"
#include "config/yaml.h"

namespace config {
namespace {

constexpr std::size_t users_max = 10'000;
constexpr std::size_t name_bytes_max = 256;
constexpr std::size_t claim_bytes_max = 1'024;
constexpr YamlLimits yaml_limits{8 * 1024 * 1024, 400'000, 8};

Section<UserEntry> user_keys() {
  using T = UserEntry;
  return {
      key("username", &T::username, "The login name; also the `sub` of tokens.").required(),
      key("password_hash", &T::password_hash,
          "An argon2id, bcrypt, scrypt or yescrypt hash; `gatehouse hash-password` makes one.")
          .required(),
      key("email", &T::email, "The user's e-mail address."),
      key("name", &T::name, "The user's name for display."),
      key("groups", &T::groups, "The user's groups."),
      key("scopes", &T::scopes, "The scopes of the user's tokens."),
      key("claims", &T::claims, "Further claims of the user's tokens."),
      key("disabled", &T::disabled, "Refuse logins and end the sessions of this user."),
  };
}

const Section<UsersFile>& users_table() {
  static const Section<UsersFile> table{
      list("users", &UsersFile::users, user_keys(), "Who may log in.").required()};
  return table;
}

// Printable ASCII, with blanks only inside. A header could carry nothing else unchanged: backends
// trim or decode the rest (SECURITY A09).
bool is_header_safe(std::string_view text) {
  if (text.empty() || text.size() > name_bytes_max) { return false; }
  if (text.front() == ' ' || text.back() == ' ') { return false; }
  for (const char c : text) {
    if (c < 0x20 || c > 0x7E) { return false; }
  }
  return true;
}

constexpr const char* header_safe_rule =
    "must be 1 to 256 printable ASCII characters without blanks at its ends";

void check_names(const std::vector<std::string>& names, const std::string& key, char separator,
                 const char* separator_name, Report& report) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!is_header_safe(names[i])) {
      report.problem(item_key(key, i), header_safe_rule);
    } else if (names[i].find(separator) != std::string::npos) {
      report.problem(item_key(key, i), std::string("must not hold a ") + separator_name +
                                           ", which separates them in headers and tokens");
    }
  }
}

void check_user(const UserEntry& user, const std::string& key, Report& report) {
  if (!is_header_safe(user.username)) {
    report.problem(child_key(key, "username"), header_safe_rule);
  }
  if (!user.email.empty() &&
      (!is_header_safe(user.email) || user.email.find(' ') != std::string::npos)) {
    report.problem(child_key(key, "email"),
                   "must be at most 256 printable ASCII characters without blanks");
  }
  if (user.name.size() > name_bytes_max) {
    report.problem(child_key(key, "name"), "is longer than 256 bytes");
  }
  check_names(user.groups, child_key(key, "groups"), ',', "comma", report);
  check_names(user.scopes, child_key(key, "scopes"), ' ', "blank", report);
  for (const auto& [name, value] : user.claims) {
    const auto claim = child_key(child_key(key, "claims"), name);
    if (!is_header_safe(name)) { report.problem(claim, "has a name that is not plain text"); }
    if (value.size() > claim_bytes_max) { report.problem(claim, "is longer than 1024 bytes"); }
  }
}

UsersFile parse_users_yaml(std::string_view text, const std::string& file_name) {
  UsersFile file;
  Report report(file_name);
  auto document = parse_yaml(text, file_name, yaml_limits);
  report.add(document.problems);
  if (document.usable) {
    report.learn_places(document.root);
    Reader reader{report, ""};
    read_section(reader, document.root, "", users_table(), file);
    std::map<std::string, int> lines;
    for (std::size_t i = 0; i < file.users.size(); ++i) {
      const auto& user = file.users[i];
      const auto key = item_key("users", i);
      check_user(user, key, report);
      const auto [first, is_new] = lines.emplace(user.username, user.at.line);
      if (!is_new) {
        report.problem(child_key(key, "username"),
                       "is already used in line " + std::to_string(first->second));
      }
    }
    if (file.users.empty()) { report.problem("users", "has no users"); }
    if (file.users.size() > users_max) { report.problem("users", "has more than 10000 users"); }
  }
  file.problems = report.problems();
  return file;
}

bool is_bcrypt(std::string_view hash) {
  return hash.size() == 60 && hash.substr(0, 2) == "$2" &&
         (hash[2] == 'a' || hash[2] == 'b' || hash[2] == 'y') && hash[3] == '$';
}

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) {
    line.remove_suffix(1);
  }
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) { line.remove_prefix(1); }
  return line;
}

// Calls `visit(line, number)` for each line that is neither blank nor a comment, until it says
// false.
template <typename Visit>
void for_each_line(std::string_view text, Visit visit) {
  for (int number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    const auto line = trimmed(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty() && line.front() != '#' && !visit(line, number)) { return; }
  }
}

// `name:hash` has no blank behind its first colon; a YAML key has one, or ends its line there. A
// brace or a quote begins a document in flow style, such as JSON.
bool is_htpasswd(std::string_view text) {
  bool result = false;
  for_each_line(text, [&](std::string_view line, int) {
    const auto colon = line.find(':');
    const bool is_flow = line.front() == '{' || line.front() == '"';
    result = !is_flow && colon != std::string_view::npos && colon > 0 && colon + 1 < line.size() &&
             line[colon + 1] != ' ' && line[colon + 1] != '\t';
    return false;
  });
  return result;
}

// Why a line of an htpasswd file is refused; empty when it is taken.
std::string check_htpasswd_line(std::string_view name, std::string_view hash) {
  if (!is_header_safe(name)) { return std::string("the username ") + header_safe_rule; }
  if (!is_bcrypt(hash)) {
    return "the hash of `" + std::string(name) +
           "` is not bcrypt; make it with `htpasswd -B`, or move the user to a users.yaml";
  }
  return "";
}

UsersFile parse_htpasswd(std::string_view text, const std::string& file_name) {
  UsersFile file;
  std::map<std::string, int, std::less<>> lines;
  for_each_line(text, [&](std::string_view line, int number) {
    const auto colon = line.find(':');
    const auto name = line.substr(0, colon);
    std::string wrong = colon == std::string_view::npos
                            ? "expects `name:hash`"
                            : check_htpasswd_line(name, line.substr(colon + 1));
    if (wrong.empty()) {
      const auto [first, is_new] = lines.emplace(std::string(name), number);
      if (!is_new) {
        wrong = "`" + first->first + "` is already in line " + std::to_string(first->second);
      }
    }
    if (!wrong.empty()) {
      file.problems.push_back(Problem{file_name, {number, 1}, "", std::move(wrong)});
      return true;
    }
    UserEntry& user = file.users.emplace_back();
    user.username = name;
    user.password_hash = line.substr(colon + 1);
    user.at = {number, 1};
    return file.users.size() <= users_max;
  });
  if (file.users.size() > users_max) {
    file.problems.push_back(Problem{file_name, {}, "", "has more than 10000 users"});
  }
  return file;
}

}  // namespace

const std::vector<Description>& users_descriptions() {
  static const std::vector<Description> descriptions = describe(users_table());
  return descriptions;
}

UsersFile parse_users(std::string_view text, const std::string& file_name) {
  if (text.size() > yaml_limits.bytes_max) {
    UsersFile file;
    file.problems.push_back(Problem{file_name, {}, "", "is larger than 8 MiB"});
    return file;
  }
  return is_htpasswd(text) ? parse_htpasswd(text, file_name) : parse_users_yaml(text, file_name);
}

}  // namespace config
