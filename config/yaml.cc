// See yaml.h; the only file that knows yaml-cpp. Its parser is used through events, never through
// its own node graph: a self alias (`a: &a [*a]`) or a bomb of aliases is refused at the first
// alias, before anything could be expanded. Depth and node count are checked as events arrive.
#include "config/yaml.h"

#include <algorithm>
#include <exception>
#include <map>
#include <sstream>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "config/yaml_advice.h"

namespace config {
namespace {

Location location(const YAML::Mark& mark) {
  if (mark.is_null()) { return {1, 1}; }
  return {mark.line + 1, mark.column + 1};
}

// YAML itself reads keys of up to 1,024 bytes; escaped, each byte takes up to four.
constexpr std::size_t key_bytes_max = 200;

// Ends the parse; thrown through yaml-cpp's parser and caught in parse_yaml.
struct Refused : std::exception {
  Refused(Location where, std::string what_is_wrong)
      : at(where), message(std::move(what_is_wrong)) {}
  [[nodiscard]] const char* what() const noexcept override { return message.c_str(); }
  Location at;
  std::string message;
};

class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& file_name, const YamlLimits& limits, Document& document)
      : file_name_(file_name), limits_(limits), document_(document) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) { throw Refused(location(mark), "a second document is not allowed"); }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    begin(mark, "", anchor);
    Node node;
    node.at = location(mark);
    place(std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused(location(mark), "aliases (`*name`) are not supported; write the value out");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    begin(mark, tag, anchor);
    Node node = Node::scalar(value, tag == "!");
    node.at = location(mark);
    place(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Node::list(), mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Node::map(), mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  // A list or map whose end has not been seen.
  struct Frame {
    Node node;
    bool has_key = false;  // in a map: the next node is the value of `key`
    std::string key;
    Location key_at;
    std::map<std::string, Location> seen;
  };

  // What holds for every node, whatever its kind.
  void begin(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != 0) {
      throw Refused(location(mark), "anchors (`&name`) are not supported; write the value out");
    }
    // yaml-cpp says `?` for an untagged plain node and `!` for a quoted one.
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw Refused(location(mark), "tags (`!name`) are not supported");
    }
    if (++nodes_ > limits_.nodes_max) {
      throw Refused(location(mark), "has more than " + std::to_string(limits_.nodes_max) +
                                        " values");
    }
  }

  void open(Node node, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    begin(mark, tag, anchor);
    if (!open_.empty() && open_.back().node.kind == Node::Kind::map && !open_.back().has_key) {
      throw Refused(location(mark), "a key must be plain text; a value such as `{{ x }}` needs "
                                    "quotes");
    }
    if (open_.size() >= limits_.depth_max) {
      throw Refused(location(mark),
                    "is nested deeper than " + std::to_string(limits_.depth_max) + " levels");
    }
    node.at = location(mark);
    open_.push_back(Frame{std::move(node), false, "", {}, {}});
  }

  void close() {
    Node node = std::move(open_.back().node);
    open_.pop_back();
    place(std::move(node));
  }

  // Puts a finished node where it belongs: the root, a list, or a map as key or value.
  void place(Node node) {
    if (open_.empty()) {
      document_.root = std::move(node);
      return;
    }
    Frame& frame = open_.back();
    if (frame.node.kind == Node::Kind::list) {
      frame.node.items.push_back(std::move(node));
    } else if (frame.has_key) {
      place_value(frame, std::move(node));
    } else {
      if (node.kind != Node::Kind::scalar) { throw Refused(node.at, "a key must be plain text"); }
      if (node.text.size() > key_bytes_max) {
        throw Refused(node.at, "this key is longer than any is; is a quotation mark missing?");
      }
      frame.has_key = true;
      frame.key = std::move(node.text);
      frame.key_at = node.at;
    }
  }

  void place_value(Frame& frame, Node value) {
    const auto [first, is_new] = frame.seen.emplace(frame.key, frame.key_at);
    if (is_new) {
      frame.node.members.push_back(Member{frame.key, frame.key_at, std::move(value)});
    } else {
      // yaml-cpp would silently keep one of the two (SECURITY B12).
      document_.problems.push_back(Problem{file_name_, frame.key_at, path(),
                                           "duplicate key; it is already set in line " +
                                               std::to_string(first->second.line)});
    }
    frame.has_key = false;
  }

  [[nodiscard]] std::string path() const {
    std::string text;
    for (const auto& frame : open_) {
      if (frame.node.kind == Node::Kind::list) {
        text += "[" + std::to_string(frame.node.items.size()) + "]";
      } else {
        text += (text.empty() ? "" : ".") + frame.key;
      }
    }
    return text;
  }

  const std::string& file_name_;
  const YamlLimits& limits_;
  Document& document_;
  std::vector<Frame> open_;
  std::size_t nodes_ = 0;
  int documents_ = 0;
};

// yaml-cpp scans a list or map in flow style at the root to its end before the first event, at some
// 250 bytes a token: a file of brackets would cost a quarter of a gigabyte. So they are counted
// first, generously, since they may also stand in text.
bool has_too_many_brackets(std::string_view text, std::size_t nodes_max) {
  const auto count = std::count_if(text.begin(), text.end(),
                                   [](char c) { return c == '[' || c == '{' || c == ','; });
  return static_cast<std::size_t>(count) > 2 * nodes_max;
}

Document failed(const std::string& file_name, Location at, std::string message) {
  Document document;
  document.root = Node::map();
  document.problems.push_back(Problem{file_name, at, "", std::move(message)});
  return document;
}

}  // namespace

Node Node::scalar(std::string text, bool quoted) {
  Node node;
  node.kind = Kind::scalar;
  node.text = std::move(text);
  node.quoted = quoted;
  return node;
}

Node Node::list() {
  Node node;
  node.kind = Kind::list;
  return node;
}

Node Node::map() {
  Node node;
  node.kind = Kind::map;
  return node;
}

void Node::add(std::string key, Node value) {
  members.push_back(Member{std::move(key), {}, std::move(value)});
}

Document parse_yaml(std::string_view text, const std::string& file_name,
                    const YamlLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return failed(file_name, {1, 1},
                  "is larger than " + std::to_string(limits.bytes_max) + " bytes");
  }
  if (has_too_many_brackets(text, limits.nodes_max)) {
    return failed(file_name, {1, 1},
                  "has more than " + std::to_string(limits.nodes_max) + " values");
  }
  Document document;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder(file_name, limits, document);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refused& refused) {
    return failed(file_name, refused.at, refused.message);
  } catch (const YAML::Exception& error) {
    const Location at = location(error.mark);
    return failed(file_name, at,
                  "is not valid YAML: " + error.msg + "; " + yaml_advice(text, at));
  } catch (const std::exception& error) {
    // yaml-cpp lets a few standard exceptions escape on malformed input.
    return failed(file_name, {1, 1}, std::string("is not valid YAML: ") + error.what());
  }
  if (document.root.kind == Node::Kind::null) {
    document.root = Node::map();
    document.root.at = {1, 1};
  }
  if (document.root.kind != Node::Kind::map) {
    return failed(file_name, document.root.at, "expects keys with values (`key: value`)");
  }
  document.usable = true;
  return document;
}

}  // namespace config
