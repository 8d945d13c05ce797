// See yaml_advice.h. Each cause is looked for in the line of the error and, since a parser often
// stops one line too late, in the one above.
#include "config/yaml_advice.h"

#include <algorithm>

namespace config {
namespace {

// The line with that number, from 1; empty when there is none, or only a comment.
std::string_view line_of(std::string_view text, int number) {
  for (; number > 1; --number) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) { return {}; }
    text.remove_prefix(end + 1);
  }
  const std::string_view line = text.substr(0, text.find('\n'));
  const auto first = line.find_first_not_of(" \t");
  return first != std::string_view::npos && line[first] == '#' ? std::string_view{} : line;
}

bool is_indented_with_tab(std::string_view line) {
  return line.substr(0, line.find_first_not_of(" \t")).find('\t') != std::string_view::npos;
}

// Whether a value that nobody put into quotes begins with that text: behind `: `, `- `, `[`, `{`
// or `,`.
bool has_value_with(std::string_view line, std::string_view beginning) {
  for (auto at = line.find(beginning); at != std::string_view::npos;
       at = line.find(beginning, at + 1)) {
    const auto before = line.substr(0, at).find_last_not_of(" \t");
    if (before == std::string_view::npos) { continue; }
    const bool is_spaced = before + 1 < at;
    const char mark = line[before];
    if (mark == '[' || mark == '{' || mark == ',') { return true; }
    if (is_spaced && (mark == ':' || mark == '-')) { return true; }
  }
  return false;
}

bool is_between_brackets(std::string_view line, std::string_view what) {
  const auto at = line.find(what);
  return at != std::string_view::npos &&
         line.substr(0, at).find_first_of("[{") != std::string_view::npos;
}

std::string advice_about(std::string_view line) {
  if (is_indented_with_tab(line)) { return "indent with blanks; YAML takes no tabs for that"; }
  if (is_between_brackets(line, "${")) {
    return "between braces or brackets a variable needs quotes: \"${NAME}\"";
  }
  if (has_value_with(line, "*")) {
    return "a value that begins with `*` needs quotes: \"*.example.com\"";
  }
  for (const char* const mark : {"@", "`", "%"}) {
    if (has_value_with(line, mark)) {
      return std::string("a value that begins with `") + mark + "` needs quotes";
    }
  }
  return "";
}

// More of the one than of the other: a bracket was not closed, or never opened.
bool is_unbalanced(std::string_view text) {
  const auto count = [text](char c) { return std::count(text.begin(), text.end(), c); };
  return count('{') != count('}') || count('[') != count(']');
}

}  // namespace

std::string yaml_advice(std::string_view text, Location at) {
  const std::string_view line = line_of(text, at.line);
  const std::string_view above = at.line > 1 ? line_of(text, at.line - 1) : std::string_view{};
  for (const std::string_view suspect : {line, above}) {
    if (auto advice = advice_about(suspect); !advice.empty()) { return advice; }
  }
  if (is_unbalanced(text)) {
    return "every `{` and `[` needs its `}` and `]`, with commas between";
  }
  const auto first = line.find(": ");
  if (first != std::string_view::npos && line.find(": ", first + 1) != std::string_view::npos) {
    return "a value that holds `: ` needs quotes";
  }
  return "keys of one section begin in the same column, as `key: value`";
}

}  // namespace config
