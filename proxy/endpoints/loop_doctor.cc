// See loop_doctor.h. From what is certain to what is only likely.
#include "proxy/endpoints/loop_doctor.h"

#include <optional>

#include "proxy/endpoints/credentials.h"
#include "proxy/http/guard.h"

namespace proxy::endpoints {
namespace {

// Many servers refuse more, and browsers begin to drop cookies.
constexpr std::size_t cookie_bytes_plenty = 7 * 1'024;

std::string_view host_of(std::string_view authority) {
  const auto parts = http::split_authority(authority);
  return parts ? parts->host : std::string_view{};
}

bool is_local(std::string_view host) {
  return host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.") ||
         host == "::1" || host == "[::1]";
}

// How the browser itself says it came; our own view of it may be what is wrong.
std::string_view scheme_of(const Request& request) {
  for (const auto id : {http::HeaderId::origin, http::HeaderId::referer}) {
    const std::string_view value = request.head.value(id);
    if (value.starts_with("https://")) return "https";
    if (value.starts_with("http://")) return "http";
  }
  return request.scheme;
}

std::optional<Diagnosis> about_cookies(const Runtime& runtime, const Request& request) {
  const std::string_view host = host_of(request.head.authority);
  const std::string_view dest = request.head.value(http::HeaderId::sec_fetch_dest);
  if (dest == "iframe" || dest == "frame" || dest == "embed" || dest == "object") {
    return Diagnosis{"third_party", "loop_third_party",
                     "The page stands in a frame of another site, where browsers keep cookies "
                     "away (cookies.same_site: none allows it in some of them)."};
  }
  const std::string& domain = runtime.access_cookie.domain;
  const bool in_domain = domain.empty() || host == domain ||
                         (host.size() > domain.size() && host.ends_with(domain) &&
                          host[host.size() - domain.size() - 1] == '.');
  if (!in_domain) {
    return Diagnosis{"cookie_domain", "loop_not_stored",
                     "cookies.domain is " + domain + ", but this page was opened at " +
                         std::string(host) + "; browsers drop such cookies."};
  }
  if (runtime.access_cookie.secure && scheme_of(request) == "http" && !is_local(host)) {
    return Diagnosis{"secure_over_http", "loop_secure",
                     "The cookies are Secure, but this page came over http, where browsers drop "
                     "them. Open it with https, or set external_url to what users type."};
  }
  return std::nullopt;
}

std::optional<Diagnosis> about_token(const Runtime& runtime, const Request& request) {
  const Found access = find_access_cookie(runtime, request.head);
  if (access.count == 0) return std::nullopt;
  if (request.principal_error == auth::Error::not_yet_valid ||
      request.principal_error == auth::Error::expired) {
    return Diagnosis{"clock", "loop_wrong",
                     "The session is refused because of its times: the clocks of the replicas "
                     "differ, or the clock of this one has jumped."};
  }
  if (request.principal_error == auth::Error::unknown_key ||
      request.principal_error == auth::Error::bad_signature) {
    return Diagnosis{"keys", "loop_wrong",
                     "The session was made with a key that this replica does not have; give all "
                     "replicas the same tokens.access.keys."};
  }
  return std::nullopt;
}

}  // namespace

Diagnosis diagnose(const Runtime& runtime, const Request& request) {
  if (auto found = about_cookies(runtime, request)) return std::move(*found);
  if (auto found = about_token(runtime, request)) return std::move(*found);
  std::size_t cookie_bytes = 0;
  for (const http::Field& field : request.head.fields) {
    if (field.id == http::HeaderId::cookie) cookie_bytes += field.value.size();
  }
  if (cookie_bytes > cookie_bytes_plenty) {
    return {"too_large", "loop_not_stored",
            "This site has set cookies of " + std::to_string(cookie_bytes) +
                " bytes; browsers drop some when there are too many."};
  }
  if (scheme_of(request) == "https" && request.scheme == "http") {
    return {"forwarded_proto", "loop_wrong",
            request.ignored_forwarding
                ? "The proxy in front sends X-Forwarded-*, but its address is not in "
                  "trusted_proxies."
                : "The page came over https, but X-Forwarded-Proto does not say so: the proxy in "
                  "front has to send it, and to be in trusted_proxies."};
  }
  const std::string& own = runtime.external_origin;
  const bool is_elsewhere =
      !own.empty() && !own.ends_with("://" + std::string(request.head.authority));
  if (is_elsewhere) {
    return {"external_url", "loop_wrong",
            "external_url is " + own + ", but this page was opened at " +
                std::string(request.head.authority) + "."};
  }
  return {"not_stored", "loop_not_stored",
          "The browser sent back none of the cookies that it was given."};
}

}  // namespace proxy::endpoints
