// The pooled state of an exchange; see exchange_state.h.
#include "proxy/exchange_state.h"

#include <algorithm>

namespace proxy {

Exchange::Exchange(const http::HeadLimits& limits, std::uint64_t version)
    : limits_version(version),
      request_parser(limits),
      response_parser(http::HeadLimits{.head_bytes = 64 * 1024,
                                       .field_bytes = 64 * 1024,
                                       .target_bytes = 8 * 1024,
                                       .fields = 256}) {}

void Exchange::next() {
  request.bytes.consume(std::min(request.bytes.size(), request.head_size));
  request.clear();
  request_parser.reset();
  response.clear();
  response.bytes.clear();
  response_parser.reset();
  request_body = BodyReader{};
  response_body = BodyReader{};
  out.clear();
  relay_up.clear_bulk();
  relay_down.clear_bulk();
  trailers_up.clear();
  trailers_down.clear();
  local.reset();
  decision = Decision{};
  question.reset();
  client = Client{};
  trace = Trace{};
  upstream_duration = std::chrono::microseconds{-1};
  upstream_began = std::chrono::microseconds{-1};
  resends = 0;
  status = 0;
  bytes_out = 0;
  target.reset();
  upstream = {};
  reason = {};
  user.clear();
  session_id.clear();
  fresh_token.clear();
  cookies.clear();
}

void Exchange::release() {
  request.bytes.release();
  response.bytes.release();
  out.release();
  relay_up.release();
  relay_down.release();
  trailers_up.release();
  trailers_down.release();
}

}  // namespace proxy
