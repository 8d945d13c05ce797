// Cross-site request forgery: who asked for a state change, as the browser says it (SECURITY H07,
// H08). Browsers always send Origin with a cross-site POST, and Sec-Fetch-Site on https; programs
// such as curl send neither and hold no cookies of a victim, so their absence is no refusal.
// Pure; any thread.
#include "proxy/endpoints/endpoint.h"

namespace proxy::endpoints {

namespace {

std::string_view without_suffix(std::string_view text, std::string_view suffix) {
  if (text.ends_with(suffix)) text.remove_suffix(suffix.size());
  return text;
}

// Without a configured external_url the page must come from the host that it talks to. The scheme
// is not compared: TLS may end in front of us. RFC 6454 section 6.1 leaves out a default port that
// Host may spell out.
bool names_host(std::string_view origin, std::string_view authority) {
  std::string_view port;
  if (origin.starts_with("https://")) {
    origin.remove_prefix(8);
    port = ":443";
  } else if (origin.starts_with("http://")) {
    origin.remove_prefix(7);
    port = ":80";
  } else {
    return false;  // "null" (a sandboxed frame, a data: page) and extensions
  }
  origin = without_suffix(origin, port);
  return !origin.empty() &&
         http::equal_ignoring_case(origin, without_suffix(authority, port));
}

}  // namespace

bool is_cross_site(const Runtime& runtime, const http::RequestHead& head) {
  bool origin_is_ours = false;
  bool same_site = false;
  for (const http::Field& field : head.fields) {
    if (field.id == http::HeaderId::origin) {
      origin_is_ours = runtime.external_origin.empty()
                           ? names_host(field.value, head.authority)
                           : http::equal_ignoring_case(field.value, runtime.external_origin);
      if (!origin_is_ours) return true;
    } else if (field.id == http::HeaderId::sec_fetch_site) {
      same_site = field.value == "same-site";
      // "cross-site", and whatever a later standard adds.
      if (field.value != "same-origin" && field.value != "none" && !same_site) return true;
    }
  }
  // A sibling domain is another origin: it can toss cookies and may be somebody else's (H09), so it
  // counts as foreign unless Origin proves otherwise.
  return same_site && !origin_is_ours;
}

}  // namespace proxy::endpoints
