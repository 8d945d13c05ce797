// What the upstream sees: which client fields are dropped, in every spelling and on every route,
// and which of ours are added (SECURITY rule 2, section A). Immutable after building; appending
// allocates nothing beyond the output.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/policy.h"
#include "config/config.h"
#include "proxy/http/buffer.h"
#include "proxy/http/head.h"

namespace proxy {

// What is known about the client's side of a request, for X-Forwarded-*.
struct Forwarding {
  std::string_view peer;    // who connected to us
  std::string_view chain;   // the X-Forwarded-For a trusted proxy sent; empty: none
  std::string_view scheme;  // "http" or "https"
  std::string_view host;    // authority the client asked for
  std::string_view port;
  std::string_view request_id;
  std::string_view certificate;  // X-Forwarded-Client-Cert; empty: the client showed none
};

// What we change about the application's answer.
struct AnswerChanges {
  std::string_view cookies;  // new ones of ours, as whole lines
  bool is_private = false;   // a cookie let the request in: caches know that of Authorization only
  bool replaces_cors = false;  // a rule of ours stands in for the application's CORS fields
};

class HeaderPolicy {
 public:
  HeaderPolicy() = default;
  HeaderPolicy(const config::Config& config, std::vector<std::string> own_cookies);

  // True for every field that must never reach the upstream from a client: identity headers,
  // X-Forwarded-*, Forwarded, X-Real-IP, X-Original-*, X-Rewrite-URL, hop-by-hop fields and
  // look-alikes of framing fields, compared by their folded names.
  [[nodiscard]] bool drops(const http::Field& field) const;
  // Whole lines with the identity of a verified token; rendered once per token. A claim that the
  // principal lacks has no line (and the client's copy is dropped all the same, SECURITY A13).
  // nullopt when a value could not stand in a header: the request is refused then.
  [[nodiscard]] std::optional<std::string> identity_lines(const auth::Principal& principal) const;
  // The request's fields that remain, in order and as sent; cookies without ours.
  void append_client_fields(const http::RequestHead& head, bool has_identity,
                            http::Buffer& out) const;
  // X-Forwarded-For/-Proto/-Host/-Port and X-Request-Id.
  static void append_forwarding(const Forwarding& forwarding, http::Buffer& out);
  // The upstream's answer without its hop-by-hop fields and without cookies under our names, which
  // would end or replace a session. Where new ones of ours go out with it, no cache may keep the
  // answer, whatever the application allows.
  void append_response_fields(const http::ResponseHead& head, const AnswerChanges& changes,
                              http::Buffer& out) const;

  // Whether a field may stand behind a body, in either direction: only what no hop and nobody who
  // merges trailers into a head could take for something that decides (RFC 9110 section 6.5.1).
  [[nodiscard]] bool may_trail(std::string_view name) const;
  // The names of a Trailer field that may, as one line; nothing where none may.
  void append_trailer_names(std::string_view list, http::Buffer& out) const;
  // `lines` holds whole lines "name: value\r\n", which may be part of `out`'s own content.
  void append_trailers(std::string_view lines, http::Buffer& out) const;

  // The client's cookies without ours, as one line; empty when nothing is left.
  [[nodiscard]] std::string cookie_line(const http::RequestHead& head) const;
  // The headers that carry an identity under any preset or by configuration, as they are written.
  [[nodiscard]] std::vector<std::string> identity_names() const;
  [[nodiscard]] config::Authorization authorization() const { return authorization_; }

 private:
  std::vector<config::IdentityHeader> identity_;
  std::vector<std::uint64_t> managed_;  // hashes of folded names, sorted
  std::uint64_t managed_ids_ = 0;       // identity headers whose names are known ids
  std::vector<std::string> own_cookies_;
  config::Authorization authorization_ = config::Authorization::remove;
};

}  // namespace proxy
