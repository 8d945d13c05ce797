// Dropping and adding fields; see header_policy.h.
#include "proxy/header_policy.h"

#include <algorithm>

#include "config/syntax.h"
#include "proxy/http/cookie.h"
#include "proxy/http/guard.h"

namespace proxy {
namespace {

using http::HeaderId;

struct Preset {
  const char* header;
  const char* claim;
};
constexpr Preset oauth2_proxy[] = {{"X-Forwarded-User", "sub"},
                                   {"X-Forwarded-Email", "email"},
                                   {"X-Forwarded-Groups", "groups"},
                                   {"X-Forwarded-Preferred-Username", "preferred_username"}};
constexpr Preset authelia[] = {{"Remote-User", "sub"},
                               {"Remote-Email", "email"},
                               {"Remote-Groups", "groups"},
                               {"Remote-Name", "name"}};
constexpr Preset x_auth_request[] = {{"X-Auth-Request-User", "sub"},
                                     {"X-Auth-Request-Email", "email"},
                                     {"X-Auth-Request-Groups", "groups"},
                                     {"X-Auth-Request-Preferred-Username", "preferred_username"}};

// Fields whose look-alikes a lenient backend could take for the real thing (SECURITY P6, D26), and
// what other proxies use to pass on a path or an identity. Written as header names, kept folded.
constexpr const char* always_managed[] = {"Authorization",
                                          "Connection",
                                          "Content-Length",
                                          "Content-Type",
                                          "Cookie",
                                          "Expect",
                                          "Forwarded",
                                          "Host",
                                          "Keep-Alive",
                                          "Proxy-Authorization",
                                          "TE",
                                          "Trailer",
                                          "Upgrade",
                                          "Transfer-Encoding",
                                          "Proxy-Connection",
                                          "X-Real-IP",
                                          "X-Rewrite-URL",
                                          "X-Request-Id",
                                          "HTTP2-Settings",
                                          "X-Client-IP",
                                          "True-Client-IP",
                                          "Client-Cert",
                                          "Proxy"};

constexpr std::string_view managed_prefixes[] = {"xforwarded", "xoriginal", "xenvoy"};

std::uint64_t id_bit(HeaderId id) {
  return id == HeaderId::other ? 0 : std::uint64_t{1} << static_cast<unsigned>(id);
}

// Known names that the proxy writes itself or that end at this hop.
bool is_hop_or_ours(HeaderId id) {
  return http::ends_at_hop(id) || id == HeaderId::forwarded || id == HeaderId::x_request_id;
}

// Whether Connection can name a field at all: nearly always it says keep-alive, close or Upgrade.
bool names_fields(std::string_view connection) {
  return !connection.empty() && !http::equal_ignoring_case(connection, "keep-alive") &&
         !http::equal_ignoring_case(connection, "close") &&
         !http::equal_ignoring_case(connection, "upgrade");
}

bool is_cors_field(const http::Field& field) {
  constexpr std::string_view prefix = "access-control-";
  return field.id == http::HeaderId::other && field.name.size() > prefix.size() &&
         http::equal_ignoring_case(field.name.substr(0, prefix.size()), prefix);
}

template <class Head>
bool connection_names_fields(const Head& head) {
  return std::any_of(head.fields.begin(), head.fields.end(), [](const http::Field& field) {
    return field.id == HeaderId::connection && names_fields(field.value);
  });
}

template <class Head>
bool is_named_by_connection(const Head& head, std::string_view name) {
  return std::any_of(head.fields.begin(), head.fields.end(), [name](const http::Field& field) {
    return field.id == HeaderId::connection && http::has_token(field.value, name);
  });
}

// Fields that let somebody keep an answer.
bool is_about_caching(const http::Field& field) {
  constexpr std::string_view names[] = {"Expires", "Pragma", "Surrogate-Control",
                                        "CDN-Cache-Control"};
  return field.id == HeaderId::cache_control ||
         (field.id == HeaderId::other &&
          std::any_of(std::begin(names), std::end(names), [&field](std::string_view name) {
            return http::equal_ignoring_case(field.name, name);
          }));
}

}  // namespace

HeaderPolicy::HeaderPolicy(const config::Config& config, std::vector<std::string> own_cookies)
    : own_cookies_(std::move(own_cookies)),
      authorization_(config.identity.authorization) {
  const auto add_preset = [this](const auto& preset) {
    for (const Preset& entry : preset) identity_.push_back({entry.header, entry.claim, {}});
  };
  switch (config.identity.preset) {
    case config::IdentityPreset::oauth2_proxy:
      add_preset(oauth2_proxy);
      break;
    case config::IdentityPreset::authelia:
      add_preset(authelia);
      break;
    case config::IdentityPreset::x_auth_request:
      add_preset(x_auth_request);
      break;
    case config::IdentityPreset::none:
      break;
  }
  identity_.insert(identity_.end(), config.identity.headers.begin(), config.identity.headers.end());

  std::vector<std::string> names;
  for (const config::IdentityHeader& entry : identity_) {
    names.push_back(config::folded(entry.header));
    managed_ids_ |= id_bit(http::header_id(entry.header));
  }
  // Every preset's names are dropped, the unused ones too: an application that trusts one of them
  // must not meet the client's copy because another preset is configured.
  for (const Preset& entry : oauth2_proxy) names.push_back(config::folded(entry.header));
  for (const Preset& entry : authelia) names.push_back(config::folded(entry.header));
  for (const Preset& entry : x_auth_request) names.push_back(config::folded(entry.header));
  for (const char* name : always_managed) names.push_back(config::folded(name));
  // Where spans are recorded the application is told about ours (trace.h).
  if (!config.tracing.otlp_url.empty()) {
    for (const char* name : {"traceparent", "tracestate"}) names.push_back(config::folded(name));
  }
  for (const std::string& name : names) managed_.push_back(http::folded_hash(name));
  std::sort(managed_.begin(), managed_.end());
  managed_.erase(std::unique(managed_.begin(), managed_.end()), managed_.end());
}

bool HeaderPolicy::drops(const http::Field& field) const {
  if (is_hop_or_ours(field.id)) return true;
  if (field.id != HeaderId::other) return (managed_ids_ & id_bit(field.id)) != 0;
  if (std::binary_search(managed_.begin(), managed_.end(), http::folded_hash(field.name))) {
    return true;
  }
  return std::any_of(
      std::begin(managed_prefixes), std::end(managed_prefixes),
      [&field](std::string_view prefix) { return http::folded_starts_with(field.name, prefix); });
}

std::optional<std::string> HeaderPolicy::identity_lines(const auth::Principal& principal) const {
  std::string lines;
  for (const config::IdentityHeader& entry : identity_) {
    const std::string value = auth::claim_text(principal, entry.claim);
    if (value.empty()) continue;
    if (!auth::is_safe_header_value(value)) {
      // "José" is a name to be shown, not one to decide by: it is left out instead of refused.
      if (entry.claim == "name") continue;
      return std::nullopt;
    }
    lines += entry.header + ": " + value + "\r\n";
  }
  return lines;
}

std::string HeaderPolicy::cookie_line(const http::RequestHead& head) const {
  std::string cookies;
  for (const http::Field& field : head.fields) {
    if (field.id != HeaderId::cookie) continue;
    std::string rest;
    if (!http::append_without(field.value, own_cookies_, rest)) continue;
    if (!cookies.empty()) cookies += "; ";
    cookies += rest;
  }
  return cookies.empty() ? cookies : "Cookie: " + cookies + "\r\n";
}

std::vector<std::string> HeaderPolicy::identity_names() const {
  std::vector<std::string> names;
  const auto add = [&names](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const Preset& entry : oauth2_proxy) add(entry.header);
  for (const Preset& entry : authelia) add(entry.header);
  for (const Preset& entry : x_auth_request) add(entry.header);
  for (const config::IdentityHeader& entry : identity_) add(entry.header);
  return names;
}

void HeaderPolicy::append_client_fields(const http::RequestHead& head, bool has_identity,
                                        http::Buffer& out) const {
  const bool check_connection = connection_names_fields(head);
  const bool keep_authorization =
      authorization_ == config::Authorization::keep ||
      (authorization_ == config::Authorization::access_token && has_identity);
  for (const http::Field& field : head.fields) {
    if (drops(field)) continue;
    if (field.id == HeaderId::authorization && !keep_authorization) continue;
    if (check_connection && is_named_by_connection(head, field.name)) continue;
    if (field.id != HeaderId::cookie) {
      out.append_field(field.name, field.value);
      continue;
    }
    // Nearly always our cookie is not there and the field goes out as it came.
    const bool has_ours =
        std::any_of(own_cookies_.begin(), own_cookies_.end(), [&field](const std::string& name) {
          return http::find_cookie(field.value, name).count != 0;
        });
    if (!has_ours) {
      out.append_field(field.name, field.value);
      continue;
    }
    std::string rest;
    if (http::append_without(field.value, own_cookies_, rest)) {
      out.append_field(field.name, rest);
    }
  }
}

void HeaderPolicy::append_forwarding(const Forwarding& forwarding, http::Buffer& out) {
  out.append("X-Forwarded-For: ");
  if (!forwarding.chain.empty()) {
    out.append(forwarding.chain);
    out.append(", ");
  }
  out.append(forwarding.peer);
  out.append("\r\nX-Forwarded-Proto: ");
  out.append(forwarding.scheme);
  out.append("\r\n");
  if (!forwarding.host.empty()) out.append_field("X-Forwarded-Host", forwarding.host);
  out.append_field("X-Forwarded-Port", forwarding.port);
  out.append_field("X-Request-Id", forwarding.request_id);
  if (!forwarding.certificate.empty()) {
    out.append_field("X-Forwarded-Client-Cert", forwarding.certificate);
  }
}

void HeaderPolicy::append_response_fields(const http::ResponseHead& head,
                                          const AnswerChanges& changes, http::Buffer& out) const {
  bool names_cache = false;
  const bool check_connection = connection_names_fields(head);
  for (const http::Field& field : head.fields) {
    if (!changes.cookies.empty() && is_about_caching(field)) continue;
    names_cache |= field.id == HeaderId::cache_control;
    if (field.id == HeaderId::set_cookie &&
        std::any_of(own_cookies_.begin(), own_cookies_.end(), [&field](const std::string& name) {
          return http::sets_cookie(field.value, name);
        })) {
      continue;
    }
    switch (field.id) {
      case HeaderId::connection:
      case HeaderId::content_length:
      case HeaderId::keep_alive:
      case HeaderId::proxy_connection:
      case HeaderId::te:
      case HeaderId::trailer:
      case HeaderId::transfer_encoding:
      case HeaderId::upgrade:
        continue;
      default:
        break;
    }
    if (check_connection && is_named_by_connection(head, field.name)) continue;
    if (changes.replaces_cors && is_cors_field(field)) continue;
    out.append_field(field.name, field.value);
  }
  if (!changes.cookies.empty()) {
    out.append("Cache-Control: private, no-store\r\n");
    out.append(changes.cookies);
  } else if (changes.is_private && !names_cache) {
    out.append("Cache-Control: private\r\n");
  }
}

}  // namespace proxy
