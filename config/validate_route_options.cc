// Rules about what a route does beside choosing: rewriting, cross-origin answers, limits, retries.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "config/syntax.h"
#include "config/validate.h"

namespace config {
namespace {

std::size_t count_stars(std::string_view pattern) {
  std::size_t count = 0;
  for (std::size_t at = pattern.find("/*"); at != std::string_view::npos;
       at = pattern.find("/*", at + 1)) {
    const char next = at + 2 < pattern.size() ? pattern[at + 2] : '/';
    count += next == '/';
  }
  return count;
}

void check_rewrite(const Route& route, const std::string& key, Report& report) {
  if (route.rewrite.empty()) { return; }
  const auto name = child_key(key, "rewrite");
  constexpr std::string_view rest = "/**";
  const auto has_rest = [&](std::string_view text) {
    return text.size() >= rest.size() && text.substr(text.size() - rest.size()) == rest;
  };
  if (!route.strip_prefix.empty()) {
    report.problem(name, "cannot stand beside strip_prefix; write one of the two");
  } else if (auto wrong = check_pattern(route.rewrite); !wrong.empty()) {
    report.problem(name, std::move(wrong));
  } else if (has_rest(route.rewrite) && !has_rest(route.path)) {
    report.problem(name, "has `**` where the path of the rule has none");
  } else if (count_stars(route.rewrite) > count_stars(route.path)) {
    report.problem(name, "has more `*` than the path of the rule");
  }
}

// "https://app.example.com", "https://*.example.com" or "*", as browsers write origins.
std::string check_cors_origin(std::string_view origin) {
  if (origin == "*") { return ""; }
  std::string text(origin);
  const auto star = text.find("://*.");
  if (star != std::string::npos) { text.erase(star + 3, 2); }
  if (text.find('*') != std::string::npos) {
    return "takes a `*` for whole labels at the beginning of the host only";
  }
  if (std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) {
    return "must be in lower case, as browsers send it";
  }
  const bool has_usual_port = (text.rfind("https://", 0) == 0 && text.ends_with(":443")) ||
                              (text.rfind("http://", 0) == 0 && text.ends_with(":80"));
  if (has_usual_port) { return "must not name the usual port: browsers leave it out"; }
  return check_origin(text);
}

void check_tokens(const std::vector<std::string>& texts, const std::string& key, Report& report) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (!is_token(texts[i])) { report.problem(item_key(key, i), "must be a name of a header"); }
  }
}

void check_cors(const Route& route, const std::string& key, Report& report) {
  if (!route.cors) { return; }
  const auto& cors = *route.cors;
  const auto name = child_key(key, "cors");
  const auto origins = child_key(name, "allow_origins");
  if (cors.allow_origins.empty()) { report.problem(origins, "needs an origin"); }
  for (std::size_t i = 0; i < cors.allow_origins.size(); ++i) {
    if (auto wrong = check_cors_origin(cors.allow_origins[i]); !wrong.empty()) {
      report.problem(item_key(origins, i), std::move(wrong));
    } else if (cors.allow_origins[i] == "*" && cors.allow_credentials) {
      report.problem(item_key(origins, i),
                     "is not possible with allow_credentials: every site could act as the user");
    } else if (cors.allow_origins[i] == "*" && cors.allow_origins.size() > 1) {
      report.problem(item_key(origins, i), "stands alone: it covers all others");
    }
  }
  constexpr std::array<std::string_view, 7> methods{"GET",   "HEAD",   "POST",   "PUT",
                                                    "PATCH", "DELETE", "OPTIONS"};
  for (std::size_t i = 0; i < cors.allow_methods.size(); ++i) {
    if (std::find(methods.begin(), methods.end(), cors.allow_methods[i]) == methods.end()) {
      report.problem(item_key(child_key(name, "allow_methods"), i),
                     "takes GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, in upper case");
    }
  }
  check_tokens(cors.allow_headers, child_key(name, "allow_headers"), report);
  check_tokens(cors.expose_headers, child_key(name, "expose_headers"), report);
}

void check_rate_limit(const Config& config, const Route& route, const std::string& key,
                      Report& report) {
  if (!route.rate_limit || route.rate_limit->scope != RateScope::cluster) { return; }
  if (config.store_kind == StoreKind::redis) { return; }
  report.problem(child_key(child_key(key, "rate_limit"), "scope"),
                 "`cluster` needs `store.kind: redis`; sessions in memory are shared with nobody");
}

// What may stand in a Close frame and says that it was not the client's fault (RFC 6455 section
// 7.4), or what the application has agreed on with its scripts.
void check_close_code(const Route& route, const std::string& key, Report& report) {
  const std::uint32_t code = route.close_code;
  if (code == 1000 || code == 1001 || code == 1008 || code >= 3000) { return; }
  report.problem(child_key(key, "close_code"), "takes 1000, 1001, 1008 or 3000 to 4999");
}

void check_retry(const Route& route, const std::string& key, Report& report) {
  if (!route.retry) { return; }
  constexpr std::array<std::string_view, 3> words{"connect", "reset", "timeout"};
  const auto name = child_key(child_key(key, "retry"), "on");
  for (std::size_t i = 0; i < route.retry->on.size(); ++i) {
    const auto& cause = route.retry->on[i];
    const bool is_status = cause.size() == 3 && cause.front() == '5' &&
                           cause.find_first_not_of("0123456789") == std::string::npos;
    if (!is_status && std::find(words.begin(), words.end(), cause) == words.end()) {
      report.problem(item_key(name, i),
                     "takes connect, reset, timeout or a status from 500 to 599");
    }
  }
}

}  // namespace

void validate_route_options(const Config& config, const Route& route, const std::string& key,
                            Report& report) {
  check_rewrite(route, key, report);
  check_cors(route, key, report);
  check_rate_limit(config, route, key, report);
  check_retry(route, key, report);
  check_close_code(route, key, report);
}

}  // namespace config
