// The login form's signed double submit (SECURITY H07): a cookie that only this host can set holds
// a random name for the browser, the form holds a MAC over it. A form that another site sends
// cannot have both. The cookie also counts how often a login came back without a session, and
// remembers whether this login is for the browser's lifetime only.
// Pure but for the random name; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/policy.h"
#include "proxy/http/head.h"
#include "proxy/runtime.h"

namespace proxy::endpoints {

struct LoginState {
  std::string name;          // 22 characters of base64url
  int bounces = 0;           // logins that led back here
  std::int64_t since = 0;    // second of the first of them
  bool ends_with_browser = false;
};

// What the browser sent; nullopt when nothing usable, or two of them.
[[nodiscard]] std::optional<LoginState> find_login_state(const Runtime& runtime,
                                                         const http::RequestHead& head);
// no_entropy when no name can be drawn.
[[nodiscard]] auth::Result<LoginState> new_login_state();
[[nodiscard]] std::string login_state_line(const Runtime& runtime, const LoginState& state);

// One more time that the browser is sent back as logged in.
void count_bounce(LoginState& state, auth::Time now);
[[nodiscard]] bool is_bouncing(const LoginState& state, auth::Time now);

[[nodiscard]] std::string form_value(const Runtime& runtime, const LoginState& state,
                                     auth::Time now);
[[nodiscard]] bool is_form_value(const Runtime& runtime, const LoginState& state,
                                 std::string_view value, auth::Time now);

}  // namespace proxy::endpoints
