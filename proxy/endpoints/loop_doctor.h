// Why a browser that was logged in comes back without a session, as far as its request shows it.
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "proxy/endpoints/endpoint.h"

namespace proxy::endpoints {

struct Diagnosis {
  std::string_view cause;  // for logs: secure_over_http, cookie_domain, third_party, clock, keys,
                           // too_large, forwarded_proto, external_url, not_stored
  std::string_view text;   // the name of the sentence for the user
  std::string detail;      // for whoever looks after the place
};
[[nodiscard]] Diagnosis diagnose(const Runtime& runtime, const Request& request);

}  // namespace proxy::endpoints
