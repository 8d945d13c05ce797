// Whether a password is right and whose it is: asked of the users file, and of `users.http` about
// names that the file does not know. The thread of the context; arguments outlive the call.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/endpoints/endpoint.h"

namespace proxy::endpoints {

struct CheckedPassword {
  bool is_known = false;           // whether anybody could say; if not, the answer is 503
  std::optional<auth::User> user;  // whose password it is
  std::string profile;             // what the session has to keep of a user of users.http
  std::string_view problem;        // why nobody could; a literal or an enum's name
  auth::Error why = auth::Error::wrong_password;  // where there is no user
};
// `known` is the user of the file with that login name, if there is one.
[[nodiscard]] net::Task<CheckedPassword> check_password(const Context& context,
                                                        const auth::User* known,
                                                        std::string_view login,
                                                        const std::string& password);

}  // namespace proxy::endpoints
