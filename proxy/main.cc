// The program: reads the command line and performs what it asks for. Each command is a function
// elsewhere; this file only connects them.
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/bytes.h"
#include "auth/password.h"
#include "config/load.h"
#include "config/quick.h"
#include "proxy/cli.h"
#include "proxy/cli_commands.h"
#include "proxy/doctor.h"
#include "proxy/listener_tls.h"
#include "proxy/rehearsal.h"
#include "proxy/replay.h"
#include "proxy/runtime.h"
#include "proxy/server.h"
#include "proxy/sessions_command.h"

namespace {

using proxy::Command;

void print(const std::vector<config::Problem>& problems) {
  for (const config::Problem& problem : problems) std::cerr << config::to_string(problem) << '\n';
}

proxy::Findings inspect(const config::Config& config) {
  proxy::Compiled compiled = proxy::compile(config, nullptr);
  proxy::check_tls(config, compiled.problems);
  return {std::move(compiled.problems), std::move(compiled.warnings)};
}

// The one user of `run --upstream`, with a password that is said once and kept nowhere.
std::shared_ptr<const auth::Users> make_admin(std::string& password) {
  const auto random = auth::random_bytes(12);
  if (!random) return nullptr;
  password = auth::base64url_encode(*random);
  const auto hash = auth::hash_password(password);
  if (!hash) return nullptr;
  auth::User admin;
  admin.username = "admin";
  admin.password_hash = *hash;
  admin.groups = {"admins"};
  return std::make_shared<const auth::Users>(std::vector<auth::User>{std::move(admin)});
}

// What a person who tries it out has to know, once it is true. Between the lines of the log, which
// are for machines.
void greet(const std::string& address, const std::string& upstream, const std::string& password) {
  const bool is_socket = address.starts_with("unix:");
  const std::string url = is_socket ? address : "http://" + address;
  const std::string way = is_socket ? "--unix-socket " + address.substr(5) + " " : "";
  // In one piece: the log is written by a thread of its own.
  std::cerr << "\nGatehouse listens on " + url + " in front of " + upstream +
                   "\n  user      admin\n  password  " + password + "\nLog in: curl " + way +
                   "-d username=admin -d password=... " + (is_socket ? "http://localhost" : url) +
                   "/login\n\n"
            << std::flush;
}

int serve(proxy::ServerOptions options) {
  proxy::Server server(std::move(options));
  return server.run();
}

int run_without_a_file(const Command& command, config::Loaded loaded) {
  std::string password;
  proxy::ServerOptions options;
  options.users = make_admin(password);
  if (!options.users) {
    std::cerr << "gatehouse: the system's random generator failed\n";
    return proxy::exit_failed;
  }
  options.config = std::move(loaded.config);
  options.listening = [upstream = command.upstream, password](const std::string& address) {
    greet(address, upstream, password);
  };
  return serve(std::move(options));
}

int run(const Command& command) {
  const bool quick = !command.upstream.empty();
  config::Loaded loaded = quick ? config::quick_config(command.upstream, command.listen)
                                : config::load_file(command.config_file);
  if (!loaded.problems.empty()) {
    print(loaded.problems);
    return proxy::exit_failed;
  }
  print(loaded.warnings);
  if (quick) return run_without_a_file(command, std::move(loaded));
  proxy::ServerOptions options;
  options.config = std::move(loaded.config);
  return serve(std::move(options));
}

int policy(const Command& command) {
  config::Loaded loaded = config::load_file(command.config_file);
  if (!loaded.problems.empty()) {
    print(loaded.problems);
    return proxy::exit_failed;
  }
  const proxy::Compiled compiled = proxy::compile(loaded.config, nullptr);
  if (!compiled.runtime) {
    print(compiled.problems);
    return proxy::exit_failed;
  }
  if (!command.replay.empty()) {
    return proxy::replay(command.replay, *compiled.runtime, std::cout, std::cerr);
  }
  return proxy::rehearse(command, *compiled.runtime, std::cout, std::cerr);
}

int perform(const Command& command) {
  proxy::Streams streams{std::cin, std::cout, std::cerr, ::isatty(STDIN_FILENO) == 1};
  switch (command.verb) {
    case Command::Verb::run:
      return run(command);
    case Command::Verb::check:
      return proxy::check(command, inspect, streams);
    case Command::Verb::config:
      return proxy::print_config(command, streams);
    case Command::Verb::hash_password:
      return proxy::hash_password(streams);
    case Command::Verb::keygen:
      return proxy::keygen(command, streams);
    case Command::Verb::policy:
      return policy(command);
    case Command::Verb::doctor:
      return proxy::examine(command.config_file, std::cout);
    case Command::Verb::sessions_list:
    case Command::Verb::sessions_revoke:
      return proxy::administer_sessions(command, std::cout, std::cerr);
    case Command::Verb::healthcheck:
      return proxy::healthcheck(command, streams);
    case Command::Verb::version:
      return proxy::print_version(streams);
  }
  return proxy::exit_usage;
}

// Where memory ran out in a place that nothing could be saved from, the process ends; with a line
// that says so, and made without memory.
[[noreturn]] void end_with_a_line() {
  constexpr std::string_view line =
      "{\"type\":\"log\",\"level\":\"error\",\"message\":\"out of memory or an internal error: "
      "the process ends at once\"}\n";
  (void)!::write(STDERR_FILENO, line.data(), line.size());
  std::abort();
}

}  // namespace

int main(int count, char** arguments) {
  std::set_terminate(end_with_a_line);
  const proxy::ParsedCommand parsed =
      proxy::parse_command(std::vector<std::string>(arguments + 1, arguments + count));
  std::cout << parsed.output;
  std::cerr << parsed.error;
  return parsed.command ? perform(*parsed.command) : parsed.exit_code;
}
