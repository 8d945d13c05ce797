"""The end of a browser's session, logins that do not stick, and pages of the operator's own."""

import base64
import time

import pytest

from support.browser import BROWSER, LOGIN_COOKIE, Browser, says
from support.gate import ACCESS_COOKIE, REFRESH_COOKIE, claims, merge
from support.jws import sign

CONFIG = merge(BROWSER, {"app_cookies": [{"name": "JSESSIONID", "path": "/"}]})


@pytest.fixture
def browser(gate):
    return Browser(gate)


# --- logging out

def test_the_logout_page_has_one_button_that_works(browser, backend, gate):
    browser.log_in("/")
    page = browser.visit("/logout")
    assert page.status == 200 and says(page, "alice") and page.body.count(b"<button") == 1
    assert browser.visit("/").status == 200  # looking at it ends nothing
    gone = dict(browser.cookies)
    answer = browser.submit("/logout", "")
    assert answer.status == 200 and says(answer, "You are signed out")
    assert answer.get("Clear-Site-Data") == '"cache"'
    assert not {ACCESS_COOKIE, REFRESH_COOKIE, LOGIN_COOKIE} & set(browser.cookies)
    assert "Max-Age=0" in answer.cookies()["JSESSIONID"][1]
    browser.cookies = gone
    gate.wait_for(lambda: browser.visit("/").status == 401, "the end of the session")
    assert says(Browser(gate).visit("/logout"), "You are signed out")


def test_another_site_cannot_log_anybody_out(browser):
    browser.log_in("/")
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert browser.submit("/logout", "", headers).status == 403
    assert browser.visit("/").status == 200


def test_a_session_that_is_over_is_asked_about_once(start):
    """Its cookie may come along for days: not every request asks the store again."""
    gate = start(start.backend(), merge(CONFIG, {
        "workers": 1, "routes": [{"path": "/open/**", "access": "public"}]}))
    browser = Browser(gate)
    browser.log_in("/")
    cookie = {"Cookie": f"{REFRESH_COOKIE}={browser.cookies[REFRESH_COOKIE]}"}
    assert gate.request("POST", "/logout", cookie, b"").status == 204
    browser.lose_access()
    for _ in range(5):
        assert browser.visit("/open/x").status == 200
    assert browser.visit("/last").status == 401
    gate.wait_for_record(path="/last")
    asked = [r for r in gate.records() if r.get("event") == "refresh"]
    assert [(r["outcome"], r["reason"]) for r in asked] == [("failed", "dead")]
    browser.log_in("/")
    browser.lose_access()
    assert browser.visit("/x").status == 200, "the next session is another one"


# --- the loop doctor

def test_a_browser_that_always_comes_back_is_told_why(start):
    gate = start(start.backend(), CONFIG)
    browser = Browser(gate)
    for _ in range(5):
        browser.log_in("/")
        browser.lose_access()
        browser.cookies.pop(REFRESH_COOKIE)
    page = browser.visit("/")
    assert page.status == 401 and says(page, "Signing in does not work here")
    gate.wait_for_log('"cause":"not_stored"')


@pytest.mark.parametrize("host, headers, changes, cause", [
    ("app.example.com", {"Origin": "http://app.example.com"}, {}, "secure_over_http"),
    ("app.example.org", {"Origin": "https://app.example.org"},
     {"cookies": {"domain": "example.com"}}, "cookie_domain"),
    ("app.example.com", {"Origin": "https://app.example.com", "Sec-Fetch-Dest": "iframe"}, {},
     "third_party"),
    ("app.example.com", {"Origin": "https://app.example.com", "X-Forwarded-Proto": "https"}, {},
     "forwarded_proto")])
def test_the_cause_is_named(start, host, headers, changes, cause):
    gate = start(start.backend(), merge(CONFIG, changes))
    browser = Browser(gate, host)
    page = browser.visit("/")
    browser.cookies.clear()
    answer = browser.submit("/login", browser.fill(page), headers)
    assert answer.status == 403 and says(answer, "Signing in does not work here")
    gate.wait_for_log(f'"cause":"{cause}"')


def bounced(gate, host="app.example.com", headers=()):
    """A browser that was sent on five times; what it is told then."""
    browser = Browser(gate, host)
    state = "A" * 22 + f".5.{int(time.time())}"
    browser.cookies[LOGIN_COOKIE] = state
    return browser, lambda: browser.visit("/", {"Origin": f"https://{host}", **dict(headers)})


def is_named(gate, page, cause):
    assert page.status == 401 and says(page, "Signing in does not work here")
    gate.wait_for_log(f'"cause":"{cause}"')


BEHIND_TLS = merge(CONFIG, {"trusted_proxies": ["127.0.0.0/8"]})
BY_TLS = {"X-Forwarded-Proto": "https"}


def test_a_key_that_this_replica_lacks_is_named(start, keys):
    """Two replicas with keys of their own: the token of one is nothing to the other."""
    one = start(start.backend(), BEHIND_TLS)
    other = start(start.backend(), merge(BEHIND_TLS, {"tokens": {"access": {
        "keys": [keys.config("ES256", "b")]}}}))
    browser, visit = bounced(other, headers=BY_TLS)
    browser.cookies[ACCESS_COOKIE] = one.login().access
    is_named(other, visit(), "keys")
    forged = start(start.backend(), merge(BEHIND_TLS, {"tokens": {"access": {
        "keys": [{**keys.config("ES256", "b"), "kid": "a"}]}}}))
    browser, visit = bounced(forged, headers=BY_TLS)
    browser.cookies[ACCESS_COOKIE] = one.login().access
    is_named(forged, visit(), "keys")


@pytest.mark.parametrize("shift", [-3600, 3600])
def test_a_clock_that_is_wrong_is_named(start, keys, shift):
    """A token that is over already, or not yet good, a moment after the login."""
    gate = start(start.backend(), merge(BEHIND_TLS, {"tokens": {"access": {
        "keys": [keys.config("HS256")]}}}))
    secret = base64.b64decode(keys.private("HS256").read_text().removeprefix("base64:"))
    now = int(time.time()) + shift
    token = sign({**claims(gate.login().access), "iat": now, "nbf": now, "exp": now + 900},
                 secret, header={"alg": "HS256", "typ": "at+jwt", "kid": "a"})
    browser, visit = bounced(gate, headers=BY_TLS)
    browser.cookies[ACCESS_COOKIE] = token
    is_named(gate, visit(), "clock")


def test_too_many_cookies_are_named(start):
    gate = start(start.backend(), BEHIND_TLS)
    browser, visit = bounced(gate, headers=BY_TLS)
    browser.cookies.update({f"app{n}": "x" * 1000 for n in range(8)})
    is_named(gate, visit(), "too_large")


def test_another_name_than_external_url_is_named(start):
    gate = start(start.backend(), merge(BEHIND_TLS, {"external_url": "https://app.example.com"}))
    _, visit = bounced(gate, "www.example.com", BY_TLS)
    page = visit()
    is_named(gate, page, "external_url")
    assert says(page, "www.example.com") and says(page, "https://app.example.com")


# --- remember me

def test_without_remember_me_the_session_ends_with_the_browser(start):
    gate = start(start.backend(), merge(CONFIG, {"sessions": {"remember_me": True}}))
    for remember in (False, True):
        browser = Browser(gate)
        more = {"remember": "yes"} if remember else {}
        assert says(browser.visit("/"), "Stay signed in")
        answer = browser.log_in("/", **more)
        browser.lose_access()
        for cookies in (answer.cookies(), browser.visit("/").cookies()):
            for name in (ACCESS_COOKIE, REFRESH_COOKIE):
                has_life = any(a.startswith("Max-Age=") for a in cookies[name][1])
                assert has_life is remember


def test_pages_can_be_the_operators_own(start, tmp_path):
    (tmp_path / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (tmp_path / "message.html").write_text("<!doctype html><h1>Own: {{heading}}</h1>")
    gate = start(start.backend(), merge(CONFIG, {"browser": {"pages": {
        "title": "Order <desk>", "logo_file": str(tmp_path / "logo.svg"),
        "directory": str(tmp_path), "texts": {"submit": "Hinein"}, "language": "de",
        "colors": {"accent": "#ffdd00"}}}}))
    browser = Browser(gate)
    page = browser.visit("/")
    assert b"Order &lt;desk&gt;" in page.body and b'<html lang="de">' in page.body
    assert b"data:image/svg+xml;base64," in page.body and says(page, "Hinein")
    assert b"--accent:#ffdd00;--ink:#000000" in page.body
    assert says(browser.visit("/logout"), "Own: You are signed out")
