// What scripts ask about themselves, the key set, and session administration: answers, and who may
// have them.
#include "site.h"

namespace proxy::endpoints {
namespace {

class Session : public Site {
 protected:
  static Call get(std::string path, auth::PrincipalRef principal = {}) {
    Call call;
    call.method = http::Method::get;
    call.path = std::move(path);
    call.principal = std::move(principal);
    return call;
  }
  static Call end(const std::string& id, auth::PrincipalRef principal = {}) {
    Call call = get("/.gatehouse/sessions/" + id, std::move(principal));
    call.method = http::Method::delete_;
    return call;
  }
  static auth::PrincipalRef foreign(const std::string& subject) {
    auto* principal = new auth::Principal;
    principal->subject = subject;
    principal->issuer = "https://idp.example.com";
    return auth::PrincipalRef(principal);
  }
};

TEST_F(Session, TellsWhenSessionAndAccessTokenEnd) {
  const auth::PrincipalRef principal = principal_of(log_in());
  now_ += 100s;
  const Reply reply = ask(&session, get("/.gatehouse/session", principal));
  ASSERT_EQ(reply.status, 200);
  EXPECT_FALSE(reply.cacheable);
  const auto body = json_of(reply);
  EXPECT_EQ(body.at("user"), "alice");
  EXPECT_EQ(text(body.at("sessionId")), principal->session_id);
  EXPECT_EQ(body.at("accessExpiresIn").to_number<int>(), 800);
  EXPECT_EQ(body.at("sessionExpiresIn").to_number<int>(), 30 * 86400 - 100);
  EXPECT_EQ(body.at("idleExpiresIn").to_number<int>(), 7 * 86400 - 100);
}

TEST_F(Session, AnEndedSessionHasNoTimeLeft) {
  const Reply logged_in = log_in();
  (void)ask(&logout, cookie_call(cookie_value(logged_in).value()));
  const auto body = json_of(ask(&session, get("/.gatehouse/session", principal_of(logged_in))));
  EXPECT_EQ(body.at("sessionExpiresIn").to_number<int>(), 0);
}

TEST_F(Session, WithoutAPrincipalEverythingIs401WithTheRightChallenge) {
  for (const auto function : {&session, &userinfo, &sessions}) {
    Call call = get("/.gatehouse/sessions");
    const Reply missing = ask(function, call);
    EXPECT_EQ(missing.status, 401);
    EXPECT_EQ(missing.headers, "WWW-Authenticate: Bearer realm=\"gatehouse\"\r\n");
    call.principal_error = auth::Error::expired;
    const Reply expired = ask(function, call);
    EXPECT_EQ(expired.status, 401);
    EXPECT_EQ(expired.headers,
              "WWW-Authenticate: Bearer realm=\"gatehouse\", error=\"invalid_token\"\r\n");
    EXPECT_EQ(expired.reason, "expired");
    EXPECT_EQ(expired.body.find("expired"), std::string::npos);  // logs know why, clients do not
  }
  EXPECT_EQ(ask(&sessions, end("x")).status, 401);
}

TEST_F(Session, UserinfoSaysWhoTheUserIs) {
  auto users = default_users();
  users[0].claims = {{"employee", "17 \"x\" <script>"}};
  set_users(users);
  const Reply reply = ask(&userinfo, get("/.gatehouse/userinfo", principal_of(log_in())));
  ASSERT_EQ(reply.status, 200);
  const auto body = json_of(reply);
  EXPECT_EQ(body.at("sub"), "alice");
  EXPECT_EQ(body.at("preferred_username"), "alice");
  EXPECT_EQ(body.at("email"), "alice@example.com");
  EXPECT_EQ(body.at("name"), "Alice A.");
  EXPECT_EQ(boost::json::serialize(body.at("groups")), R"(["staff","admins"])");
  EXPECT_EQ(body.at("scope"), "read write");
  EXPECT_EQ(body.at("employee"), "17 \"x\" <script>");
  for (const char* claim : {"jti", "iss", "exp", "sid", "gen"}) EXPECT_FALSE(body.contains(claim));
}

TEST_F(Session, ListsTheUsersOwnSessionsAndMarksTheCurrentOne) {
  (void)log_in();
  now_ += 1min;
  const auth::PrincipalRef principal = principal_of(log_in());
  (void)log_in("bob", "bobs password");
  const Reply reply = ask(&sessions, get("/.gatehouse/sessions", principal));
  ASSERT_EQ(reply.status, 200);
  const boost::json::object body = json_of(reply);
  const boost::json::array& list = body.at("sessions").as_array();
  ASSERT_EQ(list.size(), 2U);
  const auto& newest = list[0].as_object();
  EXPECT_EQ(text(newest.at("id")), principal->session_id);
  EXPECT_TRUE(newest.at("current").as_bool());
  EXPECT_EQ(newest.at("createdAt"), "2026-08-26T10:01:00.000Z");
  EXPECT_EQ(newest.at("addressPrefix"), "192.0.2.0/24");
  EXPECT_FALSE(list[1].as_object().at("current").as_bool());
}

TEST_F(Session, EndsOneOfTheUsersOwnSessions) {
  const Reply other = log_in();
  const auth::PrincipalRef principal = principal_of(log_in());
  const Reply reply = ask(&sessions, end(other.session_id, principal));
  EXPECT_EQ(reply.status, 204);
  EXPECT_FALSE(is_open(cookie_value(other).value()));
  EXPECT_EQ(ask(&sessions, end(other.session_id, principal)).status, 404);
  EXPECT_EQ(audit_lines().back().at("event"), "revoke");
}

TEST_F(Session, SomebodyElsesSessionLooksLikeNone) {
  const Reply bobs = log_in("bob", "bobs password");
  const auth::PrincipalRef principal = principal_of(log_in());
  const Reply reply = ask(&sessions, end(bobs.session_id, principal));
  const Reply none = ask(&sessions, end("AAAAAAAAAAAAAAAAAAAAAA", principal));
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.body, none.body);
  EXPECT_TRUE(is_open(cookie_value(bobs).value()));
  for (const std::string id : {"", "x", "../sessions", "AAAAAAAAAAAAAAAAAAAAAA/x"}) {
    EXPECT_EQ(ask(&sessions, end(id, principal)).status, 404) << id;
  }
}

TEST_F(Session, AForeignSubjectIsNoUserOfOurs) {
  const Reply alices = log_in();
  const Reply list = ask(&sessions, get("/.gatehouse/sessions", foreign("alice")));
  EXPECT_EQ(list.body, R"({"sessions":[]})");
  EXPECT_EQ(ask(&sessions, end(alices.session_id, foreign("alice"))).status, 404);
  EXPECT_TRUE(is_open(cookie_value(alices).value()));
  EXPECT_FALSE(json_of(ask(&session, get("/.gatehouse/session", foreign("alice"))))
                   .contains("sessionId"));
}

TEST_F(Session, OtherMethodsAndOtherSitesAreRefused) {
  const Reply logged_in = log_in();
  const auth::PrincipalRef principal = principal_of(logged_in);
  for (const auto function : {&session, &userinfo, &sessions}) {
    Call call = get("/.gatehouse/sessions", principal);
    call.method = http::Method::post;
    EXPECT_EQ(ask(function, call).status, 405);
    EXPECT_EQ(ask(function, call).headers, "Allow: GET, HEAD\r\n");
  }
  Call item = end(logged_in.session_id, principal);
  item.method = http::Method::get;
  EXPECT_EQ(ask(&sessions, item).headers, "Allow: DELETE\r\n");
  Call foreign_page = end(logged_in.session_id, principal);
  foreign_page.with("Origin", "https://evil.example");
  EXPECT_EQ(ask(&sessions, foreign_page).status, 403);
  EXPECT_TRUE(is_open(cookie_value(logged_in).value()));
}

TEST_F(Session, AStoreOutageIs503) {
  const Reply logged_in = log_in();
  const auth::PrincipalRef principal = principal_of(logged_in);
  store_->broken = true;
  EXPECT_EQ(ask(&session, get("/.gatehouse/session", principal)).status, 503);
  EXPECT_EQ(ask(&sessions, get("/.gatehouse/sessions", principal)).status, 503);
  EXPECT_EQ(ask(&sessions, end(logged_in.session_id, principal)).status, 503);
  EXPECT_EQ(ask(&userinfo, get("/.gatehouse/userinfo", principal)).status, 200);  // needs no store
  store_->broken = false;
  store_->fail_after = 1;
  EXPECT_EQ(ask(&sessions, end(logged_in.session_id, principal)).status, 503);
  EXPECT_TRUE(is_open(cookie_value(logged_in).value()));
}

class KeySet : public Site {};

TEST_F(KeySet, IsPublicAndCacheable) {
  runtime_.jwks = R"({"keys":[{"kty":"OKP"}]})";
  Call call;
  call.method = http::Method::get;
  const Reply reply = ask(&jwks, call);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, runtime_.jwks);
  EXPECT_EQ(reply.headers, "Cache-Control: public, max-age=300\r\n");
  EXPECT_TRUE(reply.cacheable);
  call.method = http::Method::head;
  EXPECT_EQ(ask(&jwks, call).status, 200);
  call.method = http::Method::post;
  EXPECT_EQ(ask(&jwks, call).status, 405);
  EXPECT_EQ(ask(&jwks, call).headers, "Allow: GET, HEAD\r\n");
}

class Administration : public Site {
 protected:
  static Call call(http::Method method, std::string path, std::string query = "") {
    Call result;
    result.method = method;
    result.path = std::move(path);
    result.query = std::move(query);
    return result;
  }
};

TEST_F(Administration, ListsAUsersSessions) {
  const Reply logged_in = log_in();
  const Reply reply = ask(&administer, call(http::Method::get, "/sessions", "user=alice"));
  ASSERT_EQ(reply.status, 200);
  const auto body = json_of(reply);
  EXPECT_EQ(body.at("user"), "alice");
  ASSERT_EQ(body.at("sessions").as_array().size(), 1U);
  EXPECT_EQ(text(body.at("sessions").as_array()[0].as_object().at("id")), logged_in.session_id);
  const Reply nobody = ask(&administer, call(http::Method::get, "/sessions", "user=nobody"));
  EXPECT_EQ(nobody.body, R"({"user":"nobody","sessions":[]})");
}

TEST_F(Administration, EndsOneSession) {
  const Reply logged_in = log_in();
  const std::string path = "/sessions/" + logged_in.session_id;
  EXPECT_EQ(ask(&administer, call(http::Method::delete_, path)).status, 204);
  EXPECT_FALSE(is_open(cookie_value(logged_in).value()));
  EXPECT_EQ(ask(&administer, call(http::Method::delete_, path)).status, 404);
  EXPECT_EQ(revocations_.at(0).reason, store::RevokeReason::admin);
  const auto line = audit_lines().back();
  EXPECT_EQ(line.at("event"), "admin");
  EXPECT_EQ(line.at("user"), "alice");
}

TEST_F(Administration, EndsAllSessionsOfAUser) {
  const std::string one = refresh_token();
  const std::string two = refresh_token();
  const std::string bobs = refresh_token("bob", "bobs password");
  const Reply reply = ask(&administer, call(http::Method::delete_, "/sessions", "user=alice"));
  EXPECT_EQ(reply.body, R"({"user":"alice","ended":2})");
  EXPECT_FALSE(is_open(one));
  EXPECT_FALSE(is_open(two));
  EXPECT_TRUE(is_open(bobs));
}

TEST_F(Administration, UserNamesAreDecodedStrictly) {
  auto body = [this](std::string query) {
    return json_of(ask(&administer, call(http::Method::get, "/sessions", std::move(query))));
  };
  EXPECT_EQ(body("user=a%40b%20c").at("user"), "a@b c");
  EXPECT_EQ(body("user=a+b@example.com").at("user"), "a+b@example.com");
  for (const std::string query : {"", "user=", "user", "user=a&user=b", "user=a&x=1", "user=%4",
                                  "user=%zz", "name=a", "user=a%"}) {
    const Reply reply = ask(&administer, call(http::Method::delete_, "/sessions", query));
    EXPECT_EQ(reply.status, 400) << query;
  }
}

TEST_F(Administration, PagesInABrowserCannotReachIt) {
  const Reply logged_in = log_in();
  const std::vector<std::pair<std::string, std::string>> marks{
      {"Origin", "http://127.0.0.1:9901"}, {"Origin", "null"}, {"Sec-Fetch-Site", "same-origin"},
      {"Sec-Fetch-Site", "cross-site"}};
  for (const auto& [name, value] : marks) {
    Call get = call(http::Method::get, "/sessions", "user=alice");
    EXPECT_EQ(ask(&administer, get.with(name, value)).status, 403) << value;
    Call end = call(http::Method::delete_, "/sessions/" + logged_in.session_id);
    EXPECT_EQ(ask(&administer, end.with(name, value)).status, 403) << value;
  }
  EXPECT_TRUE(is_open(cookie_value(logged_in).value()));
}

TEST_F(Administration, OtherPathsAndMethodsAreRefused) {
  EXPECT_EQ(ask(&administer, call(http::Method::get, "/")).status, 404);
  EXPECT_EQ(ask(&administer, call(http::Method::get, "/sessionsx")).status, 404);
  EXPECT_EQ(ask(&administer, call(http::Method::delete_, "/sessions/short")).status, 404);
  EXPECT_EQ(ask(&administer, call(http::Method::post, "/sessions")).headers,
            "Allow: GET, HEAD, DELETE\r\n");
  EXPECT_EQ(ask(&administer, call(http::Method::get, "/sessions/AAAAAAAAAAAAAAAAAAAAAA")).headers,
            "Allow: DELETE\r\n");
}

TEST_F(Administration, AStoreOutageIs503) {
  const Reply logged_in = log_in();
  const std::string path = "/sessions/" + logged_in.session_id;
  store_->broken = true;
  EXPECT_EQ(ask(&administer, call(http::Method::get, "/sessions", "user=alice")).status, 503);
  EXPECT_EQ(ask(&administer, call(http::Method::delete_, "/sessions", "user=alice")).status, 503);
  EXPECT_EQ(ask(&administer, call(http::Method::delete_, path)).status, 503);
}

}  // namespace
}  // namespace proxy::endpoints
