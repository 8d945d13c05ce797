// Where other people's test vectors lie; they are not part of the tree.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace proxy::http {

inline std::filesystem::path vectors(std::string_view name) {
  const char* root = std::getenv("GATEHOUSE_VECTORS");
  const std::filesystem::path base =
      root != nullptr ? std::filesystem::path(root)
                      : std::filesystem::path(GATEHOUSE_SOURCE_DIR) / "../shared/vectors";
  return base / name;
}

}  // namespace proxy::http
