// What a request gets that goes no further: JSON for programs and scripts, a page for people, the
// login page where that would help. The thread of the context.
#pragma once

#include <string_view>

#include "config/config.h"
#include "proxy/endpoints/endpoint.h"

namespace proxy::endpoints {

struct Refusal {
  int status = 400;
  std::string_view error;    // the code
  std::string_view message;  // for programs
  auth::Error auth_error = auth::Error::missing;
  config::PageMode pages = config::PageMode::automatic;  // of the route
};
[[nodiscard]] Reply refusal_reply(const Context& context, const Request& request,
                                  const Refusal& refusal);

}  // namespace proxy::endpoints
