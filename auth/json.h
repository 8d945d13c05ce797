// Strict JSON (RFC 8259) for what strangers send: token headers, claims, key sets. Only an object
// is accepted at the top; duplicate members, invalid UTF-8, lone surrogates, a byte order mark and
// more than 32 levels are refused while parsing. Views and handles live as long as the document.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace auth {

inline constexpr std::size_t json_levels_max = 32;

// A value inside a JsonDocument, or nothing. Asking for a type that it is not, or for a member that
// is not there, gives nothing; no call throws.
class Json {
 public:
  Json() = default;
  [[nodiscard]] bool exists() const { return value_ != nullptr; }
  [[nodiscard]] bool is_null() const;
  [[nodiscard]] bool is_object() const;
  [[nodiscard]] bool is_array() const;
  [[nodiscard]] std::optional<std::string_view> text() const;
  [[nodiscard]] std::optional<double> number() const;        // finite
  [[nodiscard]] std::optional<std::uint64_t> whole() const;  // an integer literal, not negative
  // A string as it is, a number or boolean as one would write it.
  [[nodiscard]] std::optional<std::string> scalar_text() const;

  [[nodiscard]] Json member(std::string_view name) const;
  [[nodiscard]] std::size_t size() const;  // elements or members; 0 for everything else
  [[nodiscard]] Json element(std::size_t index) const;
  [[nodiscard]] std::pair<std::string_view, Json> entry(std::size_t index) const;

 private:
  friend class JsonDocument;
  explicit Json(const void* value) : value_(value) {}
  const void* value_ = nullptr;  // a boost::json::value
};

// Reads one object. The first kilobytes of its tree lie inside, so that a usual token needs no
// memory from the heap. Make it on the stack; it is large.
class JsonDocument {
 public:
  JsonDocument();
  ~JsonDocument();
  JsonDocument(const JsonDocument&) = delete;
  JsonDocument& operator=(const JsonDocument&) = delete;

  // Once per document. False: not one strict JSON object.
  [[nodiscard]] bool parse(std::string_view text);
  [[nodiscard]] Json root() const;

 private:
  struct Impl;
  alignas(std::max_align_t) std::byte storage_[12 * 1024];
  Impl* impl_;
};

// A string with its quotes and escapes; bytes above 0x7E pass as they are (UTF-8).
void append_json_string(std::string& out, std::string_view text);

}  // namespace auth
