// Serving exchanges; see exchange.h.
#include "proxy/exchange.h"

#include <boost/asio/co_spawn.hpp>

#include "auth/bytes.h"
#include "proxy/decide.h"
#include "proxy/endpoints/browser_request.h"
#include "proxy/endpoints/credentials.h"
#include "proxy/endpoints/form_guard.h"
#include "proxy/endpoints/refusal.h"
#include "proxy/forward.h"
#include "proxy/forward_auth.h"
#include "proxy/health.h"
#include "proxy/http/guard.h"
#include "proxy/record.h"
#include "proxy/route_answers.h"
#include "proxy/under_way.h"

namespace proxy {
namespace {

using endpoints::Endpoint;

// Fixes what the exchange needs to know about its surroundings before anything is decided.
void begin(WorkerState& worker, Connection& connection, Exchange& exchange) {
  worker.catch_up();
  exchange.began = std::chrono::steady_clock::now();
  exchange.began_wall = std::chrono::system_clock::now();
  exchange.local = worker.local;
  exchange.client = client_of(*exchange.local->runtime, connection.peer(), exchange.request);
  exchange.trace = worker.traces.begin(exchange.request, exchange.local->runtime->trace);
  if (exchange.client.forwarding.request_id.empty()) {
    worker.next_request_id(exchange.request_id);
    exchange.client.forwarding.request_id = {exchange.request_id.data(),
                                             exchange.request_id.size()};
  }
}

// One line for the whole life of the worker: whoever needs these headers will look for it.
void warn_about_untrusted_forwarding(WorkerState& worker, const Exchange& exchange) {
  if (!exchange.client.ignored_forwarding || worker.warned_about_forwarding) return;
  worker.warned_about_forwarding = true;
  worker.log.write(Level::warning,
                   "ignored X-Forwarded-* of a client that is not in trusted_proxies; add the "
                   "address of your load balancer there if it is one",
                   {{"client", exchange.client.address},
                    {"request_id", exchange.client.forwarding.request_id},
                    {"trace_id", exchange.trace.id()}});
}

std::string_view message_of(const Decision& decision) {
  if (decision.error == "bad_path") return "The path is not in its canonical form.";
  if (decision.error == "method_not_allowed") return "This method is not allowed here.";
  if (decision.error == "method_not_implemented") return "This method is not known here.";
  if (decision.error == "upgrade_not_allowed") return "Protocol upgrades are not allowed here.";
  if (decision.error == "own_endpoint") return "The proxy must send this path to Gatehouse.";
  if (decision.error == "untrusted_proxy") return "Only trusted_proxies may ask.";
  if (decision.error.starts_with("question_")) return "The request in question is not named.";
  if (decision.error == "ambiguous_credentials") return "Credentials may stand only once.";
  if (decision.error == "origin_not_allowed") return "Scripts of this origin may not do this.";
  if (decision.status == 429) return "Too many requests; try again later.";
  if (decision.status == 403) return "You may not do this.";
  return "The request cannot be served.";
}

endpoints::Context context_of(WorkerState& worker, const Exchange& exchange) {
  return {*exchange.local->runtime, worker.store, worker.hashing, worker.log, wall_clock()};
}

endpoints::Request request_of(const Exchange& exchange, std::string_view body) {
  const Decision& decision = exchange.decision;
  return {exchange.subject(),
          body,
          exchange.client.address,
          exchange.client.forwarding.request_id,
          exchange.trace.id(),
          decision.token ? decision.token->principal.get() : nullptr,
          decision.auth_error,
          exchange.client.forwarding.scheme,
          exchange.client.ignored_forwarding};
}

// What a refused request is answered with, for programs or for people.
Reply refused(WorkerState& worker, const Exchange& exchange, int status, std::string_view error,
              std::string_view message) {
  const Decision& decision = exchange.decision;
  endpoints::Refusal refusal{status, error, message, decision.auth_error};
  if (decision.route != nullptr) refusal.pages = decision.route->browser;
  return endpoints::refusal_reply(context_of(worker, exchange), request_of(exchange, {}), refusal);
}

Reply reply_for(WorkerState& worker, const Exchange& exchange) {
  const Decision& decision = exchange.decision;
  Reply reply;
  if (decision.status == 204) {
    reply.status = 204;
    reply.content_type = {};
  } else {
    reply = refused(worker, exchange, decision.status, decision.error, message_of(decision));
  }
  if (decision.error == "insufficient_scope") {
    reply.headers +=
        "WWW-Authenticate: Bearer realm=\"gatehouse\", error=\"insufficient_scope\"\r\n";
  }
  if (decision.list_methods) {
    const http::RequestHead& request = exchange.subject();
    reply.headers += "Allow: ";
    reply.headers += exchange.local->runtime->routes.allowed_methods(request.host, request.path);
    reply.headers += "\r\n";
  }
  reply.headers += route_lines(exchange);
  if (decision.status == 503) reply.headers += "Retry-After: 1\r\n";
  return reply;
}

net::Task<Reply> call(const endpoints::Context& context, const endpoints::Request& request,
                      Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::login:
      co_return co_await endpoints::login(context, request);
    case Endpoint::token:
      co_return co_await endpoints::token(context, request);
    case Endpoint::logout:
      co_return co_await endpoints::logout(context, request);
    case Endpoint::session:
      co_return co_await endpoints::session(context, request);
    case Endpoint::userinfo:
      co_return co_await endpoints::userinfo(context, request);
    case Endpoint::sessions:
      co_return co_await endpoints::sessions(context, request);
    case Endpoint::jwks:
      co_return co_await endpoints::jwks(context, request);
    case Endpoint::session_js:
      co_return co_await endpoints::session_script(context, request);
    case Endpoint::auth:  // answered where questions are read
    case Endpoint::none:
      break;
  }
  co_return endpoints::error_reply(404, "not_found", "There is nothing here.");
}

// One of our endpoints, on the main or the admin listener, with its whole body in hand.
net::Task<Reply> serve_endpoint(WorkerState& worker, Connection& connection, Exchange& exchange) {
  const auto body = co_await connection.read_whole_body(exchange, endpoints::body_bytes_max);
  if (body.status != 0) {
    co_return endpoints::error_reply(body.status,
                                     body.status == 413 ? "body_too_large" : "bad_body",
                                     "The body could not be read.");
  }
  const endpoints::Context context = context_of(worker, exchange);
  const endpoints::Request request = request_of(exchange, body.data);
  if (connection.role() == Role::admin) co_return co_await endpoints::administer(context, request);
  co_return co_await call(context, request, exchange.decision.endpoint);
}

net::Task<void> answer(Connection& connection, Exchange& exchange, const Reply& reply) {
  exchange.reason = reply.reason;
  exchange.user = reply.user;
  exchange.session_id = reply.session_id;
  co_await connection.reply(exchange, reply);
}

// Forwards, and answers for the application where it did not.
net::Task<void> perform_forward(WorkerState& worker, Connection& connection, Exchange& exchange) {
  if (exchange.local->upstreams.empty()) {
    const Reply reply = endpoints::error_reply(404, "not_found", "There is no application here.");
    co_await connection.reply(exchange, reply);
    co_return;
  }
  const std::uint64_t limit = exchange.local->runtime->config.limits.request_body;
  const http::Body body = exchange.request.body;
  if (limit != 0 && body.kind == http::BodyKind::length && body.length > limit) {
    const Reply reply = endpoints::error_reply(413, "body_too_large", "The body is too large.");
    co_await connection.reply(exchange, reply);
    co_return;
  }
  const Forwarded forwarded = co_await forward(worker, connection, exchange);
  if (forwarded.failure == Failure::none) co_return;
  exchange.reason = name(forwarded.failure);
  if (is_of_upstream(forwarded.failure)) {
    count(Metric::upstream_failures, exchange.local->metrics_of(*exchange.decision.route).name(),
          exchange.reason);
  }
  connection.close_after_this();
  if (forwarded.answer_started) {
    // A cut answer must look cut: a reset for what has a length, no last chunk for the rest.
    if (!forwarded.answer_ended) connection.stream().abort();
    co_return;
  }
  if (forwarded.failure == Failure::client_closed) co_return;
  const bool ended = forwarded.failure == Failure::session_ended;  // before there was an answer
  if (ended) exchange.decision.auth_error = auth::Error::revoked;
  Reply reply = refused(worker, exchange, status_of(forwarded.failure),
                              name(forwarded.failure),
                              "The application did not answer as it should.");
  if (reply.status == 503) reply.headers += "Retry-After: 1\r\n";
  co_await connection.reply(exchange, reply);
}

// The answer to a request that goes no further.
Reply refusal_of(WorkerState& worker, const Exchange& exchange) {
  const Decision& decision = exchange.decision;
  Reply reply = reply_for(worker, exchange);
  const bool by_token = decision.status == 401 || decision.error == "forbidden" ||
                        decision.error == "insufficient_scope";
  reply.reason = by_token ? auth::name(decision.auth_error) : decision.error;
  return reply;
}

net::Task<void> answer_question(WorkerState& worker, Connection& connection, Exchange& exchange) {
  const Reply reply = exchange.decision.kind == Decision::Kind::forward
                          ? permit_reply(exchange)
                          : question_refused(exchange, refusal_of(worker, exchange));
  co_await answer(connection, exchange, reply);
}

// Our endpoints and refusals.
net::Task<void> perform_ourselves(WorkerState& worker, Connection& connection, Exchange& exchange) {
  const Decision& decision = exchange.decision;
  if (decision.close) connection.close_after_this();
  if (decision.kind == Decision::Kind::serve) {
    const Reply reply = co_await serve_endpoint(worker, connection, exchange);
    co_await answer(connection, exchange, reply);
    co_return;
  }
  const Reply reply = refusal_of(worker, exchange);
  co_await answer(connection, exchange, reply);
}

// The admin listener asks for its bearer token wherever one is configured.
bool is_administrator(const Exchange& exchange) {
  const std::string& token = exchange.local->runtime->admin_token;
  return token.empty() ||
         auth::equal_constant_time(endpoints::find_bearer(exchange.request).value, token);
}

// The process does not end before a hook that waits has its answer: whoever lost it would end the
// application at once.
class PreStop {
 public:
  PreStop(ProcessState& process, bool counts) : process_(process), counts_(counts) {
    if (counts_) process_.prestops.fetch_add(1);
  }
  ~PreStop() {
    if (counts_) process_.prestops.fetch_sub(1);
  }
  PreStop(const PreStop&) = delete;
  PreStop& operator=(const PreStop&) = delete;

 private:
  ProcessState& process_;
  const bool counts_;
};

// A request on the health or admin listener.
net::Task<void> perform_internal(WorkerState& worker, Connection& connection, Exchange& exchange) {
  if (connection.role() == Role::health) {
    const PreStop hook(worker.process, exchange.request.path == "/prestop");
    const Reply reply = co_await answer_health(worker, exchange);
    co_await answer(connection, exchange, reply);
    co_return;
  }
  if (!is_administrator(exchange)) {
    exchange.decision.auth_error = auth::Error::missing;
    const Reply reply = endpoints::unauthorized_reply(auth::Error::missing);
    co_await answer(connection, exchange, reply);
    co_return;
  }
  const Reply reply = co_await serve_endpoint(worker, connection, exchange);
  co_await answer(connection, exchange, reply);
}

// Heads that no one can answer for: the reply says the status and closes.
net::Task<void> refuse_head(WorkerState& worker, Connection& connection, Exchange& exchange,
                            int status, std::string_view reason) {
  begin(worker, connection, exchange);
  connection.close_after_this();
  const std::string_view code = status == 408 ? "request_timeout" : "bad_request";
  Reply reply = endpoints::error_reply(status, code, "The request could not be read.");
  reply.reason = reason;
  co_await answer(connection, exchange, reply);
}

// What was decided about tokens of ours while the store could not say whether they were revoked.
void note_outage(WorkerState& worker, const Exchange& exchange) {
  const Decision& decision = exchange.decision;
  const bool is_denied = decision.auth_error == auth::Error::store_unavailable;
  const bool is_allowed = decision.kind == Decision::Kind::forward && decision.token &&
                          decision.token->principal->ours;
  if (!is_denied && !is_allowed) return;
  AuditEvent event;
  event.event = "outage";
  event.outcome = is_allowed ? "allowed" : "denied";
  event.reason = "store_unavailable";
  if (is_allowed) {
    event.user = decision.token->principal->subject;
    event.session_id = decision.token->principal->session_id;
  }
  event.client = exchange.client.address;
  event.request_id = exchange.client.forwarding.request_id;
  worker.log.audit(event);
  count(Metric::store_outage_decisions, event.outcome);
}

void note_proof(WorkerState& worker, const Exchange& exchange) {
  const auth::CachedTokenRef& token = exchange.decision.token;
  if (!token || token->prove_at == auth::Time::max()) return;
  if (std::chrono::floor<auth::milliseconds>(exchange.began_wall) < token->prove_at) return;
  token->prove_at = auth::Time::max();
  worker.note_proof(*token->principal);
}

// Keys that are fetched may have been changed since; the control thread looks, within bounds.
void note_unknown_key(WorkerState& worker, const Exchange& exchange) {
  if (exchange.decision.auth_error != auth::Error::unknown_key || exchange.decision.token) return;
  if (!worker.process.follows_keys.load(std::memory_order_relaxed)) return;
  worker.process.keys_wanted.store(true, std::memory_order_relaxed);
}

// What came of a renewal: the cookies for the answer and the token for the decision.
void keep_renewal(Exchange& exchange, const endpoints::Context& context,
                  const Renewals::Result& renewal, DecisionContext& next) {
  using Outcome = endpoints::Renewal::Outcome;
  if (!renewal || renewal->outcome == Outcome::unavailable) {
    next.renewal_error = auth::Error::store_unavailable;
    return;
  }
  if (renewal->outcome != Outcome::renewed) {
    next.renewal_error = auth::Error::revoked;
    return;
  }
  const auto state = endpoints::find_login_state(context.runtime, exchange.subject());
  exchange.fresh_token = renewal->access.text;
  exchange.cookies = endpoints::session_cookie_lines(context, renewal->access, renewal->refresh,
                                                     state && state->ends_with_browser);
  next.fresh_token = exchange.fresh_token;
}

// Parks the request until its session has a new token, and decides about it again. Where there is
// none, the request goes on with what it showed, be it enough or not.
net::Task<void> renew_session(WorkerState& worker, Exchange& exchange,
                              const DecisionContext& first) {
  DecisionContext second = first;
  second.has_renewed = true;
  const bool can_wait = exchange.decision.may_go_on;
  if (!can_wait || !worker.renewals.rests(first.now)) {
    const endpoints::Context context = context_of(worker, exchange);
    const endpoints::Request request = request_of(exchange, {});
    endpoints::RenewalWish wish;
    wish.token = exchange.decision.refresh_token;
    wish.active = endpoints::counts_as_activity(context.runtime, exchange.subject());
    const Renewals::Result renewal = co_await worker.renewals.renew(context, request, wish);
    second.now = wall_clock();
    worker.catch_up();
    keep_renewal(exchange, context, renewal, second);
  }
  exchange.decision = decide_about(exchange, second);
}

// Whose certificate the rules ask about. A question comes over the connection of the proxy that
// asks, whose certificate says nothing about the client behind it.
std::string_view certificate_of(const Connection& connection, const Exchange& exchange) {
  if (exchange.question) return {};
  return connection.peer().certificate_subject;
}

// One exchange. False: the connection is to be closed.
net::Task<bool> run_exchange(WorkerState& worker, Connection& connection, Exchange& exchange) {
  const InFlight in_flight(connection.role());
  begin(worker, connection, exchange);
  if (connection.is_surplus()) {
    refuse_overload(exchange.decision);
    connection.close_after_this();
    co_await perform_ourselves(worker, connection, exchange);
  } else if (connection.role() == Role::main) {
    warn_about_untrusted_forwarding(worker, exchange);
    read_question(worker, exchange);
    const DecisionContext context{*exchange.local->runtime, exchange.local->tokens,
                                  worker.revocations,
                                  std::chrono::floor<auth::milliseconds>(exchange.began_wall),
                                  worker.process.is_store_down(),
                                  &exchange.rewritten_path, &worker.process.rates,
                                  exchange.client.address,
                                  certificate_of(connection, exchange)};
    exchange.decision = decide_about(exchange, context);
    if (exchange.decision.kind == Decision::Kind::renew) {
      co_await renew_session(worker, exchange, context);
    }
    if (context.store_is_down) note_outage(worker, exchange);
    const bool is_forwarded = exchange.decision.kind == Decision::Kind::forward;
    const RateRule* const rate = is_forwarded ? exchange.decision.rate() : nullptr;
    if (rate != nullptr && rate->is_cluster) {
      co_await ask_shared_rate(worker, exchange);
    }
    note_proof(worker, exchange);
    note_unknown_key(worker, exchange);
    const UnderWay under_way(worker);
    if (under_way.is_too_many()) refuse_overload(exchange.decision);
    if (exchange.question) {
      co_await answer_question(worker, connection, exchange);
    } else if (exchange.decision.kind == Decision::Kind::forward) {
      co_await perform_forward(worker, connection, exchange);
    } else {
      co_await perform_ourselves(worker, connection, exchange);
    }
  } else {
    co_await perform_internal(worker, connection, exchange);
  }
  record(worker, connection, exchange);
  if (!connection.persists()) co_return false;
  if (!Connection::is_finished(exchange)) {
    const bool dropped = co_await connection.drop_body(exchange);
    if (!dropped) co_return false;
  }
  Connection::keep_rest(exchange);
  co_return true;
}

void serve_again(WorkerState& worker, Connection::Pointer connection) noexcept {
  try {
    start_serving(worker, std::move(connection));
  } catch (const std::exception&) {
    worker.report("an idle connection ended for lack of memory");
  }
}

// Takes the connection with it when it ends, or parks it.
net::Task<void> serve(WorkerState& worker, Connection::Pointer connection) {
  std::unique_ptr<Exchange> exchange;
  if (connection->needs_opening()) {
    const bool opened = co_await connection->open();
    if (!opened) co_return;
  }
  for (;;) {
    const auto result = co_await connection->read_head(exchange);
    if (result == Connection::HeadResult::closed) break;
    if (result == Connection::HeadResult::idle) {
      worker.give_back(std::move(exchange));
      Connection::park(std::move(connection), serve_again);
      co_return;
    }
    if (result != Connection::HeadResult::complete) {
      const bool late = result == Connection::HeadResult::timed_out;
      const int status = late ? 408 : http::status_of(connection->parse_error());
      const std::string_view reason = late ? "head_timeout" : http::name(connection->parse_error());
      co_await refuse_head(worker, *connection, *exchange, status, reason);
      record(worker, *connection, *exchange);
      co_await connection->linger();
      break;
    }
    const bool again = co_await run_exchange(worker, *connection, *exchange);
    if (!again) {
      if (connection->stream().is_open()) co_await connection->linger();
      break;
    }
    exchange->next();
  }
  if (exchange) worker.give_back(std::move(exchange));
}

}  // namespace

// Nothing on the data plane throws but a failed allocation: the connection is gone, the others go
// on.
void start_serving(WorkerState& worker, Connection::Pointer connection) {
  auto served = serve(worker, std::move(connection));
  boost::asio::co_spawn(worker.executor, std::move(served), [&worker](std::exception_ptr failure) {
    if (failure) worker.report("a connection ended by an exception");
  });
}

}  // namespace proxy
