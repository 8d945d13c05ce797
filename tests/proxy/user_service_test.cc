// What is read out of an answer of users.http, and what a session keeps of it.
#include "proxy/user_service.h"

#include <gtest/gtest.h>

namespace proxy {
namespace {

TEST(UserServiceAnswer, NamesTheUser) {
  const auto user = read_user(
      R"({"username":"dora","email":"dora@example.com","name":"Dora Müller","groups":["a","b"]})");
  ASSERT_TRUE(user);
  EXPECT_EQ(user->username, "dora");
  EXPECT_EQ(user->email, "dora@example.com");
  EXPECT_EQ(user->name, "Dora Müller");
  EXPECT_EQ(user->groups, (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(user->disabled);
}

TEST(UserServiceAnswer, MayLeaveOutAllButTheName) {
  const auto user = read_user(R"({"username":"dora","email":null,"groups":null,"other":[1]})");
  ASSERT_TRUE(user);
  EXPECT_TRUE(user->email.empty());
  EXPECT_TRUE(user->groups.empty());
}

TEST(UserServiceAnswer, IsRefusedWhereItIsAnythingElse) {
  for (const std::string_view json :
       {"", "dora", "[]", "{}", R"({"username":""})", R"({"username":1})",
        R"({"username":"a","username":"b"})", R"({"username":"a\r\nX: y"})",
        R"({"username":"dora","email":"a\u0000"})", R"({"username":"dora","groups":{}})",
        R"({"username":"dora","groups":["a,b"]})", R"({"username":"dora","groups":[""]})",
        R"({"username":"dora","groups":["a\nb"]})", R"({"username":"dora"} )" "x"}) {
    EXPECT_FALSE(read_user(json)) << json;
  }
  EXPECT_FALSE(read_user(R"({"username":")" + std::string(257, 'a') + "\"}"));
}

TEST(UserServiceAnswer, ComesBackFromTheSession) {
  auth::User user;
  user.username = "do\"ra";
  user.name = "Dora Müller";
  user.groups = {"night shift", "a\\b"};
  const auto again = read_user(to_profile(user));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->username, user.username);
  EXPECT_EQ(again->name, user.name);
  EXPECT_EQ(again->groups, user.groups);
}

}  // namespace
}  // namespace proxy
