// The pages of the legacy application as text. Pure functions of what was received; they trust the
// X-Forwarded-User header blindly, exactly as an old application behind a proxy does.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace legacy {

// A request as the application sees it, for showing it back.
struct Received {
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

// The first header of that name, any case; empty when there is none.
[[nodiscard]] std::string header(const Received& received, std::string_view name);

[[nodiscard]] std::string home_page(const Received& received);   // HTML: who, and every header
[[nodiscard]] std::string admin_page(const Received& received);  // HTML
[[nodiscard]] std::string style_sheet();
[[nodiscard]] std::string orders();                              // JSON
[[nodiscard]] std::string echo(const Received& received);        // JSON: method, headers, body

}  // namespace legacy
