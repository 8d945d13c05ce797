// GET /.well-known/jwks.json: the public verification keys (RFC 7517), rendered with the runtime.
#include "proxy/endpoints/endpoint.h"
#include "proxy/endpoints/reply.h"

namespace proxy::endpoints {

net::Task<Reply> jwks(const Context& context, const Request& request) {
  if (!is_read(request)) co_return method_not_allowed_reply("GET, HEAD");
  Reply reply;
  reply.body = context.runtime.jwks;
  reply.headers = "Cache-Control: public, max-age=300\r\n";
  reply.cacheable = true;
  co_return reply;
}

}  // namespace proxy::endpoints
