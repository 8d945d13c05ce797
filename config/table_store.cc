// The keys of store and alerts: where sessions are kept, and who is told of a theft.
#include "config/table_sections.h"

#include <array>
#include <string_view>

namespace config {

template <>
struct Words<StoreKind> {
  static constexpr std::array<std::string_view, 2> list{"memory", "redis"};
};
template <>
struct Words<RedisMode> {
  static constexpr std::array<std::string_view, 3> list{"standalone", "sentinel", "cluster"};
};
template <>
struct Words<OutageAccess> {
  static constexpr std::array<std::string_view, 2> list{"allow", "deny"};
};
template <>
struct Words<OutageReadyz> {
  static constexpr std::array<std::string_view, 2> list{"pass", "fail"};
};

namespace {

using namespace std::chrono_literals;

Section<MemoryStore> memory_keys() {
  using T = MemoryStore;
  return {
      key("sessions_max", &T::sessions_max, "How many sessions are kept; then logins get 503.")
          .range(1, 100'000'000)
          .raising("About 256 bytes each."),
      file("snapshot_file", &T::snapshot_file,
           "Sessions are saved here at the end and taken up at the start; needs configured keys.")
          .output(),
  };
}

Section<RedisSentinel> sentinel_keys() {
  using T = RedisSentinel;
  return {
      key("username", &T::username, "The user at the sentinels, where they ask for one."),
      secret("password", &T::password, "The password at the sentinels."),
      secret_file("password_file", &T::password, "Holds the password at the sentinels."),
  };
}

Section<RedisTls> tls_keys() {
  using T = RedisTls;
  return {
      key("enabled", &T::enabled, "Speak TLS; rediss:// says the same."),
      file("ca_file", &T::ca_file, "Who signs Redis' certificate.")
          .by_default("the authorities of the system"),
      key("server_name", &T::server_name, "The name that its certificate must have.")
          .by_default("the host of the endpoint"),
      file("certificate_file", &T::certificate_file, "Our certificate, where Redis asks for one."),
      file("key_file", &T::key_file, "The key of our certificate."),
  };
}

Section<Redis> redis_keys() {
  using T = Redis;
  return {
      key("url", &T::url,
          "redis://, rediss:// (TLS) or unix:, short for endpoints, username, database and "
          "tls.enabled."),
      choice("mode", &T::mode, "One server, a master that sentinels know, or a cluster."),
      key("endpoints", &T::endpoints,
          "Servers, sentinels or some nodes of the cluster, as HOST:PORT or unix:/PATH."),
      key("master", &T::master, "The master's name at the sentinels."),
      key("database", &T::database, "The number of the database.").range(0, 65'535),
      key("username", &T::username, "The ACL user; without it the default user."),
      secret("password", &T::password, "The user's password."),
      secret_file("password_file", &T::password, "Holds the user's password."),
      section("sentinel", &T::sentinel, sentinel_keys(), "How to log in at the sentinels."),
      section("tls", &T::tls, tls_keys(), "TLS towards Redis and the sentinels."),
      key("command_timeout", &T::command_timeout,
          "How long an answer may take; then the connection is closed and made anew.")
          .range(10ms, 60s)
          .raising("Logins and refreshes wait that much longer before they get 503."),
      key("key_prefix", &T::key_prefix, "What the names of all our keys begin with."),
      key("wait_replicas", &T::wait_replicas,
          "How many of Redis' replicas must have a revocation before it is reported as done.")
          .range(0, 16)
          .raising("Logouts wait for that many replicas, and fail where they are missing."),
  };
}

Section<OnOutage> outage_keys() {
  using T = OnOutage;
  return {
      choice("access", &T::access,
             "Whether access tokens go on working until they expire while the store does not "
             "answer. Logins and refreshes get 503 either way."),
      choice("readyz", &T::readyz, "Whether /readyz fails meanwhile."),
  };
}

Section<Webhook> webhook_keys() {
  using T = Webhook;
  return {
      key("url", &T::url, "Gets a POST for each stolen refresh token that is found."),
      secret("secret", &T::secret, "Signs the alarms (HMAC-SHA-256)."),
      secret_file("secret_file", &T::secret, "Holds the secret that signs the alarms."),
  };
}

}  // namespace

Section<Config> store_keys() {
  using T = Config;
  return {
      choice("kind", &T::store_kind,
             "Where sessions are kept: in this process, or in Redis for any number of replicas."),
      section("memory", &T::memory, memory_keys(), "Sessions in this process."),
      section("redis", &T::redis, redis_keys(), "Sessions shared by several replicas."),
      section("on_outage", &T::on_outage, outage_keys(),
              "What holds while the store does not answer."),
  };
}

Section<Alerts> alert_keys() {
  using T = Alerts;
  return {section("webhook", &T::webhook, webhook_keys(), "Where alarms go.")};
}

}  // namespace config
