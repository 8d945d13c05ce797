// See load.h: the files that a configuration is made of, found through the table, so that a new
// key with a file needs no line here.
#include "config/load.h"
#include "config/table.h"

namespace config {
namespace {

void collect(const std::vector<Description>& keys, const Node& map,
             std::vector<std::string>& files);

void collect_value(const Description& about, const Node& value, std::vector<std::string>& files) {
  if (about.is_output) { return; }
  if (about.kind == Kind::file && value.kind == Node::Kind::scalar) {
    if (!value.text.empty()) { files.push_back(value.text); }
  } else if (about.kind == Kind::section) {
    collect(about.children, value, files);
  } else if (about.element == Kind::section) {
    for (const auto& item : value.items) { collect(about.children, item, files); }
    for (const auto& member : value.members) { collect(about.children, member.value, files); }
  } else if (about.element == Kind::file) {
    for (const auto& item : value.items) { files.push_back(item.text); }
  }
}

void collect(const std::vector<Description>& keys, const Node& map,
             std::vector<std::string>& files) {
  for (const auto& member : map.members) {
    for (const auto& about : keys) {
      if (about.name == member.key) { collect_value(about, member.value, files); }
    }
  }
}

}  // namespace

std::vector<std::string> files_of(const Config& config) {
  std::vector<std::string> files;
  if (!config.file.empty()) { files.push_back(config.file); }
  collect(config_descriptions(), write_section(config_table(), config), files);
  return files;
}

}  // namespace config
