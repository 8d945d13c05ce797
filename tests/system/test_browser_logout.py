"""The end of a browser's session, logins that do not stick, and pages of the operator's own."""

import pytest

from support.browser import BROWSER, LOGIN_COOKIE, Browser, says
from support.gate import ACCESS_COOKIE, REFRESH_COOKIE, merge

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
