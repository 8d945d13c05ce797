// GET session_js: for pages that stay open for long. It refreshes once for all tabs, tells the page
// when its session is about to end, and repeats a request that met an expired one. The script knows
// no token: all of it goes by cookies. Under 4 KiB, so that nobody minds loading it.
#include "proxy/endpoints/endpoint.h"
#include "proxy/endpoints/page_reply.h"
#include "proxy/endpoints/reply.h"

namespace proxy::endpoints {

namespace {

constexpr std::string_view session_script_text =
    R"js(// Keeps this page's session alive; see docs/browsers.md.
(() => {
  "use strict";
  const token = "{token}", session = "{session}", stampKey = "gatehouse-refreshed";
  const warning = 120;  // seconds
  let seen = true, warned = false, timer = 0;
  const see = () => { seen = true; };
  for (const type of ["pointerdown", "keydown"]) {
    addEventListener(type, see, { capture: true, passive: true });
  }
  const tell = (name, detail) =>
    dispatchEvent(new CustomEvent("gatehouse:" + name, { detail }));
  const stamp = (value) => {
    try {
      if (value) localStorage.setItem(stampKey, value);
      return Number(localStorage.getItem(stampKey) || 0);
    } catch { return 0; }  // storage is switched off: each tab refreshes for itself
  };
  const alone = (work) =>
    navigator.locks ? navigator.locks.request("gatehouse-refresh", work) : work();

  // True when the session goes on. Tabs that ask at once share one refresh.
  function refresh(since = Date.now()) {
    return alone(async () => {
      if (stamp() > since) return true;  // another tab was quicker
      const active = String(seen);
      seen = false;
      const answer = await fetch(token, {
        method: "POST", credentials: "same-origin",
        headers: { "Content-Type": "application/json" }, body: JSON.stringify({ active }),
      });
      if (answer.ok) stamp(Date.now());
      return answer.ok;
    });
  }

  // fetch() that refreshes and tries once more where the answer is 401.
  async function fetchAgain(input, init) {
    const request = new Request(input, init), again = request.clone(), began = Date.now();
    const answer = await fetch(request);
    if (answer.status !== 401 || !(await refresh(began))) return answer;
    return fetch(again);
  }

  function later(seconds) {
    clearTimeout(timer);
    timer = setTimeout(look, Math.min(Math.max(seconds, 1), 3600) * 1000);
  }

  async function look() {
    let left;
    try {
      if (seen && document.visibilityState === "visible") await refresh();
      const answer = await fetch(session, { credentials: "same-origin" });
      if (answer.status === 401) return tell("ended");
      if (!answer.ok) return later(30);
      const about = await answer.json();
      left = Math.min(about.sessionExpiresIn ?? Infinity, about.idleExpiresIn ?? Infinity);
      if (left > warning) warned = false;
      if (left <= warning && !warned) {
        warned = true;
        tell("ending", { seconds: left });
      }
      later(left > warning ? Math.min(about.accessExpiresIn || 60, left - warning) : left + 1);
    } catch { later(30); }  // no network: the page may be asleep
  }

  window.gatehouse = { refresh, fetch: fetchAgain };
  addEventListener("online", () => later(1));
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") later(1);
  });
  later(1);
})();
)js";

}  // namespace

net::Task<Reply> session_script(const Context& context, const Request& request) {
  if (!is_read(request)) co_return method_not_allowed_reply("GET, HEAD");
  const config::Endpoints& paths = context.runtime.config.endpoints;
  Reply reply;
  reply.content_type = "text/javascript; charset=utf-8";
  reply.headers = "Cache-Control: public, max-age=300\r\n";
  reply.cacheable = true;
  reply.body = filled(filled(session_script_text, "token", paths.token), "session", paths.session);
  co_return reply;
}

}  // namespace proxy::endpoints
