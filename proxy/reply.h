// An answer of our own, before it is put into a protocol's bytes.
#pragma once

#include <string>
#include <string_view>

namespace proxy {

struct Reply {
  int status = 200;
  std::string_view content_type = "application/json";  // a literal; empty: no body, no type
  std::string headers;                                 // further whole lines, each ended by CRLF
  std::string body;
  bool cacheable = false;  // false adds Cache-Control: no-store
  // For the access line; never sent.
  std::string user;
  std::string session_id;
  std::string_view reason;  // a literal
};

}  // namespace proxy
