// Replies and audit lines that several endpoints share. Messages are plain ASCII without quotes and
// backslashes, so that they may stand in an OAuth error_description too (RFC 6749 section 5.2).
// Pure but for audit(); the thread of the context.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "proxy/endpoints/endpoint.h"
#include "proxy/endpoints/json_text.h"

namespace proxy::endpoints {

[[nodiscard]] Reply json_reply(int status, const JsonText& json);
[[nodiscard]] Reply empty_reply();  // 204
// 405 with the methods that are served, "GET, HEAD".
[[nodiscard]] Reply method_not_allowed_reply(std::string_view allow);
// 403 for a state change that another site asked for.
[[nodiscard]] Reply cross_site_reply();
// 503 with Retry-After. Nothing about the client's cookies is said: they stay (SECURITY H18).
[[nodiscard]] Reply unavailable_reply(std::string_view reason);
// 500 when no token can be made; `error` goes to the logs only.
[[nodiscard]] Reply no_token_reply(auth::Error error);

// Whole seconds of `wait`, rounded up, at least one: "Retry-After: 3\r\n".
[[nodiscard]] std::string retry_after_line(auth::milliseconds wait);

// Writes the event with the client, request id and user agent of the request.
void audit(const Context& context, const Request& request, AuditEvent event);

// GET and HEAD are the same to an endpoint; whoever sends the reply leaves out the body for HEAD.
[[nodiscard]] inline bool is_read(const Request& request) {
  return request.head.method == http::Method::get || request.head.method == http::Method::head;
}

}  // namespace proxy::endpoints
