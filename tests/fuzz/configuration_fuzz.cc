// Any text as gatehouse.yaml: it is a configuration or a list of problems, each with its place in
// the file; and a tree that was read is the same when it is written and read again.
#include <optional>
#include <string>
#include <string_view>

#include "config/load.h"
#include "config/yaml.h"
#include "tests/fuzz/require.h"

namespace {

bool same(const config::Node& a, const config::Node& b) {
  if (a.kind != b.kind || a.text != b.text || a.items.size() != b.items.size() ||
      a.members.size() != b.members.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    if (!same(a.items[i], b.items[i])) return false;
  }
  for (std::size_t i = 0; i < a.members.size(); ++i) {
    if (a.members[i].key != b.members[i].key) return false;
    if (!same(a.members[i].value, b.members[i].value)) return false;
  }
  return true;
}

std::optional<std::string> variable(std::string_view name) {
  if (name == "A") return "8KiB";
  return std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text(data, size);
  const config::Document document = config::parse_yaml(text, "f");
  if (document.usable && document.problems.empty()) {
    const config::Document again = config::parse_yaml(config::to_yaml(document.root), "f");
    fuzz::require(again.problems.empty() && same(again.root, document.root));
  }
  const config::Loaded loaded = config::load(text, "f", "/nowhere", variable);
  for (const config::Problem& problem : loaded.problems) {
    fuzz::require(!problem.message.empty() && problem.file == "f");
  }
  if (loaded.problems.empty()) fuzz::require(!config::print(loaded.config).empty());
  return 0;
}
