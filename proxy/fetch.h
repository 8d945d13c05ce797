// One request of our own over a new connection: key sets, webhooks, password checks, health checks,
// trace export. Reads the answer with the parser and the guard that stand towards applications; no
// redirect is followed, no cookie kept, nothing tried again. Everything is bounded.
// Runs on the loop it is awaited on; not meant for the way of a request that is forwarded.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/net/address.h"
#include "proxy/net/deadline.h"
#include "proxy/net/task.h"
#include "proxy/net/tls.h"

namespace proxy {

// An http or https URL in its parts. No user, no fragment.
struct FetchTarget {
  net::Endpoint endpoint;  // a name or an address, with the port; or a unix socket
  bool is_https = false;
  std::string authority;   // for Host, with the port where it is not the usual one
  std::string path = "/";  // with the query
};
[[nodiscard]] std::optional<FetchTarget> parse_url(std::string_view url);

struct FetchRequest {
  FetchTarget target;
  // For https: whom to trust; the name in the URL is verified unless the options name another.
  std::shared_ptr<const net::TlsClient> tls;
  std::string tls_name;  // instead of the target's host
  std::string method = "GET";
  std::string headers;  // whole lines with their CRLF, beside Host, Content-Length and Connection
  std::string body;     // Content-Length is sent with a body, and with POST and PUT
  std::size_t answer_bytes_max = 1024 * 1024;
  std::chrono::milliseconds timeout{5'000};  // all of it, apart from looking up a name
};

struct Fetched {
  int status = 0;  // 0: no answer, or one that is not whole
  std::string body;
  std::string content_type;
  std::string error;  // a sentence's end ("connection refused"); empty with a status
};
[[nodiscard]] net::Task<Fetched> fetch(net::Executor executor, FetchRequest request);

}  // namespace proxy
