// The bytes of heads on their way out, made from typed parts only: framing, Host and Connection are
// always ours (SECURITY P5). One thread; appends to the caller's buffer.
#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/exchange_state.h"
#include "proxy/http/buffer.h"

namespace proxy {

// The whole request head with that Host, replacing what `out` held.
void write_upstream_head(const Exchange& exchange, std::string_view host, http::Buffer& out);
// Frames a body's trailer lines for the other side, behind what `lines` holds of them.
void end_with_trailers(const HeaderPolicy& policy, http::Buffer& lines, BodyFramer& framer);
// Behind a body that ends with trailer lines: puts those of `lines` that may pass behind them, and
// has `framer` end with them.
void end_with_trailers(const HeaderPolicy& policy, http::Buffer& lines, BodyFramer& framer);
// Whether the client wants trailers and the rule forwards them.
[[nodiscard]] bool takes_trailers(const Exchange& exchange);
void append_status_line(const http::ResponseHead& response, http::Buffer& out);
// The application's fields as the client gets them, with our new cookies.
void append_answer_fields(const Exchange& exchange, http::Buffer& out);
void append_content_length(std::uint64_t length, http::Buffer& out);

// True when the exchange used an authentication that the application binds to the connection
// (NTLM, Negotiate): the connection must never serve another client (SECURITY E07).
[[nodiscard]] bool carries_connection_identity(const Exchange& exchange);

}  // namespace proxy
