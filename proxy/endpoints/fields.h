// The parameters of a request to our endpoints: members of a JSON object or fields of a form in the
// body, never the query. Strict, because two readers of an ambiguous body may see two different
// users (SECURITY I09). Pure; any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/http/head.h"

namespace proxy::endpoints {

// The values of the wanted names. Wiped when it goes: passwords and tokens are among them.
class Fields {
 public:
  Fields() = default;
  ~Fields();
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  // Empty when it was absent, null or empty (RFC 6749 section 3.2: the same thing).
  [[nodiscard]] std::string_view value(std::string_view name) const;
  void add(std::string_view name, std::string_view value);

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

// Why a body was refused; status 0 means that it was not.
struct FieldsProblem {
  int status = 0;
  std::string_view code;
  std::string_view message;
};

// Reads the body into `fields`, keeping what is in `wanted` and ignoring other names. An empty body
// has no fields whatever its type. 415: neither application/json nor
// application/x-www-form-urlencoded (with no parameter but charset=utf-8). 400: malformed, a
// duplicate name, or a wanted member that is no string. 413: over body_bytes_max.
[[nodiscard]] FieldsProblem read_fields(const http::RequestHead& head, std::string_view body,
                                        std::span<const std::string_view> wanted, Fields& fields);

// True when the body calls itself a form.
[[nodiscard]] bool is_form(const http::RequestHead& head);

using Pairs = std::vector<std::pair<std::string, std::string>>;
enum class Plus { is_space, is_plus };  // of a form; of a query written by hand
// `a=b&c=d` with strict percent-decoding: nullopt for a bad escape, a control byte or too many
// pairs. Duplicates are kept.
[[nodiscard]] std::optional<Pairs> read_pairs(std::string_view text, Plus plus);

// True when one of `names` stands in the query, or when the query cannot be read: credentials in a
// URL end up in logs and histories.
[[nodiscard]] bool query_names_any(const http::RequestHead& head,
                                   std::span<const std::string_view> names);

}  // namespace proxy::endpoints
