"""What every answer of our own has in common, whichever endpoint or refusal it comes from."""

import threading

import pytest

from support.client import render
from support.gate import PASSWORD, REFRESH_COOKIE, spin

JSON = {"Content-Type": "application/json"}
CONFIG = {"routes": [{"path": "/admin/**", "require": {"groups": ["admins"]}},
                     {"path": "/read", "methods": ["GET"]}]}
LOGIN = f'{{"username": "alice", "password": "{PASSWORD}"}}'
# method, path, headers, body, status; `bearer` and `cookie` stand for bob's.
ANSWERS = [
    ("POST", "/login", JSON, LOGIN, 200), ("POST", "/login", JSON, "{", 400),
    ("POST", "/login", JSON, '{"username": "x", "password": "y"}', 401),
    ("POST", "/login", {**JSON, "Origin": "https://evil.example"}, LOGIN, 403),
    ("GET", "/login", {}, None, 405), ("POST", "/login", JSON, "x" * 9000, 413),
    ("POST", "/login", {"Content-Type": "text/plain"}, "x", 415),
    ("POST", "/token", "cookie", "", 200), ("POST", "/token", {}, "", 401),
    ("POST", "/token", {"Cookie": f"{REFRESH_COOKIE}=gh1.x"}, "", 403),
    ("GET", "/token", {}, None, 405), ("POST", "/logout", {}, "", 204),
    ("GET", "/logout", {}, None, 405),
    ("GET", "/.gatehouse/session", "bearer", None, 200),
    ("GET", "/.gatehouse/session", {}, None, 401),
    ("GET", "/.gatehouse/userinfo", "bearer", None, 200),
    ("GET", "/.gatehouse/sessions", "bearer", None, 200),
    ("DELETE", "/.gatehouse/sessions/nonsense", "bearer", None, 404),
    ("GET", "/x", {}, None, 401), ("GET", "/x", {"Authorization": "Bearer x"}, None, 401),
    ("GET", "/admin/x", "bearer", None, 403), ("POST", "/read", "bearer", "", 405),
    ("GET", "//x", "bearer", None, 400), ("TRACE", "/x", {}, None, 405),
]


@pytest.fixture(scope="module")
def bob(shared_gate):
    return shared_gate.login("bob")


@pytest.mark.parametrize("method, path, headers, body, status", ANSWERS,
                         ids=[f"{a[0]} {a[1]} {a[4]}" for a in ANSWERS])
def test_every_answer_of_ours_says_how_it_may_be_used(gate, bob, method, path, headers, body,
                                                      status):
    """Kept by nobody, sniffed by nobody; JSON with a code and a sentence where it is a refusal; a
    challenge where a token would help."""
    headers = {"bearer": bob.bearer(), "cookie": bob.cookie()}.get(headers, headers) \
        if isinstance(headers, str) else headers
    answer = gate.request(method, path, headers, body)
    assert answer.status == status, answer.body
    assert answer.all("Cache-Control") == ["no-store"]
    assert answer.all("X-Content-Type-Options") == ["nosniff"]
    assert answer.all("Server") == []
    if status >= 400:
        said = answer.json()
        assert set(said) == {"error", "message"}
        assert said["message"].endswith(".") or said["message"] == "Invalid refresh token"
    assert bool(answer.all("WWW-Authenticate")) == (status == 401)
    if status == 401:
        assert answer.get("WWW-Authenticate").startswith("Bearer realm=")
    if status == 405:
        assert answer.get("Allow")


def test_only_the_key_set_may_be_kept(gate):
    answer = gate.get("/.well-known/jwks.json")
    assert answer.get("Cache-Control") == "public, max-age=300"
    assert answer.get("X-Content-Type-Options") == "nosniff"


def test_so_many_connections_to_the_application_are_kept(start):
    """`max_idle_connections`, and no more, however many there were at once."""
    backend = start.backend()
    gate = start(backend, {"workers": 1, "upstreams": {"app": {
        "max_idle_connections": 2, "idle_connection_timeout": "1m"}}})
    bearer = gate.bearer()
    together = threading.Barrier(6)

    def script(exchange):
        exchange.read_body()
        together.wait(20)
        exchange.reply(200, b"ok")
    backend.on("/at/once", script)

    def ask(_):
        with gate.connect() as client:
            client.send(render("GET", "/at/once", bearer))
            assert client.read_response().status == 200
    spin([lambda n=n: ask(n) for n in range(6)])
    gate.wait_for(lambda: sum(not c.ended.is_set() for c in backend.connections) == 2,
                  "four to be closed")
