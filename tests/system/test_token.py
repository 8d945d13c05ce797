"""POST /token: where the refresh token may come from, how it rotates, and what happens to an old
one. `grace` is short here, so that both of its sides can be seen."""

import time

import pytest

from support.gate import REFRESH_COOKIE, USERS, claims, refreshed, spin

GRACE = 0.4  # seconds
CONFIG = {"tokens": {"refresh": {"grace": "400ms"}}}
FORBIDDEN = {"error": "Forbidden", "message": "Invalid refresh token"}


def pass_grace():
    time.sleep(GRACE + 0.1)


def is_forbidden(response):
    """403 with the tutorial's body, and no cookie is touched: a late answer would delete the one
    of a newer login."""
    return (response.status == 403 and response.json() == FORBIDDEN
            and not response.all("Set-Cookie"))


# --- the answer

def test_refresh_by_cookie(gate):
    tokens = gate.login()
    response = gate.refresh(tokens.refresh)
    answer = response.json()
    assert response.status == 200
    assert set(answer) == {"accessToken", "tokenType", "expiresIn"}
    assert response.get("Cache-Control") == "no-store"
    successor = refreshed(response)
    assert successor != tokens.refresh and successor.startswith("gh1.")
    before, after = tokens.claims(), claims(answer["accessToken"])
    assert after["sid"] == before["sid"] and after["gen"] == 1 and after["jti"] != before["jti"]
    assert after["auth_time"] == before["auth_time"]


@pytest.mark.parametrize("field", ["token", "refreshToken", "refresh_token"])
def test_refresh_by_json_body(gate, field):
    """The successor comes back the way the token came."""
    response = gate.post_json("/token", {field: gate.login().refresh})
    assert response.status == 200
    assert response.json()["refreshToken"].startswith("gh1.")
    assert not response.all("Set-Cookie")


@pytest.mark.parametrize("field", ["token", "refreshToken", "refresh_token"])
def test_refresh_by_form(gate, field):
    response = gate.post_form("/token", f"{field}={gate.login().refresh}")
    assert response.status == 200
    assert response.json()["refreshToken"].startswith("gh1.")


def test_refresh_by_bearer(gate):
    token = gate.login().refresh
    response = gate.request("POST", "/token", {"Authorization": f"Bearer {token}"}, b"")
    assert response.status == 200
    assert response.json()["refreshToken"].startswith("gh1.")
    assert not response.all("Set-Cookie")


def test_an_access_token_as_bearer_is_ignored(gate):
    """Scripts attach their access token everywhere."""
    tokens = gate.login()
    assert gate.refresh(tokens.refresh, tokens.bearer()).status == 200
    other = gate.login()
    assert gate.post_json("/token", {"token": other.refresh}, other.bearer()).status == 200


def test_two_different_tokens_are_400(gate):
    """Which one counts must never be a matter of taste; neither session is harmed."""
    one, two = gate.login(), gate.login()
    answers = [
        gate.post_json("/token", {"token": one.refresh}, two.cookie()),
        gate.post_json("/token", {"token": one.refresh, "refreshToken": two.refresh}),
        gate.refresh(one.refresh, {"Authorization": f"Bearer {two.refresh}"}),
        gate.request("POST", "/token", {"Cookie": f"{REFRESH_COOKIE}={one.refresh}; "
                                                  f"{REFRESH_COOKIE}={two.refresh}"}, b""),
    ]
    assert [a.status for a in answers] == [400] * 4
    assert gate.refresh(one.refresh).status == gate.refresh(two.refresh).status == 200


def test_no_token_is_401(gate):
    for response in (gate.request("POST", "/token", {}, b""), gate.post_json("/token", {}),
                     gate.request("POST", "/token", {"Cookie": "other=1"}, b"")):
        assert response.status == 401
        assert response.json()["error"] == "missing_token"
        assert response.get("WWW-Authenticate", "").startswith("Bearer")
        assert "error=" not in response.get("WWW-Authenticate")


@pytest.mark.parametrize("body", ['{"token":"a","token":"a"}', "{", "[]", '{"token":5}'])
def test_malformed_body_is_400(gate, body):
    response = gate.request("POST", "/token", {"Content-Type": "application/json"}, body)
    assert response.status == 400


@pytest.mark.parametrize("token", ["x", "gh1.", "gh1.AAAA", "gh1." + "A" * 120, "gh2.AAAA"])
def test_malformed_tokens_are_403(gate, token):
    assert is_forbidden(gate.refresh(token))
    assert is_forbidden(gate.post_json("/token", {"token": token}))


def test_forged_tokens_are_403_and_end_no_session(gate):
    """A flipped bit anywhere is refused, and is no remote logout (RFC 9700 4.14)."""
    token = gate.login().refresh
    for place in range(4, len(token), 7):
        forged = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1:]
        assert is_forbidden(gate.refresh(forged))
    assert gate.refresh(token).status == 200


def test_an_access_token_is_no_refresh_token(gate):
    assert is_forbidden(gate.post_json("/token", {"token": gate.login().access}))


def test_a_refresh_token_is_no_access_token(gate, backend):
    token = gate.login().refresh
    backend.requests.clear()
    assert gate.get("/x", {"Authorization": f"Bearer {token}"}).status == 401
    assert not backend.requests


def test_only_post_refreshes(gate):
    token = gate.login().refresh
    response = gate.get("/token", {"Cookie": f"{REFRESH_COOKIE}={token}"})
    assert response.status == 405 and "POST" in response.get("Allow")


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"},
                                     {"Sec-Fetch-Site": "cross-site"}])
def test_refresh_from_another_site_is_403(gate, headers):
    tokens = gate.login()
    response = gate.refresh(tokens.refresh, headers)
    assert response.status == 403 and not response.all("Set-Cookie")
    after = gate.refresh(tokens.refresh)
    assert claims(after.json()["accessToken"])["gen"] == 1, "nothing was rotated"


# --- rotation

def test_a_predecessor_within_grace_gets_the_same_successor(gate):
    """Ten tabs refresh at once and all go on."""
    token = gate.login().refresh
    successors = {refreshed(gate.refresh(token)) for _ in range(5)}
    assert len(successors) == 1


def test_parallel_refreshes_rotate_once(gate):
    """H01: N tabs, one successor, nobody is logged out."""
    token = gate.login().refresh
    for generation in range(1, 6):
        answers = spin([lambda: gate.refresh(token)] * 16)
        assert [a.status for a in answers] == [200] * 16
        assert len({refreshed(a) for a in answers}) == 1
        assert {claims(a.json()["accessToken"])["gen"] for a in answers} == {generation}
        token = refreshed(answers[0])
        pass_grace()
    assert gate.refresh(token).status == 200


def test_a_chain_of_refreshes(gate):
    token = gate.login().refresh
    for generation in range(1, 5):
        pass_grace()
        response = gate.refresh(token)
        assert claims(response.json()["accessToken"])["gen"] == generation
        token = refreshed(response)


def test_a_lost_answer_can_be_asked_for_again(gate):
    """The client never got the successor and comes back with what it has, long after grace."""
    token = gate.login().refresh
    assert gate.refresh(token).status == 200
    pass_grace()
    again = gate.refresh(token)
    assert again.status == 200
    pass_grace()
    assert gate.refresh(refreshed(again)).status == 200


def test_reuse_ends_the_session(gate):
    """H02: a token shown after both sides moved on is theft, and everything of it dies."""
    first = gate.login()
    second = gate.refresh(first.refresh)
    pass_grace()
    third = gate.refresh(refreshed(second))
    pass_grace()
    assert is_forbidden(gate.refresh(first.refresh))
    assert is_forbidden(gate.refresh(refreshed(third)))
    bearer = {"Authorization": f"Bearer {third.json()['accessToken']}"}
    gate.wait_for(lambda: gate.get("/x", bearer).status == 401, "the end of its access tokens", 1)


def test_a_thief_who_comes_first_is_found(gate):
    """H03: the thief rotates and uses the session; the victim's old token then ends it. The proof
    that the successor is used counts a second after grace (`iat` has whole seconds) and is noted
    off the request path, hence the waits."""
    victim = gate.login()
    stolen = gate.refresh(victim.refresh)
    time.sleep(GRACE + 1.1)
    bearer = {"Authorization": f"Bearer {stolen.json()['accessToken']}"}
    assert gate.get("/x", bearer).status == 200
    time.sleep(GRACE + 1.1)
    assert is_forbidden(gate.refresh(victim.refresh))
    assert is_forbidden(gate.refresh(refreshed(stolen)))


def test_reuse_is_audited(gate):
    first = gate.login("bob")
    second = gate.refresh(first.refresh)
    pass_grace()
    gate.refresh(refreshed(second))
    pass_grace()
    gate.refresh(first.refresh)
    gate.wait_for_record(outcome="reuse", user="bob", session_id=first.claims()["sid"])


def test_sessions_are_independent(gate):
    """Theft in one session says nothing about the user's other ones."""
    first, other = gate.login(), gate.login()
    second = gate.refresh(first.refresh)
    pass_grace()
    gate.refresh(refreshed(second))
    pass_grace()
    assert gate.refresh(first.refresh).status == 403
    assert gate.refresh(other.refresh).status == 200


def test_idle_life_ends_a_session(start):
    gate = start(start.backend(), {"tokens": {"refresh": {"idle_life": "1s", "grace": "100ms"}}})
    used, unused = gate.login().refresh, gate.login().refresh
    for _ in range(4):
        time.sleep(0.45)
        used = refreshed(gate.refresh(used))
    assert is_forbidden(gate.refresh(unused))


def test_absolute_life_ends_a_session(start):
    changes = {"absolute_life": "2s", "idle_life": "2s", "grace": "100ms"}
    gate = start(start.backend(), {"tokens": {"refresh": changes}})
    token, began = gate.login().refresh, time.monotonic()
    while time.monotonic() - began < 1:
        time.sleep(0.2)
        token = refreshed(gate.refresh(token))

    def has_ended():
        response = gate.refresh(token)
        return is_forbidden(response)
    gate.wait_for(has_ended, "the absolute end", 4)
    assert time.monotonic() - began > 0.9


def test_rotation_looks_the_user_up_anew(start):
    """Groups are current; a disabled or removed user's session ends."""
    gate = start(start.backend(), {"tokens": {"refresh": {"grace": 0}}})
    tokens = {user: gate.login(user).refresh for user in ("alice", "bob", "carol")}
    changed = [dict(u) for u in USERS if u["username"] != "carol"]
    changed[0]["groups"] = ["retired"]
    changed[1]["disabled"] = True
    gate.write_users(changed)

    def groups():
        response = gate.refresh(tokens["alice"])
        tokens["alice"] = refreshed(response)
        return claims(response.json()["accessToken"]).get("groups")
    gate.wait_for(lambda: groups() == ["retired"], "the new groups")
    assert is_forbidden(gate.refresh(tokens["bob"]))
    assert is_forbidden(gate.refresh(tokens["carol"]))
    gate.write_users(USERS)
    gate.wait_for(lambda: gate.try_login("carol").status == 200, "carol's return")
    assert is_forbidden(gate.refresh(tokens["carol"])), "the ended session stays ended"


def test_full_store_never_ends_other_users_sessions(start):
    gate = start(start.backend(), {"store": {"memory": {"sessions_max": 2}}})
    bob = gate.login("bob")
    first = gate.login("alice")
    second = gate.login("alice")
    assert gate.refresh(bob.refresh).status == 200
    assert is_forbidden(gate.refresh(first.refresh)), "her own oldest session makes room"
    assert gate.refresh(second.refresh).status == 200
    full = gate.try_login("carol")
    assert full.status == 503 and int(full.get("Retry-After")) >= 1
    assert gate.refresh(bob.refresh).status == 200


# --- delivery

def test_delivery_by_body(start):
    gate = start(start.backend(), {"tokens": {"refresh": {"delivery": "body"}}})
    response = gate.try_login()
    assert not response.all("Set-Cookie")
    answer = gate.post_json("/token", {"token": response.json()["refreshToken"]})
    assert answer.status == 200 and answer.json()["refreshToken"].startswith("gh1.")


def test_delivery_by_both(start):
    gate = start(start.backend(), {"tokens": {"refresh": {"delivery": "both"}}})
    response = gate.try_login()
    assert response.json()["refreshToken"] == response.cookies()[REFRESH_COOKIE][0]


@pytest.mark.parametrize("changes, name, attributes", [
    ({"secure": False}, "gatehouse_refresh", {"path=/", "httponly", "samesite=lax"}),
    ({"domain": "example.com"}, "__Secure-gatehouse_refresh",
     {"path=/", "httponly", "secure", "domain=example.com"}),
    ({"name": "portal", "same_site": "strict"}, "__Host-portal_refresh",
     {"path=/", "httponly", "secure", "samesite=strict"}),
    ({"path": "/app"}, "__Secure-gatehouse_refresh", {"path=/app", "httponly", "secure"})])
def test_cookie_settings(start, changes, name, attributes):
    gate = start(start.backend(), {"cookies": changes})
    cookies = gate.try_login().cookies()
    assert list(cookies) == [name]
    found = {a.lower() for a in cookies[name][1]}
    assert attributes <= found
    assert ("secure" in found) == ("secure" in attributes)
    assert any(a.startswith("domain") for a in found) == ("domain" in changes)


# --- OAuth 2.0 form (RFC 6749)

def oauth(gate, text, headers=()):
    return gate.post_form("/token", text, headers)


def test_oauth_refresh(gate):
    response = oauth(gate, f"grant_type=refresh_token&refresh_token={gate.login().refresh}")
    answer = response.json()
    assert response.status == 200
    assert answer["token_type"].lower() == "bearer" and answer["expires_in"] == 900
    assert answer["access_token"] and answer["refresh_token"].startswith("gh1.")
    assert "accessToken" not in answer
    assert response.get("Cache-Control") == "no-store"


@pytest.mark.parametrize("text, error", [
    ("grant_type=refresh_token&refresh_token=nonsense", "invalid_grant"),
    ("grant_type=refresh_token", "invalid_request"),
    ("grant_type=refresh_token&refresh_token=", "invalid_request"),
    ("grant_type=refresh_token&refresh_token=a&refresh_token=b", "invalid_request"),
    ("grant_type=refresh_token&grant_type=refresh_token&refresh_token=a", "invalid_request"),
    ("grant_type=password&username=alice&password=x", "unsupported_grant_type"),
    ("grant_type=client_credentials", "unsupported_grant_type"),
    ("grant_type=authorization_code&code=x", "unsupported_grant_type")])
def test_oauth_errors(gate, text, error):
    response = oauth(gate, text)
    assert response.status == 400
    answer = response.json()
    assert answer["error"] == error
    assert "message" not in answer
    description = answer.get("error_description", "")
    assert all(0x20 <= ord(c) <= 0x7E and c not in '"\\' for c in description)


def test_oauth_reuse_is_invalid_grant(gate):
    first = gate.login()
    second = gate.refresh(first.refresh)
    pass_grace()
    gate.refresh(refreshed(second))
    pass_grace()
    response = oauth(gate, f"grant_type=refresh_token&refresh_token={first.refresh}")
    assert response.status == 400 and response.json()["error"] == "invalid_grant"
