// See store_options.h.
#include "proxy/store_options.h"

#include "config/secret.h"
#include "proxy/net/tls.h"

namespace proxy {
namespace {

const std::string redis_section = "store.redis.";

std::string read_secret(const config::Secret& secret, const std::string& key,
                        std::vector<StoreProblem>& problems) {
  if (secret.empty()) return {};
  config::SecretText text = config::read_secret(secret);
  if (!text.error.empty()) problems.push_back({redis_section + key, text.error});
  return std::move(text.bytes);
}

}  // namespace

redis::ClientOptions redis_options(const config::Redis& redis,
                                   std::vector<StoreProblem>& problems) {
  redis::ClientOptions options;
  options.mode = static_cast<redis::Mode>(redis.mode);
  options.master = redis.master;
  for (const std::string& text : redis.endpoints) {
    const auto endpoint = net::parse_endpoint(text);
    if (endpoint) {
      options.endpoints.push_back(*endpoint);
    } else {
      problems.push_back(
          {redis_section + "endpoints", "`" + text + "` is not of the form HOST:PORT"});
    }
  }
  options.link.username = redis.username;
  options.link.password = read_secret(redis.password, "password_file", problems);
  options.link.database = redis.database;
  options.link.command_timeout = redis.command_timeout;
  if (redis.tls.enabled) {
    net::TlsProblem problem;
    net::TlsClientOptions tls;
    tls.ca_file = redis.tls.ca_file;
    tls.server_name = redis.tls.server_name;
    tls.certificate_file = redis.tls.certificate_file;
    tls.key_file = redis.tls.key_file;
    options.link.tls = net::TlsClient::make(std::move(tls), problem);
    if (!options.link.tls) {
      problems.push_back({redis_section + "tls." + problem.option, problem.message});
    }
  }
  options.sentinel = options.link;
  options.sentinel.username = redis.sentinel.username;
  options.sentinel.password =
      read_secret(redis.sentinel.password, "sentinel.password_file", problems);
  options.sentinel.database = 0;
  return options;
}

}  // namespace proxy
