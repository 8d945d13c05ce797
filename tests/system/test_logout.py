"""POST /logout: what it ends, what it answers, and that an ended session stays ended."""

import time

import pytest

from support.gate import ACCESS_COOKIE, PASSWORD, REFRESH_COOKIE


def logout(gate, headers=(), path="/logout", body=b""):
    return gate.request("POST", path, headers, body)


def assert_dead(gate, tokens):
    """Both tokens, at once (H05)."""
    assert gate.refresh(tokens.refresh).status == 403
    assert gate.get("/x", tokens.bearer()).status == 401


def assert_alive(gate, tokens):
    assert gate.get("/x", tokens.bearer()).status == 200
    assert gate.refresh(tokens.refresh).status == 200


def test_logout_by_cookie(gate):
    tokens, other = gate.login(), gate.login()
    response = logout(gate, tokens.cookie())
    assert response.status == 204 and response.body == b""
    assert response.get("X-Content-Type-Options") == "nosniff"
    value, attributes = response.cookies()[REFRESH_COOKIE]
    lowered = {a.lower() for a in attributes}
    assert value == "" and "max-age=0" in lowered
    assert {"path=/", "secure", "httponly"} <= lowered, "or the browser would keep the cookie"
    assert_dead(gate, tokens)
    assert_alive(gate, other)


def test_logout_clears_both_cookies(gate):
    assert {REFRESH_COOKIE, ACCESS_COOKIE} >= set(logout(gate, gate.login().cookie()).cookies())


def test_logout_by_access_token(gate):
    tokens = gate.login()
    assert logout(gate, tokens.bearer()).status == 204
    assert_dead(gate, tokens)


@pytest.mark.parametrize("field", ["token", "refreshToken", "refresh_token"])
def test_logout_by_body(gate, field):
    """The way of the tutorials: the refresh token in JSON."""
    tokens = gate.login()
    assert gate.post_json("/logout", {field: tokens.refresh}).status == 204
    assert_dead(gate, tokens)


def test_logout_by_an_access_token_that_just_expired(start):
    gate = start(start.backend(), {"tokens": {"access": {"life": "1s"}}})
    tokens = gate.login()
    gate.wait_for(lambda: gate.get("/x", tokens.bearer()).status == 401, "expiry")
    assert logout(gate, tokens.bearer()).status == 204
    assert gate.refresh(tokens.refresh).status == 403


@pytest.mark.parametrize("headers", [
    {}, {"Cookie": f"{REFRESH_COOKIE}=nonsense"}, {"Authorization": "Bearer nonsense"},
    {"Cookie": "other=1"}])
def test_unknown_or_missing_token_is_204(gate, headers):
    assert logout(gate, headers).status == 204


def test_every_worker_knows_of_the_end_at_once(start):
    """Whoever was answered that a session is over may ask the next worker in the same moment."""
    gate = start(start.backend(), {"workers": 4})
    clients = [gate.connect() for _ in range(8)]
    for _ in range(20):
        tokens = gate.login()
        for client in clients:
            assert client.request("GET", "/x", tokens.bearer()).status == 200
        assert logout(gate, tokens.cookie()).status == 204
        assert [c.request("GET", "/x", tokens.bearer()).status for c in clients] == [401] * 8
    for client in clients:
        client.close()


def test_logout_twice_is_204(gate):
    tokens = gate.login()
    assert logout(gate, tokens.cookie()).status == logout(gate, tokens.cookie()).status == 204


def test_a_predecessor_logs_out_as_well(gate):
    tokens = gate.login()
    assert gate.refresh(tokens.refresh).status == 200
    assert logout(gate, tokens.cookie()).status == 204
    assert_dead(gate, tokens)


def test_logout_of_all_sessions(gate):
    one, two, stranger = gate.login(), gate.login(), gate.login("bob")
    assert logout(gate, one.cookie(), "/logout?all=true").status == 204
    assert_dead(gate, one)
    assert_dead(gate, two)
    assert_alive(gate, stranger)


def test_login_after_logout_of_all_sessions(gate):
    """Its access token counts, at the latest when the second of the revocation is over."""
    tokens = gate.login("carol")
    assert logout(gate, tokens.cookie(), "/logout?all=true").status == 204
    assert gate.try_login("carol").status == 200
    gate.wait_for(lambda: gate.get("/x", gate.bearer("carol")).status == 200, "a new session", 3)


def test_forged_tokens_end_nothing(gate):
    """No remote logout (RFC 9700 4.14)."""
    tokens = gate.login()
    forged = tokens.refresh[:-2] + ("AA" if tokens.refresh[-2:] != "AA" else "BB")
    assert logout(gate, {"Cookie": f"{REFRESH_COOKIE}={forged}"}).status == 204
    head, body, signature = tokens.access.split(".")
    assert logout(gate, {"Authorization": f"Bearer {head}.{body}.{signature[::-1]}"}).status == 204
    assert_alive(gate, tokens)


def test_get_is_405(gate):
    tokens = gate.login()
    response = gate.get("/logout", tokens.cookie())
    assert response.status == 405 and "POST" in response.get("Allow")
    assert_alive(gate, tokens)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"},
                                     {"Sec-Fetch-Site": "cross-site"}])
def test_logout_from_another_site_is_403(gate, headers):
    tokens = gate.login()
    assert logout(gate, {**tokens.cookie(), **headers}).status == 403
    assert_alive(gate, tokens)


def test_a_logout_reaches_connections_that_are_open(gate):
    """Every worker learns of it, whichever one the next request comes to."""
    tokens = gate.login()
    clients = [gate.connect() for _ in range(8)]
    try:
        for client in clients:
            assert client.request("GET", "/x", tokens.bearer()).status == 200
        assert logout(gate, tokens.cookie()).status == 204
        deadline = time.monotonic() + 1
        statuses = []
        while time.monotonic() < deadline and statuses != [401] * 8:
            statuses = [c.request("GET", "/x", tokens.bearer()).status for c in clients]
        assert statuses == [401] * 8
    finally:
        for client in clients:
            client.close()


def test_the_application_may_own_logout(start):
    """`endpoints.logout: false` leaves the path to the application."""
    backend = start.backend()
    gate = start(backend, {"endpoints": {"logout": False, "login": "/auth/login"}})
    assert gate.post_json("/auth/login", {"username": "alice", "password": PASSWORD}).status == 200
    assert logout(gate).status == 401
    assert gate.try_login().status == 401, "/login is an ordinary path now"
    assert not backend.requests


def test_prefix_moves_every_endpoint(start):
    backend = start.backend()
    gate = start(backend, {"endpoints": {"prefix": "/sso"}})
    assert gate.post_json("/sso/login", {"username": "alice", "password": PASSWORD}).status == 200
    assert gate.get("/sso/.well-known/jwks.json").status == 200
    assert gate.get("/.well-known/jwks.json").status == 401
