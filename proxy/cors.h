// Cross-origin answers of a route (the CORS protocol of the Fetch standard): which origins scripts
// may come from, what a preflight is told, and the fields on every answer. The application's own
// fields of this kind never pass, so that one place decides. Immutable after building.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "proxy/http/buffer.h"
#include "proxy/http/head.h"

namespace proxy {

class CorsRule {
 public:
  explicit CorsRule(const config::Cors& config);

  // As sent by the browser, byte for byte; "null" is nobody's origin.
  [[nodiscard]] bool allows(std::string_view origin) const;
  // For every answer to a request: the permission where the origin has it, and Vary where the
  // answer depends on it and `vary` does not say so.
  void append_fields(std::string_view origin, std::string_view vary, http::Buffer& out) const;
  // Whole lines beside those for the answer to a preflight. `methods` stand in where the rule names
  // none.
  [[nodiscard]] std::string preflight_fields(std::string_view methods) const;

 private:
  struct Pattern {
    std::string scheme;  // "https://"
    std::string suffix;  // ".example.com", with the port
  };
  std::vector<std::string> origins_;
  std::vector<Pattern> patterns_;
  bool any_ = false;
  std::string permission_;  // lines that follow Access-Control-Allow-Origin
  std::string methods_;
  std::string headers_;
  std::string max_age_;
};

// The method that a preflight asks for; nullopt when the request is none.
[[nodiscard]] std::optional<std::string_view> preflight_method(const http::RequestHead& head);

}  // namespace proxy
