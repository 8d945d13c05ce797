// See redirects.h. The check knows no URL parser: what it does not recognise at once is refused,
// because two parsers that disagree are how such checks are passed.
#include "proxy/redirects.h"

#include <algorithm>

#include "proxy/http/guard.h"
#include "config/syntax.h"
#include "proxy/http/head.h"
#include "proxy/http/path.h"

namespace proxy {
namespace {

constexpr std::size_t target_bytes_max = 2'048;

bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > 0x20 && c < 0x7F && c != '\\'; });
}

bool is_host_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.';
  });
}

bool is_port(std::string_view port) {
  return port.size() <= 5 &&
         std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool is_local_target(std::string_view target) {
  if (target.size() > target_bytes_max || !target.starts_with('/') || !is_visible(target)) {
    return false;
  }
  const std::string_view path = target.substr(0, target.find_first_of("?#"));
  if (path.size() > 1 && path[1] == '/') return false;
  const std::string_view second = path.substr(0, 4);
  if (http::equal_ignoring_case(second, "/%2f") || http::equal_ignoring_case(second, "/%5c")) {
    return false;
  }
  return http::form_of(path) != http::PathForm::refused;
}

RedirectRules::RedirectRules(const std::vector<std::string>& hosts, std::string own_origin)
    : own_origin_(config::lowered(own_origin)) {
  const bool also_plain = !own_origin_.starts_with("https://");
  const auto add_source = [this, also_plain](const std::string& host) {
    form_sources_ += " https://" + host;
    if (also_plain) form_sources_ += " http://" + host;
  };
  if (!own_origin_.empty()) form_sources_ += " " + own_origin_;
  for (const std::string& entry : hosts) {
    Host host;
    std::string_view rest = entry;
    if (rest.starts_with("*.")) rest.remove_prefix(1);
    if (rest.starts_with('.')) {
      host.below = true;
      rest.remove_prefix(1);
    }
    const std::size_t colon = rest.find(':');
    host.name = config::lowered(rest.substr(0, colon));
    if (colon != std::string_view::npos) host.port = rest.substr(colon + 1);
    const std::string port = host.port.empty() ? "" : ":" + host.port;
    add_source(host.name + port);
    if (host.below) add_source("*." + host.name + port);
    hosts_.push_back(std::move(host));
  }
}

bool RedirectRules::allows(std::string_view target) const {
  return is_local_target(target) || allows_url(target);
}

bool RedirectRules::allows_host(std::string_view name, std::string_view port,
                                std::string_view own_port) const {
  const std::string wanted = config::lowered(name);
  return std::any_of(hosts_.begin(), hosts_.end(), [&](const Host& host) {
    const bool is_below = host.below && wanted.size() > host.name.size() + 1 &&
                          std::string_view(wanted).ends_with(host.name) &&
                          wanted[wanted.size() - host.name.size() - 1] == '.';
    if (wanted != host.name && !is_below) return false;
    if (host.port == "*") return true;
    return host.port.empty() ? port.empty() || port == own_port : port == host.port;
  });
}

bool RedirectRules::allows_url(std::string_view url) const {
  if (url.size() > target_bytes_max || !is_visible(url)) return false;
  std::string_view rest = url;
  std::string_view own_port = "443";
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://") && !own_origin_.starts_with("https://")) {
    // Where we are https ourselves, nobody is sent to a place without it.
    rest.remove_prefix(7);
    own_port = "80";
  } else {
    return false;
  }
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  const std::string_view authority = rest.substr(0, end);
  const std::string_view target = rest.substr(end);
  if (!target.empty() && target.front() == '/' && target != "/" && !is_local_target(target)) {
    return false;
  }
  const std::size_t colon = authority.find(':');
  const std::string_view name = authority.substr(0, colon);
  const std::string_view port =
      colon == std::string_view::npos ? std::string_view{} : authority.substr(colon + 1);
  if (!is_host_name(name) || !is_port(port)) return false;
  if (colon != std::string_view::npos && port.empty()) return false;
  const std::string origin = config::lowered(url.substr(0, url.size() - target.size()));
  if (!own_origin_.empty() && origin == own_origin_) return true;
  return allows_host(name, port, own_port);
}

}  // namespace proxy
