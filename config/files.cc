// See load.h: the files that a configuration is made of, found through the table, so that a new
// key with a file needs no line here.
#include "config/load.h"
#include "config/table.h"

namespace config {
namespace {

using Files = std::vector<NamedFile>;

void collect(const std::vector<Description>& keys, const Node& map, const std::string& where,
             Files& files);

void collect_value(const Description& about, const Node& value, const std::string& where,
                   Files& files) {
  if (about.is_output) { return; }
  if (about.kind == Kind::file && value.kind == Node::Kind::scalar) {
    if (!value.text.empty()) { files.push_back({where, value.text}); }
  } else if (about.kind == Kind::section) {
    collect(about.children, value, where, files);
  } else if (about.element == Kind::section || about.element == Kind::file) {
    const bool is_section = about.element == Kind::section;
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      const auto key = item_key(where, i);
      if (is_section) { collect(about.children, value.items[i], key, files); }
      if (!is_section) { files.push_back({key, value.items[i].text}); }
    }
    for (const auto& member : value.members) {
      if (is_section) {
        collect(about.children, member.value, child_key(where, member.key), files);
      }
    }
  }
}

void collect(const std::vector<Description>& keys, const Node& map, const std::string& where,
             Files& files) {
  for (const auto& member : map.members) {
    for (const auto& about : keys) {
      if (about.name != member.key) { continue; }
      const auto key = where.empty() ? member.key : child_key(where, member.key);
      collect_value(about, member.value, key, files);
    }
  }
}

}  // namespace

std::vector<NamedFile> named_files_of(const Config& config) {
  Files files;
  if (!config.file.empty()) { files.push_back({"", config.file}); }
  collect(config_descriptions(), write_section(config_table(), config), "", files);
  return files;
}

std::vector<std::string> files_of(const Config& config) {
  std::vector<std::string> paths;
  for (auto& file : named_files_of(config)) { paths.push_back(std::move(file.path)); }
  return paths;
}

}  // namespace config
