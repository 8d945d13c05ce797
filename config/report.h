// Collects what is wrong with one configuration file while it is read and checked. One complaint
// per key is enough: a value that could not be read is not checked again. Not thread safe.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/yaml.h"

namespace config {

class Report {
 public:
  explicit Report(std::string file) : file_(std::move(file)) {}

  // Remembers where each key of the tree stands, so that later rules need only its path.
  void learn_places(const Node& root);
  // Where `key` stands, or the nearest enclosing key that is written down.
  [[nodiscard]] Location place(const std::string& key) const;

  void problem(Location at, const std::string& key, std::string message);
  void problem(const std::string& key, std::string message);
  void warning(const std::string& key, std::string message);
  void add(const std::vector<Problem>& problems);
  [[nodiscard]] bool has_problem(const std::string& key) const;

  // In the order of the file.
  [[nodiscard]] std::vector<Problem> problems() const;
  [[nodiscard]] std::vector<Problem> warnings() const;

 private:
  void learn(const Node& node, const std::string& key);

  std::string file_;
  std::map<std::string, Location> places_;
  std::set<std::string> complained_;
  std::vector<Problem> problems_;
  std::vector<Problem> warnings_;
};

// "listeners" + "tls" = "listeners.tls"; an empty parent is the document.
[[nodiscard]] std::string child_key(const std::string& parent, const std::string& name);
[[nodiscard]] std::string item_key(const std::string& list, std::size_t index);

}  // namespace config
