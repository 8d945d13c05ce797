// See load.h: text -> tree -> variables -> structs (by the table) -> derived values -> rules.
#include "config/load.h"

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "config/environment.h"
#include "config/secret.h"
#include "config/redis_url.h"
#include "config/table.h"
#include "config/validate.h"

namespace config {
namespace {

constexpr std::size_t file_bytes_max = 1024 * 1024;

std::optional<std::string> process_environment(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr) { return std::nullopt; }
  return std::string(value);
}

void apply_prefix(Endpoints& endpoints) {
  const auto prefix = std::exchange(endpoints.prefix, "");
  for (auto* path : {&endpoints.login, &endpoints.token, &endpoints.logout, &endpoints.jwks,
                     &endpoints.session, &endpoints.userinfo, &endpoints.sessions,
                     &endpoints.auth, &endpoints.session_js}) {
    if (!path->empty()) { *path = prefix + *path; }
  }
}

std::string default_name(const Route& route) {
  std::string name;
  for (const auto& method : route.methods) { name += (name.empty() ? "" : ",") + method; }
  return name + (name.empty() ? "" : " ") + route.host + route.path;
}

// The values of absent keys that depend on other keys.
void derive_defaults(Config& config) {
  apply_prefix(config.endpoints);
  if (!config.cookies.secure) {
    config.cookies.secure = config.external_url.rfind("http://", 0) != 0;
  }
  for (auto& listener : config.listeners) {
    if (!listener.tls || listener.tls->client_auth) { continue; }
    listener.tls->client_auth =
        listener.tls->client_ca_file.empty() ? ClientAuth::none : ClientAuth::required;
  }
  for (auto& route : config.routes) {
    if (route.name.empty()) { route.name = default_name(route); }
    if (route.upstream.empty() && !config.upstreams.empty()) {
      route.upstream = config.upstreams.size() == 1 ? config.upstreams.front().name : "app";
    }
  }
}

}  // namespace

Loaded load(std::string_view text, const std::string& file_name, const std::string& directory,
            const Environment& environment) {
  Loaded loaded;
  loaded.config.file = file_name;
  Report report(file_name);
  auto document = parse_yaml(text, file_name);
  report.add(document.problems);
  // Without a tree every required key would be missing: say only what is wrong with the text.
  if (document.usable) {
    report.learn_places(document.root);
    expand_variables(document.root, "", environment, report);
    Reader reader{report, directory};
    read_section(reader, document.root, "", config_table(), loaded.config);
    apply_redis_url(loaded.config.redis, report);
    validate(loaded.config, report);
    derive_defaults(loaded.config);
  }
  loaded.problems = report.problems();
  loaded.warnings = report.warnings();
  return loaded;
}

Loaded load_file(const std::string& path) {
  auto content = read_file(path, file_bytes_max);
  if (!content.error.empty()) {
    Loaded loaded;
    loaded.config.file = path;
    loaded.problems.push_back(Problem{path, {}, "", std::move(content.error)});
    return loaded;
  }
  // Absolute, so that the effective configuration means the same wherever it is loaded again.
  std::error_code ignored;
  const auto directory = std::filesystem::absolute(path, ignored).parent_path().string();
  return load(content.bytes, path, directory, process_environment);
}

std::string to_string(const Problem& problem) {
  std::string text = problem.file;
  if (problem.at.line > 0) {
    text += ":" + std::to_string(problem.at.line) + ":" + std::to_string(problem.at.column);
  }
  if (!problem.key.empty()) { text += (text.empty() ? "" : ": ") + problem.key; }
  return text + (text.empty() ? "" : ": ") + problem.message;
}

}  // namespace config
