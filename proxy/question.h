// The request that another proxy asks about (nginx auth_request, Traefik and Caddy forward-auth,
// Envoy ext_authz over HTTP). It is rebuilt from what that proxy says and read by the parser and
// the guard of every other request, so that it is decided about in the form that a forwarded
// request has and in no other.
// Pure; any thread. Views in `head` point into its own bytes, `problem` and `scheme` are literals.
#pragma once

#include <memory>
#include <string_view>

#include "proxy/client.h"
#include "proxy/http/head.h"
#include "proxy/runtime.h"

namespace proxy {

struct Question {
  http::RequestHead head;        // the request in question; no body
  std::string_view scheme;       // "http" or "https"
  std::string_view problem;      // why nothing can be decided; empty: it can
  bool sends_to_login = false;   // `?redirect=true`: a 401 leads to the login page
  bool by_envoy = false;
};

// Null: `head` is no question. Whoever asks must be in trusted_proxies, since it can ask about any
// request of any user.
[[nodiscard]] std::unique_ptr<Question> question_in(const Runtime& runtime, const Client& client,
                                                    const http::RequestHead& head);

}  // namespace proxy
