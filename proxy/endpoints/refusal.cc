// See refusal.h.
#include "proxy/endpoints/refusal.h"

#include "proxy/endpoints/browser_request.h"
#include "proxy/endpoints/credentials.h"
#include "proxy/endpoints/page_reply.h"
#include "proxy/endpoints/reply.h"
#include "proxy/http/path.h"

namespace proxy::endpoints {
namespace {

bool gets_page(const Context& context, const Request& request, config::PageMode pages) {
  if (!context.runtime.config.browser.enabled) return false;
  if (pages != config::PageMode::automatic) return pages == config::PageMode::always;
  return !request.head.wants_websocket && wants_page(request.head);
}

// Where the browser should be after a login: a read is done again, anything else is not, and its
// page is shown instead.
std::string target_of(const Runtime& runtime, const http::RequestHead& head, bool is_page) {
  std::string target(page_behind(runtime, head));
  if (is_page && !is_unsafe(head.method)) {
    target = head.path;
    if (head.has_query) target.append("?").append(head.query);
  }
  return std::string(runtime.redirects.checked(target));
}

bool had_session(const Runtime& runtime, const http::RequestHead& head) {
  return find_refresh_cookie(runtime, head).count > 0 ||
         find_access_cookie(runtime, head).count > 0;
}

Reply login_refusal(const Context& context, const Request& request, const Refusal& refusal) {
  const Runtime& runtime = context.runtime;
  Reply reply = unauthorized_reply(refusal.auth_error);
  if (!runtime.config.browser.enabled) return reply;
  const bool is_page = gets_page(context, request, refusal.pages);
  const std::string target = target_of(runtime, request.head, is_page);
  if (is_page) {
    LoginPage page;
    page.status = 401;
    page.target = target;
    page.headers = reply.headers;
    // Browsers forget the cookies of a session with its end, so their absence says nothing.
    if (is_unsafe(request.head.method)) {
      page.text = "not_saved";
    } else if (had_session(runtime, request.head)) {
      page.text = "expired";
    }
    Reply shown = login_page(context, request, std::move(page));
    shown.reason = reply.reason;
    return shown;
  }
  const bool is_missing = refusal.auth_error == auth::Error::missing;
  const std::string login =
      runtime.config.endpoints.login + "?rd=" + http::percent_encoded(target, "/");
  reply.body = JsonText()
                   .text("error", is_missing ? "missing_token" : "invalid_token")
                   .text("message", is_missing ? "An access token is required."
                                               : "The access token is not valid.")
                   .text("login", login)
                   .done();
  return reply;
}

// The sentences of a page about `refusal`.
MessagePage sentences_for(const Refusal& refusal) {
  MessagePage page;
  page.heading = "failed";
  page.text = "failed_text";
  if (refusal.error == "cross_site") {
    page.heading = "refused";
    page.text = "refused_text";
  } else if (refusal.status == 403) {
    page.heading = "forbidden";
    page.text = "forbidden_text";
  } else if (refusal.status == 429) {
    page.heading = "limited";
    page.text = "limited_text";
  } else if (refusal.status < 500) {
    page.heading = "not_found";
    page.text = "not_found_text";
  } else if (refusal.error == "unavailable") {
    page.heading = "session_unknown";
    page.text = "session_unknown_text";
  }
  return page;
}

}  // namespace

Reply refusal_reply(const Context& context, const Request& request, const Refusal& refusal) {
  if (refusal.status == 401) return login_refusal(context, request, refusal);
  if (!gets_page(context, request, refusal.pages)) {
    return error_reply(refusal.status, refusal.error, refusal.message);
  }
  MessagePage page = sentences_for(refusal);
  page.status = refusal.status;
  page.link = "/";
  page.link_text = "back";
  // What passes by itself is worth another try, of the same page.
  const bool passes = refusal.status == 429 || refusal.status >= 500;
  std::string again;
  if (passes && !is_unsafe(request.head.method)) {
    again = target_of(context.runtime, request.head, true);
    page.link = again;
    page.link_text = "try_again";
  }
  // For whoever is asked about it: it finds the lines of the log.
  page.detail = std::string(refusal.error) + " \u00b7 " + std::string(request.request_id);
  return message_page(context, page);
}

}  // namespace proxy::endpoints
