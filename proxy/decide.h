// What will be done with a request, as a value: the order of the security checks stands here and
// nowhere else. No I/O, no clock, and no allocation when the token is known. A table of
// (request, token) -> Decision is the policy test (tests/proxy/decide_test.cc).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "auth/token_cache.h"
#include "proxy/endpoints/endpoint.h"
#include "proxy/http/head.h"
#include "proxy/route_table.h"
#include "proxy/runtime.h"
#include "proxy/store/revocations.h"

namespace proxy {

struct Decision {
  enum class Kind : std::uint8_t {
    forward,  // to route->upstream, as `path`
    serve,    // one of our endpoints
    reject,   // `status` and `error`
    renew,    // with `refresh_token` first, then decide again
  };
  Kind kind = Kind::reject;
  int status = 400;
  std::string_view error = "bad_request";  // the code in the answer; a literal
  bool close = false;                      // nothing more is read from this connection
  bool list_methods = false;               // the answer carries Allow
  const Route* route = nullptr;            // set once a rule was chosen, for rejections too
  const Route* near_miss = nullptr;        // RouteMatch's: its demands hold as well
  std::string_view path;                   // what the upstream sees, without query
  bool tunnel = false;                     // a WebSocket handshake that may pass
  bool preflight = false;                  // answered by the route's CORS rule, 204
  std::chrono::nanoseconds retry_after{0};  // with 429
  endpoints::Endpoint endpoint = endpoints::Endpoint::none;
  auth::CachedTokenRef token;                     // null: nobody in particular
  std::string_view shown;                         // its text, where it came in a cookie
  auth::Error auth_error = auth::Error::missing;  // why token is null
  bool by_cookie = false;          // a cookie let the request in, or would have
  std::string_view refresh_token;  // of Kind::renew
  bool may_go_on = false;          // of Kind::renew: what is shown is good for a while yet

  // What counts the request; null: nothing. A rule that is missed by spelling counts first.
  [[nodiscard]] const RateRule* rate() const {
    for (const Route* rule : {near_miss, route}) {
      if (rule != nullptr && rule->rate) return &*rule->rate;
    }
    return nullptr;
  }
};

// The worker's state that a decision reads; the cache also learns.
struct DecisionContext {
  const Runtime& runtime;
  auth::TokenCache& tokens;
  const store::Revocations& revocations;
  auth::Time now{};
  bool store_is_down = false;
  // Rooms of the exchange: where a rewritten path is put (needed where a rule rewrites).
  std::string* rewritten = nullptr;
  // Who is counted; null: nobody.
  RateTable* rates = nullptr;
  std::string_view client = {};
  std::string_view certificate_subject{};  // of a verified client certificate; empty: none
  // Of the second decision about a request. A token that was made for it meanwhile counts instead
  // of its cookie; without one, `renewal_error` says why there is none.
  bool has_renewed = false;
  std::string_view fresh_token{};
  auth::Error renewal_error = auth::Error::missing;
};

// Who is counted by a rate rule. `room` may hold the result.
[[nodiscard]] std::string_view rate_key(const RateRule& rule, const auth::CachedTokenRef& token,
                                        std::string_view client, std::string& room);

[[nodiscard]] Decision decide(const DecisionContext& context, const http::RequestHead& head);

}  // namespace proxy
