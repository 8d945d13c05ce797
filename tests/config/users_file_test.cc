// users.yaml and htpasswd files.
#include "config/users_file.h"

#include <gtest/gtest.h>

#include "tests/config/loading.h"

namespace config {
namespace {

constexpr const char* bcrypt = "$2y$10$abcdefghijklmnopqrstuuKJ0G0Y5vT0sXGk5mJm1y6u2n5d5e5f6";

std::vector<std::string> problems_of(const std::string& text) {
  return lines_of(parse_users(text, "users").problems);
}

TEST(UsersYaml, HasEveryField) {
  const auto file = parse_users(R"(users:
  - username: alice
    password_hash: $argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA
    email: alice@example.com
    name: Älice Example
    groups: [admins, "all staff"]
    scopes: [read]
    claims: {department: it}
    disabled: true
  - {username: bob smith, password_hash: x}
)", "users");
  EXPECT_EQ(lines_of(file.problems), std::vector<std::string>{});
  ASSERT_EQ(file.users.size(), 2U);
  const auto& alice = file.users[0];
  EXPECT_EQ(alice.username, "alice");
  EXPECT_EQ(alice.password_hash, "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA");
  EXPECT_EQ(alice.email, "alice@example.com");
  EXPECT_EQ(alice.name, "Älice Example");
  EXPECT_EQ(alice.groups, (std::vector<std::string>{"admins", "all staff"}));
  EXPECT_EQ(alice.scopes, std::vector<std::string>{"read"});
  EXPECT_EQ(alice.claims.at("department"), "it");
  EXPECT_TRUE(alice.disabled);
  EXPECT_EQ(alice.at.line, 2);
  EXPECT_EQ(file.users[1].username, "bob smith");
}

TEST(UsersYaml, RefusesWhatNoHeaderCouldCarry) {
  for (const char* name : {"''", "' alice'", "'alice '", "\"a\\tb\"", "\"a\\nb\"",
                           "\"a\\0b\"", "jürgen"}) {
    const auto text = std::string("users: [{username: ") + name + ", password_hash: x}]\n";
    EXPECT_EQ(problems_of(text).size(), 1U) << name;
  }
  EXPECT_EQ(problems_of("users: [{username: " + std::string(257, 'a') + ", password_hash: x}]\n"),
            std::vector<std::string>{"users:1:20: users[0].username: must be 1 to 256 printable "
                                     "ASCII characters without blanks at its ends"});
  EXPECT_TRUE(problems_of("users: [{username: " + std::string(256, 'a') + ", password_hash: x}]\n")
                  .empty());
}

TEST(UsersYaml, RefusesSeparatorsInGroupsAndScopes) {
  EXPECT_EQ(problems_of("users:\n"
                        "  - username: a\n"
                        "    password_hash: x\n"
                        "    groups: ['a,b']\n"
                        "    scopes: ['a b', \"\\x01\"]\n"
                        "    email: a b@c\n"),
            (std::vector<std::string>{
                "users:4:14: users[0].groups[0]: must not hold a comma, which separates them in "
                "headers and tokens",
                "users:5:14: users[0].scopes[0]: must not hold a blank, which separates them in "
                "headers and tokens",
                "users:5:21: users[0].scopes[1]: must not hold control characters or line breaks",
                "users:6:12: users[0].email: must be at most 256 printable ASCII characters "
                "without blanks"}));
}

TEST(UsersYaml, RefusesDuplicatesUnknownKeysAndMissingHashes) {
  EXPECT_EQ(problems_of("users:\n"
                        "  - {username: a, password_hash: x}\n"
                        "  - {username: a, password_hash: x, group: [b]}\n"
                        "  - {username: b}\n"
                        "  - {username: c, password_hash: ''}\n"),
            (std::vector<std::string>{
                "users:3:16: users[1].username: is already used in line 2",
                "users:3:37: users[1].group: unknown key; the nearest known key is `groups`",
                "users:4:5: users[2].password_hash: is required",
                "users:5:34: users[3].password_hash: must not be empty"}));
}

TEST(UsersYaml, ADollarIsNoVariable) {
  const auto file = parse_users("users: [{username: a, password_hash: 'a${HOME}'}]\n", "users");
  EXPECT_TRUE(file.problems.empty());
  EXPECT_EQ(file.users.at(0).password_hash, "a${HOME}");
}

TEST(UsersYaml, AnEmptyFileIsAProblem) {
  EXPECT_FALSE(problems_of("").empty());
  EXPECT_FALSE(problems_of("# nobody\n").empty());
  EXPECT_FALSE(problems_of("users: []\n").empty());
  EXPECT_FALSE(problems_of("users:\n").empty());
}

TEST(UsersYaml, TakesThousandsAndNotMore) {
  std::string text = "users:\n";
  for (int i = 0; i < 10'000; ++i) {
    text += "  - {username: u" + std::to_string(i) + ", password_hash: x, groups: [a, b]}\n";
  }
  EXPECT_EQ(parse_users(text, "users").users.size(), 10'000U);
  EXPECT_TRUE(problems_of(text).empty());
  EXPECT_EQ(problems_of(text + "  - {username: one more, password_hash: x}\n"),
            std::vector<std::string>{"users:1:1: users: has more than 10000 users"});
}

TEST(Htpasswd, TakesBcryptAndSkipsCommentsAndBlankLines) {
  const auto hash = std::string(bcrypt);
  ASSERT_EQ(hash.size(), 60U);
  const auto file = parse_users("# staff\n\nalice:" + hash + "\r\n  \nusers:" + hash, "htpasswd");
  EXPECT_EQ(lines_of(file.problems), std::vector<std::string>{});
  ASSERT_EQ(file.users.size(), 2U);
  EXPECT_EQ(file.users[0].username, "alice");
  EXPECT_EQ(file.users[0].password_hash, hash);
  EXPECT_EQ(file.users[0].at.line, 3);
  EXPECT_EQ(file.users[1].username, "users");
}

TEST(Htpasswd, RefusesOtherHashesByLine) {
  const auto good = "alice:" + std::string(bcrypt) + "\n";
  EXPECT_EQ(problems_of(good + "bob:$apr1$salt$hash\ncarol:{SHA}abc\ndave:plain\neve\n"),
            (std::vector<std::string>{
                "users:2:1: the hash of `bob` is not bcrypt; make it with `htpasswd -B`, or move "
                "the user to a users.yaml",
                "users:3:1: the hash of `carol` is not bcrypt; make it with `htpasswd -B`, or move "
                "the user to a users.yaml",
                "users:4:1: the hash of `dave` is not bcrypt; make it with `htpasswd -B`, or move "
                "the user to a users.yaml",
                "users:5:1: expects `name:hash`"}));
}

TEST(Htpasswd, RefusesAHashThatWasCut) {
  EXPECT_EQ(problems_of("alice:" + std::string(bcrypt).substr(0, 59) + "\n").size(), 1U);
  EXPECT_EQ(problems_of("alice:$2\n").size(), 1U);
}

TEST(Htpasswd, IsNotConfusedWithAJsonDocument) {
  const auto file = parse_users(R"({"users":[{"username":"a","password_hash":"x"}]})", "users");
  EXPECT_EQ(lines_of(file.problems), std::vector<std::string>{});
  EXPECT_EQ(file.users.size(), 1U);
}

TEST(Htpasswd, RefusesDuplicates) {
  const auto line = "alice:" + std::string(bcrypt) + "\n";
  EXPECT_EQ(problems_of(line + line),
            std::vector<std::string>{"users:2:1: `alice` is already in line 1"});
}

}  // namespace
}  // namespace config
