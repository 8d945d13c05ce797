// What the pages look like and say when the operator has nothing of his own. No external resource,
// nothing that needs a script: the one on the login page only keeps the fragment of a deep link.
#include "proxy/pages.h"

namespace proxy {
namespace {

constexpr std::string_view page_head = R"(<!doctype html>
<html lang="{{language}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>{{title}}</title>
<style nonce="{{nonce}}">
:root{--accent:{{accent}};--ink:{{accent_ink}};--page:#f2f4f7;--card:#fff;--text:#1c2430;
--soft:#566072;--line:#7b8494;--bad:#a4121d;--bad-page:#fdeeee}
@media (prefers-color-scheme:dark){:root{--accent:{{accent_dark}};--ink:{{accent_dark_ink}};
--page:#12161c;--card:#1c222b;--text:#eef1f5;--soft:#aab4c3;--line:#8290a3;--bad:#ffb4ab;
--bad-page:#3a1d1e}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem 1rem;
background:var(--page);color:var(--text);font:1rem/1.5 system-ui,sans-serif}
main{width:100%;max-width:24rem;background:var(--card);border-radius:.75rem;padding:2rem 1.5rem;
box-shadow:0 1px 3px #0003,0 8px 24px #0001}
img{display:block;max-width:12rem;max-height:4rem;margin:0 0 1.25rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 1.25rem;overflow-wrap:anywhere}
p{margin:0 0 1.25rem;overflow-wrap:anywhere}
.soft{color:var(--soft);font-size:.875rem}
.alert{background:var(--bad-page);color:var(--bad);border-left:.25rem solid;border-radius:.25rem;
padding:.75rem 1rem}
label{display:block;font-weight:600;margin:0 0 .25rem}
input[type=text],input[type=password]{width:100%;font:inherit;color:inherit;background:var(--card);
border:1px solid var(--line);border-radius:.375rem;padding:.625rem .75rem;margin:0 0 1.125rem}
.check{display:flex;gap:.625rem;align-items:center;font-weight:400;margin:0 0 1.25rem}
.check input{flex:none;width:1.25rem;height:1.25rem;margin:0;accent-color:var(--accent)}
button,.button{display:block;width:100%;font:inherit;font-weight:600;text-align:center;
text-decoration:none;color:var(--ink);background:var(--accent);border:1px solid transparent;
border-radius:.375rem;padding:.6875rem 1rem;cursor:pointer}
button:hover,.button:hover{filter:brightness(.93)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
main>:last-child{margin-bottom:0}
</style>
</head>
<body>
<main>
{{#logo}}<img src="{{logo}}" alt="">
{{/logo}})";

constexpr std::string_view login_template = R"(<h1>{{title}}</h1>
{{#text}}<p>{{text}}</p>
{{/text}}{{#alert}}<p class="alert" role="alert">{{alert}}</p>
{{/alert}}<form method="post" action="{{action}}">
<input type="hidden" name="csrf" value="{{csrf}}">
<input type="hidden" name="rd" value="{{target}}">
<label for="username">{{text.username}}</label>
<input id="username" name="username" type="text" value="{{username}}" autocomplete="username"
 autocapitalize="none" spellcheck="false"
 required{{#forgot_username}} autofocus{{/forgot_username}}>
<label for="password">{{text.password}}</label>
<input id="password" name="password" type="password" autocomplete="current-password"
 required{{#knows_username}} autofocus{{/knows_username}}>
{{#asks_to_remember}}<label class="check"><input type="checkbox" name="remember" value="yes">
{{text.remember}}</label>
{{/asks_to_remember}}<button type="submit">{{text.submit}}</button>
</form>
<script nonce="{{nonce}}">
var rd=document.getElementsByName("rd")[0];
if(location.hash&&rd.value.indexOf("#")<0)rd.value+=location.hash
</script>
</main>
</body>
</html>
)";

constexpr std::string_view logout_template = R"(<h1>{{text.logout}}</h1>
{{#alert}}<p class="alert" role="alert">{{alert}}</p>
{{/alert}}{{#username}}<p>{{text.logged_in_as}} <strong>{{username}}</strong></p>
{{/username}}<form method="post" action="{{action}}">
<button type="submit" autofocus>{{text.logout}}</button>
</form>
</main>
</body>
</html>
)";

constexpr std::string_view message_template = R"(<h1>{{heading}}</h1>
<p>{{text}}</p>
{{#detail}}<p class="soft">{{detail}}</p>
{{/detail}}{{#link}}<p><a class="button" href="{{link}}">{{link_text}}</a></p>
{{/link}}</main>
</body>
</html>
)";

}  // namespace

std::string built_in_template(Page page) {
  const std::string head(page_head);
  switch (page) {
    case Page::login: return head + std::string(login_template);
    case Page::logout: return head + std::string(logout_template);
    case Page::message: break;
  }
  return head + std::string(message_template);
}

const std::map<std::string, std::string>& built_in_texts() {
  static const std::map<std::string, std::string> texts{
      {"username", "Username"},
      {"password", "Password"},
      {"remember", "Stay signed in on this device"},
      {"submit", "Sign in"},
      {"wrong_password",
       "The username or the password is wrong. Check both, also the Caps Lock key, and try again."},
      {"incomplete", "Enter both the username and the password."},
      {"throttled", "There were too many failed attempts. Wait {wait}, then try again."},
      {"wait_seconds", "{n} seconds"},
      {"wait_minutes", "{n} minutes"},
      {"unavailable",
       "Signing in is not possible at the moment. It is not your fault: try again in a few "
       "seconds."},
      {"expired", "Your session has ended. Sign in to go on."},
      {"not_saved",
       "Your session had ended, so what you sent was not saved. Sign in, then send it again."},
      {"stale", "This page was open for too long, or in too many tabs. Please sign in once more."},
      {"cross_site",
       "Another site sent this sign-in, so it was refused. Sign in here only if you meant to."},
      {"bad_request", "The sign-in could not be read. Check what you entered and try again."},
      {"no_token",
       "The name and the password are right, but no session could be made for you. Tell the "
       "administrator; the log says why."},
      {"token_too_large",
       "The name and the password are right, but your groups and attributes do not fit into a "
       "cookie. Tell the administrator; the log says more."},
      {"logout", "Sign out"},
      {"logged_in_as", "You are signed in as"},
      {"logout_failed",
       "You could not be signed out, because the session store does not answer. Try again in a "
       "few seconds."},
      {"logged_out", "You are signed out"},
      {"logged_out_text", "On a shared computer, close the browser as well."},
      {"login_again", "Sign in again"},
      {"forbidden", "You may not open this page"},
      {"forbidden_text", "Your account does not have what this page asks for."},
      {"not_found", "There is no such page"},
      {"not_found_text", "Check the address."},
      {"limited", "Too many requests"},
      {"limited_text", "Wait a moment, then try again."},
      {"failed", "The page cannot be shown"},
      {"failed_text",
       "The application did not answer as it should. Try again in a few seconds; you are still "
       "signed in."},
      {"session_unknown", "Your session cannot be checked"},
      {"session_unknown_text",
       "The session store does not answer. Try again in a few seconds; you are still signed in."},
      {"refused", "This request was refused"},
      {"refused_text",
       "It came from a page of another site. Open the page here and do it again if you meant to."},
      {"back", "To the front page"},
      {"loop", "Signing in does not work here"},
      {"loop_not_stored",
       "Your browser does not keep this site's cookies. Allow cookies for it and try again."},
      {"loop_third_party",
       "This page is shown inside another site, where your browser keeps no cookies. Open it in a "
       "window of its own."},
      {"loop_secure",
       "This page was opened without encryption, so your browser does not keep you signed in. "
       "Open it with https:// in front of the address."},
      {"loop_wrong", "You are signed in, but your session is not accepted. Tell the "
                     "administrator what is written below."},
      {"try_again", "Try again"},
  };
  return texts;
}

}  // namespace proxy
