// See user_service.h.
#include "proxy/user_service.h"

#include "auth/bytes.h"
#include "auth/json.h"
#include "auth/policy.h"

namespace proxy {
namespace {

constexpr std::size_t user_answer_bytes_max = 16 * 1024;
constexpr std::size_t name_bytes_max = 256;
constexpr std::size_t groups_max = 200;

void append_member(std::string& json, std::string_view name, std::string_view value) {
  if (json.size() > 1) json.push_back(',');
  auth::append_json_string(json, name);
  json.push_back(':');
  auth::append_json_string(json, value);
}

// A member that may be left out or null. False when it is something else than a text.
bool take_text(const auth::Json& member, std::string& into) {
  if (!member.exists() || member.is_null()) return true;
  const auto text = member.text();
  if (!text || text->size() > name_bytes_max) return false;
  into = *text;
  return true;
}

bool take_groups(const auth::Json& member, std::vector<std::string>& groups) {
  if (!member.exists() || member.is_null()) return true;
  if (!member.is_array() || member.size() > groups_max) return false;
  for (std::size_t i = 0; i < member.size(); ++i) {
    const auto text = member.element(i).text();
    // A comma would make two groups of one, where the application reads the list.
    if (!text || text->empty() || text->size() > name_bytes_max ||
        text->find(',') != std::string_view::npos || !auth::is_safe_header_value(*text)) {
      return false;
    }
    groups.emplace_back(*text);
  }
  return true;
}

class QuestionPlace {
 public:
  explicit QuestionPlace(std::atomic<int>& taken) : taken_(taken), number_(taken.fetch_add(1)) {}
  ~QuestionPlace() { taken_.fetch_sub(1); }
  QuestionPlace(const QuestionPlace&) = delete;
  QuestionPlace& operator=(const QuestionPlace&) = delete;
  [[nodiscard]] bool is_free() const { return number_ < UserService::questions_max; }

 private:
  std::atomic<int>& taken_;
  int number_;
};

void read_answer(const Fetched& fetched, UserService::Answer& answer) {
  using Outcome = UserService::Outcome;
  if (fetched.status == 401 || fetched.status == 403) {
    answer.outcome = Outcome::wrong;
  } else if (fetched.status == 0) {
    answer.problem = fetched.error;
  } else if (fetched.status != 200) {
    answer.problem = "it answered " + std::to_string(fetched.status);
  } else if (auto user = read_user(fetched.body)) {
    answer.outcome = Outcome::right;
    answer.user = std::move(*user);
  } else {
    answer.problem = "its answer names no user";
  }
}

}  // namespace

std::shared_ptr<const UserService> UserService::make(const config::UsersHttp& config,
                                                     std::string& problem) {
  auto target = parse_url(config.url);
  if (!target) {
    problem = "must be of the form https://HOST/PATH";
    return nullptr;
  }
  const std::shared_ptr<UserService> service(new UserService);
  if (target->is_https) {
    net::TlsProblem tls;
    service->tls_ = net::TlsClient::make({}, tls);
    if (!service->tls_) {
      problem = tls.message;
      return nullptr;
    }
  }
  service->target_ = std::move(*target);
  service->timeout_ = config.timeout;
  return service;
}

net::Task<UserService::Answer> UserService::ask(net::Executor executor, std::string login,
                                                std::string password) const {
  Answer answer;
  const QuestionPlace place(questions_);
  if (!place.is_free()) {
    answer.problem = "too many logins at once";
    auth::cleanse(password);
    co_return answer;
  }
  FetchRequest request;
  request.target = target_;
  request.tls = tls_;
  request.method = "POST";
  request.headers = "Content-Type: application/json\r\nAccept: application/json\r\n";
  request.body.reserve(64 + 6 * (login.size() + password.size()));
  request.body = "{";
  append_member(request.body, "username", login);
  append_member(request.body, "password", password);
  request.body += "}";
  auth::cleanse(password);
  request.answer_bytes_max = user_answer_bytes_max;
  request.timeout = timeout_;
  const Fetched fetched = co_await fetch(executor, std::move(request));
  read_answer(fetched, answer);
  co_return answer;
}

std::optional<auth::User> read_user(std::string_view json) {
  auth::JsonDocument document;
  if (!document.parse(json)) return std::nullopt;
  const auth::Json root = document.root();
  auth::User user;
  if (!take_text(root.member("username"), user.username) ||
      !take_text(root.member("email"), user.email) || !take_text(root.member("name"), user.name) ||
      !take_groups(root.member("groups"), user.groups)) {
    return std::nullopt;
  }
  if (user.username.empty() || !auth::is_safe_header_value(user.username)) return std::nullopt;
  if (!user.email.empty() && !auth::is_safe_header_value(user.email)) return std::nullopt;
  return user;
}

std::string to_profile(const auth::User& user) {
  std::string json = "{";
  append_member(json, "username", user.username);
  if (!user.email.empty()) append_member(json, "email", user.email);
  if (!user.name.empty()) append_member(json, "name", user.name);
  json += ",\"groups\":[";
  for (std::size_t i = 0; i < user.groups.size(); ++i) {
    if (i > 0) json.push_back(',');
    auth::append_json_string(json, user.groups[i]);
  }
  return json + "]}";
}

}  // namespace proxy
