// The command line: arguments -> Command, a plain value. Parsing touches nothing outside its
// arguments; what the commands do is in cli_commands.h, and main.cc performs `run` and `policy`.
// Exit codes: 0 ok, 1 bad configuration or failed check, 2 wrong usage.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace proxy {

inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;

struct Command {
  enum class Verb { run, check, config, hash_password, keygen, policy, doctor,
                    sessions_list, sessions_revoke, healthcheck, version };
  Verb verb = Verb::run;
  std::string config_file;          // run, check, config, policy, doctor, sessions; empty in
                                    // --upstream mode
  std::string upstream;             // run: serve this URL without a file
  std::string listen;               // run: where, instead of 127.0.0.1:8080; with upstream only
  bool schema = false;              // config: print the JSON schema
  bool reference = false;           // config: print the reference (Markdown)
  std::string algorithm = "ES256";  // keygen
  std::string method = "GET";       // policy
  std::string path;                 // policy
  std::string host;                 // policy; empty: none
  std::string user;                 // policy: a name of the users file; empty: nobody; sessions
  std::string claims;               // policy; a JSON object; empty: none
  std::string replay;               // policy; a file of access lines, instead of path
  std::string admin_url;            // sessions; instead of config_file
  std::string token_file;           // sessions; instead of the configured one
  std::string session;              // sessions revoke: this one
  bool everybody = false;           // sessions revoke: all there are
  bool json = false;                // sessions list: as it was answered
  std::string url = "http://127.0.0.1:9902/livez";  // healthcheck
};

// Either a command, or what to print before ending with `exit_code`: help goes to standard output,
// wrong usage to standard error.
struct ParsedCommand {
  std::optional<Command> command;
  int exit_code = exit_ok;
  std::string output;
  std::string error;
};

// `arguments` without the program's name.
[[nodiscard]] ParsedCommand parse_command(const std::vector<std::string>& arguments);

}  // namespace proxy
