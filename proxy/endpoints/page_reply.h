// Answers for people: our pages with the headers that keep them what they are (SECURITY H13), and
// an answer for scripts turned into one. The thread of the context.
#pragma once

#include <string>
#include <string_view>

#include "proxy/endpoints/endpoint.h"
#include "proxy/endpoints/form_guard.h"

namespace proxy::endpoints {

struct LoginPage {
  int status = 200;
  std::string_view text{};      // the name of a sentence above the form
  std::string alert{};          // a sentence about what went wrong
  std::string_view username{};  // what was typed
  std::string_view target{};    // where the login leads; checked here
  std::string headers{};        // further lines
};
// The form; or, when this browser comes back again and again, what keeps it from logging in.
[[nodiscard]] Reply login_page(const Context& context, const Request& request, LoginPage page);

[[nodiscard]] Reply logout_page(const Context& context, const Request& request, int status,
                                std::string_view alert);

struct MessagePage {
  int status = 200;
  std::string_view heading{};    // names of sentences
  std::string_view text{};
  std::string_view link{};       // a path
  std::string_view link_text{};
  std::string detail{};
  std::string headers{};
};
[[nodiscard]] Reply message_page(const Context& context, const MessagePage& page);

// Why logins do not stick; logged, too.
[[nodiscard]] Reply loop_page(const Context& context, const Request& request, int status);

// 303: the only redirect that never repeats a body (SECURITY P: RFC 9700 section 4.12).
[[nodiscard]] Reply see_other(std::string_view target);

// `text` with `{name}` replaced.
[[nodiscard]] std::string filled(std::string_view text, std::string_view name,
                                 std::string_view value);

}  // namespace proxy::endpoints
