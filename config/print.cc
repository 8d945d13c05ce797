// The effective configuration as YAML (declared in load.h). Secrets are masked by the table's own
// printers, so that a secret cannot be printed by forgetting it here.
#include "config/environment.h"
#include "config/load.h"
#include "config/table.h"

namespace config {
namespace {

// A `${` that is in a value now must not be taken for a variable when the text is loaded again.
void escape(Node& node) {
  if (node.kind == Node::Kind::scalar) { node.text = escape_variables(node.text); }
  for (auto& item : node.items) { escape(item); }
  for (auto& member : node.members) { escape(member.value); }
}

}  // namespace

std::string print(const Config& config) {
  Node root = write_section(config_table(), config);
  escape(root);
  return to_yaml(root);
}

}  // namespace config
