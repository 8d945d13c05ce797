"""A browser as far as HTTP goes: cookies that are kept, expired and sent back, and the fields that
tell a navigation from a script. The real one is in tests/browser; this one can misbehave."""

import re
from html import unescape
from urllib.parse import urlencode

from .gate import ACCESS_COOKIE, PASSWORD, REFRESH_COOKIE

LOGIN_COOKIE = "__Host-gatehouse_login"
NAVIGATE = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none",
            "Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SUBMIT = {**NAVIGATE, "Sec-Fetch-Site": "same-origin"}
SCRIPT = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin",
          "Accept": "*/*"}
BROWSER = {"browser": {"enabled": True}}


class Browser:
    def __init__(self, gate, host=None):
        self.gate = gate
        self.host = host or "%s:%s" % gate.address
        self.cookies = {}

    def headers(self, more):
        headers = {"Host": self.host, **more}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{n}={v}" for n, v in self.cookies.items())
        return headers

    def keep(self, response):
        for name, (value, attributes) in response.cookies().items():
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return response

    def request(self, method, path, headers=(), body=None):
        return self.keep(self.gate.request(method, path, self.headers(dict(headers)), body))

    def visit(self, path, headers=()):
        return self.request("GET", path, {**NAVIGATE, **dict(headers)})

    def fetch(self, path, method="GET", headers=(), body=None):
        return self.request(method, path, {**SCRIPT, **dict(headers)}, body)

    def submit(self, path, fields, headers=()):
        text = fields if isinstance(fields, str) else urlencode(fields)
        return self.request("POST", path, {
            **SUBMIT, "Origin": f"http://{self.host}",
            "Content-Type": "application/x-www-form-urlencoded", **dict(headers)}, text)

    def fill(self, page, user="alice", password=PASSWORD, **more):
        """The fields of the form on a login page, filled in."""
        return {"username": user, "password": password, "csrf": field(page, "csrf"),
                "rd": field(page, "rd"), **more}

    def log_in(self, path="/", user="alice", password=PASSWORD, **more):
        """Goes to `path`, meets the login page there and fills it in."""
        page = self.visit(path)
        assert page.status == 401, (page.status, page.body)
        answer = self.submit("/login", self.fill(page, user, password, **more))
        assert answer.status == 303, (answer.status, answer.body)
        assert ACCESS_COOKIE in self.cookies and REFRESH_COOKIE in self.cookies
        return answer

    def lose_access(self):
        """What a browser does when the access cookie's life is over."""
        self.cookies.pop(ACCESS_COOKIE, None)


def field(page, name):
    """The value of a form field."""
    tag = re.search(rb'<input[^>]*name="%s"[^>]*>' % name.encode(), page.body)
    assert tag, page.body
    value = re.search(rb'value="([^"]*)"', tag.group(0))
    return unescape(value.group(1).decode()) if value else ""


def says(page, text):
    return text in unescape(page.body.decode())
