// The policy command; see rehearsal.h.
#include "proxy/rehearsal.h"

#include <optional>
#include <ostream>

#include "auth/json.h"
#include "proxy/decide.h"
#include "proxy/http/guard.h"
#include "proxy/http/parser.h"
#include "proxy/worker_state.h"

namespace proxy {
namespace {

void take_list(const auth::Json& value, std::vector<std::string>& list) {
  if (const auto text = value.text()) list.emplace_back(*text);
  if (!value.is_array()) return;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (const auto text = value.element(i).text()) list.emplace_back(*text);
  }
}

// False when the text is no JSON object.
bool take_claims(const std::string& text, auth::AccessClaims& claims) {
  auth::JsonDocument document;
  if (!document.parse(text)) return false;
  for (std::size_t i = 0; i < document.root().size(); ++i) {
    const auto [name, value] = document.root().entry(i);
    const std::optional<std::string> content = value.scalar_text();
    if (name == "groups") {
      claims.groups.clear();
      take_list(value, claims.groups);
    } else if (name == "scope" || name == "scopes") {
      claims.scopes.clear();
      take_list(value, claims.scopes);
    } else if (!content) {
      continue;
    } else if (name == "sub") {
      claims.subject = *content;
    } else if (name == "email") {
      claims.email = *content;
    } else if (name == "name") {
      claims.name = *content;
    } else {
      claims.claims[std::string(name)] = *content;
    }
  }
  return true;
}

auth::AccessClaims claims_of(const auth::User& user) {
  auth::AccessClaims claims;
  claims.subject = user.username;
  claims.email = user.email;
  claims.name = user.name;
  claims.groups = user.groups;
  claims.scopes = user.scopes;
  claims.claims = user.claims;
  return claims;
}

auth::Result<std::string> token_for(const Runtime& runtime, const auth::AccessClaims& claims) {
  return auth::issue_access_token(runtime.access_keys, runtime.config.tokens.issuer,
                                  runtime.config.tokens.audience, claims, wall_clock(),
                                  runtime.config.tokens.access.life);
}

// The token of the user in question; empty: nobody is logged in. nullopt: said why on `err`.
std::optional<std::string> token_for(const Command& command, const Runtime& runtime,
                                     std::ostream& err) {
  if (command.user.empty() && command.claims.empty()) return std::string();
  auth::AccessClaims claims;
  claims.subject = command.user.empty() ? "somebody" : command.user;
  if (!command.user.empty()) {
    const auth::User* user = runtime.users->find(command.user);
    if (user == nullptr && command.claims.empty()) {
      err << "gatehouse policy: no user `" << command.user
          << "` in the users file; with --claims any name will do\n";
      return std::nullopt;
    }
    if (user != nullptr) claims = claims_of(*user);
  }
  if (!command.claims.empty() && !take_claims(command.claims, claims)) {
    err << "gatehouse policy: --claims takes a JSON object, such as '{\"groups\": [\"admins\"]}'\n";
    return std::nullopt;
  }
  auto token = token_for(runtime, claims);
  if (!token) {
    err << "gatehouse policy: no token can carry these values: " << auth::name(token.error())
        << '\n';
    return std::nullopt;
  }
  return std::move(*token);
}

std::string_view endpoint_name(endpoints::Endpoint endpoint) {
  switch (endpoint) {
    case endpoints::Endpoint::login:
      return "login";
    case endpoints::Endpoint::token:
      return "token";
    case endpoints::Endpoint::logout:
      return "logout";
    case endpoints::Endpoint::session:
      return "session";
    case endpoints::Endpoint::userinfo:
      return "userinfo";
    case endpoints::Endpoint::sessions:
      return "sessions";
    case endpoints::Endpoint::jwks:
      return "jwks";
    case endpoints::Endpoint::auth:
      return "auth";
    case endpoints::Endpoint::session_js:
      return "session_js";
    case endpoints::Endpoint::none:
      break;
  }
  return "none";
}

void print(std::string_view title, const Route& route, const Runtime& runtime, std::ostream& out) {
  out << title << route.name << (route.is_public ? ", public" : "");
  if (route.at.line != 0) out << " (" << runtime.config.file << ':' << route.at.line << ')';
  out << '\n';
}

void print(const Decision& decision, const Runtime& runtime, std::ostream& out) {
  switch (decision.kind) {
    case Decision::Kind::forward:
      if (runtime.config.upstreams.empty()) {
        out << "allow    where another proxy asks; there is no upstream\n";
        break;
      }
      out << "allow    forwarded as " << decision.path << " to upstream "
          << runtime.config.upstreams[decision.route->upstream].name << '\n';
      break;
    case Decision::Kind::serve:
      out << "answer   by our endpoint " << endpoint_name(decision.endpoint) << '\n';
      break;
    case Decision::Kind::renew:  // never without a refresh cookie
      break;
    case Decision::Kind::reject:
      out << "reject   " << decision.status << ' ' << decision.error << '\n';
      if (decision.status == 401 || decision.status == 403) {
        out << "reason   " << auth::name(decision.auth_error) << '\n';
      }
      break;
  }
  if (decision.route != nullptr) print("rule     ", *decision.route, runtime, out);
  // Missed by the case of letters or a last slash, which the application may not mind.
  if (decision.near_miss != nullptr) print("and      ", *decision.near_miss, runtime, out);
  if (decision.token) out << "user     " << decision.token->principal->subject << '\n';
}

}  // namespace

Rehearsal::Rehearsal(const Runtime& runtime) : runtime_(runtime) {}

const Decision* Rehearsal::decide(const Request& request) {
  head_ = std::make_unique<http::RequestHead>();
  head_->bytes.append(request.method + " " + request.target + " HTTP/1.1\r\nHost: " +
                      (request.host.empty() ? "localhost" : request.host) + "\r\n");
  if (!request.token.empty()) {
    head_->bytes.append("Authorization: Bearer " + request.token + "\r\n");
  }
  head_->bytes.append("\r\n");
  http::RequestParser parser{http::HeadLimits{}};
  const bool is_read = parser.feed(*head_) == http::Progress::complete;
  error_ = is_read ? http::check_request(*head_) : parser.error();
  if (!is_read && error_ == http::ParseError::none) error_ = http::ParseError::bad_request_line;
  if (error_ != http::ParseError::none) return nullptr;
  const DecisionContext context{runtime_, tokens_, revocations_, wall_clock(), false, &rewritten_};
  decision_ = proxy::decide(context, *head_);
  return &decision_;
}

auth::Result<std::string> Rehearsal::token_of(const auth::User& user) const {
  return token_for(runtime_, claims_of(user));
}

int rehearse(const Command& command, const Runtime& runtime, std::ostream& out, std::ostream& err) {
  const auto token = token_for(command, runtime, err);
  if (!token) return exit_usage;
  Rehearsal rehearsal(runtime);
  const Rehearsal::Request request{command.method, command.path, command.host, *token};
  const Decision* decision = rehearsal.decide(request);
  if (decision == nullptr) {
    const http::ParseError error = rehearsal.error();
    out << "reject   " << http::status_of(error) << ' ' << http::name(error) << '\n';
    return exit_ok;
  }
  print(*decision, runtime, out);
  return exit_ok;
}

}  // namespace proxy
