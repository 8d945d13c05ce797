// See site.h.
#include "site.h"

#include <fstream>
#include <sstream>

namespace proxy::endpoints {

namespace {

// bcrypt with the lowest cost, so that a test of fifty logins takes no time.
constexpr const char* alices_hash = "$2b$04$FGUObxnP6bbEcleXbZ1imecHSFqgspUtYmj3ijMGYGPKbPINkod06";
constexpr const char* bobs_hash = "$2b$04$Ob.bWZxmLlqMf9fREWlLBe54SIAwnRUGytD8fWlzlNwvdlRw0EqyC";
constexpr std::string_view cookie_name = "__Host-gatehouse_refresh";

store::StoreError outage() { return store::StoreError::unavailable; }

auth::Key hmac_key() {
  return std::get<auth::Key>(auth::Key::from_secret("a", auth::Algorithm::hs256,
                                                    std::string(32, '\x5a') + "only for tests"));
}

}  // namespace

bool BreakableStore::fails() {
  if (fail_after) {
    if (*fail_after == 0) return true;
    --*fail_after;
  }
  return broken;
}

net::Task<store::Result<store::Session>> BreakableStore::create(const store::NewSession& session) {
  if (fails()) co_return outage();
  co_return co_await memory_.create(session);
}
net::Task<store::Result<store::Rotated>> BreakableStore::rotate(const auth::FamilyId& family,
                                                                std::uint64_t generation,
                                                                bool active, auth::Time now) {
  if (fails()) co_return outage();
  co_return co_await memory_.rotate(family, generation, active, now);
}
void BreakableStore::prove(const auth::FamilyId& family, std::uint64_t generation,
                           auth::Time now) {
  memory_.prove(family, generation, now);
}
net::Task<store::Result<std::optional<store::Session>>> BreakableStore::find(
    const auth::FamilyId& family, auth::Time now) {
  if (fails()) co_return outage();
  co_return co_await memory_.find(family, now);
}
net::Task<store::Result<std::string>> BreakableStore::profile(const auth::FamilyId& family,
                                                              auth::Time now) {
  if (fails()) co_return outage();
  co_return co_await memory_.profile(family, now);
}
net::Task<store::Result<bool>> BreakableStore::revoke(const auth::FamilyId& family,
                                                      store::RevokeReason reason,
                                                      auth::Time now) {
  if (fails()) co_return outage();
  co_return co_await memory_.revoke(family, reason, now);
}
net::Task<store::Result<std::size_t>> BreakableStore::revoke_user(std::string_view username,
                                                                  store::RevokeReason reason,
                                                                  auth::Time now) {
  if (fails()) co_return outage();
  co_return co_await memory_.revoke_user(username, reason, now);
}
net::Task<store::Result<std::vector<store::Session>>> BreakableStore::list(
    std::string_view username, auth::Time now) {
  if (fails()) co_return outage();
  co_return co_await memory_.list(username, now);
}
net::Task<store::Result<auth::milliseconds>> BreakableStore::throttled(
    const store::ThrottleKeys& keys, auth::Time now) {
  if (fails()) co_return outage();
  co_return co_await memory_.throttled(keys, now);
}
net::Task<store::Result<void>> BreakableStore::note_login_failure(
    const store::ThrottleKeys& keys, const store::ThrottleRules& rules, auth::Time now) {
  if (fails()) co_return outage();
  co_return co_await memory_.note_login_failure(keys, rules, now);
}
net::Task<store::Result<void>> BreakableStore::note_login_success(const store::ThrottleKeys& keys,
                                                                  auth::Time now) {
  if (fails()) co_return outage();
  co_return co_await memory_.note_login_success(keys, now);
}

net::Task<store::Result<void>> BreakableStore::revoke_everybody(store::RevokeReason reason,
                                                                auth::Time now) {
  if (fails()) co_return outage();
  co_return co_await memory_.revoke_everybody(reason, now);
}
net::Task<store::Result<auth::milliseconds>> BreakableStore::take(std::string_view bucket,
                                                                  const auth::BucketRate& rate,
                                                                  auth::Time now) {
  if (fails()) co_return outage();
  co_return co_await memory_.take(bucket, rate, now);
}

Site::Site() {
  std::string name = (std::filesystem::temp_directory_path() / "gatehouse-site-XXXXXX").string();
  directory_ = ::mkdtemp(name.data());

  runtime_.access_keys = auth::KeyRing({hmac_key()});
  auth::IssuerRules rules;
  rules.issuer = runtime_.config.tokens.issuer;
  rules.audience = runtime_.config.tokens.audience;
  rules.token_types = {"at+jwt"};
  rules.keys = runtime_.access_keys;
  rules.ours = true;
  runtime_.verifier = auth::TokenVerifier({rules});
  runtime_.refresh_keys = auth::RefreshKeys({{"r", std::string(32, '\x17') + "only for tests"}});
  runtime_.throttle = {.account_and_address = {5, 2min}, .account = {50, 1h},
                       .address = {100, 2min}, .ban = 5min};
  runtime_.refresh_cookie.name = cookie_name;
  runtime_.access_cookie.name = "__Host-gatehouse_access";
  runtime_.external_origin = "https://app.example.com";
  runtime_.jwks = R"({"keys":[]})";
  set_users(default_users());

  memory_ = std::make_unique<store::MemoryStore>(
      store::MemoryStoreOptions{},
      [this](const store::Revocation& revocation) { revocations_.push_back(revocation); });
  store_ = std::make_unique<BreakableStore>(*memory_);
  hashing_ = std::make_unique<HashPool>(hashing_options_);
  open_log();
}

Site::~Site() {
  hashing_.reset();  // its threads wake the loop
  log_.reset();
  writer_.reset();
  std::filesystem::remove_all(directory_);
}

void Site::open_log() {
  LogOptions options;
  options.level = Level::debug;
  options.file = (directory_ / "log").string();
  writer_ = std::make_unique<LogWriter>(options);
  log_ = std::make_unique<Log>(*writer_, options);
}

Reply Site::ask(Function function, const Call& call) {
  http::RequestHead head;
  head.method = call.method;
  head.method_text = http::name(call.method);
  head.path = call.path;
  head.query = call.query;
  head.has_query = !call.query.empty();
  head.authority = call.authority;
  for (const auto& [name, value] : call.headers) {
    head.fields.push_back({http::header_id(name), name, value});
  }
  const Context context{runtime_, *store_, *hashing_, *log_, now_};
  const Request request{head, call.body, call.client, "request-1", {}, call.principal.get(),
                        call.principal_error};
  return run(function(context, request));
}

Reply Site::log_in(const std::string& username, const std::string& password) {
  boost::json::object body;
  body["username"] = username;
  body["password"] = password;
  Call call;
  call.path = "/login";
  return ask(&login, call.json(boost::json::serialize(body)));
}

std::string Site::refresh_token(const std::string& username, const std::string& password) {
  const Reply reply = log_in(username, password);
  EXPECT_EQ(reply.status, 200) << reply.body;
  return cookie_value(reply).value_or("");
}

Call Site::cookie_call(const std::string& refresh_token) const {
  Call call;
  call.path = "/token";
  call.with("Cookie", "theme=dark; " + runtime_.refresh_cookie.name + "=" + refresh_token);
  return call;
}

Reply Site::refresh(const std::string& refresh_token) {
  return ask(&token, cookie_call(refresh_token));
}

std::vector<auth::User> Site::default_users() {
  auth::User alice;
  alice.username = "alice";
  alice.password_hash = alices_hash;
  alice.email = "alice@example.com";
  alice.name = "Alice A.";
  alice.groups = {"staff", "admins"};
  alice.scopes = {"read", "write"};
  auth::User bob;
  bob.username = "bob";
  bob.password_hash = bobs_hash;
  auth::User carol = bob;
  carol.username = "carol";
  carol.disabled = true;
  return {alice, bob, carol};
}

void Site::set_users(std::vector<auth::User> users) {
  runtime_.users = std::make_shared<const auth::Users>(std::move(users));
}

auth::PrincipalRef Site::principal_of(const Reply& reply) {
  std::string token = member(reply, "accessToken");
  if (token.empty()) token = member(reply, "access_token");
  const auto principal = runtime_.verifier.verify(token, now_);
  EXPECT_TRUE(principal.has_value());
  return principal ? *principal : auth::PrincipalRef{};
}

bool Site::is_open(const std::string& refresh_token) {
  const auto read = runtime_.refresh_keys.read(refresh_token, now_);
  if (!read) return false;
  const auto found = run(memory_->find(read->family, now_));
  return found && found->has_value();
}

std::string Site::logged() {
  log_.reset();
  writer_.reset();
  std::stringstream text;
  text << std::ifstream(directory_ / "log").rdbuf();
  open_log();
  return text.str();
}

std::vector<boost::json::object> Site::audit_lines() {
  std::istringstream text(logged());
  std::vector<boost::json::object> lines;
  for (std::string line; std::getline(text, line);) {
    boost::json::object object = boost::json::parse(line).as_object();
    if (object.at("type") == "audit") lines.push_back(std::move(object));
  }
  return lines;
}

std::string text(const boost::json::value& value) { return std::string(value.as_string()); }

boost::json::object json_of(const Reply& reply) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(reply.body, error);
  EXPECT_FALSE(error) << reply.body;
  return value.is_object() ? value.get_object() : boost::json::object{};
}

std::optional<std::string> cookie_value(const Reply& reply) {
  const std::string start = "Set-Cookie: " + std::string(cookie_name) + "=";
  const std::size_t at = reply.headers.find(start);
  if (at == std::string::npos) return std::nullopt;
  const std::size_t from = at + start.size();
  return reply.headers.substr(from, reply.headers.find(';', from) - from);
}

std::string member(const Reply& reply, std::string_view name) {
  const boost::json::object object = json_of(reply);
  const boost::json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace proxy::endpoints
