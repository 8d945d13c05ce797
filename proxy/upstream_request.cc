// Heads towards both sides; see upstream_request.h.
#include "proxy/upstream_request.h"

namespace proxy {
namespace {

using http::BodyKind;
using http::HeaderId;

bool is_connection_bound(std::string_view value) {
  return (value.size() >= 4 && http::equal_ignoring_case(value.substr(0, 4), "ntlm")) ||
         (value.size() >= 9 && http::equal_ignoring_case(value.substr(0, 9), "negotiate"));
}

}  // namespace

void append_content_length(std::uint64_t length, http::Buffer& out) {
  out.append("Content-Length: ");
  out.append_number(length);
  out.append("\r\n");
}

void write_upstream_head(const Exchange& exchange, std::string_view host, http::Buffer& out) {
  const http::RequestHead& request = exchange.request;
  const HeaderPolicy& policy = exchange.local->runtime->header_policy;
  out.clear();
  out.append(http::name(request.method));
  out.append(" ");
  out.append(exchange.decision.path);
  if (request.has_query) {
    out.append("?");
    out.append(request.query);
  }
  out.append(" HTTP/1.1\r\nHost: ");
  out.append(host);
  out.append("\r\n");
  const auth::CachedTokenRef& token = exchange.decision.token;
  const bool by_bearer = token != nullptr && !exchange.decision.by_cookie;
  policy.append_client_fields(request, by_bearer, out);
  if (token) out.append(token->identity_headers);
  if (token && !by_bearer && policy.authorization() == config::Authorization::access_token) {
    out.append("Authorization: Bearer ");
    out.append(exchange.decision.shown);
    out.append("\r\n");
  }
  HeaderPolicy::append_forwarding(exchange.client.forwarding, out);
  if (exchange.trace.is_ours) exchange.trace.append_fields(request, out);
  if (request.body.kind == BodyKind::chunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  } else if (request.body.kind == BodyKind::length) {
    append_content_length(request.body.length, out);
  }
  const Route* const route = exchange.decision.route;
  if (route != nullptr && route->forwards_trailers && request.body.kind == BodyKind::chunked) {
    policy.append_trailer_names(request.value(HeaderId::trailer), out);
  }
  if (exchange.decision.tunnel) {
    out.append("Connection: Upgrade\r\nUpgrade: websocket\r\n");
  } else if (takes_trailers(exchange)) {
    out.append("Connection: TE\r\nTE: trailers\r\n");
  }
  out.append("\r\n");
}

void append_answer_fields(const Exchange& exchange, http::Buffer& out) {
  const Route* const route = exchange.decision.route;
  const bool has_cors = route != nullptr && route->cors;
  const AnswerChanges changes{exchange.cookies, exchange.decision.by_cookie, has_cors};
  exchange.local->runtime->header_policy.append_response_fields(exchange.response, changes, out);
  if (!has_cors) return;
  // What the application's answer varies by is told once.
  std::string_view vary;
  for (const http::Field& field : exchange.response.fields) {
    if (http::equal_ignoring_case(field.name, "vary") && http::has_token(field.value, "origin")) {
      vary = field.value;
    }
  }
  route->cors->append_fields(exchange.request.value(HeaderId::origin), vary, out);
}

bool takes_trailers(const Exchange& exchange) {
  const Route* const route = exchange.decision.route;
  return route != nullptr && route->forwards_trailers &&
         http::has_token(exchange.request.value(HeaderId::te), "trailers");
}

void end_with_trailers(const HeaderPolicy& policy, http::Buffer& lines, BodyFramer& framer) {
  const std::size_t came = lines.size();
  // Room for all that could pass, so that what is read stays where it is.
  static_cast<void>(lines.reserve(came + 16));
  const std::string_view given = lines.view();
  lines.append(http::chunk_end);
  lines.append(http::last_chunk_mark);
  policy.append_trailers(given, lines);
  lines.append("\r\n");
  framer.end_with(lines.view().substr(came));
}

void append_status_line(const http::ResponseHead& response, http::Buffer& out) {
  out.append("HTTP/1.1 ");
  out.append_number(static_cast<std::uint64_t>(response.status));
  out.append(" ");
  out.append(response.reason);
  out.append("\r\n");
}

bool carries_connection_identity(const Exchange& exchange) {
  if (is_connection_bound(exchange.request.value(HeaderId::authorization)) &&
      exchange.local->runtime->header_policy.authorization() == config::Authorization::keep) {
    return true;
  }
  for (const http::Field& field : exchange.response.fields) {
    if (field.id == HeaderId::www_authenticate && is_connection_bound(field.value)) return true;
  }
  return false;
}

}  // namespace proxy
