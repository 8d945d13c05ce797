// See environment.h. As in a shell, `:-` also replaces a variable that is set but empty.
#include "config/environment.h"

#include <optional>
#include <string_view>

namespace config {
namespace {

bool is_name(std::string_view name) {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) { return false; }
  for (const char c : name) {
    const bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_';
    if (!ok) { return false; }
  }
  return true;
}

struct Expansion {
  std::string text;
  std::string error;  // empty on success
};

// What stands between `${` and `}`.
Expansion expand_one(std::string_view inside, const Environment& environment) {
  const auto split = inside.find(":-");
  const auto name = inside.substr(0, split);
  if (!is_name(name)) {
    return {"", "has `${" + std::string(inside) + "}`, which names no variable; write `$${` for a "
                "literal `${`"};
  }
  const auto value = environment(name);
  if (split != std::string_view::npos && (!value || value->empty())) {
    return {std::string(inside.substr(split + 2)), ""};
  }
  if (!value) {
    return {"", "needs the environment variable " + std::string(name) + ", which is not set"};
  }
  return {*value, ""};
}

Expansion expand(std::string_view text, const Environment& environment) {
  Expansion result;
  while (true) {
    const auto dollar = text.find("${");
    if (dollar == std::string_view::npos) { break; }
    if (dollar > 0 && text[dollar - 1] == '$') {
      result.text += text.substr(0, dollar - 1);
      result.text += "${";
      text.remove_prefix(dollar + 2);
      continue;
    }
    const auto end = text.find('}', dollar);
    if (end == std::string_view::npos) {
      result.error = "has a `${` without `}`; write `$${` for a literal `${`";
      return result;
    }
    auto one = expand_one(text.substr(dollar + 2, end - dollar - 2), environment);
    if (!one.error.empty()) { return one; }
    result.text += text.substr(0, dollar);
    result.text += one.text;
    text.remove_prefix(end + 1);
  }
  result.text += text;
  return result;
}

}  // namespace

void expand_variables(Node& node, const std::string& key, const Environment& environment,
                      Report& report) {
  if (node.kind == Node::Kind::scalar && node.text.find("${") != std::string::npos) {
    auto result = expand(node.text, environment);
    if (!result.error.empty()) { report.problem(node.at, key, std::move(result.error)); }
    node.text = std::move(result.text);
  }
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    expand_variables(node.items[i], item_key(key, i), environment, report);
  }
  for (auto& member : node.members) {
    expand_variables(member.value, child_key(key, member.key), environment, report);
  }
}

std::string escape_variables(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "${") == 0) { out += '$'; }
    out += text[i];
  }
  return out;
}

}  // namespace config
