// POST /login: a name and a password become a new session. Whoever guesses must learn nothing: an
// unknown user, a wrong password and a disabled user cost the same time and give the same bytes,
// and a throttled client gets the same 429 whether its password is right or not (SECURITY I01,
// I05). The logs know the difference, but never a name that is no user's: it may be a password
// typed into the wrong field.
#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "auth/bytes.h"
#include "auth/password.h"
#include "auth/throttle.h"
#include "proxy/endpoints/browser_request.h"
#include "proxy/endpoints/credentials.h"
#include "proxy/endpoints/endpoint.h"
#include "proxy/endpoints/fields.h"
#include "proxy/endpoints/form_guard.h"
#include "proxy/endpoints/login_form.h"
#include "proxy/endpoints/password_check.h"
#include "proxy/endpoints/reply.h"
#include "proxy/net/address.h"

namespace proxy::endpoints {

namespace {

// The last three belong to the page's form; what a script sends under these names is its own.
constexpr std::array<std::string_view, 7> login_names{"username", "email", "name", "password",
                                                     "csrf",     "rd",    "remember"};
constexpr std::size_t script_names = 4;
constexpr std::array<std::string_view, 4> not_in_query{"username", "email", "name", "password"};
constexpr std::size_t user_agent_bytes_max = 200;

Reply bad_login(std::string_view message) {
  return error_reply(400, "invalid_request", message);
}

// A reply when the request is refused before anything is looked up.
std::optional<Reply> read_attempt(const Context& context, const Request& request,
                                  LoginAttempt& attempt) {
  if (request.head.method != http::Method::post) return method_not_allowed_reply("POST");
  if (is_cross_site(context.runtime, request.head)) return cross_site_reply();
  if (query_names_any(request.head, not_in_query)) {
    return bad_login("Credentials belong into the body, not into the URL.");
  }
  Fields fields;
  const std::span<const std::string_view> names(login_names);
  const auto wanted = is_form(request.head) ? names : names.first(script_names);
  const FieldsProblem problem = read_fields(request.head, request.body, wanted, fields);
  if (problem.status != 0) return error_reply(problem.status, problem.code, problem.message);

  attempt.target = fields.value("rd");
  attempt.csrf = fields.value("csrf");
  attempt.remember = !fields.value("remember").empty();
  for (const std::string_view alias : {"username", "email", "name"}) {
    const std::string_view value = fields.value(alias);
    if (value.empty()) continue;
    if (!attempt.login.empty()) return bad_login("The user is named twice.");
    attempt.login = value;
  }
  attempt.password = fields.value("password");
  if (attempt.login.empty() || attempt.password.empty()) {
    // What `curl -d '{...}'` sends, and everybody does so once.
    const bool is_json = is_form(request.head) && request.body.starts_with('{');
    Reply reply = bad_login(is_json ? "A JSON body needs Content-Type: application/json."
                                    : "Both username and password are required.");
    reply.reason = "incomplete";
    return reply;
  }
  // NUL ends the password for some hash functions; a huge one costs CPU (I02, I03).
  if (attempt.password.size() > auth::password_bytes_max) {
    return bad_login("The password is too long.");
  }
  if (attempt.password.find('\0') != std::string::npos ||
      attempt.login.find('\0') != std::string::npos) {
    return bad_login("NUL may not be part of a name or password.");
  }
  return std::nullopt;
}

// Failures are counted under the user that is meant, so that the e-mail alias and other spellings
// share one counter (A12), and never under an address that the client could choose (C04).
store::ThrottleKeys throttle_keys(const Request& request, std::string_view name) {
  store::ThrottleKeys keys;
  keys.account = auth::throttle_name(name);
  const std::optional<net::Address> address = net::parse_address(request.client_address);
  keys.address = address ? net::throttle_key(*address) : std::string(request.client_address);
  return keys;
}

Reply throttled_reply(auth::milliseconds wait) {
  Reply reply = error_reply(429, "too_many_attempts", "Too many failed logins; try again later.");
  reply.headers = retry_after_line(wait);
  reply.reason = auth::name(auth::Error::throttled);
  return reply;
}

// The same bytes for every reason; the challenge is what RFC 9110 section 15.5.2 asks of any 401.
Reply wrong_credentials_reply(auth::Error why) {
  Reply reply = error_reply(401, "invalid_credentials", "The username or the password is wrong.");
  reply.headers = "WWW-Authenticate: Bearer realm=\"gatehouse\"\r\n";
  reply.reason = auth::name(why);
  return reply;
}

std::string printable(std::string_view text) {
  std::string result(text.substr(0, user_agent_bytes_max));
  std::replace_if(
      result.begin(), result.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return result;
}

store::NewSession new_session(const Context& context, const Request& request,
                              const auth::User& user, const auth::FamilyId& family) {
  store::NewSession session;
  session.family = family;
  session.username = user.username;
  session.user_agent = printable(request.head.value(http::HeaderId::user_agent));
  const std::optional<net::Address> address = net::parse_address(request.client_address);
  if (address) session.address_prefix = net::prefix_text(*address);
  session.now = context.now;
  return session;
}

// A refresh cookie that came along belongs to somebody: to an attacker who planted it, or to the
// session that this login replaces. It ends either way and is never adopted (H06).
net::Task<bool> end_previous(const Context& context, const Request& request) {
  const Found cookie = find_refresh_cookie(context.runtime, request.head);
  if (cookie.count != 1) co_return true;
  const auto previous = context.runtime.refresh_keys.read(cookie.value, context.now);
  if (!previous) co_return true;
  const auto revoked = co_await context.store.revoke(previous->family, store::RevokeReason::login,
                                                     context.now);
  const std::string session_id = auth::to_text(previous->family);
  if (!revoked || *revoked) {
    audit(context, request,
          {.event = "revoke", .outcome = revoked ? "ok" : "failed", .reason = "login",
           .session_id = session_id});
  }
  co_return revoked.has_value();
}

// The access token is made first: when that fails, no session is left behind.
net::Task<Reply> open_session(const Context& context, const Request& request,
                              const CheckedPassword& checked, bool ends_with_browser) {
  const auth::User& user = *checked.user;
  const bool ended = co_await end_previous(context, request);
  if (!ended) co_return unavailable_reply(auth::name(auth::Error::store_unavailable));

  const auth::Result<auth::FamilyId> family = auth::new_family_id();
  if (!family) co_return no_token_reply(family.error());
  const config::RefreshTokens& rules = context.runtime.config.tokens.refresh;
  Grant grant{.user = user,
              .family = *family,
              .generation = 0,
              .authenticated_at = context.now,
              .session_ends_at = context.now + rules.absolute_life,
              .not_before = {},
              .scopes = user.scopes};
  auth::Result<AccessToken> access = issue_access(context, grant);
  if (!access) co_return no_token_reply(access.error());
  const bool needs_cookie = rules.delivery != config::Delivery::body &&
                            context.runtime.config.browser.enabled;
  if (needs_cookie && !fits_cookie(context.runtime, access->text)) {
    co_return token_too_large(context, request, user.username, access->text.size());
  }

  store::NewSession wish = new_session(context, request, user, *family);
  wish.profile = checked.profile;
  wish.password_mark = auth::password_mark(user);
  const auto session = co_await context.store.create(wish);
  if (!session) {
    audit(context, request,
          {.event = "login", .outcome = "failed", .reason = store::name(session.error()),
           .user = user.username});
    co_return unavailable_reply(store::name(session.error()));
  }

  if (session->created_at > context.now) {
    // Two seconds are what a revocation of the user may ask for; the rest is a store's clock that
    // is ahead of ours, and our own token must not come from the future.
    grant.not_before = std::min(session->created_at, context.now + clock_ahead_max);
    access = issue_access(context, grant);
    if (!access) co_return no_token_reply(access.error());
  }

  auth::RefreshToken refresh;
  refresh.family = *family;
  refresh.expires_at = std::chrono::floor<std::chrono::seconds>(session->absolute_expires_at);
  Delivered delivered;
  delivered.refresh_in_cookie = rules.delivery != config::Delivery::body;
  delivered.refresh_in_body = rules.delivery != config::Delivery::cookie;
  delivered.ends_with_browser = ends_with_browser;
  Reply reply = tokens_reply(context, delivered, *access, refresh);
  reply.headers += app_cookie_lines(context.runtime);
  reply.user = user.username;
  audit(context, request,
        {.event = "login", .outcome = "ok", .user = user.username,
         .session_id = reply.session_id});
  co_return reply;
}

// Counts the failure. A store that cannot count must not give free guesses: 503 then.
net::Task<Reply> refuse(const Context& context, const Request& request,
                        const store::ThrottleKeys& keys, const auth::User* user,
                        auth::Error why) {
  const auto noted =
      co_await context.store.note_login_failure(keys, context.runtime.throttle, context.now);
  Reply reply = noted ? wrong_credentials_reply(why)
                      : unavailable_reply(auth::name(auth::Error::store_unavailable));
  if (user != nullptr) reply.user = user->username;
  audit(context, request,
        {.event = "login", .outcome = "failed", .reason = reply.reason, .user = reply.user});
  co_return reply;
}

// The answer for who has guessed too often already; nothing for everybody else.
net::Task<std::optional<Reply>> check_throttle(const Context& context, const Request& request,
                                               const store::ThrottleKeys& keys,
                                               std::string_view known_name) {
  const auto wait = co_await context.store.throttled(keys, context.now);
  if (!wait) co_return unavailable_reply(auth::name(auth::Error::store_unavailable));
  if (wait->count() == 0) co_return std::nullopt;
  audit(context, request, {.event = "throttle", .outcome = "refused", .user = known_name});
  co_return throttled_reply(*wait);
}

net::Task<Reply> try_login(const Context& context, const Request& request,
                           const LoginAttempt& attempt) {
  const auth::Users& users = *context.runtime.users;
  const auth::User* user = users.find(attempt.login);
  const std::string_view known_name = user != nullptr ? std::string_view(user->username) : "";
  const store::ThrottleKeys keys =
      throttle_keys(request, user != nullptr ? known_name : attempt.login);

  std::optional<Reply> throttled = co_await check_throttle(context, request, keys, known_name);
  if (throttled) co_return std::move(*throttled);

  CheckedPassword checked =
      co_await check_password(context, user, attempt.login, attempt.password);
  if (!checked.is_known) {
    audit(context, request,
          {.event = "login", .outcome = "failed", .reason = checked.problem,
           .user = known_name});
    co_return unavailable_reply(checked.problem);
  }
  // Others may have failed while this one was hashed: of many guesses at once no more are told
  // anything, right or wrong, than of as many one after the other.
  throttled = co_await check_throttle(context, request, keys, known_name);
  if (throttled) co_return std::move(*throttled);
  if (!checked.user) co_return co_await refuse(context, request, keys, user, checked.why);
  // Best effort: a count that stays only makes the throttle stricter.
  (void)co_await context.store.note_login_success(keys, context.now);
  const bool ends_with_browser = attempt.by_form && context.runtime.config.sessions.remember_me &&
                                 !attempt.remember;
  co_return co_await open_session(context, request, checked, ends_with_browser);
}

// The form of the login page, or of a program that plays a browser.
net::Task<Reply> login_by_form(const Context& context, const Request& request,
                               LoginAttempt& attempt, std::optional<Reply> refused) {
  attempt.by_form = true;
  if (!refused) refused = check_form(context, request, attempt);
  if (refused) co_return form_refused(context, request, attempt, std::move(*refused));
  Reply reply = co_await try_login(context, request, attempt);
  if (reply.status != 200) co_return form_refused(context, request, attempt, std::move(reply));
  co_return form_accepted(context, request, attempt, std::move(reply));
}

}  // namespace

net::Task<Reply> login(const Context& context, const Request& request) {
  const bool has_pages = context.runtime.config.browser.enabled;
  if (has_pages && is_read(request)) co_return show_login(context, request);
  LoginAttempt attempt;
  std::optional<Reply> refused = read_attempt(context, request, attempt);
  if (has_pages && (is_form(request.head) || wants_page(request.head))) {
    co_return co_await login_by_form(context, request, attempt, std::move(refused));
  }
  if (refused) co_return std::move(*refused);
  co_return co_await try_login(context, request, attempt);
}

}  // namespace proxy::endpoints
