// `gatehouse policy`: what would be done with a request, and which rule says so. Runs the very code
// that serves: the request is written out and parsed, and the user gets a real access token.
// Main thread; reads no socket.
#pragma once

#include <iosfwd>
#include <memory>
#include <optional>
#include <string>

#include "proxy/cli.h"
#include "proxy/decide.h"
#include "proxy/http/parser.h"
#include "proxy/runtime.h"

namespace proxy {

// Decides requests under a runtime, one after the other.
class Rehearsal {
 public:
  explicit Rehearsal(const Runtime& runtime);
  struct Request {
    std::string method;
    std::string target;
    std::string host;   // empty: localhost
    std::string token;  // empty: none
  };
  // Null when the request could not even be read: see error(). Valid until the next call.
  [[nodiscard]] const Decision* decide(const Request& request);
  [[nodiscard]] http::ParseError error() const { return error_; }
  // A token as that user of the users file would get it.
  [[nodiscard]] auth::Result<std::string> token_of(const auth::User& user) const;

 private:
  const Runtime& runtime_;
  auth::TokenCache tokens_{64};
  store::Revocations revocations_;
  std::unique_ptr<http::RequestHead> head_;
  std::string rewritten_;  // behind the decision's path
  Decision decision_;
  http::ParseError error_ = http::ParseError::none;
};

// Prints the decision; the exit code is exit_usage where user or claims make no sense.
[[nodiscard]] int rehearse(const Command& command, const Runtime& runtime, std::ostream& out,
                           std::ostream& err);

}  // namespace proxy
