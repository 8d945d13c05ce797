// Rules about what clients and the application see of us: endpoints, cookies, identity headers.
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "config/syntax.h"
#include "config/validate.h"

namespace config {
namespace {

void check_endpoints(const Config& config, Report& report) {
  const auto& prefix = config.endpoints.prefix;
  if (!prefix.empty()) {
    auto wrong = check_path(prefix);
    if (wrong.empty() && prefix == "/") { wrong = "must not be `/`; leave it out"; }
    if (!wrong.empty()) { report.problem("endpoints.prefix", std::move(wrong)); }
  }
  const std::vector<std::pair<const char*, const std::string*>> paths{
      {"login", &config.endpoints.login},       {"token", &config.endpoints.token},
      {"logout", &config.endpoints.logout},     {"jwks", &config.endpoints.jwks},
      {"session", &config.endpoints.session},   {"userinfo", &config.endpoints.userinfo},
      {"sessions", &config.endpoints.sessions}, {"auth", &config.endpoints.auth},
      {"session_js", &config.endpoints.session_js},
  };
  std::map<std::string, std::string> owners;
  for (const auto& [name, path] : paths) {
    const auto key = child_key("endpoints", name);
    if (path->empty()) { continue; }
    auto wrong = check_path(*path);
    if (wrong.empty() && *path == "/") { wrong = "must not be `/`, the application's front page"; }
    const auto [first, is_new] = owners.emplace(*path, name);
    if (wrong.empty() && !is_new) { wrong = "is already the path of endpoints." + first->second; }
    // DELETE <sessions>/{sid} is ours too.
    const auto below = config.endpoints.sessions + "/";
    if (wrong.empty() && !config.endpoints.sessions.empty() && path->rfind(below, 0) == 0) {
      wrong = "lies below endpoints.sessions, where each session has its own path";
    }
    const auto asked = config.endpoints.auth + "/";
    if (wrong.empty() && !config.endpoints.auth.empty() && path->rfind(asked, 0) == 0) {
      wrong = "lies below endpoints.auth, where Envoy puts the paths that it asks about";
    }
    if (!wrong.empty()) { report.problem(key, std::move(wrong)); }
  }
}

bool uses_cookies(const Config& config) {
  return config.tokens.refresh.delivery != Delivery::body;
}

void check_cookie_path(const Config& config, Report& report) {
  const auto& path = config.cookies.path;
  for (const char c : path) {
    if (c <= 0x20 || c > 0x7E || c == ';') {
      report.problem("cookies.path", "must be printable ASCII without blanks and `;`");
      return;
    }
  }
  if (path.empty() || path.front() != '/') {
    report.problem("cookies.path", "must begin with `/`");
    return;
  }
  const auto token = config.endpoints.prefix + config.endpoints.token;
  const auto below = path.back() == '/' ? path : path + "/";
  if (uses_cookies(config) && !config.endpoints.token.empty() && token != path &&
      token.rfind(below, 0) != 0) {
    report.warning("cookies.path", "browsers will not send the refresh cookie to " + token +
                                       ", which is not below this path");
  }
}

void check_cookies(const Config& config, Report& report) {
  const auto& cookies = config.cookies;
  const bool external_https = config.external_url.rfind("http://", 0) != 0;
  const bool secure = cookies.secure.value_or(external_https);
  if (!is_token(cookies.name) || cookies.name.size() > 64 || cookies.name.rfind("__", 0) == 0) {
    report.problem("cookies.name",
                   "must be 1 to 64 characters of a cookie name and must not begin with `__`");
  }
  if (cookies.same_site == SameSite::none && !secure) {
    report.problem("cookies.same_site", "`none` needs secure cookies; browsers drop it otherwise");
  }
  if (!cookies.domain.empty()) {
    const auto host = parse_host_port(cookies.domain);
    if (!host || host->is_ip || !host->port.empty() ||
        cookies.domain.find('.') == std::string::npos) {
      report.problem("cookies.domain", "takes a domain such as example.com");
    }
  }
  check_cookie_path(config, report);
  if (cookies.secure && !*cookies.secure && config.external_url.rfind("https://", 0) == 0) {
    report.warning("cookies.secure",
                   "is false although external_url is https; the cookies can be stolen on the way");
  }
  if (cookies.secure && *cookies.secure && config.external_url.rfind("http://", 0) == 0) {
    report.warning("cookies.secure",
                   "is true although external_url is http; browsers will not keep the cookies");
  }
}

std::vector<std::string> preset_headers(IdentityPreset preset) {
  switch (preset) {
    case IdentityPreset::oauth2_proxy:
      return {"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups",
              "X-Forwarded-Preferred-Username"};
    case IdentityPreset::authelia:
      return {"Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email"};
    case IdentityPreset::x_auth_request:
      return {"X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Groups",
              "X-Auth-Request-Preferred-Username"};
    case IdentityPreset::none: break;
  }
  return {};
}

// Names that decide framing, routing or trust, or that another setting owns.
const std::set<std::string>& managed_names() {
  static const std::set<std::string> names{
      "host", "connection", "contentlength", "transferencoding", "te", "trailer", "upgrade",
      "keepalive", "proxyconnection", "proxyauthorization", "proxyauthenticate", "authorization",
      "cookie", "setcookie", "expect", "contenttype", "contentencoding", "range", "forwarded",
      "via", "xforwardedfor", "xforwardedproto", "xforwardedhost", "xforwardedport", "xrealip",
      "xforwardedclientcert", "xrequestid", "traceparent", "tracestate",
       "xrewriteurl", "xoriginalurl", "xoriginalmethod", "maxforwards", "origin",
      "secwebsocketkey", "secwebsocketversion", "secwebsocketprotocol", "secwebsocketextensions",
      "secwebsocketaccept"};
  return names;
}

void check_identity(const Config& config, Report& report) {
  std::map<std::string, std::string> owners;  // folded name -> who sets it
  for (const auto& name : preset_headers(config.identity.preset)) {
    owners.emplace(folded(name), "the preset");
  }
  for (std::size_t i = 0; i < config.identity.headers.size(); ++i) {
    const auto& header = config.identity.headers[i];
    const auto key = item_key("identity.headers", i);
    const auto name = folded(header.header);
    if (!is_token(header.header) || name.empty()) {
      report.problem(key + ".name", "is not a header name");
    } else if (managed_names().count(name) > 0) {
      report.problem(key + ".name", "is a header that the proxy itself sets");
    } else if (const auto [first, is_new] = owners.emplace(name, key); !is_new) {
      report.problem(key + ".name", "is already set by " + first->second);
    }
    if (!is_plain_text(header.claim)) {
      report.problem(key + ".claim", "must name a claim");
    }
  }
}

}  // namespace

void validate_answers(const Config& config, Report& report) {
  check_endpoints(config, report);
  if (!config.endpoints.auth.empty() && config.trusted_proxies.empty()) {
    report.warning("endpoints.auth", "answers nobody: trusted_proxies names no proxy");
  }
  check_cookies(config, report);
  check_identity(config, report);
}

}  // namespace config
