// See sessions_command.h.
#include "proxy/sessions_command.h"

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <ostream>
#include <string_view>
#include <vector>

#include "auth/json.h"
#include "config/load.h"
#include "config/secret.h"
#include "proxy/fetch.h"
#include "proxy/http/path.h"
#include "proxy/net/poller.h"

namespace proxy {
namespace {

// The store may take its time, and a user may have many sessions.
constexpr std::chrono::seconds patience{15};
constexpr std::size_t answer_bytes_max = 8 * 1024 * 1024;

struct Listener {
  FetchTarget target;
  std::string name;    // for messages
  std::string bearer;  // empty: none
};

// Where everybody listens, we come from here.
std::string reachable(const std::string& host) {
  if (host == "0.0.0.0") return "127.0.0.1";
  return host == "::" ? "::1" : host;
}

bool read_token(const config::Secret& secret, std::string& bearer, std::string& error) {
  config::SecretText text = config::read_secret(secret);
  error = text.error;
  bearer = std::move(text.bytes);
  const bool is_token = std::all_of(bearer.begin(), bearer.end(),
                                    [](char c) { return c > ' ' && c <= '~'; });
  if (error.empty() && !is_token) error = "the token has blanks or is not ASCII: it is none";
  return error.empty();
}

bool find_by_url(const Command& command, Listener& listener, std::string& error) {
  const auto target = parse_url(command.admin_url);
  if (!target || target->is_https) {
    error = "--url takes http://HOST:PORT, where the admin listener is";
    return false;
  }
  listener.target = *target;
  listener.name = command.admin_url;
  return true;
}

bool find_by_config(const Command& command, Listener& listener, std::ostream& err,
                    std::string& error) {
  const config::Loaded loaded = config::load_file(command.config_file);
  for (const config::Problem& problem : loaded.problems) err << config::to_string(problem) << "\n";
  if (!loaded.problems.empty()) {
    error = command.config_file + " has problems";
    return false;
  }
  const config::Admin& admin = loaded.config.admin;
  if (admin.address.empty()) {
    error = "admin.address is not set in " + command.config_file +
            ": without it nobody administers sessions";
    return false;
  }
  const auto endpoint = net::parse_endpoint(admin.address);
  if (!endpoint) {
    error = "admin.address is no address";
    return false;
  }
  listener.name = admin.address;
  listener.target.endpoint = *endpoint;
  listener.target.endpoint.host = reachable(endpoint->host);
  listener.target.authority = "localhost";
  return admin.token.empty() || read_token(admin.token, listener.bearer, error);
}

std::string path_of(const Command& command) {
  if (command.everybody) return "/sessions?everybody=true";
  if (!command.session.empty()) return "/sessions/" + http::percent_encoded(command.session);
  return "/sessions?user=" + http::percent_encoded(command.user);
}

net::Task<void> ask(net::Executor executor, FetchRequest request, Fetched& answer) {
  answer = co_await fetch(executor, std::move(request));
}

Fetched ask(const Command& command, const Listener& listener) {
  FetchRequest request;
  request.target = listener.target;
  request.target.path = path_of(command);
  request.method = command.verb == Command::Verb::sessions_list ? "GET" : "DELETE";
  if (!listener.bearer.empty()) {
    request.headers = "Authorization: Bearer " + listener.bearer + "\r\n";
  }
  request.answer_bytes_max = answer_bytes_max;
  request.timeout = patience;
  boost::asio::io_context loop;
  net::Poller& poller = net::Poller::of(loop.get_executor());
  Fetched answer;
  boost::asio::co_spawn(loop, ask(loop.get_executor(), std::move(request), answer),
                        [&poller](std::exception_ptr) { poller.stop(); });
  poller.run();
  return answer;
}

// What went wrong, and what to do about it; empty: nothing.
std::string trouble_of(const Command& command, const Listener& listener, const Fetched& answer) {
  const std::string where = "the admin listener at " + listener.name;
  switch (answer.status) {
    case 200:
    case 204:
      return "";
    case 0:
      return where + " does not answer: " + answer.error + "; is Gatehouse running here?";
    case 401:
      return where + " wants another token: the one of its admin.token_file";
    case 404:
      return command.session.empty() ? where + " does not know sessions; is it the admin listener?"
                                     : "there is no such session";
    case 503:
      return "the session store does not answer; nothing is known to have ended";
    default:
      return where + " answered " + std::to_string(answer.status);
  }
}

std::string printable(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

// What revoke says; the listener's answer about a user holds how many there were.
std::string farewell(const Command& command, const std::string& json) {
  if (command.everybody) return "everybody's sessions have ended";
  if (!command.session.empty()) return "the session has ended";
  auth::JsonDocument document;
  const auto ended =
      document.parse(json) ? document.root().member("ended").scalar_text() : std::nullopt;
  return "sessions of " + printable(command.user) + " that have ended: " + ended.value_or("?");
}

}  // namespace

std::string session_table(const std::string& json) {
  auth::JsonDocument document;
  if (!document.parse(json) || !document.root().member("sessions").is_array()) return "";
  const auth::Json sessions = document.root().member("sessions");
  constexpr std::array<std::string_view, 6> members{"id",        "createdAt",     "lastSeenAt",
                                                    "expiresAt", "addressPrefix", "userAgent"};
  std::vector<std::array<std::string, 6>> rows{
      {"SESSION", "CREATED", "LAST SEEN", "EXPIRES", "FROM", "BROWSER"}};
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    auto& row = rows.emplace_back();
    for (std::size_t column = 0; column < members.size(); ++column) {
      const auto text = sessions.element(i).member(members[column]).text();
      row[column] = printable(text.value_or(""));
    }
  }
  std::array<std::size_t, 6> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) {
      out.append(row[i]).append(widths[i] + 2 - row[i].size(), ' ');
    }
    out.append(row.back()).append("\n");
  }
  return out;
}

int administer_sessions(const Command& command, std::ostream& out, std::ostream& err) {
  Listener listener;
  std::string error;
  bool is_found = command.admin_url.empty() ? find_by_config(command, listener, err, error)
                                            : find_by_url(command, listener, error);
  if (is_found && !command.token_file.empty()) {
    config::Secret token;
    token.file = command.token_file;
    is_found = read_token(token, listener.bearer, error);
  }
  Fetched answer;
  if (is_found) {
    answer = ask(command, listener);
    error = trouble_of(command, listener, answer);
  }
  const bool lists = command.verb == Command::Verb::sessions_list;
  std::string text = lists && error.empty() ? session_table(answer.body) : "";
  if (lists && error.empty() && text.empty()) error = "the answer is not a list of sessions";
  if (!error.empty()) {
    err << "gatehouse sessions: " << error << "\n";
    return exit_failed;
  }
  if (!lists) text = farewell(command, answer.body) + "\n";
  if (lists && command.json) text = answer.body + "\n";
  out << text;
  return exit_ok;
}

}  // namespace proxy
