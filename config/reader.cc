// See reader.h. Messages say what is expected, with an example, because the reader of a refused
// configuration wants to fix it and not to learn a grammar.
#include "config/reader.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <utility>

#include "config/scalar.h"

namespace config {
namespace {

std::string quote(const std::string& text) {
  constexpr std::size_t shown_max = 60;
  return "`" + (text.size() > shown_max ? text.substr(0, shown_max) + "..." : text) + "`";
}

// The scalar's text, or null after a problem.
const std::string* scalar_of(Reader& reader, const Node& node, const std::string& key) {
  if (node.kind == Node::Kind::scalar) { return &node.text; }
  reader.report.problem(node.at, key, "takes a single value, not a list or a section");
  return nullptr;
}

std::string bound_text(const Description& about, std::uint64_t bound) {
  if (about.kind == Kind::duration) {
    return duration_text(milliseconds{static_cast<std::int64_t>(bound)});
  }
  return about.kind == Kind::size ? size_text(bound) : std::to_string(bound);
}

bool is_in_range(Reader& reader, const Node& node, const std::string& key,
                 const Description& about, std::uint64_t value) {
  if (about.min && value < *about.min) {
    reader.report.problem(node.at, key, "is less than " + bound_text(about, *about.min));
    return false;
  }
  if (about.max && value > *about.max) {
    reader.report.problem(node.at, key, "is more than " + bound_text(about, *about.max));
    return false;
  }
  return true;
}

// Levenshtein's distance, by rows.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) { row[j] = j; }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

// How unlike a known key is what was written; half a name (`timeout`) is nearly right.
std::size_t unlikeness(const std::string& written, const std::string& known) {
  const bool is_part = written.size() >= 4 && known.size() >= 4 &&
                       (known.find(written) != std::string::npos ||
                        written.find(known) != std::string::npos);
  return is_part ? 1 : edit_distance(written, known);
}

void read_texts(Reader& reader, const Node& list, const std::string& key,
                const Description& about, std::vector<std::string>& value) {
  value.clear();
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    const auto name = item_key(key, i);
    std::string text;
    read(reader, list.items[i], name, about, text);
    if (text.empty()) { reader.report.problem(list.items[i].at, name, "must not be empty"); }
    value.push_back(std::move(text));
  }
}

}  // namespace

void read(Reader& reader, const Node& node, const std::string& key, const Description&,
          std::string& value) {
  const auto* text = scalar_of(reader, node, key);
  if (text == nullptr) { return; }
  for (const char c : *text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      reader.report.problem(node.at, key, "must not hold control characters or line breaks");
      return;
    }
  }
  value = *text;
}

void read(Reader& reader, const Node& node, const std::string& key, const Description&,
          bool& value) {
  const auto* text = scalar_of(reader, node, key);
  if (text == nullptr) { return; }
  if (const auto parsed = parse_boolean(*text)) {
    value = *parsed;
  } else {
    reader.report.problem(node.at, key, "takes true or false, not " + quote(*text));
  }
}

void read(Reader& reader, const Node& node, const std::string& key, const Description& about,
          std::optional<bool>& value) {
  bool parsed = value.value_or(false);
  read(reader, node, key, about, parsed);
  if (!reader.report.has_problem(key)) { value = parsed; }
}

void read(Reader& reader, const Node& node, const std::string& key, const Description& about,
          std::uint32_t& value) {
  const auto* text = scalar_of(reader, node, key);
  if (text == nullptr) { return; }
  const auto parsed = parse_integer(*text);
  if (!parsed) {
    reader.report.problem(node.at, key,
                          "takes a whole number in decimal without leading zeros, not " +
                              quote(*text));
  } else if (*parsed > std::numeric_limits<std::uint32_t>::max()) {
    reader.report.problem(node.at, key, "is too large");
  } else if (is_in_range(reader, node, key, about, *parsed)) {
    value = static_cast<std::uint32_t>(*parsed);
  }
}

void read(Reader& reader, const Node& node, const std::string& key, const Description& about,
          std::uint64_t& bytes) {
  const auto* text = scalar_of(reader, node, key);
  if (text == nullptr) { return; }
  const auto parsed = parse_size(*text);
  if (!parsed) {
    reader.report.problem(node.at, key,
                          "takes a size with a unit, such as 512B, 8KiB or 1MiB, not " +
                              quote(*text));
  } else if (is_in_range(reader, node, key, about, *parsed)) {
    bytes = *parsed;
  }
}

void read(Reader& reader, const Node& node, const std::string& key, const Description& about,
          milliseconds& value) {
  const auto* text = scalar_of(reader, node, key);
  if (text == nullptr) { return; }
  const auto parsed = parse_duration(*text);
  if (!parsed) {
    reader.report.problem(node.at, key,
                          "takes a duration with a unit, such as 500ms, 30s, 15m, 1h30m or 7d, "
                          "not " + quote(*text));
  } else if (is_in_range(reader, node, key, about, static_cast<std::uint64_t>(parsed->count()))) {
    value = *parsed;
  }
}

void read(Reader& reader, const Node& node, const std::string& key, const Description& about,
          Rate& value) {
  const auto* text = scalar_of(reader, node, key);
  if (text == nullptr) { return; }
  const auto parsed = parse_rate(*text);
  if (!parsed || parsed->window.count() == 0) {
    reader.report.problem(node.at, key,
                          "takes a rate such as 5/2m (five in two minutes), not " + quote(*text));
  } else if (is_in_range(reader, node, key, about, parsed->count)) {
    value = *parsed;
  }
}

void read(Reader& reader, const Node& node, const std::string& key, const Description&,
          Fraction& value) {
  const auto* text = scalar_of(reader, node, key);
  if (text == nullptr) { return; }
  const auto parsed = parse_fraction(*text);
  if (parsed) {
    value = *parsed;
  } else {
    reader.report.problem(node.at, key,
                          "takes a part of the whole such as 0, 0.25 or 1, with up to six digits, "
                          "not " + quote(*text));
  }
}

void read(Reader& reader, const Node& node, const std::string& key, const Description& about,
          Percent& value) {
  const auto* text = scalar_of(reader, node, key);
  if (text == nullptr) { return; }
  const auto parsed = parse_percent(*text);
  if (!parsed) {
    reader.report.problem(node.at, key, "takes 0% to 100%, not " + quote(*text));
  } else if (is_in_range(reader, node, key, about, parsed->value)) {
    value = *parsed;
  }
}

void read(Reader& reader, const Node& node, const std::string& key, const Description& about,
          std::vector<std::string>& value) {
  if (is_list(reader, node, key)) { read_texts(reader, node, key, about, value); }
}

void read(Reader& reader, const Node& node, const std::string& key, const Description& about,
          std::map<std::string, std::string>& value) {
  if (!is_map(reader, node, key)) { return; }
  value.clear();
  for (const auto& member : node.members) {
    read(reader, member.value, child_key(key, member.key), about, value[member.key]);
  }
}

void read(Reader& reader, const Node& node, const std::string& key, const Description& about,
          std::map<std::string, std::vector<std::string>>& value) {
  if (!is_map(reader, node, key)) { return; }
  value.clear();
  for (const auto& member : node.members) {
    // One value may stand without brackets.
    const auto name = child_key(key, member.key);
    if (member.value.kind == Node::Kind::scalar) {
      read(reader, member.value, name, about, value[member.key].emplace_back());
    } else if (is_list(reader, member.value, name)) {
      read_texts(reader, member.value, name, about, value[member.key]);
    }
  }
}

void read_file_name(Reader& reader, const Node& node, const std::string& key, std::string& path) {
  std::string text;
  read(reader, node, key, Description{}, text);
  if (text.empty()) { return; }
  path = (std::filesystem::path(reader.directory) / text).lexically_normal().string();
}

std::optional<std::size_t> read_choice(Reader& reader, const Node& node, const std::string& key,
                                       const Description& about) {
  const auto* text = scalar_of(reader, node, key);
  if (text == nullptr) { return std::nullopt; }
  const auto found = std::find(about.choices.begin(), about.choices.end(), *text);
  if (found != about.choices.end()) {
    return static_cast<std::size_t>(found - about.choices.begin());
  }
  std::string list;
  for (const auto& choice : about.choices) { list += (list.empty() ? "" : ", ") + choice; }
  reader.report.problem(node.at, key, "takes one of " + list + ", not " + quote(*text));
  return std::nullopt;
}

Node write(const std::string& value) {
  return value.empty() ? Node{} : Node::scalar(value, true);
}
Node write(bool value) { return Node::scalar(value ? "true" : "false"); }
Node write(const std::optional<bool>& value) { return value ? write(*value) : Node{}; }
Node write(std::uint32_t value) { return Node::scalar(std::to_string(value)); }
Node write(std::uint64_t bytes) { return Node::scalar(size_text(bytes)); }
Node write(milliseconds value) { return Node::scalar(duration_text(value)); }
Node write(const Rate& value) {
  return value.window.count() == 0 ? Node{} : Node::scalar(rate_text(value));
}
Node write(const Percent& value) { return Node::scalar(std::to_string(value.value) + "%"); }

Node write(const Fraction& value) { return Node::scalar(fraction_text(value)); }

Node write(const std::vector<std::string>& value) {
  if (value.empty()) { return {}; }
  Node node = Node::list();
  for (const auto& text : value) { node.items.push_back(Node::scalar(text, true)); }
  return node;
}

Node write(const std::map<std::string, std::string>& value) {
  if (value.empty()) { return {}; }
  Node node = Node::map();
  for (const auto& [name, text] : value) { node.add(name, Node::scalar(text, true)); }
  return node;
}

Node write(const std::map<std::string, std::vector<std::string>>& value) {
  if (value.empty()) { return {}; }
  Node node = Node::map();
  for (const auto& [name, texts] : value) {
    Node list = write(texts);
    node.add(name, list.kind == Node::Kind::null ? Node::list() : std::move(list));
  }
  return node;
}

void report_unknown_key(Reader& reader, const Member& member, const std::string& key,
                        const std::vector<std::string>& known) {
  std::string message = "unknown key";
  if (member.key == "<<") {
    message += "; merge keys are not supported";
  } else if (!known.empty()) {
    const auto written = member.key.substr(0, 64);  // the distance costs its length each time
    const auto nearest = std::min_element(
        known.begin(), known.end(), [&](const std::string& a, const std::string& b) {
          return unlikeness(written, a) < unlikeness(written, b);
        });
    message += "; the nearest known key is `" + *nearest + "`";
  }
  reader.report.problem(member.at, key, std::move(message));
}

bool is_empty_text(const Node& node) {
  return node.kind == Node::Kind::scalar && node.text.empty();
}

bool is_map(Reader& reader, const Node& node, const std::string& key) {
  if (node.kind == Node::Kind::map) { return true; }
  reader.report.problem(node.at, key, "is a section and takes keys with values");
  return false;
}

bool is_list(Reader& reader, const Node& node, const std::string& key) {
  if (node.kind == Node::Kind::list) { return true; }
  reader.report.problem(node.at, key, "takes a list: write [a, b], or one `- ` line for each");
  return false;
}

}  // namespace config
