"""People with browsers: the login page where they were going, cookies instead of tokens, sessions
that go on by themselves, and what other sites may not do."""

import pytest

from support.backend import response
from support.browser import BROWSER, LOGIN_COOKIE, NAVIGATE, Browser, field, says
from support.gate import ACCESS_COOKIE, PASSWORD, REFRESH_COOKIE, claims, merge, spin

CONFIG = merge(BROWSER, {
    "routes": [{"path": "/assets/**", "access": "public"},
               {"path": "/live/**", "websocket": True},
               {"path": "/api/**", "browser": "never"},
               {"path": "/pages/**", "browser": "always"},
               {"path": "/hooks/**", "csrf": "none"},
               {"path": "/admin/**", "require": {"groups": ["admins"]}}],
    "app_cookies": [{"name": "JSESSIONID", "path": "/"}],
})


@pytest.fixture
def browser(gate):
    return Browser(gate)


# --- the login page

def test_a_page_is_answered_with_the_login_form_in_its_place(browser, backend):
    page = browser.visit("/orders?from=3&to=4")
    assert page.status == 401 and page.get("Content-Type") == "text/html; charset=utf-8"
    assert field(page, "rd") == "/orders?from=3&to=4"
    assert page.get("WWW-Authenticate").startswith("Bearer")
    assert page.get("Cache-Control") == "no-store" and page.get("X-Frame-Options") == "DENY"
    policy = page.get("Content-Security-Policy")
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert len(page.body) < 20 * 1024
    assert backend.requests == []


def test_after_the_login_it_goes_on_where_it_was_going(browser, backend):
    answer = browser.log_in("/orders?from=3")
    assert answer.get("Location") == "/orders?from=3"
    page = browser.visit("/orders?from=3")
    assert page.status == 200
    assert backend.last().target == "/orders?from=3"
    assert backend.last().get("X-Forwarded-User") == "alice"


def test_cookies_have_all_their_attributes_and_stay_small(browser):
    cookies = browser.log_in("/").cookies()
    for name in (ACCESS_COOKIE, REFRESH_COOKIE, LOGIN_COOKIE):
        value, attributes = cookies[name]
        assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(attributes), attributes
        assert not any(a.startswith("Domain") for a in attributes)
        assert len(name) + 1 + len(value) < 1024
    assert "Max-Age=0" in cookies["JSESSIONID"][1]


@pytest.mark.parametrize("target", [
    "//evil.example", "/\\evil.example", "https://evil.example/", "javascript:alert(1)",
    "/%2fevil.example", "/a\r\nSet-Cookie: x=y", "/ /evil.example", "", "evil.example",
    "https:evil.example", "/\t/evil.example"])
def test_a_login_leads_nowhere_else(browser, target):
    page = browser.visit("/login")
    answer = browser.submit("/login", browser.fill(page, rd=target))
    assert answer.status == 303 and answer.get("Location") == "/"


def test_a_wrong_password_says_so_and_keeps_the_name(browser):
    page = browser.visit("/orders")
    answer = browser.submit("/login", browser.fill(page, password="wrong"))
    assert answer.status == 401 and says(answer, "username or the password is wrong")
    assert field(answer, "username") == "alice" and field(answer, "rd") == "/orders"
    assert not {ACCESS_COOKIE, REFRESH_COOKIE} & set(answer.cookies())
    again = browser.submit("/login", browser.fill(answer))
    assert again.status == 303 and again.get("Location") == "/orders"


def test_what_was_typed_comes_back_escaped(browser):
    page = browser.visit("/a?%3Cscript%3E=%22")
    evil = '"><script>alert(1)</script>'
    answer = browser.submit("/login", browser.fill(page, user=evil, password="x", rd="/" + evil))
    assert b"<script>alert" not in answer.body and field(answer, "username") == evil


def test_an_empty_field_says_what_is_missing(browser):
    page = browser.visit("/login")
    answer = browser.submit("/login", browser.fill(page, password=""))
    assert answer.status == 400 and says(answer, "Enter both")


def test_a_throttled_login_says_how_long_to_wait(start):
    browser = Browser(start(start.backend(), merge(CONFIG, {
        "login": {"throttle": {"account_and_address": "2/1m", "ban": "5m"}}})))
    page = browser.visit("/")
    for _ in range(2):
        browser.submit("/login", browser.fill(page, password="wrong"))
    answer = browser.submit("/login", browser.fill(page))
    assert answer.status == 429 and says(answer, "too many failed attempts")
    assert says(answer, "Wait 5 minutes") and int(answer.get("Retry-After")) > 200


def test_whoever_is_logged_in_is_sent_on(browser):
    browser.log_in("/")
    answer = browser.visit("/login?rd=%2Forders%3Fx%3D1")
    assert answer.status == 303 and answer.get("Location") == "/orders?x=1"


def test_programs_get_what_they_always_got(gate):
    assert gate.get("/orders").json()["error"] == "missing_token"
    answer = gate.try_login()
    assert answer.status == 200 and ACCESS_COOKIE in answer.cookies()
    assert gate.get("/orders", gate.bearer()).status == 200


# --- the login form is ours

def test_a_form_without_its_cookie_logs_nobody_in(browser, gate):
    page = browser.visit("/login")
    browser.cookies.clear()
    answer = browser.submit("/login", browser.fill(page))
    assert answer.status == 403 and says(answer, "does not keep this site's cookies")
    assert not answer.cookies()
    gate.wait_for_log("comes back without a session")


@pytest.mark.parametrize("csrf", ["", "x", "1.x", "99999999999.abc"])
def test_a_form_with_another_value_logs_nobody_in(browser, csrf):
    page = browser.visit("/login")
    answer = browser.submit("/login", browser.fill(page, csrf=csrf))
    assert answer.status == 403 and says(answer, "open for too long")
    assert REFRESH_COOKIE not in browser.cookies


def test_a_value_of_another_browser_does_not_count(gate, browser):
    other = Browser(gate)
    page = other.visit("/login")
    browser.visit("/login")
    assert browser.submit("/login", browser.fill(page)).status == 403


@pytest.mark.parametrize("headers", [
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}])
def test_another_site_cannot_log_anybody_in(browser, headers):
    page = browser.visit("/login")
    answer = browser.submit("/login", browser.fill(page), headers)
    assert answer.status == 403 and says(answer, "Another site sent this")
    assert REFRESH_COOKIE not in browser.cookies


def test_a_login_gets_a_new_session_and_a_new_name(browser, gate):
    browser.log_in("/")
    planted = dict(browser.cookies)
    browser.lose_access()
    browser.cookies.pop(REFRESH_COOKIE)
    page = browser.visit("/login")
    browser.cookies[REFRESH_COOKIE] = planted[REFRESH_COOKIE]
    assert browser.submit("/login", browser.fill(page, user="bob")).status == 303
    assert browser.cookies[REFRESH_COOKIE] != planted[REFRESH_COOKIE]
    assert browser.cookies[LOGIN_COOKIE] != planted[LOGIN_COOKIE]
    assert gate.refresh(planted[REFRESH_COOKIE]).status == 403  # it was ended


# --- cookies towards the application

def test_only_the_applications_cookies_reach_it_in_order(browser, backend):
    browser.log_in("/")
    browser.cookies = {"a": "1", **browser.cookies, "theme": '"dark; x"', "b": "2=3"}
    assert browser.visit("/").status == 200
    assert backend.last().get("Cookie") == 'a=1; theme="dark; x"; b=2=3'
    assert backend.last().get("Authorization") is None


def test_the_application_cannot_touch_our_cookies(browser, backend):
    browser.log_in("/")
    backend.answer("/", response(200, b"x", [
        ("Set-Cookie", f"{ACCESS_COOKIE}=stolen; Path=/"), ("Set-Cookie", "own=1; Path=/"),
        ("Set-Cookie", f" {REFRESH_COOKIE} =; Max-Age=0")]))
    assert browser.gate.request("GET", "/", browser.headers(NAVIGATE)).all("Set-Cookie") == \
        ["own=1; Path=/"]


def test_two_of_our_cookies_are_refused(browser, backend):
    browser.log_in("/")
    cookie = browser.headers({})["Cookie"] + f"; {ACCESS_COOKIE}=x"
    assert browser.gate.get("/", {"Cookie": cookie}).status == 400
    assert backend.requests == []


def test_a_bearer_hides_the_cookie(browser, gate, backend):
    browser.log_in("/", user="bob")
    assert browser.fetch("/", headers=gate.bearer("alice")).status == 200
    assert backend.last().get("X-Forwarded-User") == "alice"
    assert browser.fetch("/", headers={"Authorization": "Bearer x.y.z"}).status == 401


def test_the_token_in_a_cookie_can_go_to_the_application(start):
    """`identity.authorization: access_token` holds however the token came, also a renewed one; an
    `Authorization` of the client's own does not stand beside it."""
    backend = start.backend()
    browser = Browser(start(backend, merge(CONFIG, {
        "identity": {"authorization": "access_token"}})))
    browser.log_in()
    access = browser.cookies[ACCESS_COOKIE]
    assert browser.visit("/x", {"Authorization": "Basic YTpi"}).status == 200
    assert backend.last().all("Authorization") == [f"Bearer {access}"]
    browser.lose_access()
    assert browser.visit("/y").status == 200
    seen = backend.last()
    assert seen.all("Authorization") == [f"Bearer {browser.cookies[ACCESS_COOKIE]}"]
    assert seen.get("Cookie") is None
    assert Browser(browser.gate).visit("/assets/a").status == 200
    assert backend.last().get("Authorization") is None


def test_an_answer_to_a_cookie_is_private(browser, backend):
    browser.log_in("/")
    assert browser.visit("/").get("Cache-Control") == "private"
    backend.answer("/", response(200, b"x", [("Cache-Control", "max-age=60")]))
    assert browser.visit("/").all("Cache-Control") == ["max-age=60"]


def test_a_token_too_large_for_a_cookie_is_an_error_at_login(start):
    users = [{"username": "alice", "groups": [f"group-number-{i}" for i in range(60)],
              "password_hash": "$2y$04$NhaC0GRdX9GH9XX2uZxz8eryJpW1cj.S2BcxKHjY/toMf1c6yMTou"}]
    gate = start(start.backend(), CONFIG, users=users)
    browser = Browser(gate)
    page = browser.visit("/")
    answer = browser.submit("/login", browser.fill(page))
    assert answer.status == 500 and says(answer, "do not fit into a cookie")
    assert REFRESH_COOKIE not in browser.cookies
    gate.wait_for_log("does not fit into a cookie of 1 KiB")
    assert gate.try_login().json()["error"] == "token_too_large"


# --- transparent refresh

def test_a_request_without_access_is_renewed_and_forwarded(browser, backend):
    browser.log_in("/")
    before = dict(browser.cookies)
    browser.lose_access()
    page = browser.visit("/orders?x=1")
    assert page.status == 200 and backend.last().target == "/orders?x=1"
    assert backend.last().get("X-Forwarded-User") == "alice"
    assert set(page.cookies()) == {ACCESS_COOKIE, REFRESH_COOKIE}
    assert browser.cookies[REFRESH_COOKIE] != before[REFRESH_COOKIE]
    assert not browser.visit("/").cookies()


def test_a_body_survives_the_renewal_untouched(browser, backend):
    browser.log_in("/")
    browser.lose_access()
    text = "a=1&b=%20&" + "x" * 300_000
    answer = browser.submit("/save", text)
    assert answer.status == 200
    assert len(backend.at("/save")) == 1 and backend.last().body == text.encode()


@pytest.mark.parametrize("status", [200, 204, 304, 302, 404, 500])
def test_every_kind_of_answer_carries_the_cookies(browser, backend, status):
    browser.log_in("/")
    browser.lose_access()
    body = b"" if status in (204, 304) else b"x"
    backend.answer("/", response(status, body, [("Cache-Control", "public, max-age=600"),
                                                ("Expires", "Thu, 01 Jan 2099 00:00:00 GMT"),
                                                ("Set-Cookie", "own=1")],
                                 length=status not in (204, 304)))
    answer = browser.visit("/")
    assert answer.status == status
    assert {ACCESS_COOKIE, REFRESH_COOKIE, "own"} == set(answer.cookies())
    # What holds a session must never lie in a cache.
    assert answer.all("Cache-Control") == ["private, no-store"] and not answer.all("Expires")


def test_our_own_answers_carry_the_cookies_too(browser, backend):
    browser.log_in("/", user="bob")
    for path, status in (("/admin/x", 403), ("/.gatehouse/userinfo", 200),
                         ("/.gatehouse/session", 200)):
        browser.lose_access()
        answer = browser.fetch(path)
        assert answer.status == status, path
        assert ACCESS_COOKIE in answer.cookies(), path
    backend.on("/gone", lambda exchange: exchange.reset())
    browser.lose_access()
    answer = browser.fetch("/gone")
    assert answer.status == 502 and ACCESS_COOKIE in answer.cookies()


def test_a_websocket_handshake_carries_the_cookies(browser, backend):
    browser.log_in("/")
    browser.lose_access()
    backend.on("/live/x", lambda exchange: exchange.send(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"))
    handshake = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                 "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                 "Origin": f"http://{browser.host}"}
    with browser.gate.connect() as client:
        answer = client.request("GET", "/live/x", browser.headers(handshake))
        assert answer.status == 101 and ACCESS_COOKIE in answer.cookies()
    with browser.gate.connect() as client:
        answer = client.request("GET", "/live/x", browser.headers(
            {**handshake, "Origin": "https://evil.example"}))
        assert answer.status == 403


def test_parallel_requests_share_one_rotation(browser, backend, gate):
    browser.log_in("/")
    browser.lose_access()
    session = "none"
    answers = spin([lambda: gate.get("/", browser.headers(NAVIGATE))] * 24)
    assert {a.status for a in answers} == {200}
    refresh = {a.cookies()[REFRESH_COOKIE][0] for a in answers}
    assert len(refresh) == 1
    session = claims(answers[0].cookies()[ACCESS_COOKIE][0])["sid"]
    gate.wait_for(lambda: any(r.get("outcome") == "rotated" and r.get("session_id") == session
                              for r in gate.records()), "the audit line")
    rotated = [r for r in gate.records() if r.get("outcome") == "rotated"
               and r.get("session_id") == session]
    assert len(rotated) == 1


def test_a_lost_race_and_a_dead_session_clear_nothing(browser, gate):
    browser.log_in("/")
    stale = dict(browser.cookies)
    assert browser.submit("/logout", "").status == 200
    browser.cookies = {REFRESH_COOKIE: stale[REFRESH_COOKIE]}
    page = browser.visit("/orders")
    assert page.status == 401 and says(page, "Your session has ended")
    assert not {ACCESS_COOKIE, REFRESH_COOKIE} & set(page.cookies())
    answer = browser.fetch("/orders")
    assert answer.status == 401 and answer.json()["error"] == "invalid_token"
    assert not answer.cookies()


def test_a_token_at_the_end_of_its_life_is_renewed_early(start):
    backend = start.backend()
    gate = start(backend, merge(CONFIG, {"tokens": {"access": {"life": "5s"}}}))
    browser = Browser(gate)
    browser.log_in("/")
    first = browser.cookies[ACCESS_COOKIE]

    def renewed():
        page = gate.get("/", browser.headers(NAVIGATE))
        assert page.status == 200
        return ACCESS_COOKIE in page.cookies()
    assert not renewed()
    gate.wait_for(renewed, "an early renewal")
    assert gate.get("/", {"Authorization": f"Bearer {first}"}).status == 200  # not expired yet


def test_public_pages_know_who_is_there_and_ask_nobody(browser, backend):
    assert browser.visit("/assets/logo.png").status == 200
    browser.log_in("/")
    browser.lose_access()
    answer = browser.visit("/assets/logo.png")
    assert answer.status == 200 and backend.last().get("X-Forwarded-User") == "alice"
    assert ACCESS_COOKIE in answer.cookies()


# --- 401 or page

def test_scripts_get_json_that_names_the_login(browser):
    answer = browser.fetch("/data", headers={
        "Referer": f"http://{browser.host}/orders?page=2&x=a%20b"})
    assert answer.status == 401 and answer.get("Location") is None
    assert answer.json()["login"] == "/login?rd=/orders%3Fpage%3D2%26x%3Da%2520b"
    assert answer.json()["error"] == "missing_token"


@pytest.mark.parametrize("path, headers, is_page", [
    ("/", NAVIGATE, True),
    ("/", {"Sec-Fetch-Mode": "cors", "Accept": "text/html"}, False),
    ("/", {"Accept": "text/html"}, True),
    ("/", {"Accept": "application/json, text/html;q=0.9"}, False),
    ("/", {"Accept": "text/html;q=0"}, False),
    ("/", {"Accept": "*/*"}, False),
    ("/", {}, False),
    ("/api/x", NAVIGATE, False),
    ("/pages/x", {"Accept": "*/*"}, True)])
def test_who_gets_a_page(gate, path, headers, is_page):
    answer = gate.get(path, headers)
    assert answer.status == 401
    assert answer.get("Content-Type").startswith("text/html") is is_page


def test_a_post_after_the_session_says_that_it_was_not_saved(browser, backend):
    answer = browser.submit("/orders/save", "a=1", {
        "Referer": f"http://{browser.host}/orders/edit", "Cookie": f"{REFRESH_COOKIE}=gh1.x"})
    assert answer.status == 401 and says(answer, "was not saved")
    assert field(answer, "rd") == "/orders/edit"
    assert backend.requests == []


def test_a_post_without_cookies_was_not_saved_either(browser):
    """A browser forgets the cookies of a session with its end."""
    assert says(browser.submit("/orders/save", "a=1"), "was not saved")


def test_what_passes_by_itself_offers_another_try(start):
    backend = start.backend()
    backend.on("/gone", lambda exchange: exchange.reset())
    browser = Browser(start(backend, merge(CONFIG, {"routes": [
        {"path": "/few/**", "rate_limit": {"key": "route", "rate": "1/1h"}}]})))
    browser.log_in("/")
    page = browser.visit("/gone?a=1&b=2")
    assert page.status == 502 and says(page, "The application did not answer as it should")
    assert b'href="/gone?a=1&amp;b=2"' in page.body and says(page, "Try again")
    record = browser.gate.wait_for_record(path="/gone", status=502)
    assert says(page, record["request_id"]) and says(page, record["reason"])
    assert b'href="/"' in browser.submit("/gone", "a=1").body, "nothing is sent twice"
    assert browser.visit("/few/x").status == 200
    page = browser.visit("/few/x")
    assert page.status == 429 and says(page, "Too many requests") and says(page, "Try again")


def test_forbidden_pages_say_so(browser):
    browser.log_in("/", user="bob")
    page = browser.visit("/admin/x")
    assert page.status == 403 and says(page, "You may not open this page")
    assert browser.fetch("/admin/x").json()["error"] == "forbidden"


# --- cross-site requests to the application

@pytest.mark.parametrize("headers, expected", [
    ({"Sec-Fetch-Site": "same-origin"}, 200),
    ({"Sec-Fetch-Site": "none"}, 200),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({}, 403)])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_cookie_changes_nothing_for_another_site(browser, backend, headers, expected, method):
    browser.log_in("/")
    backend.forget()
    answer = browser.request(method, "/orders", headers, "a=1")
    assert answer.status == expected
    assert len(backend.requests) == (1 if expected == 200 else 0)


def test_our_own_origin_may_change(browser, backend):
    browser.log_in("/")
    answer = browser.request("POST", "/orders", {"Origin": f"http://{browser.host}"}, "a=1")
    assert answer.status == 200


def test_a_route_may_check_for_itself_and_bearers_need_no_check(browser, gate):
    browser.log_in("/")
    evil = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert browser.request("POST", "/hooks/x", evil, "a=1").status == 200
    assert gate.request("POST", "/orders", {**gate.bearer(), **evil}, "a=1").status == 200
    assert browser.request("GET", "/orders", evil).status == 200


def test_a_public_route_sees_nobody_in_a_foreign_request(browser, backend):
    browser.log_in("/")
    answer = browser.request("POST", "/assets/x", {"Origin": "https://evil.example"}, "a=1")
    assert answer.status == 200 and backend.last().get("X-Forwarded-User") is None
