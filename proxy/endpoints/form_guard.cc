// See form_guard.h. The cookie is `name.bounces.since` with an `s` behind it where the session ends
// with the browser; the form's value is `second.mac`.
#include "proxy/endpoints/form_guard.h"

#include <algorithm>
#include <charconv>

#include "auth/bytes.h"

namespace proxy::endpoints {
namespace {

constexpr std::size_t name_bytes = 22;
constexpr int bounces_max = 5;
constexpr std::int64_t bounce_seconds = 30;
// A login page may stay open over night.
constexpr std::int64_t form_seconds = 24 * 3'600;

std::int64_t second_of(auth::Time time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

bool read_number(std::string_view text, std::int64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0;
}

bool is_name(std::string_view text) {
  return text.size() == name_bytes && auth::base64url_decode(text).has_value();
}

std::string mac_of(std::string_view key, std::string_view name, std::string_view second) {
  std::string input(name);
  input.append(".").append(second);
  const auth::Digest digest = auth::hmac_sha256(key, input);
  return auth::base64url_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::optional<LoginState> parsed(std::string_view text) {
  LoginState state;
  state.ends_with_browser = text.ends_with('s');
  if (state.ends_with_browser) text.remove_suffix(1);
  const std::size_t first = text.find('.');
  const std::size_t second = text.find('.', first == std::string_view::npos ? first : first + 1);
  if (second == std::string_view::npos || !is_name(text.substr(0, first))) return std::nullopt;
  state.name = text.substr(0, first);
  std::int64_t bounces = 0;
  if (!read_number(text.substr(first + 1, second - first - 1), bounces) ||
      !read_number(text.substr(second + 1), state.since)) {
    return std::nullopt;
  }
  state.bounces = static_cast<int>(std::min<std::int64_t>(bounces, bounces_max));
  return state;
}

}  // namespace

std::optional<LoginState> find_login_state(const Runtime& runtime, const http::RequestHead& head) {
  int count = 0;
  std::string_view value;
  for (const http::Field& field : head.fields) {
    if (field.id != http::HeaderId::cookie) continue;
    const http::CookieLookup found = http::find_cookie(field.value, runtime.login_cookie.name);
    if (count == 0) value = found.value;
    count += found.count;
  }
  return count == 1 ? parsed(value) : std::nullopt;
}

auth::Result<LoginState> new_login_state() {
  const auth::Result<std::string> bytes = auth::random_bytes(16);
  if (!bytes) return bytes.error();
  LoginState state;
  state.name = auth::base64url_encode(*bytes);
  return state;
}

std::string login_state_line(const Runtime& runtime, const LoginState& state) {
  std::string value = state.name + "." + std::to_string(state.bounces) + "." +
                      std::to_string(state.since);
  if (state.ends_with_browser) value.push_back('s');
  return http::set_cookie_line(runtime.login_cookie, value, std::nullopt);
}

void count_bounce(LoginState& state, auth::Time now) {
  const std::int64_t second = second_of(now);
  if (second - state.since > bounce_seconds || second < state.since) {
    state.since = second;
    state.bounces = 0;
  }
  ++state.bounces;
}

bool is_bouncing(const LoginState& state, auth::Time now) {
  const std::int64_t age = second_of(now) - state.since;
  return state.bounces >= bounces_max && age >= 0 && age <= bounce_seconds;
}

std::string form_value(const Runtime& runtime, const LoginState& state, auth::Time now) {
  if (runtime.form_keys.empty()) return {};
  const std::string second = std::to_string(second_of(now));
  return second + "." + mac_of(runtime.form_keys.front(), state.name, second);
}

bool is_form_value(const Runtime& runtime, const LoginState& state, std::string_view value,
                   auth::Time now) {
  const std::size_t dot = value.find('.');
  std::int64_t second = 0;
  if (dot == std::string_view::npos || !read_number(value.substr(0, dot), second)) return false;
  const std::int64_t age = second_of(now) - second;
  // Another replica's clock may be a little ahead.
  if (age < -60 || age > form_seconds) return false;
  const std::string_view mac = value.substr(dot + 1);
  return std::any_of(runtime.form_keys.begin(), runtime.form_keys.end(),
                     [&](const std::string& key) {
                       return auth::equal_constant_time(
                           mac, mac_of(key, state.name, value.substr(0, dot)));
                     });
}

}  // namespace proxy::endpoints
