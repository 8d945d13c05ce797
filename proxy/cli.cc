// See cli.h. CLI11 reads the arguments; rules between options are checked here afterwards, so that
// each has a message that says what to write instead.
#include "proxy/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <sstream>
#include <string_view>
#include <utility>

namespace proxy {
namespace {

constexpr const char* about =
    "Gatehouse stands in front of a web application, logs its users in, checks a token on every\n"
    "request and tells the application who the user is.\n";

constexpr const char* main_footer = R"(
Without a command, `run` is meant; -t is `check`, -T is `config` and -V is `version`.
`gatehouse COMMAND --help` explains a command.

Exit codes: 0 ok, 1 bad configuration or failed check, 2 wrong usage.

Examples:
  gatehouse run --upstream http://127.0.0.1:3000   try it in front of an application, without a file
  gatehouse check --config gatehouse.yaml          say everything that is wrong with a file
  gatehouse --config gatehouse.yaml                serve
)";

constexpr const char* run_footer = R"(
SIGTERM, SIGQUIT and SIGINT drain: /readyz turns 503, requests in progress finish, then the
program ends; a second SIGINT ends it at once. SIGHUP reads the configuration again; a bad one
changes nothing.

With --upstream there is no file: sessions are kept in memory, keys are made at start, and one user
`admin` gets a password that is printed once. Its cookies also work over plain http, so this is for
trying out.

Examples:
  gatehouse run --config /etc/gatehouse/gatehouse.yaml
  gatehouse run --upstream http://127.0.0.1:3000
  gatehouse run --upstream http://127.0.0.1:3000 --listen 127.0.0.1:9000
)";

constexpr const char* check_footer = R"(
Prints every problem on a line of its own, as FILE:LINE:COL: key.path: message. The files that the
configuration names (users, keys, secrets) are read and checked too. Nothing is bound or changed.

Examples:
  gatehouse check --config gatehouse.yaml
  gatehouse check -c gatehouse.yaml && pkill -HUP gatehouse
  gatehouse -t -c gatehouse.yaml
)";

constexpr const char* config_footer = R"(
Prints the configuration as the program understands it: defaults filled in, variables replaced, file
names absolute, secrets masked.

Examples:
  gatehouse config --config gatehouse.yaml
  gatehouse config --schema > gatehouse.schema.json    for editors, as JSON schema 2020-12
  gatehouse config --reference > configuration.md      every key with its default and meaning
  gatehouse -T -c gatehouse.yaml
)";

constexpr const char* hash_footer = R"(
Reads a password, asking twice without echo on a terminal, or one line from standard input, and
prints an argon2id hash for `password_hash` in the users file. At most 1024 bytes, taken exactly
as typed.

Examples:
  gatehouse hash-password
  printf %s "$PASSWORD" | gatehouse hash-password
)";

constexpr const char* keygen_footer = R"(
Prints a new signing key: a private key in PEM for `key_file`, or for HS algorithms `base64:` and a
random secret for `secret_file`; the latter also serves as a refresh key.

Algorithms: HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA

Examples:
  (umask 077; gatehouse keygen > access.pem)
  (umask 077; gatehouse keygen --algorithm HS256 > refresh.key)
  openssl pkey -in access.pem -pubout                  the public key of a retiring one
)";

constexpr const char* policy_footer = R"(
Prints what would be done with a request and which rule said so, without sending anything. The user
is taken from the users file; --claims adds to what the token would say, or replaces it.

With --replay the requests are those of an access log (JSON lines): printed are those that the
configuration would decide differently than they were decided when they were recorded. Ends with 1
when there are any.

Examples:
  gatehouse policy -c gatehouse.yaml --path /admin/users --user alice
  gatehouse policy -c gatehouse.yaml --method POST --path /api/x --host api.example.com
  gatehouse policy -c gatehouse.yaml --path /api/x --claims '{"sub": "x", "groups": ["admins"]}'
  gatehouse policy -c new.yaml --replay access.jsonl
)";

constexpr const char* doctor_footer = R"(
Looks at what usually goes wrong before users notice: files and their permissions, certificates that
end soon, weak keys, an application that can be reached past Gatehouse, cookies that do not fit
external_url, the limit of file descriptors. Run it where Gatehouse runs, in its container, as its
user. Each finding says how to mend it. Nothing is changed; the application and the store are
connected to. Ends with 1 when something is broken or dangerous, with 0 otherwise.

Examples:
  gatehouse doctor --config /etc/gatehouse/gatehouse.yaml
  kubectl exec app-5d9c -c gatehouse -- gatehouse doctor -c /etc/gatehouse/gatehouse.yaml
)";

constexpr const char* sessions_footer = R"(
Asks the admin listener of a running Gatehouse: at admin.address of the configuration, with the
token of admin.token_file, or where --url says. `gatehouse sessions COMMAND --help` explains more.

Examples:
  gatehouse sessions list -c gatehouse.yaml --user alice
  gatehouse sessions revoke -c gatehouse.yaml --user alice
)";

constexpr const char* sessions_list_footer = R"(
Prints a user's open sessions, the newest first: id, times (UTC), network and browser.

Examples:
  gatehouse sessions list -c gatehouse.yaml --user alice
  gatehouse sessions list --url http://127.0.0.1:9901 --token-file admin.token --user alice --json
)";

constexpr const char* sessions_revoke_footer = R"(
Ends one session, all of a user, or everybody's. Every replica refuses their tokens within a second.
Ends with 0 once it is stored.

Examples:
  gatehouse sessions revoke -c gatehouse.yaml --session 3q2-7wXkT0yVn1mB8pLrQA
  gatehouse sessions revoke -c gatehouse.yaml --user alice
  gatehouse sessions revoke -c gatehouse.yaml --everybody
)";

constexpr const char* healthcheck_footer = R"(
Sends GET to the URL of the health listener and ends with 0 if the answer is 200 within 2 seconds,
else with 1. For container images without a shell or curl. /livez says that the program runs,
/readyz that it takes requests.

Examples:
  gatehouse healthcheck
  gatehouse healthcheck --url http://127.0.0.1:9902/readyz
)";

constexpr const char* version_footer = R"(
Examples:
  gatehouse version
)";

// The options of every command write into the same Command.
struct Parser {
  Command command;
  bool short_check = false;    // -t
  bool short_config = false;   // -T
  bool short_version = false;  // -V
  CLI::App app{about, "gatehouse"};
  std::vector<std::pair<CLI::App*, Command::Verb>> verbs;

  Parser();
  CLI::App* add(const char* name, Command::Verb verb, const char* summary, const char* footer);
  void add_config(CLI::App* to) {
    to->add_option("-c,--config", command.config_file, "The configuration file")->type_name("FILE");
  }
  void add_serving(CLI::App* to) {
    add_config(to);
    to->add_option("--upstream", command.upstream, "Serve this application without a file")
        ->type_name("URL");
    to->add_option("--listen", command.listen, "Where, with --upstream (default 127.0.0.1:8080)")
        ->type_name("ADDRESS");
  }
  void add_policy(CLI::App* to);
  void add_sessions();
  // The verb that was asked for, or a sentence.
  std::string choose_verb();
  [[nodiscard]] std::string usage_error() const;
  [[nodiscard]] std::string sessions_usage_error() const;
};

CLI::App* Parser::add(const char* name, Command::Verb verb, const char* summary,
                      const char* footer) {
  auto* sub = app.add_subcommand(name, summary);
  sub->footer(footer);
  verbs.emplace_back(sub, verb);
  return sub;
}

void Parser::add_policy(CLI::App* to) {
  add_config(to);
  to->add_option("--method", command.method, "The request's method")
      ->type_name("METHOD")
      ->capture_default_str();
  to->add_option("--path", command.path, "The request's path")->type_name("PATH");
  to->add_option("--host", command.host, "The request's host")->type_name("HOST");
  to->add_option("--user", command.user, "Who asks: a username of the users file")
      ->type_name("USER");
  to->add_option("--claims", command.claims, "What the token says: a JSON object")
      ->type_name("JSON");
  to->add_option("--replay", command.replay, "Decide the requests of this access log anew")
      ->type_name("FILE");
}

void Parser::add_sessions() {
  auto* sessions = app.add_subcommand("sessions", "List or end the sessions of users");
  sessions->footer(sessions_footer);
  sessions->require_subcommand(1);
  const auto add_verb = [&](const char* name, Command::Verb verb, const char* summary,
                            const char* footer) {
    auto* sub = sessions->add_subcommand(name, summary);
    sub->footer(footer);
    verbs.emplace_back(sub, verb);
    add_config(sub);
    sub->add_option("--url", command.admin_url, "The admin listener, instead of a configuration")
        ->type_name("URL");
    sub->add_option("--token-file", command.token_file, "Holds the bearer token of administrators")
        ->type_name("FILE");
    sub->add_option("--user", command.user, "Whose sessions")->type_name("USER");
    return sub;
  };
  add_verb("list", Command::Verb::sessions_list, "Print a user's open sessions",
           sessions_list_footer)
      ->add_flag("--json", command.json, "As the listener answered it");
  auto* revoke = add_verb("revoke", Command::Verb::sessions_revoke, "End sessions",
                          sessions_revoke_footer);
  revoke->add_option("--session", command.session, "The id of one session")->type_name("ID");
  revoke->add_flag("--everybody", command.everybody, "All sessions there are");
}

Parser::Parser() {
  using Verb = Command::Verb;
  app.footer(main_footer);
  app.require_subcommand(0, 1);
  add_serving(&app);
  app.add_flag("-t", short_check, "The same as the command check");
  app.add_flag("-T", short_config, "The same as the command config");
  app.add_flag("-V,--version", short_version, "The same as the command version");
  add_serving(add("run", Verb::run, "Serve", run_footer));
  add_config(add("check", Verb::check, "Validate a configuration", check_footer));
  auto* config = add("config", Verb::config, "Print the effective configuration", config_footer);
  add_config(config);
  config->add_flag("--schema", command.schema, "Print the JSON schema of the configuration");
  config->add_flag("--reference", command.reference, "Print the reference of all keys (Markdown)");
  add("hash-password", Verb::hash_password, "Make a hash for the users file", hash_footer);
  add("keygen", Verb::keygen, "Make a signing key", keygen_footer)
      ->add_option("--algorithm", command.algorithm, "What the key signs with")
      ->type_name("NAME")
      ->capture_default_str();
  add_policy(add("policy", Verb::policy, "Say what would be done with a request", policy_footer));
  add_config(add("doctor", Verb::doctor, "Look for what usually goes wrong", doctor_footer));
  add_sessions();
  add("healthcheck", Verb::healthcheck, "Ask a running Gatehouse whether it is well",
      healthcheck_footer)
      ->add_option("--url", command.url, "What to ask")
      ->type_name("URL")
      ->capture_default_str();
  add("version", Verb::version, "Print version, compiler and libraries", version_footer);
}

std::string Parser::choose_verb() {
  using Verb = Command::Verb;
  const int shorts = int{short_check} + int{short_config} + int{short_version};
  for (const auto& [sub, verb] : verbs) {
    if (!sub->parsed()) {
      continue;
    }
    command.verb = verb;
    const auto* own_config = sub->get_option_no_throw("--config");
    if (own_config != nullptr && own_config->count() > 0 && app.count("--config") > 0) {
      return "--config is given twice";
    }
    return shorts == 0 ? "" : "-t, -T and -V stand for a command and go with no other";
  }
  if (shorts > 1) {
    return "only one of -t, -T and -V can be used";
  }
  if (short_check) {
    command.verb = Verb::check;
  }
  if (short_config) {
    command.verb = Verb::config;
  }
  if (short_version) {
    command.verb = Verb::version;
  }
  return "";
}

std::string Parser::sessions_usage_error() const {
  if (command.config_file.empty() == command.admin_url.empty()) {
    return command.admin_url.empty() ? "needs --config FILE, or --url URL of the admin listener"
                                     : "--config and --url exclude each other";
  }
  if (command.verb == Command::Verb::sessions_list) {
    return command.user.empty() ? "needs --user USER" : "";
  }
  const int named = int{!command.user.empty()} + int{!command.session.empty()} +
                    int{command.everybody};
  return named == 1 ? "" : "needs one of --session ID, --user USER and --everybody";
}

std::string Parser::usage_error() const {
  using Verb = Command::Verb;
  const bool has_file = !command.config_file.empty();
  const bool is_run = command.verb == Verb::run;
  if (is_run && has_file == !command.upstream.empty()) {
    return has_file ? "--config and --upstream exclude each other"
                    : "needs --config FILE, or --upstream URL to serve without a file";
  }
  if (!command.upstream.empty() && !is_run) {
    return "--upstream goes with run only";
  }
  if (!command.listen.empty() && command.upstream.empty()) {
    return "--listen goes with --upstream; with a file set listeners there";
  }
  if (command.verb == Verb::sessions_list || command.verb == Verb::sessions_revoke) {
    return sessions_usage_error();
  }
  const bool needs_file = command.verb == Verb::check || command.verb == Verb::policy ||
                          command.verb == Verb::doctor ||
                          (command.verb == Verb::config && !command.schema && !command.reference);
  if (needs_file && !has_file) {
    return "needs --config FILE";
  }
  if (command.schema && command.reference) {
    return "--schema and --reference exclude each other";
  }
  if (command.verb == Verb::policy && command.path.empty() == command.replay.empty()) {
    return command.path.empty() ? "needs --path PATH, or --replay FILE"
                                : "--path and --replay exclude each other";
  }
  return "";
}

ParsedCommand wrong_usage(const std::string& why) {
  return {std::nullopt, exit_usage, "",
          "gatehouse: " + why + "\nTry `gatehouse --help` or `gatehouse COMMAND --help`.\n"};
}

}  // namespace

ParsedCommand parse_command(const std::vector<std::string>& arguments) {
  // An empty argument is a variable of a script that was not set: `--config "$FILE"`.
  if (std::find(arguments.begin(), arguments.end(), "") != arguments.end()) {
    return wrong_usage("an argument is empty");
  }
  Parser parser;
  try {
    // CLI11 takes them from the back.
    parser.app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::Success& asked_for_help) {
    std::ostringstream out;
    std::ostringstream err;
    parser.app.exit(asked_for_help, out, err);
    return {std::nullopt, exit_ok, out.str(), err.str()};
  } catch (const CLI::ParseError& error) {
    return wrong_usage(error.what());
  }
  if (auto why = parser.choose_verb(); !why.empty()) {
    return wrong_usage(why);
  }
  if (auto why = parser.usage_error(); !why.empty()) {
    return wrong_usage(why);
  }
  return {std::move(parser.command), exit_ok, "", ""};
}

}  // namespace proxy
