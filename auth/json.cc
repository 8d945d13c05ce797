// Boost.JSON's incremental parser under a handler of ours: the library takes duplicate members (the
// last wins), so members are counted while parsing and compared with what the tree has kept.
#include "auth/json.h"

#include <array>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>
#include <cmath>
#include <new>

namespace auth {
namespace {

namespace json = boost::json;
using boost::json::error_code;

// Members kept in the tree; at most json_levels_max deep because the parser saw to that.
std::size_t count_members(const json::value& value) {
  std::size_t count = 0;
  if (const auto* object = value.if_object()) {
    count = object->size();
    for (const auto& member : *object) {
      count += count_members(member.value());
    }
  } else if (const auto* array = value.if_array()) {
    for (const auto& element : *array) {
      count += count_members(element);
    }
  }
  return count;
}

const json::value& value_of(const void* value) { return *static_cast<const json::value*>(value); }

json::parse_options strict() {
  json::parse_options options;
  options.max_depth = json_levels_max;
  return options;
}

}  // namespace

bool Json::is_null() const { return exists() && value_of(value_).is_null(); }
bool Json::is_object() const { return exists() && value_of(value_).is_object(); }
bool Json::is_array() const { return exists() && value_of(value_).is_array(); }

std::optional<std::string_view> Json::text() const {
  if (!exists()) return std::nullopt;
  const auto* string = value_of(value_).if_string();
  if (string == nullptr) return std::nullopt;
  return std::string_view(string->data(), string->size());
}

std::optional<double> Json::number() const {
  if (!exists() || !value_of(value_).is_number()) return std::nullopt;
  error_code failed;
  const auto number = value_of(value_).to_number<double>(failed);
  if (failed || !std::isfinite(number)) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> Json::whole() const {
  if (!exists()) return std::nullopt;
  const auto& value = value_of(value_);
  if (const auto* number = value.if_uint64()) return *number;
  const auto* number = value.if_int64();
  if (number == nullptr || *number < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

std::optional<std::string> Json::scalar_text() const {
  if (!exists()) return std::nullopt;
  if (const auto string = text()) return std::string(*string);
  const auto& value = value_of(value_);
  if (value.is_bool()) return value.get_bool() ? "true" : "false";
  std::array<char, 32> digits;
  char* const end = digits.data() + digits.size();
  std::to_chars_result written{digits.data(), {}};
  if (const auto* integer = value.if_int64()) {
    written = std::to_chars(digits.data(), end, *integer);
  } else if (const auto* large = value.if_uint64()) {
    written = std::to_chars(digits.data(), end, *large);
  } else if (const auto number_value = number()) {
    written = std::to_chars(digits.data(), end, *number_value);
  }
  if (written.ptr == digits.data()) return std::nullopt;
  return std::string(digits.data(), written.ptr);
}

Json Json::member(std::string_view name) const {
  if (!is_object()) return {};
  return Json(value_of(value_).get_object().if_contains({name.data(), name.size()}));
}

std::size_t Json::size() const {
  if (is_object()) return value_of(value_).get_object().size();
  if (is_array()) return value_of(value_).get_array().size();
  return 0;
}

Json Json::element(std::size_t index) const {
  if (!is_array() || index >= size()) return {};
  return Json(&value_of(value_).get_array()[index]);
}

std::pair<std::string_view, Json> Json::entry(std::size_t index) const {
  if (!is_object() || index >= size()) return {};
  const auto& pair = *(value_of(value_).get_object().begin() + index);
  return {std::string_view(pair.key().data(), pair.key().size()), Json(&pair.value())};
}

struct JsonDocument::Impl {
  // Builds the tree as boost::json::parser does, and counts members.
  struct Handler {
    static constexpr std::size_t max_object_size = json::object::max_size();
    static constexpr std::size_t max_array_size = json::array::max_size();
    static constexpr std::size_t max_key_size = json::string::max_size();
    static constexpr std::size_t max_string_size = json::string::max_size();

    Handler(json::storage_ptr memory, unsigned char* scratch, std::size_t scratch_size)
        : stack(memory, scratch, scratch_size) {}

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }
    bool on_object_begin(error_code&) { return true; }
    bool on_object_end(std::size_t n, error_code&) {
      members += n;
      stack.push_object(n);
      return true;
    }
    bool on_array_begin(error_code&) { return true; }
    bool on_array_end(std::size_t n, error_code&) {
      stack.push_array(n);
      return true;
    }
    bool on_key_part(json::string_view part, std::size_t, error_code&) {
      stack.push_chars(part);
      return true;
    }
    bool on_key(json::string_view rest, std::size_t, error_code&) {
      stack.push_key(rest);
      return true;
    }
    bool on_string_part(json::string_view part, std::size_t, error_code&) {
      stack.push_chars(part);
      return true;
    }
    bool on_string(json::string_view rest, std::size_t, error_code&) {
      stack.push_string(rest);
      return true;
    }
    bool on_number_part(json::string_view, error_code&) { return true; }
    bool on_int64(std::int64_t value, json::string_view, error_code&) {
      stack.push_int64(value);
      return true;
    }
    bool on_uint64(std::uint64_t value, json::string_view, error_code&) {
      stack.push_uint64(value);
      return true;
    }
    bool on_double(double value, json::string_view, error_code&) {
      stack.push_double(value);
      return true;
    }
    bool on_bool(bool value, error_code&) {
      stack.push_bool(value);
      return true;
    }
    bool on_null(error_code&) {
      stack.push_null();
      return true;
    }
    bool on_comment_part(json::string_view, error_code&) { return true; }
    bool on_comment(json::string_view, error_code&) { return true; }

    json::value_stack stack;
    std::size_t members = 0;
  };

  std::array<unsigned char, 6 * 1024> tree_memory;
  std::array<unsigned char, 4 * 1024> scratch;
  json::monotonic_resource resource{tree_memory.data(), tree_memory.size()};
  json::basic_parser<Handler> parser{strict(), json::storage_ptr(), scratch.data(), scratch.size()};
  // Null until parsed. The monotonic resource frees the whole tree at once, so a deep one needs no
  // recursion to go away (CVE-2026-48042 was an overflow of the stack in such a destructor).
  json::value root;
};

JsonDocument::JsonDocument() {
  static_assert(sizeof(Impl) <= sizeof(storage_));
  impl_ = new (storage_) Impl;
}

JsonDocument::~JsonDocument() { impl_->~Impl(); }

bool JsonDocument::parse(std::string_view text) {
  auto& parser = impl_->parser;
  auto& handler = parser.handler();
  handler.stack.reset(&impl_->resource);
  error_code failed;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), failed);
  if (failed || read != text.size() || !parser.done()) return false;
  // Placed anew rather than assigned: assignment would copy into the default resource.
  impl_->root.~value();
  ::new (&impl_->root) json::value(handler.stack.release());
  return impl_->root.is_object() && count_members(impl_->root) == handler.members;
}

Json JsonDocument::root() const { return impl_->root.is_object() ? Json(&impl_->root) : Json(); }

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  out.push_back('"');
  std::size_t copied = 0;  // what needs no escape goes in runs
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool is_marked = byte == '"' || byte == '\\';
    const bool is_control = byte < 0x20 || byte == 0x7f;
    if (!is_marked && !is_control) continue;
    out.append(text, copied, i - copied);
    copied = i + 1;
    if (is_marked) {
      out.push_back('\\');
      out.push_back(text[i]);
    } else {
      out += "\\u00";
      out.push_back(digits[byte >> 4]);
      out.push_back(digits[byte & 15]);
    }
  }
  out.append(text, copied);
  out.push_back('"');
}

}  // namespace auth
