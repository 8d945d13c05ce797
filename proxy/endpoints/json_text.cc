// See json_text.h.
#include "proxy/endpoints/json_text.h"

#include "auth/json.h"

namespace proxy::endpoints {

void JsonText::name(std::string_view name) {
  if (text_.size() > 1) text_.push_back(',');
  auth::append_json_string(text_, name);
  text_.push_back(':');
}

JsonText& JsonText::text(std::string_view key, std::string_view value) {
  name(key);
  auth::append_json_string(text_, value);
  return *this;
}

JsonText& JsonText::text_unless_empty(std::string_view key, std::string_view value) {
  return value.empty() ? *this : text(key, value);
}

JsonText& JsonText::number(std::string_view key, std::int64_t value) {
  return raw(key, std::to_string(value));
}

JsonText& JsonText::boolean(std::string_view key, bool value) {
  return raw(key, value ? "true" : "false");
}

JsonText& JsonText::list(std::string_view key, const std::vector<std::string>& values) {
  name(key);
  text_.push_back('[');
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) text_.push_back(',');
    auth::append_json_string(text_, values[i]);
  }
  text_.push_back(']');
  return *this;
}

JsonText& JsonText::raw(std::string_view key, std::string_view json) {
  name(key);
  text_.append(json);
  return *this;
}

}  // namespace proxy::endpoints
