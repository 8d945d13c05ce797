// Bodies that two readers could understand differently (SECURITY I09).
#include "proxy/endpoints/fields.h"

#include <gtest/gtest.h>

#include <array>

namespace proxy::endpoints {
namespace {

constexpr std::array<std::string_view, 2> wanted{"a", "b"};

FieldsProblem read(std::string_view type, std::string_view body, Fields& fields) {
  http::RequestHead head;
  head.fields.push_back({http::HeaderId::content_type, "Content-Type", type});
  return read_fields(head, body, wanted, fields);
}
int json(std::string_view body) {
  Fields fields;
  return read("application/json", body, fields).status;
}
int form(std::string_view body) {
  Fields fields;
  return read("application/x-www-form-urlencoded", body, fields).status;
}

TEST(Fields, JsonMembersAreReadAndOthersIgnored) {
  Fields fields;
  const auto body = R"({"a":"x\u00fc","b":null,"c":[1,{"a":"no"}]})";
  EXPECT_EQ(read("application/json", body, fields).status, 0);
  EXPECT_EQ(fields.value("a"), "x\xc3\xbc");
  EXPECT_EQ(fields.value("b"), "");
  EXPECT_EQ(fields.value("c"), "");
}

TEST(Fields, JsonIsStrict) {
  EXPECT_EQ(json(R"({"a":"x"})"), 0);
  EXPECT_EQ(json(""), 0);
  EXPECT_EQ(json(" "), 400);
  for (const std::string_view body :
       {"[]", "\"a\"", "null", "{", R"({"a":"x"}x)", R"({"a":"x",})", R"({'a':'x'})",
        R"({"a":"x","a":"x"})", R"({"c":1,"c":2})", R"({"a":"x","\u0061":"y"})", R"({"a":1})",
        R"({"a":{}})", R"({"a":true})", "{\"a\":\"\xff\"}", R"({"a":"\ud800"})",
        "\xef\xbb\xbf{\"a\":\"x\"}", "{\"a\":\"x\ny\"}", "{/**/}"}) {
    EXPECT_EQ(json(body), 400) << body;
  }
}

TEST(Fields, JsonDepthIsBounded) {
  const auto nested = [](std::size_t depth) {
    return R"({"c":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_EQ(json(nested(31)), 0);
  EXPECT_EQ(json(nested(33)), 400);
  EXPECT_EQ(json(nested(4000)), 400);
}

TEST(Fields, FormsAreDecodedStrictly) {
  Fields fields;
  EXPECT_EQ(read("application/x-www-form-urlencoded", "a=x+y%2B%3d&&c=1&b", fields).status, 0);
  EXPECT_EQ(fields.value("a"), "x y+=");
  EXPECT_EQ(fields.value("b"), "");
  for (const std::string_view body : {"a=%", "a=%4", "a=%zz", "a=%-1", "a=1&a=2", "a=1&%61=2",
                                      "c=1&c=2", "a=x\ny", "a=x\x7f"}) {
    EXPECT_EQ(form(body), 400) << body;
  }
}

TEST(Fields, ManyPairsAreRefused) {
  std::string body;
  for (int i = 0; i < 64; ++i) body += "n" + std::to_string(i) + "=1&";
  EXPECT_EQ(form(body), 0);
  EXPECT_EQ(form(body + "n64=1"), 400);
}

TEST(Fields, QueryNamesAreSeenInEverySpelling) {
  const auto named = [](std::string_view query) {
    http::RequestHead head;
    head.query = query;
    return query_names_any(head, wanted);
  };
  EXPECT_FALSE(named(""));
  EXPECT_FALSE(named("c=a&ab=b"));
  EXPECT_TRUE(named("a"));
  EXPECT_TRUE(named("c=1&a=2"));
  EXPECT_TRUE(named("%61=2"));
  EXPECT_TRUE(named("c=%"));  // unreadable counts as named
}

}  // namespace
}  // namespace proxy::endpoints
