// See report.h. A key's path is its name everywhere: `upstreams.app.endpoints[0]`.
#include "config/report.h"

#include <algorithm>

namespace config {
namespace {

std::vector<Problem> in_file_order(std::vector<Problem> problems) {
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::pair(a.at.line, a.at.column) < std::pair(b.at.line, b.at.column);
  });
  return problems;
}

}  // namespace

void Report::learn_places(const Node& root) { learn(root, ""); }

void Report::learn(const Node& node, const std::string& key) {
  places_.emplace(key, node.at);
  for (std::size_t i = 0; i < node.items.size(); ++i) { learn(node.items[i], item_key(key, i)); }
  for (const auto& member : node.members) {
    // The key's own place is the better one to point at when its value is a section.
    const auto name = child_key(key, member.key);
    if (member.value.kind != Node::Kind::scalar) { places_.emplace(name, member.at); }
    learn(member.value, name);
  }
}

Location Report::place(const std::string& key) const {
  std::string part = key;
  while (true) {
    if (const auto found = places_.find(part); found != places_.end()) { return found->second; }
    const auto cut = part.find_last_of(".[");
    if (part.empty()) { return {1, 1}; }
    part.resize(cut == std::string::npos ? 0 : cut);
  }
}

void Report::problem(Location at, const std::string& key, std::string message) {
  if (!complained_.insert(key).second) { return; }
  problems_.push_back(Problem{file_, at, key, std::move(message)});
}

void Report::problem(const std::string& key, std::string message) {
  problem(place(key), key, std::move(message));
}

void Report::warning(const std::string& key, std::string message) {
  warnings_.push_back(Problem{file_, place(key), key, std::move(message)});
}

void Report::add(const std::vector<Problem>& problems) {
  for (const auto& each : problems) { problem(each.at, each.key, each.message); }
}

bool Report::has_problem(const std::string& key) const { return complained_.count(key) > 0; }

std::vector<Problem> Report::problems() const { return in_file_order(problems_); }
std::vector<Problem> Report::warnings() const { return in_file_order(warnings_); }

std::string child_key(const std::string& parent, const std::string& name) {
  return parent.empty() ? name : parent + "." + name;
}

std::string item_key(const std::string& list, std::size_t index) {
  return list + "[" + std::to_string(index) + "]";
}

}  // namespace config
