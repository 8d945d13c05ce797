// What a route may demand, what a principal answers, and which bytes may become a header.
#include "auth/policy.h"

#include <gtest/gtest.h>

namespace auth {
namespace {

Principal nobody() {
  Principal principal;
  return principal;
}

Principal alice() {
  Principal principal;
  principal.subject = "alice";
  principal.email = "alice@corp.com";
  principal.preferred_username = "al";
  principal.name = "Alice";
  principal.issuer = "gatehouse";
  principal.session_id = "AAAAAAAAAAAAAAAAAAAAAA";
  principal.groups = {"staff", "admins"};
  principal.scopes = {"read", "write"};
  principal.claims = {{"tenant", "blue"}, {"level", "3"}};
  principal.claim_lists = {{"roles", {"editor", "author"}}};
  return principal;
}

Requirement claim(std::string name, std::vector<std::string> values) {
  Requirement requirement;
  requirement.claims.emplace(std::move(name), std::move(values));
  return requirement;
}

TEST(Policy, NoDemandIsMetByAnybody) {
  EXPECT_TRUE(authorize(nobody(), Requirement{}));
}

TEST(Policy, AnyOfTheListIsEnough) {
  Requirement requirement;
  requirement.groups = {"root", "admins"};
  requirement.scopes = {"write", "delete"};
  EXPECT_TRUE(authorize(alice(), requirement));
}

TEST(Policy, AllPartsMustHold) {
  Requirement requirement;
  requirement.groups = {"admins"};
  requirement.scopes = {"delete"};
  EXPECT_EQ(authorize(alice(), requirement).error(), Error::insufficient_scope);
  requirement.scopes = {"read"};
  requirement.claims = {{"tenant", {"blue"}}, {"level", {"4", "5"}}};
  EXPECT_EQ(authorize(alice(), requirement).error(), Error::insufficient_claims);
  requirement.claims["level"] = {"3"};
  EXPECT_TRUE(authorize(alice(), requirement));
  requirement.groups = {"Admins"};
  EXPECT_EQ(authorize(alice(), requirement).error(), Error::insufficient_groups);
}

TEST(Policy, ClaimsAreFoundWhereverTheyAreKept) {
  for (const auto& [name, value] : std::map<std::string, std::string>{
           {"sub", "alice"}, {"email", "alice@corp.com"}, {"preferred_username", "al"},
           {"name", "Alice"}, {"iss", "gatehouse"}, {"groups", "admins"}, {"scope", "read"},
           {"tenant", "blue"}, {"roles", "author"}}) {
    EXPECT_TRUE(authorize(alice(), claim(name, {"other", value}))) << name;
    EXPECT_FALSE(authorize(alice(), claim(name, {value + "x"}))) << name;
  }
}

TEST(Policy, AbsenceNeverMeetsADemand) {
  for (const char* name : {"email", "groups", "tenant", "sub", "unheard_of"}) {
    EXPECT_FALSE(authorize(nobody(), claim(name, {""}))) << name;
    EXPECT_FALSE(authorize(nobody(), claim(name, {}))) << name;
  }
}

TEST(Policy, ClaimTextJoinsLists) {
  EXPECT_EQ(claim_text(alice(), "sub"), "alice");
  EXPECT_EQ(claim_text(alice(), "groups"), "staff,admins");
  EXPECT_EQ(claim_text(alice(), "scope"), "read write");
  EXPECT_EQ(claim_text(alice(), "roles"), "editor,author");
  EXPECT_EQ(claim_text(alice(), "tenant"), "blue");
  EXPECT_EQ(claim_text(alice(), "sid"), "AAAAAAAAAAAAAAAAAAAAAA");
  EXPECT_EQ(claim_text(alice(), "unheard_of"), "");
  EXPECT_EQ(claim_text(nobody(), "groups"), "");
}

TEST(Policy, GroupWithACommaIsNotReadAsTwo) {
  Principal principal = alice();
  principal.groups = {"staff", "x,admins", "", "last"};
  EXPECT_EQ(claim_text(principal, "groups"), "staff,last");
}

// SECURITY A08 and A11.
TEST(Policy, OnlyPlainBytesMayStandInAHeader) {
  for (const std::string_view good : {"", "a", "Alice Smith", "a@corp.com", "!~", "a  b"}) {
    EXPECT_TRUE(is_safe_header_value(good)) << good;
  }
  for (const std::string& bad :
       {std::string("a\r\nX-Auth-User: admin"), std::string("a\n"), std::string("a\0b", 3),
        std::string("a\x7F"), std::string("\x85"), std::string("a\xA0"), std::string("\tb"),
        std::string("a\tb"), std::string(" a"), std::string("a "), std::string(" "),
        std::string("\xC3\xA9"), std::string("\xEF\xBD\x81lice"), std::string(4'097, 'a')}) {
    EXPECT_FALSE(is_safe_header_value(bad)) << bad.substr(0, 40);
  }
  EXPECT_TRUE(is_safe_header_value(std::string(4'096, 'a')));
}

}  // namespace
}  // namespace auth
