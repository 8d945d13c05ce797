// The head of a request or response as typed parts. Both decision and outgoing bytes are made from
// these and from nothing else (SECURITY rule 1). Known field names are small ids, so that a lookup
// is a comparison of bytes, not of strings.
// All views point into `bytes` of the same head and live until that buffer is changed; a codec for
// another protocol version fills the same struct from storage of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "proxy/http/buffer.h"

namespace proxy::http {

enum class Method : std::uint8_t {
  get, head, post, put, patch, delete_, options, trace, connect, other
};
[[nodiscard]] std::string_view name(Method method);
[[nodiscard]] Method method_from(std::string_view text);  // exact case; other when unknown

// Names the proxy itself looks at or writes. `other` is everything else.
enum class HeaderId : std::uint8_t {
  other, accept, authorization, cache_control, connection, content_length, content_type, cookie,
  date, expect, forwarded, host, http2_settings, keep_alive, location, max_forwards, origin,
  proxy_authenticate, proxy_authorization, proxy_connection, referer, sec_fetch_dest,
  sec_fetch_mode, sec_fetch_site, sec_websocket_key, server, set_cookie, te, trailer,
  transfer_encoding, upgrade, user_agent, via, www_authenticate, x_request_id
};
[[nodiscard]] HeaderId header_id(std::string_view name);  // any case
// Fields that end at this hop or that every hop writes anew (RFC 9110 section 7.6.1).
[[nodiscard]] bool ends_at_hop(HeaderId id);

struct Field {
  HeaderId id = HeaderId::other;
  std::string_view name;   // as sent
  std::string_view value;  // without surrounding white space
};

// How a body is delimited on this message.
enum class BodyKind : std::uint8_t { none, length, chunked, until_close };
struct Body {
  BodyKind kind = BodyKind::none;
  std::uint64_t length = 0;  // for BodyKind::length
};

struct RequestHead {
  Buffer bytes;                 // the head, and behind head_size whatever was read with it
  std::size_t head_size = 0;    // bytes of the head including the empty line; set when complete
  Method method = Method::other;
  std::string_view method_text;
  std::string_view target;      // as sent
  std::string_view path;        // from the target, undecoded, begins with '/' (or is "*")
  std::string_view query;       // without '?'
  bool has_query = false;
  std::string_view authority;   // of the absolute form or Host, as sent; empty: none (HTTP/1.0)
  std::string_view host;        // the authority without its port
  std::vector<Field> fields;
  int version_minor = 1;
  // Set by check_request (guard.h):
  Body body;
  bool keep_alive = true;
  bool expects_continue = false;
  bool wants_websocket = false;  // a well-formed `Upgrade: websocket` handshake

  // The first field with that id, nullptr when there is none.
  [[nodiscard]] const Field* find(HeaderId id) const;
  [[nodiscard]] std::string_view value(HeaderId id) const;  // empty when there is none
  void clear();  // keeps capacity; `bytes` keeps its storage and content
};

struct ResponseHead {
  Buffer bytes;
  std::size_t head_size = 0;
  int status = 0;
  std::string_view reason;
  std::vector<Field> fields;
  int version_minor = 1;
  // Set by check_response (guard.h):
  Body body;
  bool keep_alive = true;

  [[nodiscard]] const Field* find(HeaderId id) const;
  [[nodiscard]] std::string_view value(HeaderId id) const;
  void clear();
};

// True when a comma-separated field value holds `token` (any case, white space around members).
[[nodiscard]] bool has_token(std::string_view list, std::string_view token);
// ASCII only, no locale.
[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b);

}  // namespace proxy::http
