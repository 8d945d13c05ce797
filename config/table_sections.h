// The sections that the table is put together from, each in the file that is named after its part
// of gatehouse.yaml.
#pragma once

#include "config/config.h"
#include "config/field.h"

namespace config {

inline constexpr milliseconds day = std::chrono::hours{24};

[[nodiscard]] Section<Listener> listener_keys();
[[nodiscard]] Section<Admin> admin_keys();
[[nodiscard]] Section<Health> health_keys();
[[nodiscard]] Section<Limits> limit_keys();
[[nodiscard]] Section<Timeouts> timeout_keys();
[[nodiscard]] Section<Drain> drain_keys();
[[nodiscard]] Section<Upstream> upstream_keys();
[[nodiscard]] Section<Identity> identity_keys();
[[nodiscard]] Section<Route> route_keys();
[[nodiscard]] Section<Endpoints> endpoint_keys();
[[nodiscard]] Section<Users> users_keys();
[[nodiscard]] Section<Tokens> token_keys();
[[nodiscard]] Section<Cookies> cookie_keys();
[[nodiscard]] Section<Config> login_keys();
[[nodiscard]] Section<AppCookie> app_cookie_keys();
[[nodiscard]] Section<Browser> browser_keys();
[[nodiscard]] Section<Sessions> session_keys();
[[nodiscard]] Section<Config> store_keys();
[[nodiscard]] Section<Alerts> alert_keys();
[[nodiscard]] Section<Log> log_keys();
[[nodiscard]] Section<Tracing> tracing_keys();

}  // namespace config
