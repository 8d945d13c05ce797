// See browser_request.h.
#include "proxy/endpoints/browser_request.h"

#include <algorithm>

#include "proxy/endpoints/endpoint.h"
#include "proxy/http/syntax.h"

namespace proxy::endpoints {
namespace {

std::string_view cut(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return http::syntax::trim(part);
}

// `q` in thousandths (RFC 9110 section 12.4.2); what cannot be read counts as not wanted.
int weight_of(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view parameter = cut(parameters, ';');
    if (!http::equal_ignoring_case(parameter.substr(0, 2), "q=")) continue;
    std::string_view digits = parameter.substr(2);
    if (digits.empty() || (digits.front() != '0' && digits.front() != '1')) return 0;
    int weight = (digits.front() - '0') * 1'000;
    digits.remove_prefix(std::min<std::size_t>(digits.size(), 2));
    for (int unit = 100; !digits.empty() && unit > 0; unit /= 10, digits.remove_prefix(1)) {
      if (digits.front() < '0' || digits.front() > '9') return 0;
      weight += (digits.front() - '0') * unit;
    }
    return weight;
  }
  return 1'000;
}

bool accepts_html_first(std::string_view accept) {
  int html = 0;
  int json = 0;
  while (!accept.empty()) {
    std::string_view item = cut(accept, ',');
    const std::string_view type = cut(item, ';');
    if (http::equal_ignoring_case(type, "text/html")) html = weight_of(item);
    if (http::equal_ignoring_case(type, "application/json")) json = weight_of(item);
  }
  return html > 0 && html >= json;
}

}  // namespace

bool wants_page(const http::RequestHead& head) {
  const http::Field* mode = head.find(http::HeaderId::sec_fetch_mode);
  if (mode != nullptr) return mode->value == "navigate";
  return accepts_html_first(head.value(http::HeaderId::accept));
}

bool is_unsafe(http::Method method) {
  return method != http::Method::get && method != http::Method::head &&
         method != http::Method::options;
}

bool is_same_origin(const Runtime& runtime, const http::RequestHead& head) {
  const http::Field* site = head.find(http::HeaderId::sec_fetch_site);
  // "none": typed, or from a bookmark; no page is behind it.
  if (site != nullptr && (site->value == "same-origin" || site->value == "none")) return true;
  return head.find(http::HeaderId::origin) != nullptr && !is_cross_site(runtime, head);
}

bool is_interactive(const http::RequestHead& head) {
  if (is_unsafe(head.method)) return true;
  const http::Field* mode = head.find(http::HeaderId::sec_fetch_mode);
  if (mode == nullptr) return accepts_html_first(head.value(http::HeaderId::accept));
  return mode->value == "navigate";
}

bool counts_as_activity(const Runtime& runtime, const http::RequestHead& head) {
  if (runtime.config.sessions.activity == config::Activity::any) return true;
  return is_interactive(head);
}

std::string_view page_behind(const Runtime& runtime, const http::RequestHead& head) {
  std::string_view referer = head.value(http::HeaderId::referer);
  if (!runtime.external_origin.empty() && referer.starts_with(runtime.external_origin)) {
    referer.remove_prefix(runtime.external_origin.size());
  } else {
    if (referer.starts_with("https://")) {
      referer.remove_prefix(8);
    } else if (referer.starts_with("http://")) {
      referer.remove_prefix(7);
    } else {
      return {};
    }
    if (head.authority.empty() || !referer.starts_with(head.authority)) return {};
    referer.remove_prefix(head.authority.size());
  }
  return is_local_target(referer) ? referer : std::string_view{};
}

}  // namespace proxy::endpoints
