"""nginx, Caddy, HAProxy, Apache, Traefik and Envoy with the recipes of examples/forward-auth:
Gatehouse decides, they forward, and the application sees what it would see behind Gatehouse
itself."""

import json
import shutil

import pytest
import yaml

from support.client import Client
from support.fronts import PROXIES, RECIPES, Front
from support.gate import ACCESS_COOKIE, PASSWORD, REFRESH_COOKIE, spin

PROGRAMS = {"nginx": "nginx", "caddy": "caddy", "haproxy": "haproxy", "apache": "apache2",
            "traefik": "traefik", "envoy": "envoy"}
KINDS = [pytest.param(kind, marks=pytest.mark.skipif(
    shutil.which(program, path=f"/usr/sbin:/usr/bin:{PROXIES}") is None,
    reason=f"{program} is not installed; scripts/setup installs it"))
    for kind, program in PROGRAMS.items()]
IDENTITY = ("X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups",
            "X-Forwarded-Preferred-Username")


class Site:
    """A proxy with its Gatehouse and its application."""

    def __init__(self, start, kind):
        self.start, self.kind = start, kind
        self.backend = start.backend()
        recipe = yaml.safe_load((RECIPES / "gatehouse.yaml").read_text())
        parts = {key: recipe[key] for key in ("trusted_proxies", "external_url", "endpoints",
                                              "routes", "browser")}
        parts["routes"].append({"path": "/limited/**", "access": "public", "rate_limit": {
            "key": "route", "rate": "1/1h"}})
        self.gate = start(self.backend, {**parts, "upstreams": None})
        self.front = Front(kind, self.gate.address, ("127.0.0.1", self.backend.port))

    def request(self, method, path, headers=(), body=None):
        headers = {"Host": "app.example.com", **dict(headers)}
        with Client(self.front.address) as client:
            return client.request(method, path, headers, body)

    def get(self, path, headers=()):
        return self.request("GET", path, headers)

    def login(self, user="alice"):
        answer = self.request("POST", "/login", {"Content-Type": "application/json"},
                              json.dumps({"username": user, "password": PASSWORD}))
        assert answer.status == 200, answer.body
        return answer

    def bearer(self, user="alice"):
        return {"Authorization": "Bearer " + self.login(user).json()["accessToken"]}


@pytest.fixture(scope="module", params=KINDS)
def running(request, start_module):
    site = Site(start_module, request.param)
    yield site
    site.front.stop()


@pytest.fixture
def site(running):
    running.backend.forget()
    return running


def identity_of(seen):
    return {name: [value for value in seen.all(name) if value] for name in IDENTITY}


def test_the_application_learns_who_it_is(site):
    answer = site.get("/orders?page=2", site.bearer())
    assert answer.status == 200, (answer.body, site.front.log.read_text())
    seen = site.backend.last()
    assert seen.target == "/orders?page=2"
    assert identity_of(seen) == {
        "X-Forwarded-User": ["alice"], "X-Forwarded-Email": ["alice@example.com"],
        "X-Forwarded-Groups": ["staff,admins"], "X-Forwarded-Preferred-Username": ["alice"]}


def test_without_a_token_nobody_gets_to_the_application(site):
    for headers in ({}, {"Authorization": "Bearer no.token.atall"}, {"Cookie": "a=b"}):
        answer = site.get("/orders", {"Accept": "application/json", **headers})
        assert answer.status == 401
        assert answer.get("WWW-Authenticate").startswith("Bearer ")
    assert len(site.backend.requests) == 0


def test_a_rule_holds_for_the_request_in_question(site):
    assert site.get("/admin/x", site.bearer("bob")).status == 403
    assert len(site.backend.requests) == 0
    assert site.get("/admin/x", site.bearer("alice")).status == 200


def test_no_client_brings_an_identity(site):
    """A01, A13: other spellings, a user without groups, a public path."""
    forged = {**{name: "root" for name in IDENTITY}, "X_Forwarded_User": "root",
              "x-forwarded-USER": "root", "X-Forwarded_Groups": "admins"}
    for path, more in (("/assets/a.css", {}), ("/orders", site.bearer("carol"))):
        site.backend.forget()
        answer = site.get(path, {**forged, **more})
        if answer.status == 400:
            continue  # some refuse such names
        assert answer.status == 200
        for name, value in site.backend.last().headers:
            folded = "".join(c for c in name.lower() if c.isalnum())
            if folded in {"xforwardeduser", "xforwardedgroups", "xforwardedemail",
                          "xforwardedpreferredusername"}:
                assert value in ("", "carol"), (site.kind, path, name, value)


@pytest.mark.parametrize("forged", [
    {"X-Original-URL": "http://app.example.com/assets/x", "X-Original-Method": "GET"},
    {"X-Original-URL": "/assets/x"}, {"X-Forwarded-Uri": "/assets/x"},
    {"X-Forwarded-Method": "OPTIONS", "X-Forwarded-Uri": "/assets/x"},
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"},
    {"X-Rewrite-URL": "/assets/x", "X-Original-URI": "/assets/x"},
    {"X-Forwarded-For": "127.0.0.1"}])
def test_a_client_cannot_have_another_question_asked(site, forged):
    """C01: what it sends never opens what it wants."""
    answer = site.get("/admin/x", {"Accept": "application/json", **forged})
    assert answer.status in (401, 403), (site.kind, answer.status)
    assert len(site.backend.requests) == 0


@pytest.mark.parametrize("path", [
    "/assets/../admin/x", "/assets/%2e%2e/admin/x", "/assets/..%2fadmin/x", "//assets/x",
    "/assets/..;/admin/x", "/assets%2f..%2fadmin/x", "/assets/%5c../admin/x"])
def test_what_could_be_read_in_two_ways_is_refused(site, path):
    status = site.get(path).status
    if site.kind == "traefik" and status == 200:  # which makes one form of it before it asks
        assert site.backend.last().target == "/assets/x"
        return
    assert status in (303, 400, 401, 403, 404)
    assert len(site.backend.requests) == 0


def test_a_body_arrives_whole(site):
    body = "x" * 200_000
    answer = site.request("POST", "/orders", {**site.bearer(), "Content-Type": "text/plain"}, body)
    assert answer.status == 200, site.front.log.read_text()
    seen = site.backend.last()
    assert seen.method == "POST" and seen.body == body.encode()


def test_our_tokens_and_cookies_stay_in_front(site):
    """H14."""
    login = site.login()
    refresh = login.cookies()[REFRESH_COOKIE][0]
    headers = {"Authorization": "Bearer " + login.json()["accessToken"],
               "Cookie": f"a=1; {REFRESH_COOKIE}={refresh}; b=2"}
    assert site.get("/orders", headers).status == 200
    seen = site.backend.last()
    assert [v for v in seen.all("Authorization") if v] == []
    assert seen.all("Cookie") == ["a=1; b=2"]


def test_gatehouse_answers_its_own_paths(site):
    login = site.login()
    refresh = login.cookies()[REFRESH_COOKIE][0]
    cookie = {"Cookie": f"{REFRESH_COOKIE}={refresh}"}
    assert site.request("POST", "/token", cookie, b"").status == 200
    bearer = {"Authorization": "Bearer " + login.json()["accessToken"]}
    assert site.get("/.gatehouse/session", bearer).json()["user"] == "alice"
    assert site.get("/.well-known/jwks.json").json()["keys"]
    assert site.request("POST", "/logout", cookie, b"").status == 204
    assert site.get("/orders", {**bearer, "Accept": "application/json"}).status == 401
    assert len(site.backend.requests) == 0


def test_a_browsers_session_is_kept_and_renewed_on_the_way(site):
    """Set-Cookie of the answer to the proxy becomes one of the answer to the browser."""
    cookies = {name: value for name, (value, _) in site.login().cookies().items()}
    assert set(cookies) == {REFRESH_COOKIE, ACCESS_COOKIE}
    both = "; ".join(f"{name}={value}" for name, value in cookies.items())
    answer = site.get("/orders", {"Cookie": f"a=1; {both}"})
    assert answer.status == 200 and not answer.all("Set-Cookie")
    assert identity_of(site.backend.last())["X-Forwarded-User"] == ["alice"]
    answer = site.get("/orders", {"Cookie": f"{REFRESH_COOKIE}={cookies[REFRESH_COOKIE]}; a=1"})
    assert answer.status == 200, (site.kind, answer.body, site.front.log.read_text())
    assert set(answer.cookies()) == {REFRESH_COOKIE, ACCESS_COOKIE}, site.kind
    seen = site.backend.last()
    assert seen.all("Cookie") == ["a=1"]
    assert identity_of(seen)["X-Forwarded-User"] == ["alice"]
    assert not [n for n, _ in answer.headers if n.lower().startswith("x-gatehouse")], \
        "scripts cannot read what HttpOnly hides from them"
    access = answer.cookies()[ACCESS_COOKIE][0]
    assert site.get("/orders", {"Cookie": f"{ACCESS_COOKIE}={access}"}).status == 200


def test_another_sites_page_cannot_use_the_cookies(site):
    """H08: the rule about origins holds for the request in question."""
    cookies = "; ".join(f"{name}={value}"
                        for name, (value, _) in site.login().cookies().items())
    form = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"}
    forged = site.request("POST", "/orders", {**form, "Origin": "https://evil.example",
                                              "Sec-Fetch-Site": "cross-site"}, "a=b")
    assert forged.status == 403 and not site.backend.requests
    own = {"Origin": "https://app.example.com", "Sec-Fetch-Site": "same-origin"}
    assert site.request("POST", "/orders", {**form, **own}, "a=b").status == 200


@pytest.mark.parametrize("path", ["/.gatehouse/auth", "/.gatehouse/auth?redirect=true",
                                  "/.gatehouse/auth/envoy/assets/x",
                                  "/.gatehouse/%61uth"])
def test_clients_cannot_ask(site, path):
    """It would tell them which paths are open and what a token says."""
    answer = site.get(path, {**site.bearer(), "X-Original-Method": "GET",
                             "X-Original-URL": "http://app.example.com/orders"})
    assert answer.status in (401, 403, 404), (site.kind, answer.status)
    assert answer.get("X-Forwarded-User") is None
    assert len(site.backend.requests) == 0


def test_nginxs_own_location_is_internal(site):
    if site.kind == "nginx":
        assert site.get("/_gatehouse", site.bearer()).status == 404


def test_a_person_is_sent_to_the_login_page(site):
    page = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Mode": "navigate"}
    answer = site.get("/orders?page=2&q=a%20b", page)
    if site.kind == "envoy":  # which asks without ?redirect=true: the page stands in place
        assert answer.status == 401 and b'name="password"' in answer.body
        assert answer.get("Content-Type") == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.get("Content-Security-Policy")
        assert len(site.backend.requests) == 0
        return
    assert answer.status == 303, (answer.status, site.front.log.read_text())
    location = answer.get("Location")
    assert location.startswith("https://app.example.com/login"), location
    assert len(site.backend.requests) == 0


def test_too_many_requests_are_told_so(site):
    """Traefik and Envoy pass on what Gatehouse tells them, which is a 403 to every proxy."""
    answers = [site.get("/limited/x") for _ in range(3)]
    assert answers[2].status == (403 if site.kind in ("traefik", "envoy") else 429), site.kind
    assert int(answers[2].get("Retry-After")) > 1000
    assert len(site.backend.requests) <= 1


def test_the_client_of_a_login_is_the_proxys_client(site):
    site.request("POST", "/login", {"Content-Type": "application/json",
                                    "X-Forwarded-For": "203.0.113.9"},
                 json.dumps({"username": "alice", "password": PASSWORD}))
    client = site.gate.wait_for_record(event="login", outcome="ok")["client"]
    # Envoy tells a client on its own machine by that machine's address.
    assert client == "127.0.0.1" or (site.kind == "envoy" and client != "203.0.113.9")


def test_requests_side_by_side_are_told_apart(site):
    alice, bob = site.bearer("alice"), site.bearer("bob")

    def go():
        with Client(site.front.address) as client:
            return [client.request("GET", "/admin/x", {"Host": "app.example.com", **who}).status
                    for _ in range(10) for who in (alice, bob)]
    for statuses in spin([go] * 4):
        assert statuses == [200, 403] * 10


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_answer_nobody_gets_through(start, kind):
    """J01: Gatehouse is gone."""
    site = Site(start, kind)
    try:
        bearer = site.bearer()
        assert site.get("/orders", bearer).status == 200
        site.gate.stop()
        site.backend.forget()
        for path in ("/orders", "/assets/x"):
            assert site.get(path, bearer).status in (500, 502, 503, 504), kind
        assert len(site.backend.requests) == 0
    finally:
        site.front.stop()
