// See login_form.h.
#include "proxy/endpoints/login_form.h"

#include <algorithm>

#include "proxy/endpoints/browser_request.h"
#include "proxy/endpoints/fields.h"
#include "proxy/endpoints/form_guard.h"
#include "proxy/endpoints/page_reply.h"
#include "proxy/endpoints/reply.h"

namespace proxy::endpoints {
namespace {

std::string target_in_query(const http::RequestHead& head) {
  const std::optional<Pairs> pairs = read_pairs(head.query, Plus::is_space);
  if (!pairs) return {};
  for (const auto& [name, value] : *pairs) {
    if (name == "rd") return value;
  }
  return {};
}

// Lines of a reply's headers that go on into the page: Retry-After and the challenge.
std::string line_of(const Reply& reply, std::string_view name) {
  const std::size_t start = reply.headers.find(std::string(name) + ": ");
  if (start == std::string::npos) return {};
  const std::size_t end = reply.headers.find("\r\n", start);
  return reply.headers.substr(start, end + 2 - start);
}

std::string throttled_text(const Pages& pages, const std::string& retry_line) {
  constexpr std::string_view before = "Retry-After: ";
  const std::int64_t seconds =
      retry_line.empty() ? 60 : std::atoll(retry_line.c_str() + before.size());
  const bool in_minutes = seconds > 90;
  const std::int64_t count = in_minutes ? (seconds + 59) / 60 : seconds;
  const std::string wait = filled(pages.text(in_minutes ? "wait_minutes" : "wait_seconds"), "n",
                                  std::to_string(count));
  return filled(pages.text("throttled"), "wait", wait);
}

std::string_view sentence_for(const Reply& refused) {
  switch (refused.status) {
    case 401: return "wrong_password";
    case 403: return refused.reason == "csrf" ? "stale" : "cross_site";
    case 503: return "unavailable";
    case 500: return refused.reason == "token_too_large" ? "token_too_large" : "no_token";
    default: return refused.reason == "incomplete" ? "incomplete" : "bad_request";
  }
}

}  // namespace

Reply show_login(const Context& context, const Request& request) {
  const Runtime& runtime = context.runtime;
  const std::string target = target_in_query(request.head);
  std::optional<LoginState> state = find_login_state(runtime, request.head);
  const bool is_bounced = state && is_bouncing(*state, context.now);
  if (request.principal != nullptr && request.principal->ours && !is_bounced) {
    Reply reply = see_other(runtime.redirects.checked(target));
    if (!state) {
      const auto made = new_login_state();
      if (made) state = *made;
    }
    if (state) {
      count_bounce(*state, context.now);
      reply.headers += login_state_line(runtime, *state);
    }
    return reply;
  }
  if (is_bounced) return loop_page(context, request, 409);
  LoginPage page;
  page.target = target;
  return login_page(context, request, std::move(page));
}

std::optional<Reply> check_form(const Context& context, const Request& request,
                                const LoginAttempt& attempt) {
  const auto state = find_login_state(context.runtime, request.head);
  if (state && is_form_value(context.runtime, *state, attempt.csrf, context.now)) {
    return std::nullopt;
  }
  // Another tab has logged the same user in meanwhile, and with that made this form stale.
  if (request.principal != nullptr && request.principal->subject == attempt.login &&
      is_same_origin(context.runtime, request.head)) {
    return see_other(context.runtime.redirects.checked(attempt.target));
  }
  Reply reply = error_reply(403, "csrf", "The login form is stale, or its cookie is missing.");
  reply.reason = state ? "csrf" : "no_login_cookie";
  return reply;
}

Reply form_refused(const Context& context, const Request& request, const LoginAttempt& attempt,
                   Reply refused) {
  if (refused.status == 303 || refused.status == 405 || !wants_page(request.head)) return refused;
  // The page gave a cookie away and got none back: no login could last.
  if (refused.reason == "no_login_cookie") return loop_page(context, request, 403);
  LoginPage page;
  page.status = refused.status;
  const Pages& pages = context.runtime.pages;
  const std::string retry = line_of(refused, "Retry-After");
  page.alert = refused.status == 429 ? throttled_text(pages, retry)
                                     : std::string(pages.text(sentence_for(refused)));
  page.username = attempt.login;
  page.target = attempt.target;
  page.headers = retry + line_of(refused, "WWW-Authenticate");
  Reply reply = login_page(context, request, std::move(page));
  reply.user = refused.user;
  reply.session_id = refused.session_id;
  if (reply.reason.empty()) reply.reason = refused.reason;
  return reply;
}

Reply form_accepted(const Context& context, const Request& request, const LoginAttempt& attempt,
                    Reply accepted) {
  // A name of its own for what comes next: nothing from before the login is trusted (H06).
  const auto made = new_login_state();
  if (!made) return no_token_reply(made.error());
  LoginState state = *made;
  if (const auto before = find_login_state(context.runtime, request.head)) {
    state.bounces = before->bounces;
    state.since = before->since;
  }
  state.ends_with_browser = context.runtime.config.sessions.remember_me && !attempt.remember;
  count_bounce(state, context.now);
  accepted.headers += login_state_line(context.runtime, state);
  if (!wants_page(request.head)) return accepted;
  Reply reply = see_other(context.runtime.redirects.checked(attempt.target));
  reply.headers += accepted.headers;
  reply.user = accepted.user;
  reply.session_id = accepted.session_id;
  return reply;
}

Reply token_too_large(const Context& context, const Request& request, std::string_view username,
                      std::size_t bytes) {
  const std::string size = std::to_string(bytes);
  context.log.write(Level::error,
                    "a login failed: the access token does not fit into a cookie of 1 KiB; "
                    "shorten the user's groups and claims, or sign with ES256 or EdDSA",
                    {{"user", username}, {"bytes", size}, {"request_id", request.request_id}});
  audit(context, request,
        {.event = "login", .outcome = "failed", .reason = "token_too_large", .user = username});
  Reply reply = error_reply(500, "token_too_large",
                            "The access token has " + size +
                                " bytes and does not fit into a cookie of 1 KiB.");
  reply.user = username;
  reply.reason = "token_too_large";
  return reply;
}

}  // namespace proxy::endpoints
