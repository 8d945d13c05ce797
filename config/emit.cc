// Nodes as YAML text (declared in yaml.h). Text is quoted unless it is plainly a word, so that no
// YAML reader can take it for a number, a boolean or a comment.
#include <algorithm>
#include <string_view>

#include "config/yaml.h"

namespace config {
namespace {

bool is_plain_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_-./:+*@%").find(c) != std::string_view::npos;
}

// Words that some YAML 1.1 reader takes for a boolean or a null.
bool is_keyword(std::string_view text) {
  for (const std::string_view word :
       {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}) {
    if (text.size() != word.size()) { continue; }
    bool equal = true;
    for (std::size_t i = 0; i < word.size(); ++i) {
      equal = equal && (text[i] == word[i] || text[i] == word[i] - 'a' + 'A');
    }
    if (equal) { return true; }
  }
  return false;
}

bool needs_quotes(std::string_view text) {
  if (text.empty() || is_keyword(text)) { return true; }
  // `/` and letters may begin a plain scalar; digits could be a number, the rest has a meaning.
  const char first = text.front();
  const bool safe_start =
      (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '/';
  if (!safe_start || text.back() == ':') { return true; }
  for (const char c : text) {
    if (!is_plain_char(c)) { return true; }
  }
  return false;
}

std::string quoted(std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\x";
      out += hex[byte >> 4];
      out += hex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// What was plain in a file stays plain, but for characters that mean something in a flow.
bool is_safe_plain(std::string_view text) {
  return text.back() != ':' && std::all_of(text.begin(), text.end(), is_plain_char);
}

std::string scalar_text(const Node& node) {
  const bool plain = !node.text.empty() &&
                     (node.quoted ? !needs_quotes(node.text) : is_safe_plain(node.text));
  return plain ? node.text : quoted(node.text);
}

bool is_empty(const Node& node) { return node.items.empty() && node.members.empty(); }

bool is_block(const Node& node) {
  if (node.kind == Node::Kind::map) { return !is_empty(node); }
  if (node.kind != Node::Kind::list || is_empty(node)) { return false; }
  for (const auto& item : node.items) {
    if (item.kind != Node::Kind::scalar) { return true; }
  }
  return false;
}

// `lead` stands before the first line instead of the indent: the dash of a list item.
void write_block(const Node& node, std::size_t indent, std::string_view lead, std::string& out) {
  const std::string blanks(indent, ' ');
  std::string_view before = lead.empty() ? std::string_view(blanks) : lead;
  for (const auto& member : node.members) {
    out += before;
    before = blanks;
    out += needs_quotes(member.key) ? quoted(member.key) : member.key;
    out += ':';
    if (is_block(member.value)) {
      out += '\n';
      write_block(member.value, indent + 2, "", out);
    } else {
      out += ' ' + to_flow(member.value) + '\n';
    }
  }
  for (const auto& item : node.items) {
    out += before;
    before = blanks;
    if (is_block(item)) {
      write_block(item, indent + 2, "- ", out);
    } else {
      out += "- " + to_flow(item) + '\n';
    }
  }
}

}  // namespace

std::string to_yaml(const Node& node) {
  std::string out;
  write_block(node, 0, "", out);
  return out;
}

std::string to_flow(const Node& node) {
  if (node.kind == Node::Kind::null) { return "null"; }
  if (node.kind == Node::Kind::scalar) { return scalar_text(node); }
  const bool is_list = node.kind == Node::Kind::list;
  std::string out(is_list ? "[" : "{");
  for (const auto& item : node.items) {
    out += (out.size() > 1 ? ", " : "") + to_flow(item);
  }
  for (const auto& member : node.members) {
    out += (out.size() > 1 ? ", " : "") + to_flow(Node::scalar(member.key, true)) + ": " +
           to_flow(member.value);
  }
  return out + (is_list ? "]" : "}");
}

}  // namespace config
