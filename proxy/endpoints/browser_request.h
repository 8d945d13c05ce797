// What a browser says about a request: a person in front of a page, or a script; and whether the
// request comes from a page of ours. Pure; any thread; no allocation.
#pragma once

#include <string_view>

#include "proxy/http/head.h"
#include "proxy/runtime.h"

namespace proxy::endpoints {

// Whether the answer is shown as a page: Sec-Fetch-Mode says navigate, or, from browsers and
// programs without it, Accept prefers HTML.
[[nodiscard]] bool wants_page(const http::RequestHead& head);

[[nodiscard]] bool is_unsafe(http::Method method);

// Whether a browser vouches that a page of the same origin made the request. Nobody vouches for
// programs that send neither Sec-Fetch-Site nor Origin.
[[nodiscard]] bool is_same_origin(const Runtime& runtime, const http::RequestHead& head);

// A navigation or a change: somebody sits there. A page that polls is no sign of that.
[[nodiscard]] bool is_interactive(const http::RequestHead& head);

// Whether this request extends the idle life of its session, as sessions.activity says.
[[nodiscard]] bool counts_as_activity(const Runtime& runtime, const http::RequestHead& head);

// The path and query of the page that made the request, where that page is ours; empty otherwise.
[[nodiscard]] std::string_view page_behind(const Runtime& runtime, const http::RequestHead& head);

}  // namespace proxy::endpoints
