// Reads nodes into the value types that settings have, and writes them back. What a key may hold is
// said by its Description (plain data, also the source of the schema and of the reference); the
// fields of a struct are listed as a Section, see table.cc. Used while starting, by one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/report.h"
#include "config/yaml.h"

namespace config {

enum class Kind {
  text, file, secret, boolean, integer, fraction, duration, size, rate, percent, choice,
  path_or_false,  // one of our endpoints
  list,           // of `element`
  map,            // free names to `element`
  section,        // the keys in `children`
};

// Everything there is to know about one key, apart from where its value goes.
struct Description {
  std::string name;
  Kind kind = Kind::text;
  Kind element = Kind::text;         // of a list or map; Kind::section: described by `children`
  std::vector<std::string> choices;
  std::optional<std::uint64_t> min;  // in the unit of the kind: milliseconds, bytes or a count
  std::optional<std::uint64_t> max;
  std::string meaning;               // one sentence
  std::string raising;               // what a larger value costs; empty: nothing to say
  std::string default_text;          // as YAML; empty: none
  bool required = false;
  bool is_output = false;            // a file that the program writes
  std::vector<Description> children;
};

// Where values go wrong and where relative paths start.
struct Reader {
  Report& report;
  std::string directory;
};

// One setter for each value type. `about` gives the bounds; the value stays as it was on a problem.
void read(Reader&, const Node&, const std::string& key, const Description&, std::string& value);
void read(Reader&, const Node&, const std::string& key, const Description&, bool& value);
void read(Reader&, const Node&, const std::string& key, const Description&,
          std::optional<bool>& value);
void read(Reader&, const Node&, const std::string& key, const Description&, std::uint32_t& value);
void read(Reader&, const Node&, const std::string& key, const Description&, std::uint64_t& bytes);
void read(Reader&, const Node&, const std::string& key, const Description&, milliseconds& value);
void read(Reader&, const Node&, const std::string& key, const Description&, Rate& value);
void read(Reader&, const Node&, const std::string& key, const Description&, Fraction& value);
void read(Reader&, const Node&, const std::string& key, const Description&, Percent& value);
void read(Reader&, const Node&, const std::string& key, const Description&,
          std::vector<std::string>& value);
void read(Reader&, const Node&, const std::string& key, const Description&,
          std::map<std::string, std::string>& value);
void read(Reader&, const Node&, const std::string& key, const Description&,
          std::map<std::string, std::vector<std::string>>& value);
// A path, taken relative to the configuration's directory.
void read_file_name(Reader&, const Node&, const std::string& key, std::string& path);
// The index of the word among `about.choices`; nullopt after a problem.
std::optional<std::size_t> read_choice(Reader&, const Node&, const std::string& key,
                                       const Description& about);

// And back. Null means that there is nothing to say: an empty text, list or map.
[[nodiscard]] Node write(const std::string& value);
[[nodiscard]] Node write(bool value);
[[nodiscard]] Node write(const std::optional<bool>& value);
[[nodiscard]] Node write(std::uint32_t value);
[[nodiscard]] Node write(std::uint64_t bytes);
[[nodiscard]] Node write(milliseconds value);
[[nodiscard]] Node write(const Rate& value);
[[nodiscard]] Node write(const Fraction& value);
[[nodiscard]] Node write(const Percent& value);
[[nodiscard]] Node write(const std::vector<std::string>& value);
[[nodiscard]] Node write(const std::map<std::string, std::string>& value);
[[nodiscard]] Node write(const std::map<std::string, std::vector<std::string>>& value);

[[nodiscard]] inline Kind kind_of(const std::string&) { return Kind::text; }
[[nodiscard]] inline Kind kind_of(bool) { return Kind::boolean; }
[[nodiscard]] inline Kind kind_of(const std::optional<bool>&) { return Kind::boolean; }
[[nodiscard]] inline Kind kind_of(std::uint32_t) { return Kind::integer; }
[[nodiscard]] inline Kind kind_of(std::uint64_t) { return Kind::size; }
[[nodiscard]] inline Kind kind_of(milliseconds) { return Kind::duration; }
[[nodiscard]] inline Kind kind_of(const Rate&) { return Kind::rate; }
[[nodiscard]] inline Kind kind_of(const Fraction&) { return Kind::fraction; }
[[nodiscard]] inline Kind kind_of(const Percent&) { return Kind::percent; }
[[nodiscard]] inline Kind kind_of(const std::vector<std::string>&) { return Kind::list; }
template <typename Value>
[[nodiscard]] Kind kind_of(const std::map<std::string, Value>&) { return Kind::map; }

// Problems that every section shares.
void report_unknown_key(Reader&, const Member&, const std::string& key,
                        const std::vector<std::string>& known);
[[nodiscard]] bool is_empty_text(const Node& node);
[[nodiscard]] bool is_map(Reader&, const Node&, const std::string& key);
[[nodiscard]] bool is_list(Reader&, const Node&, const std::string& key);

}  // namespace config
