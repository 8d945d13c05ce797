// Writing the small JSON documents of our endpoints: one object, member by member, every string
// escaped. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace proxy::endpoints {

class JsonText {
 public:
  // Each member has a function of its own name: a string literal would become a bool otherwise.
  JsonText& text(std::string_view name, std::string_view value);
  JsonText& text_unless_empty(std::string_view name, std::string_view value);
  JsonText& number(std::string_view name, std::int64_t value);
  JsonText& boolean(std::string_view name, bool value);
  JsonText& list(std::string_view name, const std::vector<std::string>& values);
  // `json` is a whole value already.
  JsonText& raw(std::string_view name, std::string_view json);

  [[nodiscard]] std::string done() const { return text_ + "}"; }

 private:
  void name(std::string_view name);
  std::string text_ = "{";
};

}  // namespace proxy::endpoints
