// The JSON schema describes the table, and so the same files as the loader.
#include "config/schema.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "config/table.h"

namespace config {
namespace {

namespace json = boost::json;

// The schema object in which the children of `about` stand.
const json::object& inside(const json::object& form, const Description& about) {
  if (about.kind == Kind::list) { return form.at("items").as_object(); }
  if (about.kind == Kind::map) { return form.at("additionalProperties").as_object(); }
  return form;
}

int expect_all_keys(const std::vector<Description>& keys, const json::object& form) {
  EXPECT_EQ(form.at("additionalProperties"), false);
  const auto& properties = form.at("properties").as_object();
  EXPECT_EQ(properties.size(), keys.size());
  int count = 0;
  for (const auto& about : keys) {
    ++count;
    const auto found = properties.find(about.name);
    EXPECT_NE(found, properties.end()) << about.name;
    if (found == properties.end()) { continue; }
    EXPECT_TRUE(found->value().as_object().contains("description")) << about.name;
    if (!about.children.empty()) {
      count += expect_all_keys(about.children, inside(found->value().as_object(), about));
    }
  }
  return count;
}

TEST(Schema, ListsEveryKeyOfTheTableAndNoOther) {
  const auto root = json::parse(schema()).as_object();
  EXPECT_EQ(root.at("$schema"), "https://json-schema.org/draft/2020-12/schema");
  EXPECT_GT(expect_all_keys(config_descriptions(), root), 120);
}

TEST(Schema, SaysWhatIsRequired) {
  const auto root = json::parse(schema()).as_object();
  EXPECT_EQ(root.at("required"), (json::array{"listeners"}));
}

TEST(Schema, ReferencesOnlyItsOwnDefinitions) {
  const auto text = schema();
  const auto root = json::parse(text).as_object();
  const auto& definitions = root.at("$defs").as_object();
  const std::string mark = "\"#/$defs/";
  int references = 0;
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
    const auto begin = at + mark.size();
    EXPECT_TRUE(definitions.contains(text.substr(begin, text.find('"', begin) - begin)));
    ++references;
  }
  EXPECT_GT(references, 30);
}

}  // namespace
}  // namespace config
