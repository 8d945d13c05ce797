// See cors.h.
#include "proxy/cors.h"

#include <algorithm>
#include <chrono>

namespace proxy {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

}  // namespace

CorsRule::CorsRule(const config::Cors& config)
    : methods_(joined(config.allow_methods)),
      headers_(joined(config.allow_headers)),
      max_age_(std::to_string(
          std::chrono::duration_cast<std::chrono::seconds>(config.max_age).count())) {
  for (const std::string& origin : config.allow_origins) {
    const auto star = origin.find("://*.");
    if (origin == "*") {
      any_ = true;
    } else if (star != std::string::npos) {
      patterns_.push_back({origin.substr(0, star + 3), origin.substr(star + 4)});
    } else {
      origins_.push_back(origin);
    }
  }
  if (config.allow_credentials) permission_ += "Access-Control-Allow-Credentials: true\r\n";
  if (!config.expose_headers.empty()) {
    permission_ += "Access-Control-Expose-Headers: " + joined(config.expose_headers) + "\r\n";
  }
}

bool CorsRule::allows(std::string_view origin) const {
  if (origin.empty()) return false;
  if (any_) return true;
  if (std::find(origins_.begin(), origins_.end(), origin) != origins_.end()) return true;
  return std::any_of(patterns_.begin(), patterns_.end(), [origin](const Pattern& pattern) {
    if (origin.size() <= pattern.scheme.size() + pattern.suffix.size()) return false;
    if (!origin.starts_with(pattern.scheme) || !origin.ends_with(pattern.suffix)) return false;
    const std::string_view labels =
        origin.substr(pattern.scheme.size(),
                      origin.size() - pattern.scheme.size() - pattern.suffix.size());
    return labels.front() != '.' && std::all_of(labels.begin(), labels.end(), is_host_char);
  });
}

void CorsRule::append_fields(std::string_view origin, std::string_view vary,
                             http::Buffer& out) const {
  if (allows(origin)) {
    out.append_field("Access-Control-Allow-Origin", any_ ? std::string_view("*") : origin);
    out.append(permission_);
  }
  // Also without an origin: the answer with one would be another.
  if (!any_ && !http::has_token(vary, "origin")) out.append_field("Vary", "Origin");
}

std::string CorsRule::preflight_fields(std::string_view methods) const {
  std::string lines = "Access-Control-Allow-Methods: ";
  lines += methods_.empty() ? methods : std::string_view(methods_);
  lines += "\r\n";
  if (!headers_.empty()) lines += "Access-Control-Allow-Headers: " + headers_ + "\r\n";
  lines += "Access-Control-Max-Age: " + max_age_ + "\r\n";
  return lines;
}

std::optional<std::string_view> preflight_method(const http::RequestHead& head) {
  if (head.method != http::Method::options || head.find(http::HeaderId::origin) == nullptr) {
    return std::nullopt;
  }
  for (const http::Field& field : head.fields) {
    if (http::equal_ignoring_case(field.name, "access-control-request-method")) return field.value;
  }
  return std::nullopt;
}

}  // namespace proxy
