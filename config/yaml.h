// The YAML tree behind a configuration: text in, plain nodes with line and column out. Strict where
// YAML is generous: duplicate keys, aliases, anchors, tags, merge keys and second documents are
// refused, depth and size are bounded (SECURITY L01). Pure; any thread; nodes own their text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace config {

struct Member;

struct Node {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  std::string text;             // of a scalar
  bool quoted = false;          // '...', "...", | or >: never a keyword
  Location at;
  std::vector<Node> items;      // of a list
  std::vector<Member> members;  // of a map, in the order of the file, names distinct

  [[nodiscard]] static Node scalar(std::string text, bool quoted = false);
  [[nodiscard]] static Node list();
  [[nodiscard]] static Node map();
  void add(std::string key, Node value);  // to a map
};

struct Member {
  std::string key;
  Location at;
  Node value;
};

// Bounds on what a document may cost before it is looked at.
struct YamlLimits {
  std::size_t bytes_max = 1024 * 1024;
  std::size_t nodes_max = 10'000;
  std::size_t depth_max = 32;
};

struct Document {
  Node root;                      // a map, empty for an empty document
  bool usable = false;            // duplicate keys leave it usable, other problems do not
  std::vector<Problem> problems;
};

[[nodiscard]] Document parse_yaml(std::string_view text, const std::string& file_name,
                                  const YamlLimits& limits = {});

// As text again: block style with two blanks of indent, or on one line in flow style.
[[nodiscard]] std::string to_yaml(const Node& node);
[[nodiscard]] std::string to_flow(const Node& node);

}  // namespace config
