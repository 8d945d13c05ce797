// See fields.h.
#include "proxy/endpoints/fields.h"

#include <algorithm>

#include "auth/bytes.h"
#include "auth/json.h"
#include "proxy/endpoints/endpoint.h"

namespace proxy::endpoints {

namespace {

// A form of 8 KiB could hold thousands of pairs, and duplicates are looked for one by one.
constexpr std::size_t pairs_max = 64;

enum class MediaType { json, form, other };

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view white = " \t";
  const std::size_t first = text.find_first_not_of(white);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(white) - first + 1);
}

// `charset` in another encoding, `boundary`, and anything unknown would change what the bytes mean.
bool is_utf8_parameter(std::string_view parameter) {
  const std::size_t equals = parameter.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view value = parameter.substr(equals + 1);
  return http::equal_ignoring_case(parameter.substr(0, equals), "charset") &&
         (http::equal_ignoring_case(value, "utf-8") ||
          http::equal_ignoring_case(value, "\"utf-8\""));
}

MediaType media_type(std::string_view value) {
  const std::size_t semicolon = value.find(';');
  if (semicolon != std::string_view::npos &&
      !is_utf8_parameter(trimmed(value.substr(semicolon + 1)))) {
    return MediaType::other;
  }
  const std::string_view type = trimmed(value.substr(0, semicolon));
  if (http::equal_ignoring_case(type, "application/json")) return MediaType::json;
  if (http::equal_ignoring_case(type, "application/x-www-form-urlencoded")) return MediaType::form;
  return MediaType::other;
}

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

std::optional<std::string> decoded(std::string_view text, Plus plus) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7F) return std::nullopt;
    if (text[i] == '+' && plus == Plus::is_space) {
      result.push_back(' ');
    } else if (text[i] != '%') {
      result.push_back(text[i]);
    } else {
      if (text.size() - i < 3) return std::nullopt;
      const auto high = hex_digit(text[i + 1]);
      const auto low = hex_digit(text[i + 2]);
      if (!high || !low) return std::nullopt;
      result.push_back(static_cast<char>(*high * 16 + *low));
      i += 2;
    }
  }
  return result;
}

bool holds(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

FieldsProblem bad(std::string_view message) { return {400, "invalid_request", message}; }

FieldsProblem read_json(std::string_view body, std::span<const std::string_view> wanted,
                        Fields& fields) {
  auth::JsonDocument document;
  if (!document.parse(body)) return bad("The body is not a JSON object with distinct members.");
  for (const std::string_view name : wanted) {
    const auth::Json member = document.root().member(name);
    if (!member.exists() || member.is_null()) continue;
    const std::optional<std::string_view> text = member.text();
    if (!text) return bad("A member that should be a string is not one.");
    fields.add(name, *text);
  }
  return {};
}

FieldsProblem read_form(std::string_view body, std::span<const std::string_view> wanted,
                        Fields& fields) {
  const std::optional<Pairs> pairs = read_pairs(body, Plus::is_space);
  if (!pairs) return bad("The form is not properly encoded.");
  for (std::size_t i = 0; i < pairs->size(); ++i) {
    const auto& [name, value] = (*pairs)[i];
    for (std::size_t k = 0; k < i; ++k) {
      if ((*pairs)[k].first == name) return bad("A field is given twice.");
    }
    if (holds(wanted, name)) fields.add(name, value);
  }
  return {};
}

}  // namespace

Fields::~Fields() {
  for (auto& entry : values_) auth::cleanse(entry.second);
}

std::string_view Fields::value(std::string_view name) const {
  for (const auto& [known, value] : values_) {
    if (known == name) return value;
  }
  return {};
}

void Fields::add(std::string_view name, std::string_view value) {
  values_.emplace_back(name, value);
}

FieldsProblem read_fields(const http::RequestHead& head, std::string_view body,
                          std::span<const std::string_view> wanted, Fields& fields) {
  if (body.size() > body_bytes_max) return {413, "body_too_large", "The body is too large."};
  if (body.empty()) return {};
  int types = 0;
  for (const http::Field& field : head.fields) {
    if (field.id == http::HeaderId::content_type) ++types;
  }
  if (types > 1) return bad("Content-Type is given twice.");
  switch (media_type(head.value(http::HeaderId::content_type))) {
    case MediaType::json: return read_json(body, wanted, fields);
    case MediaType::form: return read_form(body, wanted, fields);
    case MediaType::other: break;
  }
  return {415, "unsupported_media_type",
          "Send application/json or application/x-www-form-urlencoded in UTF-8."};
}

bool is_form(const http::RequestHead& head) {
  return media_type(head.value(http::HeaderId::content_type)) == MediaType::form;
}

std::optional<Pairs> read_pairs(std::string_view text, Plus plus) {
  Pairs pairs;
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    const std::string_view raw_value =
        equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
    auto name = decoded(pair.substr(0, equals), plus);
    auto value = decoded(raw_value, plus);
    if (!name || !value || pairs.size() == pairs_max) return std::nullopt;
    pairs.emplace_back(std::move(*name), std::move(*value));
  }
  return pairs;
}

bool query_names_any(const http::RequestHead& head, std::span<const std::string_view> names) {
  const std::optional<Pairs> pairs = read_pairs(head.query, Plus::is_space);
  if (!pairs) return true;
  return std::any_of(pairs->begin(), pairs->end(),
                     [names](const auto& pair) { return holds(names, pair.first); });
}

}  // namespace proxy::endpoints
