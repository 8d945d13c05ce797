// See table.h. The top level; the sections stand in table_*.cc.
#include "config/table.h"

#include "config/table_sections.h"

namespace config {
namespace {

Section<Config> config_keys() {
  using T = Config;
  return {
      list("listeners", &T::listeners, listener_keys(), "Where clients connect.").required(),
      section("admin", &T::admin, admin_keys(), "Session administration."),
      section("health", &T::health, health_keys(), "Probes and metrics."),
      key("workers", &T::workers,
          "Event loops; 0 takes the CPU quota of the control group rounded up, at most 4.")
          .range(0, 256)
          .raising("Memory for caches and idle connections, which are kept for each worker."),
      key("trusted_proxies", &T::trusted_proxies,
          "Networks (`10.2.0.15/32`) of the proxies in front whose `X-Forwarded-*` are believed.")
          .raising("Everybody in these networks can claim any client address."),
      key("external_url", &T::external_url,
          "How users reach the application, such as `https://app.example.com`."),
      named("upstreams", &T::upstreams, upstream_keys(),
            "The applications, by name; needless where Gatehouse only decides (`endpoints.auth`)."),
      list("routes", &T::routes, route_keys(),
           "Rules; the first match wins, and without a match a token is required."),
      section("endpoints", &T::endpoints, endpoint_keys(),
              "The paths of our own endpoints; `false` switches one off."),
      section("users", &T::users, users_keys(), "Who may log in."),
      section("tokens", &T::tokens, token_keys(), "Access and refresh tokens."),
      section("cookies", &T::cookies, cookie_keys(), "The cookies that carry tokens."),
      list("app_cookies", &T::app_cookies, app_cookie_keys(),
           "Cookies of the application that end with the session, so that nobody goes on in "
           "somebody else's."),
      section("browser", &T::browser, browser_keys(), "Logging in with a browser."),
      section("sessions", &T::sessions, session_keys(), "What keeps a session alive."),
      group("store", store_keys(), "Where sessions are kept."),
      section("identity", &T::identity, identity_keys(),
              "How the application learns who the user is."),
      group("login", login_keys(), "Protection against guessing."),
      section("limits", &T::limits, limit_keys(), "Upper bounds; beyond them requests fail."),
      section("timeouts", &T::timeouts, timeout_keys(), "How long clients may take."),
      section("drain", &T::drain, drain_keys(), "How the program ends."),
      section("log", &T::log, log_keys(), "What is written, and where."),
      section("alerts", &T::alerts, alert_keys(), "Who is told about stolen tokens."),
      section("tracing", &T::tracing, tracing_keys(), "Spans for a collector (OpenTelemetry)."),
      key("watch", &T::watch,
          "Reload when the configuration, or a file that it names, changes; as SIGHUP does."),
  };
}

}  // namespace

const Section<Config>& config_table() {
  static const Section<Config> table = config_keys();
  return table;
}

const std::vector<Description>& config_descriptions() {
  static const std::vector<Description> descriptions = describe(config_table());
  return descriptions;
}

}  // namespace config
