// See schema.h. Every value may also be a text with `${VARIABLE}`, so numbers and booleans accept
// that beside their own form.
#include "config/schema.h"

#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "config/scalar.h"
#include "config/table.h"

namespace config {
namespace {

namespace json = boost::json;

constexpr std::string_view variable_pattern = "\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}";

json::object with_variable(json::object form) {
  return {{"anyOf", json::array{std::move(form), json::object{{"$ref", "#/$defs/variable"}}}}};
}

json::object reference(const char* name) {
  return {{"$ref", std::string("#/$defs/") + name}};
}

json::object object_of(const std::vector<Description>& keys);

json::object integer_of(const Description& about) {
  json::object form{{"type", "integer"}, {"minimum", about.min.value_or(0)}};
  if (about.max) { form["maximum"] = *about.max; }
  return with_variable(std::move(form));
}

json::object choice_of(const Description& about) {
  json::array words;
  for (const auto& word : about.choices) { words.emplace_back(word); }
  return with_variable({{"enum", std::move(words)}});
}

// The form of a value, or of an element of a list or map.
json::object form_of(const Description& about, Kind kind) {
  switch (kind) {
    case Kind::text:
    case Kind::file:
    case Kind::secret: return {{"type", "string"}};
    case Kind::boolean: return reference("boolean");
    case Kind::integer: return integer_of(about);
    case Kind::duration: return reference("duration");
    case Kind::size: return reference("size");
    case Kind::rate: return reference("rate");
    case Kind::fraction: return with_variable({{"type", "number"}, {"minimum", 0}, {"maximum", 1}});
    case Kind::percent: return reference("percent");
    case Kind::choice: return choice_of(about);
    case Kind::path_or_false:
      return {{"anyOf", json::array{json::object{{"type", "string"}},
                                    json::object{{"const", false}}}}};
    case Kind::section: return object_of(about.children);
    case Kind::list:
      return {{"type", "array"}, {"items", form_of(about, about.element)}};
    case Kind::map: {
      // Free names with a text, or with any of several texts.
      auto values = about.element == Kind::section
                        ? object_of(about.children)
                        : json::object{{"type", json::array{"string", "array"}},
                                       {"items", json::object{{"type", "string"}}}};
      return {{"type", "object"}, {"additionalProperties", std::move(values)}};
    }
  }
  return {};
}

json::object key_of(const Description& about) {
  auto form = form_of(about, about.kind);
  auto text = about.meaning;
  if (!about.default_text.empty()) { text += " Default: " + about.default_text + "."; }
  if (!about.raising.empty()) { text += " Raising it: " + about.raising; }
  form["description"] = text;
  return form;
}

json::object object_of(const std::vector<Description>& keys) {
  json::object properties;
  json::array required;
  for (const auto& about : keys) {
    properties[about.name] = key_of(about);
    if (about.required) { required.emplace_back(about.name); }
  }
  json::object form{{"type", "object"},
                    {"properties", std::move(properties)},
                    {"additionalProperties", false}};
  if (!required.empty()) { form["required"] = std::move(required); }
  return form;
}

json::object definitions() {
  const auto pattern = [](std::string_view regex) {
    // A bare 0 is a number in YAML and needs no unit.
    json::object text{{"type", "string"}, {"pattern", regex}};
    return with_variable({{"anyOf", json::array{std::move(text), json::object{{"const", 0}}}}});
  };
  return {
      {"variable", json::object{{"type", "string"}, {"pattern", variable_pattern}}},
      {"boolean", with_variable({{"type", "boolean"}})},
      {"duration", pattern("^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$")},
      {"size", pattern("^[0-9]+(B|KiB|MiB|GiB)$")},
      {"rate", pattern("^[0-9]+/([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$")},
      {"percent", with_variable({{"type", "string"}, {"pattern", "^(100|[1-9]?[0-9])%$"}})},
  };
}

void write_indented(const json::value& value, std::size_t indent, std::string& out) {
  const std::string blanks(indent + 2, ' ');
  const char* separator = "\n";
  if (value.is_object() && !value.get_object().empty()) {
    out += '{';
    for (const auto& member : value.get_object()) {
      out += separator + blanks + json::serialize(member.key()) + ": ";
      write_indented(member.value(), indent + 2, out);
      separator = ",\n";
    }
    out += '\n' + std::string(indent, ' ') + '}';
  } else if (value.is_array() && !value.get_array().empty()) {
    out += '[';
    for (const auto& item : value.get_array()) {
      out += separator + blanks;
      write_indented(item, indent + 2, out);
      separator = ",\n";
    }
    out += '\n' + std::string(indent, ' ') + ']';
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

std::string schema() {
  json::object root{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                    {"title", "gatehouse.yaml"}};
  const auto keys = object_of(config_descriptions());
  for (const auto& member : keys) { root[member.key()] = member.value(); }
  root["$defs"] = definitions();
  std::string out;
  write_indented(root, 0, out);
  return out + "\n";
}

}  // namespace config
