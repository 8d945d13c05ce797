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
std::shared_ptr<const auth::Users> make_admin() {
  const auto random = auth::random_bytes(12);
  if (!random) return nullptr;
  const std::string password = auth::base64url_encode(*random);
  const auto hash = auth::hash_password(password);
  if (!hash) return nullptr;
  auth::User admin;
  admin.username = "admin";
  admin.password_hash = *hash;
  admin.groups = {"admins"};
  std::cout << "user      admin\npassword  " << password << std::endl;
  return std::make_shared<const auth::Users>(std::vector<auth::User>{std::move(admin)});
}

int serve(config::Loaded loaded, std::shared_ptr<const auth::Users> users) {
  print(loaded.warnings);
  proxy::ServerOptions options;
  options.config = std::move(loaded.config);
  options.users = std::move(users);
  proxy::Server server(std::move(options));
  return server.run();
}

int run(const Command& command) {
  const bool quick = !command.upstream.empty();
  config::Loaded loaded = quick ? config::quick_config(command.upstream, command.listen)
                                : config::load_file(command.config_file);
  if (!loaded.problems.empty()) {
    print(loaded.problems);
    return proxy::exit_failed;
  }
  std::shared_ptr<const auth::Users> users;
  if (quick) {
    users = make_admin();
    if (!users) {
      std::cerr << "gatehouse: the system's random generator failed\n";
      return proxy::exit_failed;
    }
  }
  return serve(std::move(loaded), std::move(users));
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
