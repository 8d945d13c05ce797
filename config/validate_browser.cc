// Rules about logging in with a browser: pages, redirects, cookies of the application.
#include <algorithm>
#include <string>
#include <string_view>

#include "config/syntax.h"
#include "config/validate.h"

namespace config {
namespace {

// "docs.example.com", "*.example.com", ".example.com", each with ":8443" or ":*".
bool is_redirect_host(std::string_view text) {
  if (text.starts_with("*.")) {
    text.remove_prefix(2);
  } else if (text.starts_with(".")) {
    text.remove_prefix(1);
  }
  if (text.ends_with(":*")) { text.remove_suffix(2); }
  const auto host = parse_host_port(text);
  return host && !host->host.empty();
}

bool is_color(std::string_view text) {
  return text.size() == 7 && text.front() == '#' &&
         std::all_of(text.begin() + 1, text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
         });
}

// Letters, digits and hyphens; it stands in an attribute of the page.
bool is_language(std::string_view text) {
  return text.size() >= 2 && text.size() <= 35 &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-';
         });
}

void check_pages(const Pages& pages, Report& report) {
  if (!is_color(pages.colors.accent)) {
    report.problem("browser.pages.colors.accent", "must be of the form #1a5fb4");
  }
  if (!is_color(pages.colors.accent_dark)) {
    report.problem("browser.pages.colors.accent_dark", "must be of the form #78aeed");
  }
  if (!is_language(pages.language)) {
    report.problem("browser.pages.language", "takes a language tag such as en or de-AT");
  }
  if (pages.title.empty() || pages.title.size() > 200) {
    report.problem("browser.pages.title", "must have 1 to 200 bytes");
  }
}

void check_app_cookies(const Config& config, Report& report) {
  for (std::size_t i = 0; i < config.app_cookies.size(); ++i) {
    const auto& cookie = config.app_cookies[i];
    const auto key = item_key("app_cookies", i);
    if (!is_token(cookie.name)) { report.problem(key + ".name", "is not a cookie name"); }
    const bool is_path = cookie.path.starts_with('/') &&
                         std::all_of(cookie.path.begin(), cookie.path.end(),
                                     [](char c) { return c > 0x20 && c < 0x7F && c != ';'; });
    if (!is_path) { report.problem(key + ".path", "must begin with `/`, without blanks and `;`"); }
    const auto domain = parse_host_port(cookie.domain);
    if (!cookie.domain.empty() && (!domain || !domain->port.empty())) {
      report.problem(key + ".domain", "takes a domain such as example.com");
    }
  }
}

}  // namespace

void validate_browser(const Config& config, Report& report) {
  const auto& browser = config.browser;
  for (std::size_t i = 0; i < browser.allowed_redirects.size(); ++i) {
    if (!is_redirect_host(browser.allowed_redirects[i])) {
      report.problem(item_key("browser.allowed_redirects", i),
                     "takes a host such as docs.example.com or *.example.com, without scheme and "
                     "path");
    }
  }
  check_pages(browser.pages, report);
  check_app_cookies(config, report);
  const auto& endpoints = config.endpoints;
  if (!endpoints.session_js.empty() && (endpoints.token.empty() || endpoints.session.empty())) {
    report.problem("endpoints.session_js", "needs endpoints.token and endpoints.session");
  }
  if (!browser.enabled) { return; }
  if (config.tokens.refresh.delivery == Delivery::body) {
    report.problem("browser.enabled",
                   "needs cookies; set tokens.refresh.delivery to cookie or both");
  }
  if (config.endpoints.login.empty()) {
    report.problem("browser.enabled", "needs endpoints.login, which is switched off");
  }
  if (config.cookies.same_site == SameSite::strict) {
    report.warning("cookies.same_site",
                   "with `strict`, whoever follows a link from another site to a page gets the "
                   "login page although logged in");
  }
}

}  // namespace config
