// Whom a login name finds, whose sessions a changed file ends, and the name failures count under.
#include "auth/users.h"

#include "auth/password.h"

#include <gtest/gtest.h>

namespace auth {
namespace {

constexpr std::string_view bcrypt_12 =
    "$2b$12$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
constexpr std::string_view bcrypt_10 =
    "$2b$10$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";

User user(std::string username, std::string email = "", std::string_view hash = bcrypt_12) {
  User made;
  made.username = std::move(username);
  made.email = std::move(email);
  made.password_hash = hash;
  return made;
}

// SECURITY A11: nothing is folded, trimmed or parsed on the way to a user.
TEST(Users, NameIsFoundByItsExactBytesOnly) {
  const Users users({user("alice"), user("bob")});
  ASSERT_NE(users.find("alice"), nullptr);
  EXPECT_EQ(users.find("alice")->username, "alice");
  const std::string with_nul("alice\0", 6);
  const std::string fullwidth = "\xEF\xBD\x81lice";
  for (const std::string& other : {std::string("Alice"), std::string("ALICE"),
                                   std::string("alice "), std::string(" alice"),
                                   std::string("alice@"), with_nul, fullwidth, std::string{},
                                   std::string(300, 'a')}) {
    EXPECT_EQ(users.find(other), nullptr) << other;
    EXPECT_EQ(users.find_username(other), nullptr) << other;
  }
}

TEST(Users, AddressFindsItsOnlyOwner) {
  const Users users({user("alice", "a@corp.com"), user("bob", "team@corp.com"),
                     user("carol", "team@corp.com"), user("dave@corp.com", "d@corp.com")});
  ASSERT_NE(users.find("a@corp.com"), nullptr);
  EXPECT_EQ(users.find("a@corp.com")->username, "alice");
  EXPECT_EQ(users.find_username("a@corp.com"), nullptr);
  EXPECT_EQ(users.find("team@corp.com"), nullptr);
  EXPECT_EQ(users.find("a@evil.com@corp.com"), nullptr);
  EXPECT_EQ(users.find("dave@corp.com")->username, "dave@corp.com");
}

TEST(Users, UsernameGoesBeforeSomebodyElsesAddress) {
  const Users users({user("alice", "bob@corp.com"), user("bob@corp.com")});
  EXPECT_EQ(users.find("bob@corp.com")->username, "bob@corp.com");
}

TEST(Users, AddressWithoutAtIsNoLoginName) {
  const Users users({user("alice", "root")});
  EXPECT_EQ(users.find("root"), nullptr);
}

// SECURITY H17.
TEST(Users, ChangedHashDisabledAndGoneEndSessions) {
  User disabled = user("disabled");
  User regrouped = user("regrouped");
  const Users before({user("kept"), user("gone"), user("rehashed"), disabled, regrouped});
  disabled.disabled = true;
  regrouped.groups = {"admins"};
  const Users after({user("kept"), user("rehashed", "", bcrypt_10), disabled, regrouped,
                     user("new")});
  EXPECT_EQ(before.ended_by(after), (std::vector<std::string>{"gone", "rehashed", "disabled"}));
  EXPECT_TRUE(after.ended_by(after).empty());
  EXPECT_EQ(before.ended_by(Users{}).size(), 5U);
}

// SECURITY I01.
TEST(Users, DecoyHasTheCommonestCost) {
  EXPECT_EQ(Users{}.decoy_hash(), decoy_hash());
  EXPECT_EQ(Users({user("a", "", "$apr1$not$usable")}).decoy_hash(), decoy_hash());
  const Users users({user("a", "", decoy_hash()), user("b"), user("c"), user("d", "", bcrypt_10)});
  EXPECT_EQ(hash_parameters(users.decoy_hash()), "$2b$12$");
  EXPECT_NE(users.decoy_hash(), bcrypt_12);
}

// SECURITY A12: one counter for all spellings.
TEST(Users, SpellingsShareOneThrottleName) {
  for (const std::string_view spelling :
       {"alice", "Alice", "ALICE", " alice", "alice \t\r\n", "alice@", "\valiCe@ "}) {
    EXPECT_EQ(throttle_name(spelling), "alice") << spelling;
  }
  EXPECT_EQ(throttle_name("A@Corp.com"), "a@corp.com");
  EXPECT_NE(throttle_name("al ice"), throttle_name("alice"));
  EXPECT_EQ(throttle_name(""), "");
  EXPECT_EQ(throttle_name(" \t "), "");
  EXPECT_EQ(throttle_name("@"), "");
  EXPECT_EQ(throttle_name(std::string(300, 'A')), std::string(256, 'a'));
  EXPECT_EQ(throttle_name(std::string("a\0B", 3)), std::string("a\0b", 3));
}

}  // namespace
}  // namespace auth
