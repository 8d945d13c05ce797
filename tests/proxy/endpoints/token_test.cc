// POST /token against the description of the endpoint, RFC 6749 sections 5 and 6, and the attack
// classes H02 to H08, I08 and I09 of the security model.
#include "site.h"

namespace proxy::endpoints {
namespace {

class Token : public Site {
 protected:
  static Call json_call(std::string body) {
    Call call;
    call.path = "/token";
    call.json(std::move(body));
    return call;
  }
  static Call form_call(std::string body) {
    Call call;
    call.path = "/token";
    call.form(std::move(body));
    return call;
  }
  static Call bearer_call(const std::string& token) {
    Call call;
    call.path = "/token";
    call.with("Authorization", "Bearer " + token);
    return call;
  }
  static void expect_forbidden(const Reply& reply) {
    EXPECT_EQ(reply.status, 403);
    EXPECT_EQ(reply.body, R"({"error":"Forbidden","message":"Invalid refresh token"})");
    EXPECT_EQ(reply.headers, "");  // no cookie is touched
  }
  std::uint64_t generation_of(const std::string& token) {
    return runtime_.refresh_keys.read(token, now_)->generation;
  }
};

TEST_F(Token, ACookieIsRotatedIntoACookie) {
  const std::string first = refresh_token();
  now_ += 1min;
  const Reply reply = refresh(first);
  ASSERT_EQ(reply.status, 200);
  EXPECT_EQ(json_of(reply).size(), 3U);
  EXPECT_EQ(member(reply, "tokenType"), "Bearer");
  EXPECT_EQ(json_of(reply).at("expiresIn").to_number<int>(), 900);
  const std::string second = cookie_value(reply).value();
  EXPECT_EQ(generation_of(second), 1U);
  EXPECT_NE(reply.headers.find("; Max-Age=2591940; HttpOnly; Secure; SameSite=Lax\r\n"),
            std::string::npos);
  const auth::PrincipalRef principal = principal_of(reply);
  EXPECT_EQ(principal->generation, 1U);
  EXPECT_EQ(principal->subject, "alice");
  EXPECT_EQ(principal->authenticated_at, now_ - 1min);
  EXPECT_EQ(reply.user, "alice");
}

TEST_F(Token, ABodyMemberIsAnsweredInTheBody) {
  for (const std::string name : {"token", "refreshToken", "refresh_token"}) {
    const std::string first = refresh_token();
    const Reply reply = ask(&token, json_call(R"({")" + name + R"(":")" + first + R"("})"));
    ASSERT_EQ(reply.status, 200) << name;
    EXPECT_EQ(generation_of(member(reply, "refreshToken")), 1U);
    EXPECT_FALSE(member(reply, "accessToken").empty());
    EXPECT_EQ(reply.headers, "") << name;
  }
  const Reply reply = ask(&token, form_call("token=" + refresh_token()));
  EXPECT_EQ(reply.status, 200);
  EXPECT_FALSE(member(reply, "refreshToken").empty());
}

TEST_F(Token, ABearerIsAnsweredInTheBody) {
  const Reply reply = ask(&token, bearer_call(refresh_token()));
  ASSERT_EQ(reply.status, 200);
  EXPECT_EQ(generation_of(member(reply, "refreshToken")), 1U);
  EXPECT_EQ(reply.headers, "");
  Call lower;
  lower.with("Authorization", "bearer  " + refresh_token());
  EXPECT_EQ(ask(&token, lower).status, 200);
}

TEST_F(Token, AnAccessTokenBesideACookieIsIgnored) {
  const Reply logged_in = log_in();
  Call call = cookie_call(cookie_value(logged_in).value());
  call.with("Authorization", "Bearer " + member(logged_in, "accessToken"));
  EXPECT_EQ(ask(&token, call).status, 200);
  Call body = json_call(R"({"token":")" + refresh_token() + R"("})");
  body.with("Authorization", "Bearer " + member(logged_in, "accessToken"));
  EXPECT_EQ(ask(&token, body).status, 200);
}

TEST_F(Token, AnAccessTokenAloneIsNoRefreshToken) {
  const Reply logged_in = log_in();
  expect_forbidden(ask(&token, bearer_call(member(logged_in, "accessToken"))));
}

TEST_F(Token, MissingIs401WithAChallenge) {
  Call basic;
  basic.with("Authorization", "Basic YWxpY2U6eA==");
  Call other_cookie;
  other_cookie.with("Cookie", "theme=dark; gatehouse_refresh=gh1.x");
  Call empty_cookie;
  empty_cookie.with("Cookie", "__Host-gatehouse_refresh=");
  for (const Call& call : {Call{}, json_call("{}"), json_call(R"({"token":null})"),
                           json_call(R"({"token":""})"), basic, other_cookie, empty_cookie}) {
    const Reply reply = ask(&token, call);
    EXPECT_EQ(reply.status, 401);
    EXPECT_EQ(member(reply, "error"), "missing_token");
    EXPECT_EQ(reply.headers, "WWW-Authenticate: Bearer realm=\"gatehouse\"\r\n");
  }
}

TEST_F(Token, TwoDifferentTokensAre400AndNeitherIsUsed) {
  const std::string one = refresh_token();
  const std::string two = refresh_token("bob", "bobs password");
  Call cookie_and_body = cookie_call(one);
  cookie_and_body.json(R"({"token":")" + two + R"("})");
  Call cookie_and_bearer = cookie_call(one);
  cookie_and_bearer.with("Authorization", "Bearer " + two);
  for (const Call& call : {cookie_and_body, cookie_and_bearer,
                           json_call(R"({"token":")" + one + R"(","refreshToken":")" + two +
                                     R"("})")}) {
    EXPECT_EQ(ask(&token, call).status, 400);
  }
  EXPECT_EQ(generation_of(cookie_value(refresh(one)).value()), 1U);
}

TEST_F(Token, TheSameTokenTwiceIsOneTokenAndGoesBackBothWays) {
  const std::string one = refresh_token();
  Call call = cookie_call(one);
  call.json(R"({"token":")" + one + R"("})");
  const Reply reply = ask(&token, call);
  ASSERT_EQ(reply.status, 200);
  EXPECT_EQ(cookie_value(reply), member(reply, "refreshToken"));
}

TEST_F(Token, RepeatedCookiesHeadersAndMembersAre400) {
  const std::string one = refresh_token();
  const std::string name = runtime_.refresh_cookie.name;
  Call cookies;
  cookies.with("Cookie", name + "=evil; " + name + "=" + one);
  Call lines;
  lines.with("Cookie", name + "=" + one).with("Cookie", name + "=" + one);
  Call bearers = bearer_call(one);
  bearers.with("Authorization", "Bearer " + one);
  for (const Call& call : {cookies, lines, bearers,
                           json_call(R"({"token":"x","token":")" + one + R"("})"),
                           form_call("token=x&token=" + one)}) {
    EXPECT_EQ(ask(&token, call).status, 400);
  }
}

TEST_F(Token, TokensInTheUrlAreRefused) {
  Call call;
  call.query = "token=" + refresh_token();
  EXPECT_EQ(ask(&token, call).status, 400);
  call.query = "refresh%5Ftoken=x";
  EXPECT_EQ(ask(&token, call).status, 400);
}

TEST_F(Token, AnEmptyBodyNeedsNoContentTypeButAFilledOneDoes) {
  Call empty = cookie_call(refresh_token());
  empty.with("Content-Type", "text/plain");
  EXPECT_EQ(ask(&token, empty).status, 200);
  Call filled = cookie_call(refresh_token());
  filled.with("Content-Type", "text/plain");
  filled.body = "hello";
  EXPECT_EQ(ask(&token, filled).status, 415);
}

TEST_F(Token, ParallelRefreshesGetTheSameBytes) {
  const std::string first = refresh_token();
  now_ += 1h;
  const std::string second = cookie_value(refresh(first)).value();
  for (int i = 0; i < 10; ++i) {
    now_ += 2s;
    const Reply reply = refresh(first);
    EXPECT_EQ(cookie_value(reply), second);
    EXPECT_EQ(principal_of(reply)->generation, 1U);
  }
}

TEST_F(Token, ALostAnswerLogsNobodyOut) {
  const std::string first = refresh_token();
  now_ += 1h;
  ASSERT_EQ(refresh(first).status, 200);
  now_ += 1h;  // the answer never arrived
  const Reply reply = refresh(first);
  ASSERT_EQ(reply.status, 200);
  EXPECT_EQ(generation_of(cookie_value(reply).value()), 2U);
  EXPECT_EQ(principal_of(reply)->generation, 2U);
}

TEST_F(Token, ATokenNewerThanTheStoreKnowsIsRepaired) {
  const std::string first = refresh_token();
  auth::RefreshToken lost = *runtime_.refresh_keys.read(first, now_);
  lost.generation = 7;
  const Reply reply = refresh(runtime_.refresh_keys.mint(lost));
  ASSERT_EQ(reply.status, 200);
  EXPECT_EQ(generation_of(cookie_value(reply).value()), 8U);
}

TEST_F(Token, ReuseAfterGraceEndsTheSessionAndIsAudited) {
  const std::string first = refresh_token();
  now_ += 1h;
  const std::string second = cookie_value(refresh(first)).value();
  now_ += 1h;
  const std::string third = cookie_value(refresh(second)).value();
  now_ += 1h;
  (void)logged();
  const Reply reuse = refresh(first);
  expect_forbidden(reuse);
  EXPECT_EQ(reuse.reason, "reuse");
  expect_forbidden(refresh(third));
  const auto lines = audit_lines();
  const auto& line = lines.at(lines.size() - 2);
  EXPECT_EQ(line.at("event"), "refresh");
  EXPECT_EQ(line.at("outcome"), "reuse");
  EXPECT_EQ(line.at("user"), "alice");
  EXPECT_EQ(text(line.at("session_id")), reuse.session_id);
  ASSERT_EQ(revocations_.size(), 1U);
  EXPECT_EQ(revocations_[0].session_id, reuse.session_id);
}

TEST_F(Token, AForgedTokenIsRefusedAndEndsNothing) {
  const std::string first = refresh_token();
  for (std::size_t i = 4; i < first.size(); ++i) {
    std::string forged = first;
    forged[i] = forged[i] == 'A' ? 'B' : 'A';
    expect_forbidden(refresh(forged));
  }
  for (const std::string garbage : {"gh1.", "gh1.AAAA", "x", "gh1.%00", "gh2.AAAA"}) {
    expect_forbidden(refresh(garbage));
  }
  EXPECT_TRUE(revocations_.empty());
  EXPECT_EQ(refresh(first).status, 200);
}

TEST_F(Token, TheIdleLifeEndsASession) {
  const std::string first = refresh_token();
  now_ += 168h - 1ms;
  const std::string second = cookie_value(refresh(first)).value_or("");
  ASSERT_FALSE(second.empty());
  now_ += 168h;
  expect_forbidden(refresh(second));
}

TEST_F(Token, TheAbsoluteLifeEndsASessionThatIsInUse) {
  std::string current = refresh_token();
  const auth::Time end = now_ + 720h;
  while (now_ + 100h < end) {
    now_ += 100h;
    current = cookie_value(refresh(current)).value_or("");
    ASSERT_FALSE(current.empty());
  }
  now_ = end - 10s;
  const Reply last = refresh(current);
  ASSERT_EQ(last.status, 200);
  // Neither the cookie nor the access token outlives the session.
  EXPECT_NE(last.headers.find("Max-Age=10;"), std::string::npos);
  EXPECT_EQ(json_of(last).at("expiresIn").to_number<int>(), 10);
  EXPECT_EQ(principal_of(last)->expires_at, end);
  now_ = end;
  expect_forbidden(refresh(cookie_value(last).value()));
}

TEST_F(Token, GroupsAreCurrentAtEachRefresh) {
  const std::string first = refresh_token();
  auto users = default_users();
  users[0].groups = {"staff"};
  set_users(users);
  EXPECT_EQ(principal_of(refresh(first))->groups, std::vector<std::string>{"staff"});
}

TEST_F(Token, ADisabledUsersSessionEnds) {
  const std::string first = refresh_token();
  auto users = default_users();
  users[0].disabled = true;
  set_users(users);
  expect_forbidden(refresh(first));
  EXPECT_FALSE(is_open(first));
  set_users(default_users());
  expect_forbidden(refresh(first));
  ASSERT_EQ(revocations_.size(), 1U);
  EXPECT_EQ(revocations_[0].reason, store::RevokeReason::user_changed);
}

// As it is found when the password was changed while nobody watched the file.
TEST_F(Token, ASessionOfAnotherPasswordEnds) {
  const std::string first = refresh_token();
  auto users = default_users();
  users[0].password_hash = auth::hash_password("another").value();
  set_users(users);
  expect_forbidden(refresh(first));
  EXPECT_FALSE(is_open(first));
  ASSERT_EQ(revocations_.size(), 1U);
  EXPECT_EQ(revocations_[0].reason, store::RevokeReason::user_changed);
}

TEST_F(Token, ARemovedUsersSessionEnds) {
  const std::string first = refresh_token();
  set_users({});
  expect_forbidden(refresh(first));
  EXPECT_FALSE(is_open(first));
}

TEST_F(Token, ASessionThatCannotBeEndedIs503) {
  const std::string first = refresh_token();
  set_users({});
  store_->fail_after = 1;  // rotate works, revoke does not
  const Reply reply = refresh(first);
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.headers, "Retry-After: 1\r\n");
}

TEST_F(Token, AStoreOutageIs503AndTouchesNoCookie) {
  const std::string first = refresh_token();
  store_->broken = true;
  const Reply plain = refresh(first);
  EXPECT_EQ(plain.status, 503);
  EXPECT_EQ(plain.headers, "Retry-After: 1\r\n");
  const Reply oauth = ask(&token, form_call("grant_type=refresh_token&refresh_token=" + first));
  EXPECT_EQ(oauth.status, 503);
  EXPECT_EQ(oauth.headers, "Retry-After: 1\r\n");
  // A forged token needs no store.
  expect_forbidden(refresh("gh1.AAAA"));
  store_->broken = false;
  EXPECT_EQ(refresh(first).status, 200);
}

TEST_F(Token, StateChangesByGetOrFromAnotherSiteAreRefused) {
  const std::string first = refresh_token();
  Call get = cookie_call(first);
  get.method = http::Method::get;
  EXPECT_EQ(ask(&token, get).status, 405);
  EXPECT_EQ(ask(&token, get).headers, "Allow: POST\r\n");
  Call foreign = cookie_call(first);
  foreign.with("Sec-Fetch-Site", "cross-site");
  EXPECT_EQ(ask(&token, foreign).status, 403);
  EXPECT_EQ(ask(&token, foreign).headers, "");
}

TEST_F(Token, AnOauthRequestGetsAnOauthAnswer) {
  const Reply reply =
      ask(&token, form_call("grant_type=refresh_token&refresh_token=" + refresh_token()));
  ASSERT_EQ(reply.status, 200);
  const auto body = json_of(reply);
  EXPECT_EQ(body.size(), 4U);
  EXPECT_EQ(body.at("token_type"), "Bearer");
  EXPECT_EQ(body.at("expires_in").to_number<int>(), 900);
  EXPECT_EQ(generation_of(member(reply, "refresh_token")), 1U);
  EXPECT_EQ(principal_of(reply)->subject, "alice");
  EXPECT_EQ(reply.headers, "");
}

TEST_F(Token, OauthErrorsHaveTheirRegisteredCodes) {
  const std::string good = refresh_token();
  const std::vector<std::pair<std::string, std::string>> cases{
      {"grant_type=refresh_token&refresh_token=gh1.AAAA", "invalid_grant"},
      {"grant_type=refresh_token", "invalid_request"},
      {"grant_type=refresh_token&refresh_token=", "invalid_request"},
      {"grant_type=refresh_token&grant_type=refresh_token&refresh_token=" + good,
       "invalid_request"},
      {"grant_type=refresh_token&refresh_token=%zz", "invalid_request"},
      {"grant_type=password&username=alice&password=correct+horse+battery",
       "unsupported_grant_type"},
      {"grant_type=client_credentials", "unsupported_grant_type"},
      {"grant_type=refresh_token&scope=read+admin&refresh_token=" + good, "invalid_scope"}};
  for (const auto& [form, code] : cases) {
    const Reply reply = ask(&token, form_call(form));
    EXPECT_EQ(reply.status, 400) << form;
    EXPECT_EQ(member(reply, "error"), code) << form;
    const std::string description = member(reply, "error_description");
    EXPECT_FALSE(description.empty()) << form;
    EXPECT_EQ(description.find_first_of("\"\\"), std::string::npos);
    EXPECT_EQ(reply.headers, "") << form;
  }
}

TEST_F(Token, TheScopeMayStayOrShrink) {
  const auto with_scope = [this](const std::string& scope) {
    return ask(&token, form_call("grant_type=refresh_token&scope=" + scope + "&refresh_token=" +
                                 refresh_token()));
  };
  const Reply same = with_scope("write+read");
  EXPECT_EQ(principal_of(same)->scopes, (std::vector<std::string>{"write", "read"}));
  const Reply less = with_scope("read");
  EXPECT_EQ(principal_of(less)->scopes, std::vector<std::string>{"read"});
  const Reply none = ask(&token, json_call(R"({"token":")" + refresh_token() + R"("})"));
  EXPECT_EQ(principal_of(none)->scopes, (std::vector<std::string>{"read", "write"}));
}

TEST_F(Token, EachRefreshIsAuditedWithoutTheToken) {
  const std::string first = refresh_token();
  now_ += 1h;
  const std::string second = cookie_value(refresh(first)).value();
  (void)refresh(first);
  (void)refresh("gh1.AAAA");
  const std::string text = logged();
  EXPECT_EQ(text.find(first.substr(8, 24)), std::string::npos);
  EXPECT_EQ(text.find(second.substr(second.size() - 24)), std::string::npos);
  const auto lines = audit_lines();
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[1].at("outcome"), "rotated");
  EXPECT_EQ(lines[2].at("outcome"), "replayed");
  EXPECT_EQ(lines[3].at("outcome"), "failed");
  EXPECT_EQ(lines[3].at("reason"), "malformed");
}

}  // namespace
}  // namespace proxy::endpoints
