// See reply.h and endpoint.h.
#include "proxy/endpoints/reply.h"

#include <algorithm>

namespace proxy::endpoints {

Reply json_reply(int status, const JsonText& json) {
  Reply reply;
  reply.status = status;
  reply.body = json.done();
  return reply;
}

Reply empty_reply() {
  Reply reply;
  reply.status = 204;
  reply.content_type = "";
  return reply;
}

Reply error_reply(int status, std::string_view code, std::string_view message) {
  return json_reply(status, JsonText().text("error", code).text("message", message));
}

Reply unauthorized_reply(auth::Error error) {
  // RFC 6750 section 3.1: a request without a token is told nothing about errors.
  if (error == auth::Error::missing) {
    Reply reply = error_reply(401, "missing_token", "An access token is required.");
    reply.headers = "WWW-Authenticate: Bearer realm=\"gatehouse\"\r\n";
    reply.reason = auth::name(error);
    return reply;
  }
  Reply reply = error_reply(401, "invalid_token", "The access token is not valid.");
  reply.headers = "WWW-Authenticate: Bearer realm=\"gatehouse\", error=\"invalid_token\"\r\n";
  reply.reason = auth::name(error);
  return reply;
}

Reply method_not_allowed_reply(std::string_view allow) {
  Reply reply = error_reply(405, "method_not_allowed", "This path does not serve that method.");
  reply.headers.append("Allow: ").append(allow).append("\r\n");
  reply.reason = "method_not_allowed";
  return reply;
}

Reply cross_site_reply() {
  Reply reply = error_reply(403, "cross_site", "Another site may not make this request.");
  reply.reason = "cross_site";
  return reply;
}

Reply unavailable_reply(std::string_view reason) {
  Reply reply = error_reply(503, "temporarily_unavailable",
                            "The service cannot answer at the moment; try again shortly.");
  reply.headers = retry_after_line(auth::milliseconds{1'000});
  reply.reason = reason;
  return reply;
}

Reply no_token_reply(auth::Error error) {
  Reply reply = error_reply(500, "server_error", "No token could be made.");
  reply.reason = auth::name(error);
  return reply;
}

std::string retry_after_line(auth::milliseconds wait) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
  return "Retry-After: " + std::to_string(std::max<std::int64_t>(seconds, 1)) + "\r\n";
}

void audit(const Context& context, const Request& request, AuditEvent event) {
  event.client = request.client_address;
  event.request_id = request.request_id;
  event.trace_id = request.trace_id;
  event.user_agent = request.head.value(http::HeaderId::user_agent);
  context.log.audit(event);
}

}  // namespace proxy::endpoints
