// See forward_auth.h.
#include "proxy/forward_auth.h"

#include <algorithm>

#include "proxy/endpoints/reply.h"
#include "proxy/http/path.h"

namespace proxy {
namespace {

using http::HeaderId;

void warn_about_untrusted_question(WorkerState& worker, const Exchange& exchange) {
  if (worker.warned_about_questions || exchange.client.peer_is_trusted) return;
  worker.warned_about_questions = true;
  worker.log.write(Level::warning,
                   "refused a question of a peer that is not in trusted_proxies; add the address "
                   "of the proxy that asks there",
                   {{"client", exchange.client.address}});
}

// "Authorization: ..." as the application is to see it; nothing where it is to see none.
void append_authorization(const Runtime& runtime, const http::RequestHead& head,
                          const Decision& decision, std::string& lines) {
  const auto rule = runtime.header_policy.authorization();
  const bool has_identity = decision.token != nullptr;
  if (rule == config::Authorization::access_token && has_identity && decision.by_cookie) {
    lines.append("Authorization: Bearer ").append(decision.shown).append("\r\n");
    return;
  }
  const bool passes = rule == config::Authorization::keep ||
                      (rule == config::Authorization::access_token && has_identity);
  const std::string_view value = head.value(HeaderId::authorization);
  if (passes && !value.empty()) lines.append("Authorization: ").append(value).append("\r\n");
}

bool has_line(std::string_view lines, std::string_view name) {
  while (!lines.empty()) {
    const auto end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    const auto colon = line.find(':');
    if (http::equal_ignoring_case(line.substr(0, colon), name)) return true;
    if (end == std::string_view::npos) return false;
    lines.remove_prefix(end + 2);
  }
  return false;
}

// Envoy keeps the client's copy of a field that we do not set, unless it is told to remove it
// (SECURITY A13). The others are told in their own configuration (examples/forward-auth).
void append_removals(const Runtime& runtime, std::string& lines) {
  std::string names;
  const auto add = [&lines, &names](std::string_view name) {
    if (has_line(lines, name)) return;
    if (!names.empty()) names += ", ";
    names += name;
  };
  for (const std::string& name : runtime.header_policy.identity_names()) add(name);
  add("Authorization");
  add("Cookie");
  if (!names.empty()) lines += "X-Envoy-Auth-Headers-To-Remove: " + names + "\r\n";
}

// Scripts follow a redirect to a page that they can do nothing with; they get the 401.
bool is_for_a_person(const http::RequestHead& head) {
  const std::string_view mode = head.value(HeaderId::sec_fetch_mode);
  if (!mode.empty()) return mode == "navigate";
  const std::string_view accept = head.value(HeaderId::accept);
  return accept.empty() || accept.find("text/html") != std::string_view::npos ||
         accept.find("*/*") != std::string_view::npos;
}

// Where the login leads back to: what was asked for, if a login may lead there. Never a host that
// only the request names (SECURITY C05, H12).
std::string way_back(const Runtime& runtime, const Question& question) {
  const std::string path(question.head.target);
  const std::string origin =
      std::string(question.scheme) + "://" + std::string(question.head.authority);
  const std::string& own = runtime.external_origin;
  const bool is_ours = own.empty() || http::equal_ignoring_case(own, origin);
  const std::string target = is_ours ? path : origin + path;
  if (!runtime.redirects.allows(target)) return {};
  return "?rd=" + http::percent_encoded(target, "/");
}

// As whole headers of their own, since nginx 1.22 knows only the first Set-Cookie of an answer.
// Only towards the proxy: some pass every header of a refusal on to the client.
void append_numbered(std::string_view cookies, std::string& lines) {
  constexpr std::string_view name = "Set-Cookie: ";
  for (int number = 1; cookies.starts_with(name); ++number) {
    cookies.remove_prefix(name.size());
    const auto end = cookies.find("\r\n");
    lines += "X-Gatehouse-Set-Cookie-" + std::to_string(number) + ": ";
    lines.append(cookies.substr(0, end)).append("\r\n");
    cookies.remove_prefix(end + 2);
  }
}

}  // namespace

void read_question(WorkerState& worker, Exchange& exchange) {
  const Runtime& runtime = *exchange.local->runtime;
  exchange.question = question_in(runtime, exchange.client, exchange.request);
  if (!exchange.question) return;
  const Question& question = *exchange.question;
  if (!question.problem.empty()) {
    warn_about_untrusted_question(worker, exchange);
    return;
  }
  exchange.client.forwarding.scheme = question.scheme;
  exchange.client.forwarding.host = question.head.authority;
}

Decision decide_about(const Exchange& exchange, const DecisionContext& context) {
  if (!exchange.question) return decide(context, exchange.request);
  Decision decision;
  decision.status = 403;
  if (!exchange.question->problem.empty()) {
    decision.error = exchange.question->problem;
  } else {
    decision = decide(context, exchange.question->head);
    if (decision.kind == Decision::Kind::serve) {
      // What is ours never reaches the application, which would answer for a path nobody checked.
      decision = Decision{};
      decision.status = 403;
      decision.error = "own_endpoint";
    }
  }
  decision.endpoint = endpoints::Endpoint::auth;
  return decision;
}

Reply permit_reply(const Exchange& exchange) {
  const Runtime& runtime = *exchange.local->runtime;
  const Question& question = *exchange.question;
  const auth::CachedTokenRef& token = exchange.decision.token;
  Reply reply;
  reply.content_type = {};
  if (token) reply.headers = token->identity_headers;
  append_authorization(runtime, question.head, exchange.decision, reply.headers);
  reply.headers += runtime.header_policy.cookie_line(question.head);
  append_numbered(exchange.cookies, reply.headers);
  if (question.by_envoy) append_removals(runtime, reply.headers);
  return reply;
}

Reply question_refused(const Exchange& exchange, Reply refusal) {
  const Question& question = *exchange.question;
  const Runtime& runtime = *exchange.local->runtime;
  const std::string& login = runtime.config.endpoints.login;
  if (refusal.status == 401 && !login.empty() && is_for_a_person(question.head)) {
    const std::string url = runtime.external_origin + login + way_back(runtime, question);
    if (!question.sends_to_login) {
      refusal.headers += "X-Gatehouse-Login: " + url + "\r\n";
      return refusal;
    }
    Reply redirect;
    redirect.status = 303;
    redirect.content_type = {};
    redirect.headers = "Location: " + url + "\r\n";
    redirect.reason = refusal.reason;
    return redirect;
  }
  if (refusal.status == 401 || refusal.status == 403 || refusal.status == 503) return refusal;
  const std::string told = "X-Gatehouse-Status: " + std::to_string(refusal.status) + "\r\n";
  if (refusal.body.empty()) {
    const std::string_view reason = refusal.reason;
    refusal = endpoints::error_reply(403, "forbidden", "The request cannot be served.");
    refusal.reason = reason;
  }
  // What it would be without the proxy, which may know no other refusals than 401 and 403.
  refusal.headers += told;
  refusal.status = 403;
  return refusal;
}

}  // namespace proxy
