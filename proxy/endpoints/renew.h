// A refresh token becomes an access token and the next refresh token: what POST /token and the
// transparent refresh of a browser's request have in common. The rotation rule is the store's
// (auth/family.h). The thread of the context; arguments outlive the call.
#pragma once

#include <string>
#include <string_view>

#include "proxy/endpoints/credentials.h"
#include "proxy/endpoints/endpoint.h"

namespace proxy::endpoints {

struct RenewalWish {
  std::string_view token;
  std::string_view scope;  // narrows the user's scopes (RFC 6749 section 6); empty: all of them
  bool active = true;      // somebody is there, so the idle life goes on
};

struct Renewal {
  enum class Outcome {
    renewed,
    refused,      // malformed, forged, expired, revoked, reused; the user is gone
    wrong_scope,  // it asks for more than the user has
    unavailable,  // the store cannot say: nothing is known to have happened
    failed,       // no access token could be made
  };
  Outcome outcome = Outcome::refused;
  bool is_over = false;  // the store called the session over, which it stays
  std::string_view reason;  // an enum's name
  std::string username;
  std::string session_id;
  AccessToken access;
  auth::RefreshToken refresh;
};

[[nodiscard]] net::Task<Renewal> renew(const Context& context, const Request& request,
                                       const RenewalWish& wish);

}  // namespace proxy::endpoints
