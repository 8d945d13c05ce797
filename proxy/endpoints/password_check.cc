// See password_check.h.
#include "proxy/endpoints/password_check.h"

#include <boost/asio/this_coro.hpp>

namespace proxy::endpoints {

namespace {

// What the service says is believed, but for two things: a user of the file is the file's, and
// what a session could not keep would be lost at the first refresh.
std::string_view refused_user(const Context& context, const auth::User& user,
                              const std::string& profile) {
  if (context.runtime.users->find_username(user.username) != nullptr) {
    return "it names a user of the users file";
  }
  return profile.size() > profile_bytes_max ? "the user's groups are too long" : "";
}

void take_answer(const Context& context, UserService::Answer& answer, CheckedPassword& checked) {
  using Outcome = UserService::Outcome;
  checked.is_known = answer.outcome != Outcome::unavailable;
  if (answer.outcome == Outcome::wrong) return;
  std::string_view problem = answer.problem;
  if (answer.outcome == Outcome::right) {
    checked.profile = to_profile(answer.user);
    problem = refused_user(context, answer.user, checked.profile);
    if (problem.empty()) {
      checked.user = std::move(answer.user);
      return;
    }
  }
  checked.is_known = false;
  checked.problem = "users_unavailable";
  context.log.write(Level::error, "users.http could not be asked about a login",
                    {{"reason", problem}});
}

}  // namespace

net::Task<CheckedPassword> check_password(const Context& context, const auth::User* known,
                                          std::string_view login, const std::string& password) {
  CheckedPassword checked;
  if (known == nullptr && context.runtime.user_service) {
    const net::Executor executor = co_await boost::asio::this_coro::executor;
    std::string name(login);
    std::string copy(password);
    UserService::Answer answer = co_await context.runtime.user_service->ask(
        executor, std::move(name), std::move(copy));
    take_answer(context, answer, checked);
    co_return checked;
  }
  // Disabled and unknown users cost a hash as well.
  std::string hash = known != nullptr ? known->password_hash : context.runtime.users->decoy_hash();
  const auto is_right = co_await context.hashing.verify(std::move(hash), password);
  checked.is_known = is_right.has_value();
  if (!is_right) {
    checked.problem = auth::name(is_right.error());
  } else if (known == nullptr) {
    checked.why = auth::Error::unknown_user;
  } else if (*is_right && known->disabled) {
    checked.why = auth::Error::disabled_user;
  } else if (*is_right) {
    checked.user = *known;
  }
  co_return checked;
}

}  // namespace proxy::endpoints
