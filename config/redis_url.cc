// See redis_url.h.
#include "config/redis_url.h"

#include <charconv>
#include <string_view>
#include <utility>

#include "config/syntax.h"

namespace config {
namespace {

constexpr const char* url_key = "store.redis.url";
constexpr const char* default_port = "6379";

// "user@", if it is there. False after a problem.
bool take_user(std::string_view& rest, Redis& redis, Report& report) {
  const auto at = rest.rfind('@');
  if (at == std::string_view::npos) { return true; }
  const auto user = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  if (user.find(':') != std::string_view::npos) {
    report.problem(url_key, "must not hold a password, since URLs are printed; use password_file");
    return false;
  }
  if (!redis.username.empty()) {
    report.problem(url_key, "names a user beside store.redis.username; keep one of the two");
    return false;
  }
  redis.username = user;
  return true;
}

// "/database", if it is there.
bool take_database(std::string_view& rest, Redis& redis, Report& report) {
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos) { return true; }
  const auto number = rest.substr(slash + 1);
  rest = rest.substr(0, slash);
  if (number.empty()) { return true; }
  std::uint32_t database = 0;
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), database);
  if (error != std::errc{} || end != number.data() + number.size()) {
    report.problem(url_key, "ends with a database that is no number");
    return false;
  }
  redis.database = database;
  return true;
}

}  // namespace

void apply_redis_url(Redis& redis, Report& report) {
  if (redis.url.empty()) { return; }
  const std::string url = std::exchange(redis.url, "");
  if (!redis.endpoints.empty()) {
    report.problem(url_key, "is short for store.redis.endpoints; keep one of the two");
    return;
  }
  std::string_view rest = url;
  if (rest.rfind("unix:/", 0) == 0) {
    redis.endpoints.push_back(url);
    return;
  }
  const bool is_tls = rest.rfind("rediss://", 0) == 0;
  if (!is_tls && rest.rfind("redis://", 0) != 0) {
    report.problem(url_key, "begins with redis://, rediss:// or unix:/");
    return;
  }
  rest.remove_prefix(is_tls ? 9 : 8);
  if (!take_user(rest, redis, report) || !take_database(rest, redis, report)) { return; }
  const auto place = parse_host_port(rest);
  if (!place) {
    report.problem(url_key, "is not of the form redis://[user@]HOST[:PORT][/DATABASE]");
    return;
  }
  redis.tls.enabled = redis.tls.enabled || is_tls;
  redis.endpoints.push_back(std::string(rest) + (place->port.empty() ? ":" : "") +
                            (place->port.empty() ? default_port : ""));
}

}  // namespace config
