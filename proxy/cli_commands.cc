// See cli_commands.h. The result of a command goes to standard output, so that it can be piped;
// what is wrong goes to standard error, but for `check`, whose result the problems are.
#include "proxy/cli_commands.h"

#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <boost/version.hpp>
#include <chrono>
#include <cstdio>
#include <istream>
#include <iterator>
#include <optional>
#include <ostream>

#include "auth/keys.h"
#include "auth/password.h"
#include "config/load.h"
#include "config/reference.h"
#include "config/schema.h"
#include "proxy/net/probe.h"

namespace proxy {
namespace {

// No echo, and no signals: Ctrl-C must not leave the terminal silent. Restored when it ends.
class SilentTerminal {
 public:
  SilentTerminal() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) {
      return;
    }
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
    changed_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
  }
  ~SilentTerminal() {
    if (changed_) {
      tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    }
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

// Nothing at the end of the input or after Ctrl-C.
std::optional<std::string> ask(const char* prompt, Streams& streams) {
  constexpr char ctrl_c = '\x03';
  streams.err << prompt << std::flush;
  std::string line;
  const bool got = static_cast<bool>(std::getline(streams.in, line));
  streams.err << "\n";
  if (!got || line.find(ctrl_c) != std::string::npos) {
    return std::nullopt;
  }
  return line;
}

struct Password {
  std::string text;
  std::string error;  // empty on success
};

Password ask_twice(Streams& streams) {
  const SilentTerminal silent;
  const auto first = ask("Password: ", streams);
  if (!first) {
    return {"", "no password"};
  }
  const auto second = ask("Again: ", streams);
  if (!second) {
    return {"", "no password"};
  }
  if (*first != *second) {
    return {"", "the two are not the same"};
  }
  return {*first, ""};
}

Password read_line(Streams& streams) {
  std::string text;
  // A byte more than the longest password with its newline, so that a longer one is seen as such.
  for (char c = 0; text.size() <= auth::password_bytes_max + 1 && streams.in.get(c);) {
    text += c;
  }
  if (!text.empty() && text.back() == '\n') {
    text.pop_back();
  }
  if (text.find('\n') != std::string::npos) {
    return {"", "takes one line"};
  }
  return {text, ""};
}

void print(const std::vector<config::Problem>& problems, std::ostream& out) {
  for (const auto& problem : problems) {
    out << config::to_string(problem) << "\n";
  }
}

void print_warnings(std::vector<config::Problem> warnings, std::ostream& out) {
  for (auto& warning : warnings) {
    warning.message = "warning: " + warning.message;
  }
  print(warnings, out);
}

}  // namespace

int check(const Command& command, const Inspect& inspect, Streams& streams) {
  const auto loaded = config::load_file(command.config_file);
  print(loaded.problems, streams.out);
  print_warnings(loaded.warnings, streams.err);
  if (!loaded.problems.empty()) {
    return exit_failed;
  }
  const auto findings = inspect(loaded.config);
  print(findings.problems, streams.out);
  print_warnings(findings.warnings, streams.err);
  if (!findings.problems.empty()) {
    return exit_failed;
  }
  streams.out << command.config_file << ": ok\n";
  return exit_ok;
}

int print_config(const Command& command, Streams& streams) {
  if (command.schema || command.reference) {
    streams.out << (command.schema ? config::schema() : config::reference());
    return exit_ok;
  }
  const auto loaded = config::load_file(command.config_file);
  print(loaded.problems, streams.err);
  print_warnings(loaded.warnings, streams.err);
  if (!loaded.problems.empty()) {
    return exit_failed;
  }
  streams.out << config::print(loaded.config);
  return exit_ok;
}

int hash_password(Streams& streams) {
  const auto password = streams.is_terminal ? ask_twice(streams) : read_line(streams);
  const auto fail = [&](const std::string& why) {
    streams.err << "gatehouse hash-password: " << why << "\n";
    return exit_failed;
  };
  if (!password.error.empty()) {
    return fail(password.error);
  }
  if (password.text.empty()) {
    return fail("the password is empty");
  }
  if (password.text.size() > auth::password_bytes_max) {
    return fail("the password is longer than " + std::to_string(auth::password_bytes_max) +
                " bytes");
  }
  if (password.text.find('\0') != std::string::npos) {
    return fail("the password has a NUL byte");
  }
  const auto hash = auth::hash_password(password.text);
  if (!hash) {
    return fail("hashing failed for lack of memory or randomness");
  }
  streams.out << *hash << "\n";
  return exit_ok;
}

int keygen(const Command& command, Streams& streams) {
  const auto algorithm = auth::algorithm_from(command.algorithm);
  if (!algorithm) {
    streams.err << "gatehouse keygen: unknown algorithm `" << command.algorithm
                << "`; `gatehouse keygen --help` lists them\n";
    return exit_usage;
  }
  try {
    const auto key = auth::Key::generate("", *algorithm);
    const auto text = key.private_pem();
    // The mark makes the line ready for a secret_file; without it the text itself were the secret.
    streams.out << (auth::is_symmetric(*algorithm) ? "base64:" : "") << text
                << (text.empty() || text.back() != '\n' ? "\n" : "");
  } catch (const std::exception& error) {
    streams.err << "gatehouse keygen: " << error.what() << "\n";
    return exit_failed;
  }
  return exit_ok;
}

int healthcheck(const Command& command, Streams& streams) {
  const auto answer = net::probe(command.url, std::chrono::seconds{2});
  if (answer.status == 200) {
    return exit_ok;
  }
  streams.err << "gatehouse healthcheck: " << command.url << ": "
              << (answer.error.empty() ? "answered " + std::to_string(answer.status) : answer.error)
              << "\n";
  return answer.is_usage_error ? exit_usage : exit_failed;
}

int print_version(Streams& streams) {
#if defined(__clang__)
  const std::string compiler = "clang " __clang_version__;
#else
  const std::string compiler = "GCC " __VERSION__;
#endif
  std::string boost = BOOST_LIB_VERSION;
  std::replace(boost.begin(), boost.end(), '_', '.');
  streams.out << "gatehouse " GATEHOUSE_VERSION "\n"
              << "compiler: " << compiler << "\n"
              << "libraries: Boost " << boost << ", OpenSSL " GATEHOUSE_OPENSSL_VERSION
              << ", yaml-cpp " GATEHOUSE_YAML_CPP_VERSION ", CLI11 " GATEHOUSE_CLI11_VERSION "\n";
  return exit_ok;
}

}  // namespace proxy
