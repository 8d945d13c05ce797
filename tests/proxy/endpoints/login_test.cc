// POST /login against the description of the endpoint and the attack classes H06, H07, H11, I01 to
// I11, A12 and C04 of the security model.
#include <algorithm>

#include "auth/password.h"
#include "site.h"

namespace proxy::endpoints {
namespace {

class Login : public Site {
 protected:
  static Call call(std::string body) {
    Call result;
    result.path = "/login";
    result.json(std::move(body));
    return result;
  }
  static Call good() { return call(R"({"username":"alice","password":"correct horse battery"})"); }
  static Call wrong(const std::string& username = "alice") {
    return call(R"({"username":")" + username + R"(","password":"guess"})");
  }
};

TEST_F(Login, RightPasswordOpensASession) {
  const Reply reply = ask(&login, good());
  ASSERT_EQ(reply.status, 200);
  EXPECT_EQ(reply.content_type, "application/json");
  EXPECT_FALSE(reply.cacheable);
  const auto body = json_of(reply);
  EXPECT_EQ(body.size(), 3U);
  EXPECT_EQ(body.at("tokenType"), "Bearer");
  EXPECT_EQ(body.at("expiresIn").to_number<int>(), 900);
  const auth::PrincipalRef principal = principal_of(reply);
  ASSERT_TRUE(principal);
  EXPECT_EQ(principal->subject, "alice");
  EXPECT_EQ(principal->email, "alice@example.com");
  EXPECT_EQ(principal->groups, (std::vector<std::string>{"staff", "admins"}));
  EXPECT_EQ(principal->generation, 0U);
  EXPECT_EQ(principal->authenticated_at, now_);
  EXPECT_EQ(principal->session_id, reply.session_id);
  EXPECT_EQ(reply.user, "alice");
}

TEST_F(Login, RefreshCookieHasItsAttributes) {
  const Reply reply = ask(&login, good());
  const std::string value = cookie_value(reply).value_or("");
  ASSERT_TRUE(value.starts_with("gh1."));
  EXPECT_EQ(reply.headers, "Set-Cookie: __Host-gatehouse_refresh=" + value +
                               "; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax\r\n");
  const auto token = runtime_.refresh_keys.read(value, now_);
  ASSERT_TRUE(token);
  EXPECT_EQ(token->generation, 0U);
  EXPECT_EQ(token->expires_at, now_ + 720h);
}

TEST_F(Login, DeliveryBodyPutsTheRefreshTokenIntoTheAnswer) {
  runtime_.config.tokens.refresh.delivery = config::Delivery::body;
  const Reply reply = ask(&login, good());
  EXPECT_TRUE(member(reply, "refreshToken").starts_with("gh1."));
  EXPECT_EQ(reply.headers, "");
}

TEST_F(Login, DeliveryBothDoesBoth) {
  runtime_.config.tokens.refresh.delivery = config::Delivery::both;
  const Reply reply = ask(&login, good());
  EXPECT_TRUE(member(reply, "refreshToken").starts_with("gh1."));
  EXPECT_EQ(cookie_value(reply), member(reply, "refreshToken"));
}

TEST_F(Login, EmailAndNameAreTakenForUsername) {
  for (const std::string name : {"email", "name", "username"}) {
    const Reply reply = ask(&login, call(R"({")" + name + R"(":"alice","password":)"
                                         R"("correct horse battery","remember":true})"));
    EXPECT_EQ(reply.status, 200) << name;
  }
  const Reply reply = ask(&login, call(R"({"email":"alice@example.com","password":)"
                                       R"("correct horse battery"})"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(principal_of(reply)->subject, "alice");
}

TEST_F(Login, AFormIsTakenAsWell) {
  Call form;
  form.form("username=alice&password=correct+horse%20battery");
  EXPECT_EQ(ask(&login, form).status, 200);
}

TEST_F(Login, AmbiguousParametersAreRefused) {
  for (const std::string body : {
           R"({"username":"alice","username":"bob","password":"correct horse battery"})",
           R"({"username":"alice","password":"x","password":"correct horse battery"})",
           R"({"username":"alice","email":"alice","password":"correct horse battery"})",
           R"({"username":"alice","us\u0065rname":"bob","password":"correct horse battery"})"}) {
    EXPECT_EQ(ask(&login, call(body)).status, 400) << body;
  }
  Call form;
  form.form("username=alice&username=bob&password=correct+horse+battery");
  EXPECT_EQ(ask(&login, form).status, 400);
  Call escaped;
  escaped.form("username=alice&user%6eame=bob&password=correct+horse+battery");
  EXPECT_EQ(ask(&login, escaped).status, 400);
  for (const std::string query : {"username=b", "password=x", "a=1&user%6Eame=b", "email=%"}) {
    Call with_query = good();
    with_query.query = query;
    EXPECT_EQ(ask(&login, with_query).status, 400) << query;
  }
  Call unrelated = good();
  unrelated.query = "utm_source=mail";
  EXPECT_EQ(ask(&login, unrelated).status, 200);
}

TEST_F(Login, IncompleteOrMistypedBodiesAreRefused) {
  for (const std::string body :
       {"{}", R"({"username":"alice"})", R"({"password":"x"})", R"({"username":"","password":"x"})",
        R"({"username":["alice"],"password":"x"})", R"({"username":"alice","password":1})",
        R"({"username":"alice","password":null})", R"(["alice","x"])", R"({"username":"alice")",
        "{\"username\":\"al\xff\",\"password\":\"x\"}",
        R"({"username":"alice","password":"correct horse battery"} {})"}) {
    const Reply reply = ask(&login, call(body));
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(member(reply, "error"), "invalid_request") << body;
  }
  EXPECT_EQ(ask(&login, Call{}).status, 400);
  EXPECT_EQ(ask(&login, call(R"({"a":)" + std::string(40, '[') + std::string(40, ']') +
                             R"(,"username":"alice","password":"correct horse battery"})")).status,
            400);
}

TEST_F(Login, OtherContentTypesAre415) {
  for (const std::string type :
       {"text/plain", "multipart/form-data; boundary=x", "application/json; charset=iso-8859-1",
        "application/jsonp", "application/json; charset=utf-8; x=y", "", "application/json;"}) {
    Call call = good();
    call.headers = {{"Content-Type", type}};
    EXPECT_EQ(ask(&login, call).status, 415) << type;
  }
  for (const std::string type :
       {"application/json; charset=utf-8", "Application/JSON;charset=UTF-8",
        "application/json ; charset=\"utf-8\""}) {
    Call call = good();
    call.headers = {{"Content-Type", type}};
    EXPECT_EQ(ask(&login, call).status, 200) << type;
  }
  Call none = good();
  none.headers.clear();
  EXPECT_EQ(ask(&login, none).status, 415);
  Call twice = good();
  twice.with("Content-Type", "application/json");
  EXPECT_EQ(ask(&login, twice).status, 400);
}

TEST_F(Login, ABodyOverTheLimitIs413) {
  EXPECT_EQ(ask(&login, call(std::string(body_bytes_max + 1, ' '))).status, 413);
  std::string padded = good().body;
  padded.append(body_bytes_max - padded.size(), ' ');
  EXPECT_EQ(ask(&login, call(padded)).status, 200);
}

TEST_F(Login, OtherMethodsAre405) {
  for (const auto method : {http::Method::get, http::Method::put, http::Method::delete_}) {
    Call call = good();
    call.method = method;
    const Reply reply = ask(&login, call);
    EXPECT_EQ(reply.status, 405);
    EXPECT_EQ(reply.headers, "Allow: POST\r\n");
  }
}

TEST_F(Login, UnknownWrongAndDisabledGetTheSameBytes) {
  const Reply wrong_password = ask(&login, wrong());
  const Reply unknown = ask(&login, wrong("mallory"));
  const Reply disabled =
      ask(&login, call(R"({"username":"carol","password":"bobs password"})"));
  EXPECT_EQ(wrong_password.status, 401);
  EXPECT_EQ(member(wrong_password, "error"), "invalid_credentials");
  EXPECT_EQ(wrong_password.headers, "WWW-Authenticate: Bearer realm=\"gatehouse\"\r\n");
  for (const Reply& other : {unknown, disabled}) {
    EXPECT_EQ(other.status, wrong_password.status);
    EXPECT_EQ(other.body, wrong_password.body);
    EXPECT_EQ(other.headers, wrong_password.headers);
    EXPECT_EQ(other.content_type, wrong_password.content_type);
  }
  EXPECT_EQ(wrong_password.reason, "wrong_password");
  EXPECT_EQ(unknown.reason, "unknown_user");
  EXPECT_EQ(disabled.reason, "disabled_user");
}

TEST_F(Login, AnUnknownUserCostsAHashToo) {
  hashing_ = std::make_unique<HashPool>(HashPoolOptions{.threads = 1, .queue_max = 0});
  EXPECT_EQ(ask(&login, wrong("mallory")).status, 503);
  EXPECT_EQ(ask(&login, wrong("carol")).status, 503);
}

TEST_F(Login, AHugePasswordIsRefusedBeforeAnyHash) {
  const auto sized = [](std::size_t size) {
    return call(R"({"username":"alice","password":")" + std::string(size, 'x') + R"("})");
  };
  hashing_ = std::make_unique<HashPool>(HashPoolOptions{.threads = 1, .queue_max = 0});
  EXPECT_EQ(ask(&login, sized(1025)).status, 400);
  EXPECT_EQ(ask(&login, sized(1024)).status, 503);  // this one would have been hashed
}

TEST_F(Login, NulIsRefused) {
  EXPECT_EQ(ask(&login, call(R"({"username":"alice","password":"correct horse battery\u0000x"})"))
                .status, 400);
  EXPECT_EQ(ask(&login, call(R"({"username":"alice\u0000","password":"x"})")).status, 400);
  Call form;
  form.form("username=alice&password=correct+horse+battery%00");
  EXPECT_EQ(ask(&login, form).status, 400);
}

TEST_F(Login, PasswordBytesAreTakenExactly) {
  for (const std::string password :
       {"correct horse battery ", " correct horse battery", "Correct horse battery"}) {
    EXPECT_EQ(log_in("alice", password).status, 401) << password;
  }
}

TEST_F(Login, AFullHashingQueueIs503) {
  hashing_ = std::make_unique<HashPool>(HashPoolOptions{.threads = 1, .queue_max = 0});
  const Reply reply = ask(&login, good());
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.headers, "Retry-After: 1\r\n");
  EXPECT_EQ(reply.reason, "overloaded");
}

TEST_F(Login, FiveFailuresThrottleEvenTheRightPassword) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask(&login, wrong()).status, 401);
  const Reply still_wrong = ask(&login, wrong());
  const Reply right = ask(&login, good());
  EXPECT_EQ(right.status, 429);
  EXPECT_EQ(right.headers, "Retry-After: 300\r\n");
  EXPECT_EQ(right.body, still_wrong.body);
  EXPECT_EQ(right.headers, still_wrong.headers);
  EXPECT_EQ(still_wrong.status, 429);
  now_ += 298s + 1ms;
  EXPECT_EQ(ask(&login, good()).headers, "Retry-After: 2\r\n");  // rounded up
  now_ += 2s;
  EXPECT_EQ(ask(&login, good()).status, 200);
}

TEST_F(Login, TheOwnerGetsInFromAnotherAddressAndSessionsGoOn) {
  const std::string session = refresh_token();
  for (int i = 0; i < 10; ++i) (void)ask(&login, wrong());
  EXPECT_EQ(refresh(session).status, 200);
  Call elsewhere = good();
  elsewhere.client = "198.51.100.1";
  EXPECT_EQ(ask(&login, elsewhere).status, 200);
}

TEST_F(Login, SpellingsAndTheEmailShareOneCounter) {
  for (const std::string name : {"alice", "Alice", "ALICE", " alice ", "alice@example.com"}) {
    EXPECT_EQ(ask(&login, wrong(name)).status, 401) << name;
  }
  EXPECT_EQ(ask(&login, wrong("aLiCe")).status, 429);
  EXPECT_EQ(ask(&login, good()).status, 429);
}

TEST_F(Login, AForwardedForHeaderDoesNotEscapeTheThrottle) {
  int throttled = 0;
  for (int i = 0; i < 20; ++i) {
    Call call = wrong();
    call.with("X-Forwarded-For", "203.0.113." + std::to_string(i));
    if (ask(&login, call).status == 429) ++throttled;
  }
  EXPECT_EQ(throttled, 15);
}

TEST_F(Login, AnIpv6NetworkSharesOneCounter) {
  for (int i = 0; i < 5; ++i) {
    Call call = wrong();
    call.client = "2001:db8:0:1::" + std::to_string(i + 1);
    EXPECT_EQ(ask(&login, call).status, 401);
  }
  Call sibling = good();
  sibling.client = "2001:db8:0:1:ffff::1";
  EXPECT_EQ(ask(&login, sibling).status, 429);
}

TEST_F(Login, ARightPasswordClearsTheCounter) {
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) EXPECT_EQ(ask(&login, wrong()).status, 401);
    EXPECT_EQ(ask(&login, good()).status, 200);
  }
}

TEST_F(Login, CrossSiteRequestsAreRefused) {
  const std::vector<std::vector<std::pair<std::string, std::string>>> foreign{
      {{"Origin", "null"}},
      {{"Origin", "https://evil.example"}},
      {{"Origin", "http://app.example.com"}},
      {{"Origin", "https://app.example.com.evil.example"}},
      {{"Sec-Fetch-Site", "cross-site"}},
      {{"Sec-Fetch-Site", "same-site"}},
      {{"Origin", "https://app.example.com"}, {"Sec-Fetch-Site", "cross-site"}}};
  for (const auto& headers : foreign) {
    Call call = good();
    for (const auto& [name, value] : headers) call.with(name, value);
    const Reply reply = ask(&login, call);
    EXPECT_EQ(reply.status, 403) << headers[0].second;
    EXPECT_EQ(reply.headers, "");
  }
  Call own = good();
  own.with("Origin", "https://app.example.com").with("Sec-Fetch-Site", "same-origin");
  EXPECT_EQ(ask(&login, own).status, 200);
}

TEST_F(Login, ACookieThatCameAlongIsEndedAndNeverAdopted) {
  const std::string planted = refresh_token("bob", "bobs password");
  Call call = good();
  call.with("Cookie", runtime_.refresh_cookie.name + "=" + planted);
  const Reply reply = ask(&login, call);
  ASSERT_EQ(reply.status, 200);
  EXPECT_FALSE(is_open(planted));
  EXPECT_EQ(principal_of(reply)->subject, "alice");
  EXPECT_NE(runtime_.refresh_keys.read(planted, now_)->family,
            runtime_.refresh_keys.read(cookie_value(reply).value(), now_)->family);
  EXPECT_EQ(refresh(planted).status, 403);
}

TEST_F(Login, AWrongPasswordEndsNothing) {
  const std::string session = refresh_token();
  Call call = wrong();
  call.with("Cookie", runtime_.refresh_cookie.name + "=" + session);
  EXPECT_EQ(ask(&login, call).status, 401);
  EXPECT_TRUE(is_open(session));
}

TEST_F(Login, AStoreOutageIs503AndSetsNoCookie) {
  const std::string session = refresh_token();
  for (int calls = 0; calls < 4; ++calls) {  // throttled, success, revoke, create
    if (calls == 1) continue;                // clearing the counter is best effort
    store_->fail_after = calls;
    Call call = good();
    call.with("Cookie", runtime_.refresh_cookie.name + "=" + session);
    const Reply reply = ask(&login, call);
    EXPECT_EQ(reply.status, 503) << calls;
    EXPECT_EQ(reply.headers, "Retry-After: 1\r\n") << calls;
  }
  store_->fail_after = 1;  // a failure that cannot be counted must not be a free guess
  EXPECT_EQ(ask(&login, wrong()).status, 503);
}

TEST_F(Login, TheSessionRemembersAgentAndPrefixOnly) {
  Call call = good();
  call.with("User-Agent", "agent\xff\x01 " + std::string(300, 'x'));
  const Reply reply = ask(&login, call);
  const auto list = run(memory_->list("alice", now_));
  ASSERT_EQ(list->size(), 1U);
  EXPECT_EQ((*list)[0].user_agent, "agent?? " + std::string(192, 'x'));
  EXPECT_EQ((*list)[0].address_prefix, "192.0.2.0/24");
}

TEST_F(Login, EachAttemptIsAudited) {
  (void)ask(&login, good());
  (void)ask(&login, wrong());
  (void)ask(&login, wrong("my-password-in-the-wrong-field"));
  for (int i = 0; i < 4; ++i) (void)ask(&login, wrong());
  (void)ask(&login, wrong());
  const auto lines = audit_lines();
  ASSERT_EQ(lines.size(), 8U);
  EXPECT_EQ(lines[0].at("event"), "login");
  EXPECT_EQ(lines[0].at("outcome"), "ok");
  EXPECT_EQ(lines[0].at("user"), "alice");
  EXPECT_EQ(lines[0].at("client"), "192.0.2.7");
  EXPECT_EQ(lines[0].at("request_id"), "request-1");
  EXPECT_EQ(lines[0].at("session_id").as_string().size(), 22U);
  EXPECT_EQ(lines[1].at("outcome"), "failed");
  EXPECT_EQ(lines[1].at("reason"), "wrong_password");
  EXPECT_EQ(lines[2].at("reason"), "unknown_user");
  EXPECT_FALSE(lines[2].contains("user"));
  EXPECT_EQ(lines[7].at("event"), "throttle");
  EXPECT_EQ(lines[7].at("user"), "alice");
}

TEST_F(Login, NoSecretIsLogged) {
  const Reply reply = ask(&login, good());
  const std::string refresh_text = cookie_value(reply).value();
  (void)ask(&login, wrong());
  const std::string text = logged();
  EXPECT_NE(text.find("\"login\""), std::string::npos);
  for (const std::string& secret :
       {std::string("correct horse"), std::string("guess"), refresh_text.substr(8, 20),
        member(reply, "accessToken").substr(40, 20)}) {
    EXPECT_EQ(text.find(secret), std::string::npos) << secret;
  }
}

}  // namespace
}  // namespace proxy::endpoints
