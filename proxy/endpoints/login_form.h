// The login page's side of a login: the form that came in and the page that goes out, around the
// attempt itself (login.cc). The thread of the context.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/bytes.h"
#include "proxy/endpoints/endpoint.h"

namespace proxy::endpoints {

// What a login attempt brought. Wiped when it goes.
struct LoginAttempt {
  std::string login;
  std::string password;
  std::string target;    // where to go afterwards, unchecked
  std::string csrf;      // of the form
  bool remember = false;
  bool by_form = false;  // of our page
  LoginAttempt() = default;
  LoginAttempt(const LoginAttempt&) = delete;
  LoginAttempt& operator=(const LoginAttempt&) = delete;
  ~LoginAttempt() { auth::cleanse(password); }
};

// GET /login: the form, or on to `rd` for whoever is logged in already.
[[nodiscard]] Reply show_login(const Context& context, const Request& request);
// The double submit; a refusal when it does not hold.
[[nodiscard]] std::optional<Reply> check_form(const Context& context, const Request& request,
                                              const LoginAttempt& attempt);
// `refused` as the client wants it: the form again with what went wrong, or JSON as it is.
[[nodiscard]] Reply form_refused(const Context& context, const Request& request,
                                 const LoginAttempt& attempt, Reply refused);
// `accepted` as the client wants it: on to where it was going, or JSON as it is.
[[nodiscard]] Reply form_accepted(const Context& context, const Request& request,
                                  const LoginAttempt& attempt, Reply accepted);
// The right password of a user whose token fits no cookie; logged.
[[nodiscard]] Reply token_too_large(const Context& context, const Request& request,
                                    std::string_view username, std::size_t bytes);

}  // namespace proxy::endpoints
