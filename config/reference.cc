// See reference.h. One heading for each section, one table line for each key.
#include "config/reference.h"

#include <vector>

#include "config/scalar.h"
#include "config/table.h"

namespace config {
namespace {

constexpr const char* introduction = R"(# Configuration

Every key of `gatehouse.yaml`. This page is made by `gatehouse config --reference` from the table
that the program itself reads with; `gatehouse config --schema` prints the same as a JSON schema
for editors.

`gatehouse check --config FILE` finds every problem at once, each with its line and column:

```
gatehouse.yaml:3:10: workers: takes a whole number in decimal without leading zeros, not `010`
gatehouse.yaml:7:5: upstreams.app.endpoint: unknown key; the nearest known key is `endpoints`
```

How values are written:

- **Whole numbers** are decimal without leading zeros; **true or false** are exactly these words
  (`yes` and `on` are refused).
- **Durations** are `500ms`, `30s`, `15m`, `1h30m`, `7d`, **sizes** `512B`, `8KiB`, `1MiB`. Without
  a unit only `0` is taken.
- **Rates** are `5/2m`: five in two minutes. **Parts of the whole** are `0`, `0.25` or `1`.
- **Variables**: `${NAME}` is replaced from the environment, `${NAME:-default}` has a default for a
  variable that is unset or empty, and `$${` is a literal `${`. Inside `[...]` and `{...}` put the
  value in quotes. A variable only ever becomes a value, never structure.
- **Files** that are not absolute are looked for from the directory of `gatehouse.yaml`.
- **Secrets** stand in a file (`secret_file`), in place, or in a variable; the file form and the
  other exclude each other. A file holds the secret itself (one newline at its end is cut) or
  `base64:` and its base64.
- An empty text (`""`) is the same as leaving the key out. A key without a value is an error.
- Unknown keys, duplicate keys, anchors, aliases, merge keys, tags and second documents are errors.

The files named here (keys, secrets, users) are read when the program starts and at each reload.
SIGHUP reloads; a configuration with a problem changes nothing.
)";

std::string kind_text(const Description& about, Kind kind) {
  switch (kind) {
    case Kind::text: return "text";
    case Kind::file: return "file";
    case Kind::secret: return "secret";
    case Kind::boolean: return "true or false";
    case Kind::integer: return "whole number";
    case Kind::duration: return "duration";
    case Kind::size: return "size";
    case Kind::rate: return "rate";
    case Kind::fraction: return "0 to 1";
    case Kind::percent: return "percentage";
    case Kind::path_or_false: return "path or `false`";
    case Kind::section: return "section";
    case Kind::list: return "list of " + kind_text(about, about.element);
    case Kind::map: return about.element == Kind::section ? "sections by name" : "values by name";
    case Kind::choice: break;
  }
  std::string words;
  for (const auto& word : about.choices) { words += (words.empty() ? "`" : ", `") + word + "`"; }
  return words;
}

std::string bound(const Description& about, std::uint64_t value) {
  if (about.kind == Kind::duration) {
    return duration_text(milliseconds{static_cast<std::int64_t>(value)});
  }
  return about.kind == Kind::size ? size_text(value) : std::to_string(value);
}

std::string range_text(const Description& about) {
  if (about.min && about.max) {
    return ", " + bound(about, *about.min) + " to " + bound(about, *about.max);
  }
  return about.max ? ", at most " + bound(about, *about.max) : "";
}

std::string default_cell(const Description& about) {
  if (about.required) { return "*required*"; }
  if (about.default_text.empty()) { return ""; }
  const bool is_sentence = about.default_text.find(' ') != std::string::npos &&
                           about.default_text.front() != '[';
  return is_sentence ? about.default_text : "`" + about.default_text + "`";
}

// Sections have headings of their own.
bool has_heading(const Description& about) { return !about.children.empty(); }

std::string path_of(const std::string& parent, const Description& about) {
  auto path = parent.empty() ? about.name : parent + "." + about.name;
  if (about.kind == Kind::list) { path += "[]"; }
  if (about.kind == Kind::map) { path += ".<name>"; }
  return path;
}

void write_table(const std::vector<Description>& keys, std::string& out) {
  bool has_header = false;
  for (const auto& about : keys) {
    if (has_heading(about)) { continue; }
    if (!has_header) { out += "\n| Key | Value | Default | Meaning |\n|---|---|---|---|\n"; }
    has_header = true;
    out += "| `" + about.name + "` | " + kind_text(about, about.kind) + range_text(about) + " | " +
           default_cell(about) + " | " + about.meaning;
    if (!about.raising.empty()) { out += " *Raising it:* " + about.raising; }
    out += " |\n";
  }
}

void write_keys(const std::vector<Description>& keys, const std::string& path, std::string& out) {
  write_table(keys, out);
  for (const auto& about : keys) {
    if (!has_heading(about)) { continue; }
    const auto name = path_of(path, about);
    out += "\n" + std::string(path.empty() ? "## `" : "### `") + name + "`\n\n" + about.meaning;
    if (about.required) { out += " *Required.*"; }
    out += "\n";
    write_keys(about.children, name, out);
  }
}

constexpr const char* users_introduction = R"(
## The users file

`users.file` names a `users.yaml` with the keys below, or an htpasswd file: lines of `name:hash`,
where only bcrypt (`htpasswd -B`) is taken. It is read again when it changes; users who are gone,
disabled, or have another hash lose their sessions. Variables are not replaced in it, and at most
10,000 users are taken.

Names go into headers: usernames, groups and scopes are 1 to 256 printable ASCII characters without
blanks at their ends, groups without commas, scopes without blanks.
)";

}  // namespace

std::string reference() {
  std::string out = introduction;
  out += "\n## At the top\n";
  write_keys(config_descriptions(), "", out);
  out += users_introduction;
  write_keys(users_descriptions().front().children, "users[]", out);
  return out;
}

}  // namespace config
