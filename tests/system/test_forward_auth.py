"""The decision endpoint for other proxies: what they say, what they are told, and what a client
that stands behind one of them may not make us believe. Real proxies: test_recipes.py."""

import json

import pytest

from support.browser import BROWSER, NAVIGATE
from support.certificates import Authority, TlsClient
from support.gate import ACCESS_COOKIE, PASSWORD, REFRESH_COOKIE, spin
from support.redis import Redis, missing_tools, store

AUTH = "/.gatehouse/auth"
CONFIG = {
    "trusted_proxies": ["127.0.0.0/8"],
    "external_url": "https://app.example.com",
    "endpoints": {"auth": AUTH},
    "upstreams": None,
    "routes": [{"path": "/public/**", "access": "public"},
               {"path": "/admin/**", "require": {"groups": ["admins"]}},
               {"path": "/scoped/**", "require": {"scopes": ["orders:read"]}},
               {"path": "/read", "methods": ["GET"]},
               {"path": "/live/**", "websocket": True},
               {"path": "/api/**", "strip_prefix": "/api"},
               {"path": "/old/**", "paths": "legacy"},
               {"path": "/**", "host": "docs.example.com", "access": "public"}],
    "identity": {"headers": [{"name": "X-Employee", "claim": "sub"}]},
}


def forwarded(uri="/orders", method="GET", host="app.example.com", proto="https"):
    return {"X-Forwarded-Method": method, "X-Forwarded-Proto": proto, "X-Forwarded-Host": host,
            "X-Forwarded-Uri": uri}


def original(uri="/orders", method="GET", host="app.example.com"):
    return {"X-Original-Method": method, "X-Original-URL": f"https://{host}{uri}"}


def ask(gate, fields, more=(), path=AUTH, method="GET", body=None):
    return gate.request(method, path, [*dict(fields).items(), *dict(more).items()], body)


@pytest.mark.parametrize("form", [forwarded, original])
def test_a_request_with_a_token_is_permitted_with_the_users_identity(gate, form):
    answer = ask(gate, form("/orders?page=2"), gate.bearer())
    assert answer.status == 200 and answer.body == b""
    assert answer.get("X-Forwarded-User") == "alice"
    assert answer.get("X-Forwarded-Email") == "alice@example.com"
    assert answer.get("X-Forwarded-Groups") == "staff,admins"
    assert answer.get("X-Employee") == "alice"
    assert answer.get("Cache-Control") == "no-store"
    assert answer.get("Authorization") is None, "the application does not see our token"


@pytest.mark.parametrize("form", [forwarded, original])
def test_a_request_without_a_token_gets_the_challenge(gate, form):
    answer = ask(gate, form())
    assert answer.status == 401
    assert answer.get("WWW-Authenticate").startswith("Bearer ")
    assert answer.json()["error"] == "missing_token"
    assert answer.get("X-Forwarded-User") is None


def test_a_bad_token_is_no_token(gate):
    answer = ask(gate, forwarded(), {"Authorization": "Bearer no.token.atall"})
    assert answer.status == 401 and "invalid_token" in answer.get("WWW-Authenticate")


def test_a_public_path_is_permitted_for_nobody_in_particular(gate):
    answer = ask(gate, forwarded("/public/logo.png"), {"X-Forwarded-User": "root",
                                                       "X-Employee": "root"})
    assert answer.status == 200
    assert answer.get("X-Forwarded-User") is None and answer.get("X-Employee") is None


@pytest.mark.parametrize("uri, user, status", [
    ("/admin/", "alice", 200), ("/admin/", "bob", 403), ("/scoped/x", "alice", 200),
    ("/scoped/x", "bob", 403), ("/api/orders", "bob", 200), ("/api/admin/x", "bob", 403)])
def test_rules_hold_as_for_a_forwarded_request(gate, uri, user, status):
    answer = ask(gate, forwarded(uri), gate.bearer(user))
    assert answer.status == status
    if uri.startswith("/scoped") and status == 403:
        assert "insufficient_scope" in answer.get("WWW-Authenticate")


@pytest.mark.parametrize("uri", [
    "/public/../admin/x", "/public/%2e%2e/admin/x", "/public/..%2fadmin", "//public/x",
    "/public/..;/admin", "/public%2f..%2fadmin", "/public/a\\..\\admin", "/%70ublic/x",
    "/public/x#/../admin", "public/x", "https://evil/public/x", "*", "/public/%00",
    "/public/x HTTP/1.1", "/public/x\tHTTP/1.1"])
def test_only_canonical_paths_are_decided_about(gate, uri):
    """B01 to B08: whatever the proxy in front makes of it, we do not say yes."""
    assert ask(gate, forwarded(uri)).status == 403
    assert ask(gate, forwarded(uri), gate.bearer()).status == 403


def test_legacy_paths_pass_where_the_rule_takes_them(gate):
    assert ask(gate, forwarded("/old/a;v=1//b"), gate.bearer()).status == 200
    assert ask(gate, forwarded("/old/a;v=1//b")).status == 401


@pytest.mark.parametrize("method, status", [("GET", 200), ("POST", 403), ("TRACE", 403),
                                            ("CONNECT", 403), ("get", 403), ("GET /public/x", 403),
                                            ("PROPFIND", 403), ("", 403)])
def test_the_method_in_question_counts_not_the_one_of_the_question(gate, method, status):
    bearer = gate.bearer()
    for asked_with in ("GET", "POST", "HEAD", "DELETE"):
        assert ask(gate, forwarded("/read", method), bearer, method=asked_with).status == status


def test_any_body_of_the_question_is_dropped(gate):
    with gate.connect() as client:
        for _ in range(2):
            answer = client.request("POST", AUTH, {**forwarded("/public/x", "POST"),
                                                   "Content-Type": "text/plain"}, "x" * 20_000)
            assert answer.status == 200


@pytest.mark.parametrize("left_out", ["X-Forwarded-Method", "X-Forwarded-Proto",
                                      "X-Forwarded-Host", "X-Forwarded-Uri"])
def test_a_question_that_lacks_a_part_is_refused(gate, left_out):
    fields = {k: v for k, v in forwarded("/public/x").items() if k != left_out}
    answer = ask(gate, fields)
    assert answer.status == 403 and answer.json()["error"] == "question_missing"


@pytest.mark.parametrize("fields", [
    {}, {"X-Original-URL": "https://app.example.com/public/x"}, {"X-Original-Method": "GET"},
    {"X-Original-Method": "GET", "X-Original-URL": "/public/x"},
    {"X-Original-Method": "GET", "X-Original-URL": "ftp://app.example.com/public/x"},
    {"X-Original-Method": "GET", "X-Original-URL": "https://u@app.example.com/public/x"},
    {"X-Original-Method": "GET", "X-Original-URL": "https:///public/x"}])
def test_an_original_url_must_be_whole(gate, fields):
    assert ask(gate, fields).status == 403


def test_the_other_familys_fields_of_a_client_change_nothing(gate):
    """C01: Traefik and Caddy pass a client's own X-Original-URL on, nginx its X-Forwarded-Uri."""
    spoofs = [{**forwarded("/admin/x"), **original("/public/x")},
              {**forwarded("/admin/x"), "X-Original-URL": "https://app.example.com/public/x"},
              {**forwarded("/admin/x"), "X-Original-Method": "GET"},
              {**original("/admin/x"), "X-Forwarded-Uri": "/public/x"},
              {**original("/public/x"), "X-Forwarded-Uri": "/admin/x"},
              {**forwarded("/admin/x", host="app.example.com"),
               **original("/admin/x", host="docs.example.com")},
              {**forwarded("/read", "POST"), **original("/read", "GET")}]
    for fields in spoofs:
        answer = ask(gate, fields)
        assert answer.status == 403 and answer.json()["error"] == "question_ambiguous", fields
    assert ask(gate, {**forwarded("/public/x"), **original("/public/x")}).status == 200


@pytest.mark.parametrize("name", ["X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Host",
                                  "X-Forwarded-Proto"])
def test_a_field_that_stands_twice_is_refused(gate, name):
    fields = [*forwarded("/public/x").items(), (name, forwarded("/public/x")[name])]
    assert gate.request("GET", AUTH, fields).status == 403
    fields = [*original("/public/x").items(), ("X-Original-URL", "https://app.example.com/x")]
    assert gate.request("GET", AUTH, fields).status == 403


def test_look_alike_names_are_no_question(gate):
    fields = {"X_Forwarded_Uri": "/public/x", "X-Rewrite-URL": "/public/x",
              "X-Original-URI": "/public/x", **forwarded("/admin/x")}
    assert ask(gate, fields).status == 401


def test_the_host_in_question_chooses_the_rule(gate):
    assert ask(gate, forwarded(host="docs.example.com")).status == 200
    assert ask(gate, forwarded(), {"Host": "docs.example.com"}).status == 401
    assert ask(gate, forwarded(host="docs.example.com, app.example.com")).status == 403
    assert ask(gate, forwarded(host="docs.example.com/public")).status == 403


def test_two_credentials_are_no_credential(gate):
    """A06, H09."""
    refresh = gate.login().refresh
    cookies = f"{REFRESH_COOKIE}={refresh}; {REFRESH_COOKIE}=x"
    assert ask(gate, forwarded("/public/x"), {"Cookie": cookies}).status == 403


def test_our_own_paths_are_not_the_applications(gate):
    for path in ("/login", "/token", "/logout", AUTH, AUTH + "/envoy/x"):
        answer = ask(gate, forwarded(path), gate.bearer())
        assert answer.status == 403 and answer.json()["error"] == "own_endpoint", path


def test_a_websocket_passes_where_its_rule_takes_it(gate):
    handshake = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                 "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    bearer = gate.bearer()
    assert ask(gate, forwarded("/live/1"), {**bearer, **handshake}).status == 200
    assert ask(gate, forwarded("/live/1"), handshake).status == 401
    assert ask(gate, forwarded("/orders"), {**bearer, **handshake}).status == 403
    del handshake["Sec-WebSocket-Key"]
    assert ask(gate, forwarded("/orders"), {**bearer, **handshake}).status == 403


def test_the_applications_cookies_come_back_without_ours(gate):
    """What the proxy passes on instead of the client's own field (H14)."""
    tokens = gate.login()
    cookies = f"a=1; {REFRESH_COOKIE}={tokens.refresh}; b=2; {ACCESS_COOKIE}=x"
    answer = ask(gate, forwarded(), {**tokens.bearer(), "Cookie": cookies})
    assert answer.status == 200 and answer.get("Cookie") == "a=1; b=2"
    only_ours = {**tokens.bearer(), "Cookie": f"{REFRESH_COOKIE}={tokens.refresh}"}
    assert ask(gate, forwarded(), only_ours).get("Cookie") is None


def test_a_person_is_sent_to_the_login_page_and_back(gate):
    page = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
    answer = ask(gate, forwarded("/orders?page=2&q=a%20b"), page, AUTH + "?redirect=true")
    assert answer.status == 303
    assert answer.get("Location") == \
        "https://app.example.com/login?rd=/orders%3Fpage%3D2%26q%3Da%2520b"
    told = ask(gate, forwarded("/orders?page=2&q=a%20b"), page)
    assert told.status == 401, "nginx takes a redirect for a failure"
    assert told.get("X-Gatehouse-Login") == answer.get("Location")
    assert ask(gate, forwarded(), {}, AUTH + "?redirect=true").status == 303
    for script in ({"Sec-Fetch-Mode": "cors"}, {"Accept": "application/json"}):
        answer = ask(gate, forwarded(), script, AUTH + "?redirect=true")
        assert answer.status == 401 and answer.get("X-Gatehouse-Login") is None


def test_a_redirect_names_no_host_of_the_request(gate):
    """C05."""
    fields = forwarded("/x", host="evil.example")
    answer = ask(gate, fields, {"X-Forwarded-Prefix": "//evil.example"}, AUTH + "?redirect=true")
    assert answer.status == 303 and "evil" not in answer.get("Location")
    assert ask(gate, forwarded("//evil.example"), {}, AUTH + "?redirect=true").status == 403
    assert ask(gate, forwarded(), gate.bearer(), AUTH + "?redirect=true").status == 200
    assert ask(gate, forwarded("/admin/x"), gate.bearer("bob"),
               AUTH + "?redirect=true").status == 403


def envoy(gate, uri, more=(), method="GET", host="app.example.com"):
    fields = {"Host": host, "X-Forwarded-Proto": "https", **dict(more)}
    return gate.request(method, f"{AUTH}/envoy{uri}", fields)


def test_envoy_asks_with_the_request_line_itself(gate):
    answer = envoy(gate, "/orders?page=2", gate.bearer("carol"))
    assert answer.status == 200 and answer.get("X-Forwarded-User") == "carol"
    removed = answer.get("X-Envoy-Auth-Headers-To-Remove").split(", ")
    assert {"X-Forwarded-Groups", "Remote-User", "X-Auth-Request-User", "Authorization",
            "Cookie"} <= set(removed)
    assert "X-Forwarded-User" not in removed and "X-Employee" not in removed
    assert envoy(gate, "/orders").status == 401
    assert envoy(gate, "/read", gate.bearer(), method="POST").status == 403
    assert envoy(gate, "/x", host="docs.example.com").status == 200


@pytest.mark.parametrize("uri", ["", "/public/../admin", "//public/x", "/public/%2e%2e/admin",
                                 "x/public/x", "/public/..%2fadmin"])
def test_envoys_path_must_be_canonical_too(gate, uri):
    assert envoy(gate, uri).status in (400, 403)
    assert envoy(gate, uri, gate.bearer()).status in (400, 403)


def test_envoys_question_is_its_request_line_only(gate):
    assert envoy(gate, "/admin/x", original("/public/x")).status == 401
    assert envoy(gate, "/admin/x", forwarded("/public/x")).status == 401


def test_the_log_tells_about_the_request_in_question(gate):
    ask(gate, forwarded("/admin/of-the-log", host="shop.example.com"), gate.bearer("bob"))
    record = gate.wait_for_record(path="/admin/of-the-log")
    assert record["status"] == 403 and record["user"] == "bob" and record["method"] == "GET"
    assert record["host"] == "shop.example.com" and record["route"] == "/admin/**"
    assert record["reason"] == "insufficient_groups"


def test_without_upstreams_nothing_is_forwarded(gate):
    assert gate.get("/orders", gate.bearer()).status == 404
    assert gate.get("/orders").status == 401
    assert gate.get("/.gatehouse/session", gate.bearer()).status == 200


def test_many_questions_at_once_are_answered_each_for_itself(gate):
    alice, bob = gate.bearer("alice"), gate.bearer("bob")

    def answers():
        with gate.connect() as client:
            return [client.request("GET", AUTH, {**forwarded("/admin/x"), **who}).status
                    for _ in range(50) for who in (alice, bob, {})]
    for got in spin([answers] * 8):
        assert got == [200, 403, 401] * 50


def test_nobody_else_may_ask(start):
    """The answer says who a token's user is and which paths are open."""
    gate = start(start.backend(), {**CONFIG, "trusted_proxies": ["192.0.2.0/24"],
                                   "upstreams": {"app": {"endpoints": ["http://127.0.0.1:9"]}}})
    bearer = gate.bearer()
    for path in (AUTH, AUTH + "/envoy/public/x", AUTH + "?redirect=true"):
        answer = ask(gate, forwarded("/public/x"), bearer, path)
        assert answer.status == 403 and answer.json()["error"] == "untrusted_proxy"
        assert answer.get("X-Forwarded-User") is None
    gate.wait_for_log("trusted_proxies")


def test_the_asking_proxys_certificate_is_not_the_clients(start, tmp_path):
    authority = Authority(tmp_path)
    rule = {"path": "/device/**", "require": {"claims": {"client_certificate": ["CN=nginx"]}}}
    gate = start(start.backend(), {**CONFIG, "routes": [rule, *CONFIG["routes"]], "listeners": [
        {"address": "127.0.0.1:0",
         "tls": authority.listener(client_ca_file=str(authority.file))}]})
    context = authority.context(authority.issue("nginx"))
    body = {"Content-Type": "application/json"}
    login = json.dumps({"username": "alice", "password": PASSWORD})
    with TlsClient(gate.address, context) as client:
        token = client.request("POST", "/login", body, login).json()["accessToken"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert client.request("GET", AUTH, {**forwarded("/orders"), **bearer}).status == 200
        assert client.request("GET", AUTH, {**forwarded("/device/x"), **bearer}).status == 403
        assert client.request("GET", "/device/x", bearer).status == 404, "its own is"


def test_it_is_off_by_default(start):
    backend = start.backend()
    gate = start(backend, {"trusted_proxies": ["127.0.0.0/8"]})
    assert ask(gate, forwarded("/public/x")).status == 401
    assert ask(gate, forwarded("/x"), gate.bearer()).status == 200
    assert backend.last().target == AUTH, "the application's own path"


def test_what_a_forwarded_request_would_get_is_told_beside_the_403(start):
    rate = {"path": "/few/**", "access": "public", "rate_limit": {"key": "route", "rate": "1/1h"}}
    gate = start(start.backend(), {**CONFIG, "routes": [rate, *CONFIG["routes"]]})
    assert ask(gate, forwarded("/few/x")).status == 200
    answer = ask(gate, forwarded("/few/x"))
    assert answer.status == 403 and answer.get("X-Gatehouse-Status") == "429"
    assert int(answer.get("Retry-After")) > 1000
    for uri, method, status in (("/read", "POST", "405"), ("//x", "GET", "400")):
        answer = ask(gate, forwarded(uri, method), gate.bearer())
        assert answer.status == 403 and answer.get("X-Gatehouse-Status") == status
    assert ask(gate, forwarded()).get("X-Gatehouse-Status") is None


PREFLIGHT = {"Origin": "https://shop.example.com", "Access-Control-Request-Method": "POST"}


def test_a_preflight_passes_where_a_rule_lets_it(start):
    """As docs/forward-auth.md has it; a rule with `cors` has no answer to add its fields to."""
    gate = start(start.backend(), {**CONFIG, "routes": [
        {"path": "/api/**", "methods": ["OPTIONS"], "access": "public"},
        {"path": "/api/**", "methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]},
        {"path": "/own/**", "cors": {"allow_origins": ["https://shop.example.com"]}}]})
    assert ask(gate, forwarded("/api/x", "OPTIONS"), PREFLIGHT).status == 200
    assert ask(gate, forwarded("/api/x", "POST")).status == 401
    answer = ask(gate, forwarded("/own/x", "OPTIONS"), PREFLIGHT)
    assert answer.status == 403 and answer.get("X-Gatehouse-Status") == "204"


@pytest.mark.skipif(bool(missing_tools()), reason="redis-server is not installed")
def test_a_store_that_is_down_is_503(start, tmp_path):
    """Where it is needed: for a session without an access token, and where `deny` wants it."""
    redis = Redis(tmp_path / "redis")
    try:
        config = {**CONFIG, **BROWSER, "store": {**store(redis), "on_outage": {"access": "deny"}}}
        gate = start(start.backend(), config)
        tokens = gate.login()
        assert ask(gate, forwarded(), tokens.bearer()).status == 200
        redis.kill()
        gate.wait_for(lambda: ask(gate, forwarded(), tokens.bearer()).status == 503, "the outage")
        for form, more in ((forwarded, tokens.cookie()), (original, tokens.cookie())):
            for path in (AUTH, AUTH + "?redirect=true"):
                answer = ask(gate, form(), {**more, **NAVIGATE}, path)
                assert answer.status == 503 and answer.get("Retry-After"), path
                assert not answer.all("Set-Cookie") and answer.get("Location") is None
        assert envoy(gate, "/orders", tokens.bearer()).status == 503
        assert ask(gate, forwarded("/public/x")).status == 200
    finally:
        redis.stop()


def test_the_token_in_a_cookie_can_go_to_the_application(start):
    gate = start(start.backend(), {**CONFIG, **BROWSER,
                                   "identity": {"authorization": "access_token"}})
    tokens = gate.login()
    cookie = {"Cookie": f"{ACCESS_COOKIE}={tokens.access}", "Authorization": "Basic YTpi"}
    answer = ask(gate, forwarded(), cookie)
    assert answer.all("Authorization") == [f"Bearer {tokens.access}"]


def test_the_tokens_way_to_the_application_is_configured(start):
    gate = start(start.backend(), {**CONFIG, "identity": {"authorization": "access_token"}})
    bearer = gate.bearer()
    assert ask(gate, forwarded(), bearer).get("Authorization") == bearer["Authorization"]
    assert ask(gate, forwarded("/public/x"),
               {"Authorization": "Bearer x"}).get("Authorization") is None
