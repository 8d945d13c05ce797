// Our own endpoints as functions from a request with its whole (bounded) body to a reply. Which one
// is meant and whether the body may be read at all was decided before (proxy/exchange.cc).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "auth/error.h"
#include "auth/policy.h"
#include "proxy/hash_pool.h"
#include "proxy/http/head.h"
#include "proxy/net/task.h"
#include "proxy/reply.h"
#include "proxy/runtime.h"
#include "proxy/store/session_store.h"
#include "proxy/telemetry.h"

namespace proxy::endpoints {

enum class Endpoint : std::uint8_t {
  none, login, token, logout, session, userinfo, sessions, jwks,
  auth,  // about another request (proxy/question.h)
  session_js
};

// Our own endpoints take at most this much; 413 beyond it, decided before the body is read.
inline constexpr std::size_t body_bytes_max = 8 * 1024;

// What an endpoint works with; lives as long as the call.
struct Context {
  const Runtime& runtime;
  store::SessionStore& store;
  HashPool& hashing;
  Log& log;
  auth::Time now{};
};

struct Request {
  const http::RequestHead& head;
  std::string_view body;
  std::string_view client_address;  // after trusted proxies were honoured; no port
  std::string_view request_id;
  std::string_view trace_id;  // empty: none
  // The verified access token that came along, or why there is none (missing, expired, ...).
  const auth::Principal* principal = nullptr;
  auth::Error principal_error = auth::Error::missing;
  std::string_view scheme = "http";  // of the client's request, after trusted proxies were honoured
  bool ignored_forwarding = false;   // a peer that is no trusted proxy sent X-Forwarded-*
};

[[nodiscard]] net::Task<Reply> login(const Context& context, const Request& request);
[[nodiscard]] net::Task<Reply> token(const Context& context, const Request& request);
[[nodiscard]] net::Task<Reply> logout(const Context& context, const Request& request);
// session, userinfo, sessions and DELETE sessions/{sid}
[[nodiscard]] net::Task<Reply> session(const Context& context, const Request& request);
[[nodiscard]] net::Task<Reply> userinfo(const Context& context, const Request& request);
[[nodiscard]] net::Task<Reply> sessions(const Context& context, const Request& request);
[[nodiscard]] net::Task<Reply> jwks(const Context& context, const Request& request);
// The script that keeps a page's session alive.
[[nodiscard]] net::Task<Reply> session_script(const Context& context, const Request& request);

// Session administration on the admin listener (proxy/admin.cc routes to it):
//   GET    /sessions?user=NAME        the user's open sessions
//   DELETE /sessions/{sid}            end one
//   DELETE /sessions?user=NAME        end all of a user
//   DELETE /sessions?everybody=true   end everybody's
[[nodiscard]] net::Task<Reply> administer(const Context& context, const Request& request);

// {"error": code, "message": message}; both are literals or escaped here.
[[nodiscard]] Reply error_reply(int status, std::string_view code, std::string_view message);
// 401 with the Bearer challenge (RFC 6750 section 3): the error code only where a token was shown.
[[nodiscard]] Reply unauthorized_reply(auth::Error error);
// True when Origin or Sec-Fetch-Site says that another site made this state-changing request.
[[nodiscard]] bool is_cross_site(const Runtime& runtime, const http::RequestHead& head);

}  // namespace proxy::endpoints
