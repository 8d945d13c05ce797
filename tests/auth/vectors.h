// Finds other people's test vectors and our own sources. GATEHOUSE_VECTORS names the folder; by
// default it is ../shared/vectors beside the project. Where one is absent its tests are skipped.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace vectors {

inline std::filesystem::path source_dir() { return GATEHOUSE_SOURCE_DIR; }

inline std::filesystem::path path(const std::string& name) {
  const char* const folder = std::getenv("GATEHOUSE_VECTORS");
  const auto root = folder != nullptr ? std::filesystem::path(folder)
                                      : source_dir().parent_path() / "shared" / "vectors";
  return root / name;
}

inline bool present(const std::string& name) { return std::filesystem::exists(path(name)); }

inline std::string text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline boost::json::value json(const std::string& name) {
  return boost::json::parse(text(path(name)));
}

inline std::string string(const boost::json::value& value) {
  return std::string(value.as_string().data(), value.as_string().size());
}

// The member's text, or nothing for an absent one.
inline std::string member(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value == nullptr || !value->is_string() ? std::string() : string(*value);
}

inline std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

}  // namespace vectors

#define SKIP_WITHOUT_VECTOR(name) \
  if (!vectors::present(name)) GTEST_SKIP() << "no test vectors: " << (name)
