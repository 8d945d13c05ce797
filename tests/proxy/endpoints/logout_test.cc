// POST /logout against the description of the endpoint and the attack classes H05, H08, H11 and H18
// of the security model.
#include "site.h"

namespace proxy::endpoints {
namespace {

class Logout : public Site {
 protected:
  static constexpr const char* cleared =
      "Set-Cookie: __Host-gatehouse_refresh=; Path=/; Max-Age=0; "
      "Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax\r\n"
      "Set-Cookie: __Host-gatehouse_access=; Path=/; Max-Age=0; "
      "Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax\r\n";

  static void expect_done(const Reply& reply) {
    EXPECT_EQ(reply.status, 204);
    EXPECT_EQ(reply.body, "");
    EXPECT_EQ(reply.content_type, "");
    EXPECT_EQ(reply.headers, cleared);
  }
  static Call bearer_call(const std::string& token) {
    Call call;
    call.with("Authorization", "Bearer " + token);
    return call;
  }
};

TEST_F(Logout, ACookieEndsItsSessionAndIsCleared) {
  const std::string session = refresh_token();
  const std::string other = refresh_token();
  expect_done(ask(&logout, cookie_call(session)));
  EXPECT_EQ(refresh(session).status, 403);
  EXPECT_EQ(refresh(other).status, 200);
  ASSERT_EQ(revocations_.size(), 1U);
  EXPECT_EQ(revocations_[0].reason, store::RevokeReason::logout);
}

TEST_F(Logout, ABodyMemberOrABearerEndsItsSession) {
  for (const std::string name : {"token", "refreshToken", "refresh_token"}) {
    const std::string session = refresh_token();
    Call call;
    expect_done(ask(&logout, call.json(R"({")" + name + R"(":")" + session + R"("})")));
    EXPECT_FALSE(is_open(session)) << name;
  }
  const std::string session = refresh_token();
  expect_done(ask(&logout, bearer_call(session)));
  EXPECT_FALSE(is_open(session));
}

TEST_F(Logout, AnAccessTokenEndsItsSessionEvenWhenExpired) {
  for (const auto later : {0min, 14min, 16min, 300min}) {
    const Reply logged_in = log_in();
    now_ += later;
    expect_done(ask(&logout, bearer_call(member(logged_in, "accessToken"))));
    EXPECT_FALSE(is_open(cookie_value(logged_in).value())) << later.count();
  }
}

TEST_F(Logout, AnOldGenerationEndsTheSessionToo) {
  const std::string first = refresh_token();
  now_ += 1h;
  const std::string second = cookie_value(refresh(first)).value();
  expect_done(ask(&logout, cookie_call(first)));
  EXPECT_FALSE(is_open(second));
}

TEST_F(Logout, UnknownForgedAndMissingTokensAre204) {
  const std::string session = refresh_token();
  std::string forged = session;
  forged.back() = forged.back() == 'A' ? 'B' : 'A';
  expect_done(ask(&logout, Call{}));
  expect_done(ask(&logout, cookie_call(forged)));
  expect_done(ask(&logout, cookie_call("nonsense")));
  expect_done(ask(&logout, bearer_call("a.b.c")));
  EXPECT_TRUE(is_open(session));
  expect_done(ask(&logout, cookie_call(session)));
  expect_done(ask(&logout, cookie_call(session)));  // twice is once
}

TEST_F(Logout, AllEndsEverySessionOfThatUserOnly) {
  const std::string one = refresh_token();
  const std::string two = refresh_token();
  const std::string bobs = refresh_token("bob", "bobs password");
  Call call = cookie_call(one);
  call.query = "all=true";
  expect_done(ask(&logout, call));
  EXPECT_FALSE(is_open(one));
  EXPECT_FALSE(is_open(two));
  EXPECT_TRUE(is_open(bobs));
}

TEST_F(Logout, ATokenOfAnEndedSessionCannotEndTheOthers) {
  const std::string ended = refresh_token();
  expect_done(ask(&logout, cookie_call(ended)));
  const std::string current = refresh_token();
  Call call = cookie_call(ended);
  call.query = "all=true";
  expect_done(ask(&logout, call));
  EXPECT_TRUE(is_open(current));
}

TEST_F(Logout, OtherValuesOfAllMeanThisSession) {
  for (const std::string query : {"all=false", "all=", "all", "all=1", "ALL=true"}) {
    const std::string one = refresh_token();
    const std::string two = refresh_token();
    Call call = cookie_call(one);
    call.query = query;
    expect_done(ask(&logout, call));
    EXPECT_FALSE(is_open(one));
    EXPECT_TRUE(is_open(two)) << query;
  }
}

TEST_F(Logout, ARevocationThatCouldNotBeStoredIs503AndTouchesNoCookie) {
  const std::string session = refresh_token();
  for (const int calls : {0, 1}) {  // find, revoke
    store_->fail_after = calls;
    const Reply reply = ask(&logout, cookie_call(session));
    EXPECT_EQ(reply.status, 503) << calls;
    EXPECT_EQ(reply.headers, "Retry-After: 1\r\n") << calls;
    EXPECT_TRUE(is_open(session)) << calls;
  }
  store_->fail_after.reset();
  expect_done(ask(&logout, cookie_call(session)));
  EXPECT_FALSE(is_open(session));
}

TEST_F(Logout, AUserRevocationThatCouldNotBeStoredCanBeAskedForAgain) {
  const std::string one = refresh_token();
  const std::string two = refresh_token();
  Call call = cookie_call(one);
  call.query = "all=true";
  for (const int calls : {0, 1, 2}) {  // find, revoke_user, revoke
    store_->fail_after = calls;
    EXPECT_EQ(ask(&logout, call).status, 503) << calls;
  }
  store_->fail_after.reset();
  expect_done(ask(&logout, call));
  EXPECT_FALSE(is_open(one));
  EXPECT_FALSE(is_open(two));
}

TEST_F(Logout, OtherMethodsAndOtherSitesAreRefused) {
  const std::string session = refresh_token();
  for (const auto method : {http::Method::get, http::Method::delete_}) {
    Call call = cookie_call(session);
    call.method = method;
    const Reply reply = ask(&logout, call);
    EXPECT_EQ(reply.status, 405);
    EXPECT_EQ(reply.headers, "Allow: POST\r\n");
  }
  Call foreign = cookie_call(session);
  foreign.with("Origin", "https://evil.example");
  EXPECT_EQ(ask(&logout, foreign).status, 403);
  EXPECT_EQ(ask(&logout, foreign).headers, "");
  Call plain = cookie_call(session);
  plain.with("Content-Type", "text/plain");
  plain.body = "x";
  EXPECT_EQ(ask(&logout, plain).status, 415);
  EXPECT_TRUE(is_open(session));
}

TEST_F(Logout, ARepeatedCookieIs400) {
  const std::string session = refresh_token();
  Call call;
  call.with("Cookie", runtime_.refresh_cookie.name + "=x; " + runtime_.refresh_cookie.name + "=" +
                          session);
  EXPECT_EQ(ask(&logout, call).status, 400);
}

TEST_F(Logout, TheEndIsAuditedOnce) {
  const std::string session = refresh_token();
  (void)ask(&logout, cookie_call(session));
  (void)ask(&logout, cookie_call(session));
  (void)ask(&logout, Call{});
  store_->broken = true;
  (void)ask(&logout, cookie_call(session));
  const auto lines = audit_lines();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[1].at("event"), "logout");
  EXPECT_EQ(lines[1].at("outcome"), "ok");
  EXPECT_EQ(lines[1].at("user"), "alice");
  EXPECT_EQ(lines[2].at("outcome"), "failed");
  EXPECT_EQ(lines[2].at("reason"), "store_unavailable");
}

}  // namespace
}  // namespace proxy::endpoints
