// A whole Gatehouse without sockets for the tests of its endpoints: a runtime built by hand, the
// real memory store and hash pool, a log in a file, and a clock that only moves when told.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proxy/endpoints/endpoint.h"
#include "proxy/store/memory_store.h"

namespace proxy::endpoints {

using namespace std::chrono_literals;

// The memory store, or an outage when `broken`. `fail_after` lets that many calls through first.
class BreakableStore final : public store::SessionStore {
 public:
  explicit BreakableStore(store::MemoryStore& memory) : memory_(memory) {}
  bool broken = false;
  std::optional<int> fail_after;

  net::Task<store::Result<store::Session>> create(const store::NewSession& session) override;
  net::Task<store::Result<store::Rotated>> rotate(const auth::FamilyId& family,
                                                  std::uint64_t generation, bool active,
                                                  auth::Time now) override;
  void prove(const auth::FamilyId& family, std::uint64_t generation, auth::Time now) override;
  net::Task<store::Result<std::optional<store::Session>>> find(const auth::FamilyId& family,
                                                               auth::Time now) override;
  net::Task<store::Result<std::string>> profile(const auth::FamilyId& family,
                                                auth::Time now) override;
  net::Task<store::Result<bool>> revoke(const auth::FamilyId& family, store::RevokeReason reason,
                                        auth::Time now) override;
  net::Task<store::Result<std::size_t>> revoke_user(std::string_view username,
                                                    store::RevokeReason reason,
                                                    auth::Time now) override;
  net::Task<store::Result<void>> revoke_everybody(store::RevokeReason reason,
                                                  auth::Time now) override;
  net::Task<store::Result<std::vector<store::Session>>> list(std::string_view username,
                                                             auth::Time now) override;
  net::Task<store::Result<auth::milliseconds>> throttled(const store::ThrottleKeys& keys,
                                                         auth::Time now) override;
  net::Task<store::Result<void>> note_login_failure(const store::ThrottleKeys& keys,
                                                    const store::ThrottleRules& rules,
                                                    auth::Time now) override;
  net::Task<store::Result<void>> note_login_success(const store::ThrottleKeys& keys,
                                                    auth::Time now) override;
  net::Task<store::Result<auth::milliseconds>> take(std::string_view bucket,
                                                    const auth::BucketRate& rate,
                                                    auth::Time now) override;

 private:
  bool fails();
  store::MemoryStore& memory_;
};

// One request as it would come out of the parser.
struct Call {
  http::Method method = http::Method::post;
  std::string path = "/";
  std::string query;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string client = "192.0.2.7";
  std::string authority = "app.example.com";
  auth::PrincipalRef principal;
  auth::Error principal_error = auth::Error::missing;

  Call& with(std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  Call& json(std::string text) {
    body = std::move(text);
    return with("Content-Type", "application/json");
  }
  Call& form(std::string text) {
    body = std::move(text);
    return with("Content-Type", "application/x-www-form-urlencoded");
  }
};

class Site : public ::testing::Test {
 protected:
  using Function = net::Task<Reply> (*)(const Context&, const Request&);

  Site();
  ~Site() override;

  Reply ask(Function function, const Call& call);
  Reply log_in(const std::string& username = "alice",
               const std::string& password = "correct horse battery");
  // A refresh token from a login, as the cookie carries it.
  std::string refresh_token(const std::string& username = "alice",
                            const std::string& password = "correct horse battery");
  Reply refresh(const std::string& refresh_token);  // by cookie

  void set_users(std::vector<auth::User> users);
  [[nodiscard]] static std::vector<auth::User> default_users();
  [[nodiscard]] Call cookie_call(const std::string& refresh_token) const;
  [[nodiscard]] auth::PrincipalRef principal_of(const Reply& reply);
  [[nodiscard]] bool is_open(const std::string& refresh_token);
  // Everything that was logged so far.
  [[nodiscard]] std::string logged();
  [[nodiscard]] std::vector<boost::json::object> audit_lines();

  template <class T>
  T run(net::Task<T> task);

  std::filesystem::path directory_;
  Runtime runtime_;
  auth::Time now_{std::chrono::sys_days{std::chrono::year{2026} / 8 / 26} + 10h};
  std::vector<store::Revocation> revocations_;
  std::unique_ptr<store::MemoryStore> memory_;
  std::unique_ptr<BreakableStore> store_;
  HashPoolOptions hashing_options_{.threads = 1};
  std::unique_ptr<HashPool> hashing_;
  boost::asio::io_context io_{1};
  std::unique_ptr<LogWriter> writer_;
  std::unique_ptr<Log> log_;

 private:
  void open_log();
};

template <class T>
T Site::run(net::Task<T> task) {
  std::optional<T> result;
  std::exception_ptr thrown;
  boost::asio::co_spawn(io_, std::move(task), [&](std::exception_ptr error, T value) {
    thrown = error;
    result = std::move(value);
  });
  io_.restart();
  io_.run();
  if (thrown) std::rethrow_exception(thrown);
  return std::move(*result);
}

[[nodiscard]] std::string text(const boost::json::value& value);
[[nodiscard]] boost::json::object json_of(const Reply& reply);
// The value of the refresh cookie that is set; nullopt when none is.
[[nodiscard]] std::optional<std::string> cookie_value(const Reply& reply);
[[nodiscard]] std::string member(const Reply& reply, std::string_view name);

}  // namespace proxy::endpoints
