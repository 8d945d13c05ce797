// The order of the checks; see decide.h.
#include "proxy/decide.h"

#include <new>
#include <optional>
#include <utility>

#include "proxy/endpoints/browser_request.h"
#include "proxy/endpoints/credentials.h"
#include "proxy/metrics.h"
#include "proxy/http/cookie.h"
#include "proxy/http/guard.h"
#include "proxy/http/path.h"

namespace proxy {
namespace {

using endpoints::Endpoint;
using http::HeaderId;
using http::Method;

Decision reject(int status, std::string_view error, const Route* route = nullptr) {
  Decision decision;
  decision.status = status;
  decision.error = error;
  decision.route = route;
  return decision;
}

// Our own endpoints, by their exact path; sessions also with one segment behind it.
Endpoint endpoint_at(const config::Endpoints& paths, std::string_view path) {
  const auto is = [path](const std::string& own) { return !own.empty() && path == own; };
  if (is(paths.login)) return Endpoint::login;
  if (is(paths.token)) return Endpoint::token;
  if (is(paths.logout)) return Endpoint::logout;
  if (is(paths.jwks)) return Endpoint::jwks;
  if (is(paths.session)) return Endpoint::session;
  if (is(paths.userinfo)) return Endpoint::userinfo;
  if (is(paths.session_js)) return Endpoint::session_js;
  if (is(paths.sessions)) return Endpoint::sessions;
  if (!paths.sessions.empty() && path.size() > paths.sessions.size() + 1 &&
      path.starts_with(paths.sessions) && path[paths.sessions.size()] == '/' &&
      path.find('/', paths.sessions.size() + 1) == std::string_view::npos) {
    return Endpoint::sessions;
  }
  if (!paths.auth.empty() && path.starts_with(paths.auth) &&
      (path.size() == paths.auth.size() || path[paths.auth.size()] == '/')) {
    return Endpoint::auth;
  }
  return Endpoint::none;
}

// Two cookies of one of our names: which one counts would be a guess (SECURITY H09).
bool has_doubled_cookie(const Runtime& runtime, const http::RequestHead& head) {
  int refresh = 0;
  int access = 0;
  for (const http::Field& field : head.fields) {
    if (field.id != HeaderId::cookie) continue;
    refresh += http::find_cookie(field.value, runtime.refresh_cookie.name).count;
    access += http::find_cookie(field.value, runtime.access_cookie.name).count;
  }
  return refresh > 1 || access > 1;
}

// What a request shows of itself: a Bearer token, or the cookies of a browser.
struct Shown {
  std::string_view token;
  bool by_cookie = false;
  std::string_view refresh_token;
};

Shown shown_by(const DecisionContext& context, const http::RequestHead& head) {
  const Runtime& runtime = context.runtime;
  Shown shown;
  shown.token = endpoints::find_bearer(head).value;
  if (!runtime.config.browser.enabled) return shown;
  // A Bearer hides the cookie, unless it is the application's own.
  const bool is_theirs = runtime.header_policy.authorization() == config::Authorization::keep;
  if (!shown.token.empty() && !is_theirs) return shown;
  const endpoints::Found access = endpoints::find_access_cookie(runtime, head);
  const endpoints::Found refresh = endpoints::find_refresh_cookie(runtime, head);
  if (access.count == 0 && refresh.count == 0) return shown;
  shown.by_cookie = true;
  shown.refresh_token = refresh.value;
  shown.token = context.has_renewed && !context.fresh_token.empty() ? context.fresh_token
                                                                    : access.value;
  return shown;
}

struct Verified {
  auth::CachedTokenRef token;
  auth::Error error = auth::Error::missing;
};

// When a client that still presents this token proves that it holds its generation: `iat` has whole
// seconds, hence one more.
auth::Time proof_time(const Runtime& runtime, const auth::Principal& principal) {
  if (!principal.ours || principal.session_id.empty()) return auth::Time::max();
  return principal.issued_at + runtime.family_rules.grace + std::chrono::seconds{1};
}

// Without memory for it nothing is known about the token: neither 401 nor a way in.
auth::Result<auth::PrincipalRef> verify_anew(const DecisionContext& context,
                                             std::string_view token) {
  try {
    return context.runtime.verifier.verify(token, context.now);
  } catch (const std::bad_alloc&) {
    return auth::Error::no_memory;
  }
}

// Whether nobody could say what a token is worth.
bool is_no_verdict(auth::Error error) {
  return error == auth::Error::store_unavailable || error == auth::Error::overloaded ||
         error == auth::Error::no_memory;
}

Verified verify(const DecisionContext& context, std::string_view token) {
  Verified result;
  if (token.empty()) return result;
  const auth::CachedToken* known = context.tokens.find(token, context.now);
  count(known != nullptr ? Metric::token_cache_hits : Metric::token_cache_misses);
  if (known == nullptr) {
    auto verified = verify_anew(context, token);
    if (!verified) {
      result.error = verified.error();
      return result;
    }
    boost::intrusive_ptr<auth::CachedToken> entry(new auth::CachedToken);
    entry->principal = *verified;
    entry->prove_at = proof_time(context.runtime, **verified);
    auto lines = context.runtime.header_policy.identity_lines(**verified);
    if (!lines) {
      result.error = auth::Error::unsafe_identity;
      return result;
    }
    entry->identity_headers = std::move(*lines);
    known = context.tokens.insert(token, entry);
  }
  const auth::Principal& principal = *known->principal;
  // Foreign tokens have no session of ours; a user-wide revocation is about our users.
  if (principal.ours && !context.revocations.empty() &&
      context.revocations.is_revoked(principal.session_id, principal.subject,
                                     principal.issued_at)) {
    result.error = auth::Error::revoked;
    return result;
  }
  // What was revoked meanwhile is not known; whoever cannot live with that says `deny`.
  if (principal.ours && context.store_is_down &&
      context.runtime.config.on_outage.access == config::OutageAccess::deny) {
    result.error = auth::Error::store_unavailable;
    return result;
  }
  result.token = known;
  return result;
}

// Whether a token that is good should be replaced already: it is in the last fifth of its life, or
// it was made while nobody was there and now somebody is.
bool is_due(const DecisionContext& context, const http::RequestHead& head,
            const auth::Principal& principal) {
  if (!principal.ours) return false;
  const auto life = principal.expires_at - principal.issued_at;
  if (principal.expires_at - context.now < life / 5) return true;
  return principal.passive && endpoints::counts_as_activity(context.runtime, head);
}

// True when the decision became one to renew the session first.
bool renews(const DecisionContext& context, const http::RequestHead& head, const Shown& shown,
            const Verified& verified, Decision& decision) {
  if (shown.refresh_token.empty() || context.has_renewed) return false;
  if (verified.token && !is_due(context, head, *verified.token->principal)) return false;
  // A session that is over stays so, and a store out of reach makes no token.
  if (!verified.token &&
      (verified.error == auth::Error::revoked || is_no_verdict(verified.error))) {
    return false;
  }
  decision.kind = Decision::Kind::renew;
  decision.refresh_token = shown.refresh_token;
  decision.may_go_on = verified.token != nullptr;
  return true;
}

// A changing request that a cookie would let in must come from a page of ours (SECURITY H08); a
// WebSocket is one, since its handshake is a GET that any page may send.
bool is_forged(const http::RequestHead& head, const Runtime& runtime, const Route& route) {
  if (!route.checks_origin) return false;
  // Another proxy that asks about a handshake keeps its Upgrade to itself.
  const bool is_handshake =
      head.wants_websocket || head.find(HeaderId::sec_websocket_key) != nullptr;
  if (!endpoints::is_unsafe(head.method) && !is_handshake) return false;
  return !endpoints::is_same_origin(runtime, head);
}

// Errors of a token that is right, but for somebody who may not.
bool is_forbidden(auth::Error error) {
  return error == auth::Error::insufficient_groups || error == auth::Error::insufficient_scope ||
         error == auth::Error::insufficient_claims || error == auth::Error::unsafe_identity;
}

// Puts the outcome of a failed check into the decision: the one place where 401, 403 and 503 part.
void refuse(Decision& decision, auth::Error error) {
  decision.kind = Decision::Kind::reject;
  decision.auth_error = error;
  if (is_forbidden(error)) {
    decision.status = 403;
    decision.error = error == auth::Error::insufficient_scope ? "insufficient_scope" : "forbidden";
  } else if (is_no_verdict(error)) {
    decision.status = 503;
    decision.error = "unavailable";
  } else {
    decision.status = 401;
    decision.error = "unauthorized";
  }
}

// Why there is no token: that the session could not be renewed says more than that it had to be.
auth::Error error_of(const DecisionContext& context, const Shown& shown, const Verified& verified) {
  const bool was_tried = context.has_renewed && shown.by_cookie;
  return was_tried && context.renewal_error != auth::Error::missing ? context.renewal_error
                                                                    : verified.error;
}

// What one rule demands. False when the decision became a rejection.
bool satisfies(Decision& decision, const Route& route, std::string_view certificate) {
  if (route.is_public) return true;
  if (!decision.token) {
    refuse(decision, decision.auth_error);
    return false;
  }
  const auto authorized =
      auth::authorize(*decision.token->principal, route.requirement, certificate);
  if (!authorized) {
    refuse(decision, authorized.error());
    return false;
  }
  return true;
}

bool satisfies(Decision& decision, const RouteMatch& match, std::string_view certificate) {
  if (match.kind == RouteMatch::Kind::method_not_allowed) {
    decision.kind = Decision::Kind::reject;
    decision.status = 405;
    decision.error = "method_not_allowed";
    decision.list_methods = true;
    return false;
  }
  return satisfies(decision, *match.route, certificate) &&
         (match.near_miss == nullptr || satisfies(decision, *match.near_miss, certificate));
}

// The route of a path in legacy form, if it may pass: the path as sent and what a lenient backend
// makes of it must choose the same rule, and that rule must ask for it and not be public.
std::optional<RouteMatch> legacy_route(const RouteTable& routes, std::string_view host,
                                       std::string_view path, Method method) {
  const RouteMatch as_sent = routes.match(host, path, method);
  if (as_sent.kind != RouteMatch::Kind::route || !as_sent.route->legacy_paths ||
      as_sent.route->is_public) {
    return std::nullopt;
  }
  const std::string reduced = http::reduce(path);
  if (http::form_of(reduced) != http::PathForm::canonical) return std::nullopt;
  const RouteMatch as_read = routes.match(host, reduced, method);
  const bool is_same =
      as_read.route == as_sent.route && as_read.near_miss == as_sent.near_miss;
  return is_same ? std::optional(as_sent) : std::nullopt;
}

// The path behind the prefix, empty when what is left would not be a path (SECURITY B04).
std::string_view strip(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return {};
  path.remove_prefix(prefix.size());
  if (path.empty()) return "/";
  if (path.front() != '/') return {};
  return path;
}

// Takes a request's worth from the local bucket of the rule that counts. False when the decision
// became a refusal.
bool is_within_rate(Decision& decision, const DecisionContext& context) {
  const RateRule& rule = *decision.rate();
  if (context.rates == nullptr || rule.is_cluster) return true;  // the store is asked later
  std::string room;
  const auto wait = context.rates->take(rule, rate_key(rule, decision.token, context.client, room),
                                        std::chrono::steady_clock::now());
  if (wait.count() == 0) return true;
  decision.kind = Decision::Kind::reject;
  decision.status = 429;
  decision.error = "rate_limited";
  decision.retry_after = wait;
  return false;
}

// The path as the application will see it, where the rule changes it. False when the decision
// became a refusal.
bool change_path(Decision& decision, const DecisionContext& context, const http::RequestHead& head,
                 std::string_view host) {
  const Route& route = *decision.route;
  if (!route.strip_prefix.empty()) {
    decision.path = strip(head.path, route.strip_prefix);
  } else {
    route.rewrite_path(head.path, *context.rewritten);
    decision.path = *context.rewritten;
  }
  const auto form = decision.path.empty() ? http::PathForm::refused : http::form_of(decision.path);
  // Canonical on legacy routes, too: what a lenient application reads out of another form would
  // escape the rule that the second match finds.
  if (form != http::PathForm::canonical) {
    decision = reject(400, "bad_path", &route);
    return false;
  }
  // What the application will see falls under a rule of its own; both must hold.
  const RouteMatch inner = context.runtime.routes.match(host, decision.path, head.method);
  const bool is_same = inner.route == &route && inner.near_miss == nullptr;
  return is_same || satisfies(decision, inner, context.certificate_subject);
}

// A preflight of a route with a CORS rule is answered without a token: browsers send none.
std::optional<Decision> answer_preflight(const RouteMatch& asked, const http::RequestHead& head) {
  if (asked.route == nullptr || !asked.route->cors) return std::nullopt;
  if (!asked.route->cors->allows(head.value(HeaderId::origin))) {
    return reject(403, "origin_not_allowed", asked.route);
  }
  Decision decision = reject(204, "", asked.route);
  decision.preflight = true;
  return decision;
}

Decision forward(const DecisionContext& context, const http::RequestHead& head,
                 std::string_view host, const RouteMatch& match) {
  Decision decision;
  decision.route = match.route;
  decision.near_miss = match.near_miss;
  decision.path = head.path;
  // Before the token is looked at, whose signature costs more than a refusal.
  const RateRule* const rate = decision.rate();
  const bool is_counted = rate != nullptr && match.kind != RouteMatch::Kind::method_not_allowed;
  const bool by_principal = is_counted && rate->key == config::RateKey::principal;
  const bool counts_now = is_counted && !by_principal && !context.has_renewed;
  if (counts_now && !is_within_rate(decision, context)) return decision;
  Shown shown = shown_by(context, head);
  const bool is_forged_anywhere =
      is_forged(head, context.runtime, *match.route) ||
      (match.near_miss != nullptr && is_forged(head, context.runtime, *match.near_miss));
  if (shown.by_cookie && is_forged_anywhere) {
    if (!match.route->is_public) return reject(403, "cross_site", match.route);
    shown = Shown{};  // whoever sent it, it is nobody in particular
  }
  const Verified verified = verify(context, shown.token);
  decision.by_cookie = shown.by_cookie;
  if (renews(context, head, shown, verified, decision)) return decision;
  decision.token = verified.token;
  if (shown.by_cookie) decision.shown = shown.token;
  decision.auth_error = error_of(context, shown, verified);
  if (!satisfies(decision, match, context.certificate_subject)) return decision;
  if (by_principal && !is_within_rate(decision, context)) return decision;
  const bool changes = !match.route->strip_prefix.empty() || !match.route->rewrite.empty();
  if (changes && !change_path(decision, context, head, host)) return decision;
  if (head.wants_websocket) {
    if (!match.route->websocket) return reject(403, "upgrade_not_allowed", match.route);
    decision.tunnel = true;
  }
  decision.kind = Decision::Kind::forward;
  return decision;
}

// Endpoints that handle the refresh token themselves, or have no use for it. The login page sends
// whoever is logged in on, so it has to know.
bool looks_at_session(Endpoint endpoint, const http::RequestHead& head) {
  switch (endpoint) {
    case Endpoint::token:
    case Endpoint::logout:
    case Endpoint::jwks:
    case Endpoint::session_js:
      return false;
    case Endpoint::login:
      return !endpoints::is_unsafe(head.method);
    default:
      return true;
  }
}

Decision serve(const DecisionContext& context, const http::RequestHead& head, Endpoint endpoint) {
  Decision decision;
  decision.kind = Decision::Kind::serve;
  decision.endpoint = endpoint;
  const Shown shown = shown_by(context, head);
  const Verified verified = verify(context, shown.token);
  decision.by_cookie = shown.by_cookie;
  if (looks_at_session(endpoint, head) && renews(context, head, shown, verified, decision)) {
    return decision;
  }
  decision.kind = Decision::Kind::serve;
  decision.token = verified.token;
  decision.auth_error = error_of(context, shown, verified);
  // Neither yes nor no; the login page says so itself.
  if (is_no_verdict(decision.auth_error) && endpoint != Endpoint::login) {
    refuse(decision, decision.auth_error);
  }
  return decision;
}

}  // namespace

std::string_view rate_key(const RateRule& rule, const auth::CachedTokenRef& token,
                          std::string_view client, std::string& room) {
  if (rule.key == config::RateKey::route) return {};
  if (rule.key == config::RateKey::principal && token) return token->principal->subject;
  return rate_key_of_address(client, room);
}

Decision decide(const DecisionContext& context, const http::RequestHead& head) {
  const Runtime& runtime = context.runtime;
  if (head.method == Method::trace || head.method == Method::connect) {
    // RFC 9931: after a refused CONNECT nothing on the connection can be trusted to be a request.
    Decision decision = reject(405, "method_not_allowed");
    decision.close = true;
    decision.list_methods = true;
    return decision;
  }
  if (head.method == Method::other) return reject(501, "method_not_implemented");
  if (head.path == "*") {
    Decision decision = reject(204, "");  // OPTIONS *: about us, not about the application
    decision.list_methods = true;
    return decision;
  }
  if (has_doubled_cookie(runtime, head)) return reject(400, "ambiguous_credentials");

  const std::string_view host = head.host;
  const http::PathForm form = http::form_of(head.path);
  if (form == http::PathForm::refused) return reject(400, "bad_path");
  if (form == http::PathForm::legacy) {
    const auto match = legacy_route(runtime.routes, host, head.path, head.method);
    if (!match) return reject(400, "bad_path");
    return forward(context, head, host, *match);
  }
  const Endpoint endpoint = endpoint_at(runtime.config.endpoints, head.path);
  if (endpoint != Endpoint::none) return serve(context, head, endpoint);
  if (const auto method = preflight_method(head)) {
    const auto asked = runtime.routes.match(host, head.path, http::method_from(*method));
    if (auto answer = answer_preflight(asked, head)) return *std::move(answer);
  }
  return forward(context, head, host, runtime.routes.match(host, head.path, head.method));
}

}  // namespace proxy
