// See page_reply.h.
#include "proxy/endpoints/page_reply.h"

#include <algorithm>

#include "auth/bytes.h"
#include "proxy/endpoints/loop_doctor.h"
#include "proxy/endpoints/reply.h"

namespace proxy::endpoints {
namespace {

constexpr std::size_t username_bytes_max = 256;

std::string new_nonce() {
  // Without randomness the page still works, unstyled: the policy names no style then.
  const auto bytes = auth::random_bytes(16);
  return bytes ? auth::base64url_encode(*bytes) : std::string();
}

Reply page_reply(const Context& context, int status, std::string body, std::string_view nonce,
                 std::string_view headers) {
  Reply reply;
  reply.status = status;
  reply.content_type = "text/html; charset=utf-8";
  reply.body = std::move(body);
  const std::string allowed = nonce.empty() ? "'none'" : "'nonce-" + std::string(nonce) + "'";
  reply.headers = "Content-Security-Policy: default-src 'none'; style-src " + allowed +
                  "; script-src " + allowed + "; img-src data:; form-action " +
                  context.runtime.redirects.form_sources() +
                  "; base-uri 'none'; frame-ancestors 'none'\r\n"
                  "X-Frame-Options: DENY\r\n"
                  "Referrer-Policy: same-origin\r\n"
                  "Cross-Origin-Opener-Policy: same-origin\r\n";
  reply.headers += headers;
  return reply;
}

// Shown again in the form: printable, and no longer than a name is.
std::string shown_name(std::string_view name) {
  const bool is_plain = name.size() <= username_bytes_max &&
                        std::none_of(name.begin(), name.end(), [](char c) {
                          return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
                        });
  return is_plain ? std::string(name) : std::string();
}

}  // namespace

std::string filled(std::string_view text, std::string_view name, std::string_view value) {
  std::string result(text);
  const std::string hole = "{" + std::string(name) + "}";
  const std::size_t at = result.find(hole);
  if (at != std::string::npos) result.replace(at, hole.size(), value);
  return result;
}

Reply see_other(std::string_view target) {
  Reply reply = empty_reply();
  reply.status = 303;
  reply.headers.append("Location: ").append(target).append("\r\n");
  return reply;
}

Reply message_page(const Context& context, const MessagePage& page) {
  const Pages& pages = context.runtime.pages;
  const std::string nonce = new_nonce();
  PageValues values;
  values.nonce = nonce;
  values.heading = pages.text(page.heading);
  values.text = pages.text(page.text);
  values.detail = page.detail;
  values.link = page.link;
  values.link_text = pages.text(page.link_text);
  return page_reply(context, page.status, pages.render(Page::message, values), nonce,
                    page.headers);
}

Reply loop_page(const Context& context, const Request& request, int status) {
  const Diagnosis found = diagnose(context.runtime, request);
  context.log.write(Level::warning, "a browser was logged in, but comes back without a session",
                    {{"cause", found.cause},
                     {"detail", found.detail},
                     {"client", request.client_address},
                     {"host", request.head.authority},
                     {"request_id", request.request_id}});
  MessagePage page;
  page.status = status;
  page.heading = "loop";
  page.text = found.text;
  page.detail = found.detail;
  page.link = context.runtime.config.endpoints.login;
  page.link_text = "try_again";
  Reply reply = message_page(context, page);
  reply.reason = found.cause;
  return reply;
}

Reply login_page(const Context& context, const Request& request, LoginPage page) {
  const Runtime& runtime = context.runtime;
  std::optional<LoginState> state = find_login_state(runtime, request.head);
  if (state && is_bouncing(*state, context.now)) {
    return loop_page(context, request, page.status == 200 ? 409 : page.status);
  }
  if (!state) {
    const auto made = new_login_state();
    if (!made) return no_token_reply(made.error());
    state = *made;
    page.headers += login_state_line(runtime, *state);
  }
  const std::string nonce = new_nonce();
  const std::string csrf = form_value(runtime, *state, context.now);
  const std::string username = shown_name(page.username);
  PageValues values;
  values.nonce = nonce;
  values.action = runtime.config.endpoints.login;
  values.target = runtime.redirects.checked(page.target);
  values.csrf = csrf;
  values.username = username;
  values.forgot_username = username.empty();
  values.text = runtime.pages.text(page.text);
  values.alert = page.alert;
  values.asks_to_remember = runtime.pages.asks_to_remember();
  return page_reply(context, page.status, runtime.pages.render(Page::login, values), nonce,
                    page.headers);
}

Reply logout_page(const Context& context, const Request& request, int status,
                  std::string_view alert) {
  const Runtime& runtime = context.runtime;
  const std::string nonce = new_nonce();
  PageValues values;
  values.nonce = nonce;
  values.action = runtime.config.endpoints.logout;
  values.alert = runtime.pages.text(alert);
  if (request.principal != nullptr) values.username = request.principal->subject;
  return page_reply(context, status, runtime.pages.render(Page::logout, values), nonce, "");
}

}  // namespace proxy::endpoints
