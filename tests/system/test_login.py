"""POST /login: the forms it takes, what it answers, and what it never tells."""

import json
import subprocess
import time

import pytest

from support.gate import PASSWORD, REFRESH_COOKIE, claims, spin

LONG = "0123456789" * 7 + "ab"  # 72 bytes: all that bcrypt looks at


@pytest.mark.parametrize("field", ["username", "email", "name"])
def test_json_login(gate, field):
    """The three names that clients in the wild use for the user."""
    response = gate.post_json("/login", {field: "alice", "password": PASSWORD})
    assert response.status == 200
    answer = response.json()
    assert set(answer) == {"accessToken", "tokenType", "expiresIn"}
    assert answer["tokenType"] == "Bearer" and answer["expiresIn"] == 900
    assert response.get("Content-Type").split(";")[0] == "application/json"
    assert response.get("Cache-Control") == "no-store"
    assert response.get("X-Content-Type-Options") == "nosniff"


def test_form_login(gate):
    response = gate.post_form("/login",
                              "username=alice&password=correct+horse%20battery+staple")
    assert response.status == 200
    assert response.json()["accessToken"]


def test_content_type_may_have_parameters(gate):
    response = gate.request("POST", "/login", {"Content-Type": "application/json; charset=utf-8"},
                            json.dumps({"username": "alice", "password": PASSWORD}))
    assert response.status == 200


def test_refresh_cookie_attributes(gate):
    """__Host- prefix, Secure, HttpOnly, SameSite, Path=/, no Domain (H11)."""
    response = gate.try_login()
    cookies = response.cookies()
    assert list(cookies) == [REFRESH_COOKIE]
    value, attributes = cookies[REFRESH_COOKIE]
    lowered = {a.lower() for a in attributes}
    assert value.startswith("gh1.")
    assert {"secure", "httponly", "path=/", "samesite=lax"} <= lowered
    assert not any(a.startswith("domain") for a in lowered)
    assert len(REFRESH_COOKIE) + len(value) < 4096


def test_access_token_says_who_and_for_how_long(gate):
    token = gate.login().access
    body = claims(token)
    now = time.time()
    assert body["iss"] == "gatehouse" and body["sub"] == "alice"
    assert body["aud"] in ("gatehouse", ["gatehouse"])
    assert body["exp"] - body["iat"] == 900 and abs(body["iat"] - now) < 30
    assert body["gen"] == 0 and abs(body["auth_time"] - now) < 30
    assert body["jti"] and len(body["sid"]) == 22
    assert body["preferred_username"] == "alice" and body["email"] == "alice@example.com"
    assert body["name"] == "Alice Liddell" and body["groups"] == ["staff", "admins"]
    assert body["scope"] == "orders:read"


def test_claims_a_user_does_not_have_are_left_out(gate):
    assert not {"email", "name", "groups", "scope"} & set(claims(gate.login("carol").access))


def test_two_logins_are_two_sessions(gate):
    first, second = gate.login().claims(), gate.login().claims()
    assert first["sid"] != second["sid"] and first["jti"] != second["jti"]


def test_every_failed_login_has_the_same_bytes(gate):
    """Unknown user, wrong password and disabled user cannot be told apart (I01)."""
    answers = [gate.try_login("nobody"), gate.try_login("alice", "wrong"),
               gate.try_login("mallory"), gate.try_login("mallory", "wrong"),
               gate.try_login("alice", PASSWORD + "\0"), gate.try_login("alice", "")]
    for answer in answers[:4]:
        assert answer.status == 401
        assert answer.json()["error"] == "invalid_credentials"
        assert answer.get("WWW-Authenticate", "").startswith("Bearer")
        assert not answer.all("Set-Cookie")
    varying = {"date", "x-request-id"}
    shapes = {(a.status, a.reason, a.body,
               tuple(h for h in a.headers if h[0].lower() not in varying)) for a in answers[:4]}
    assert len(shapes) == 1
    assert all(a.status in (400, 401) for a in answers)


def test_failed_logins_take_the_same_time(start):
    """An unknown user costs the hash of a known one, and so does a disabled one (I01). Only the
    order of size is looked at here: without the hash the difference is a factor of twenty."""
    line = subprocess.run(["htpasswd", "-nbBC", "9", "x", "right"], check=True,
                          capture_output=True, text=True).stdout.strip().split(":", 1)[1]
    users = [{"username": "known", "password_hash": line},
             {"username": "gone", "password_hash": line, "disabled": True}]
    gate = start(start.backend(), users=users)

    logins = [("known", "wrong"), ("unknown", "wrong"), ("gone", "wrong"), ("gone", "right")]
    best = dict.fromkeys(logins, float("inf"))
    for turn in range(60):  # side by side, and longer on a machine that has more to do
        for login in logins:
            begin = time.perf_counter()
            assert gate.try_login(*login).status == 401
            best[login] = min(best[login], time.perf_counter() - begin)
        if turn >= 5 and max(best.values()) < 3 * min(best.values()):
            return
    raise AssertionError(f"seconds: {best}")


@pytest.mark.parametrize("body", [
    '{"username":"alice","username":"alice","password":"x"}',
    '{"username":"alice","password":"x","password":"x"}',
    '{"username":"alice"}', '{"password":"x"}', "{}", "[]", '"alice"', "null", "", "{",
    '{"username":5,"password":"x"}', '{"username":"alice","password":null}',
    '{"username":"alice","password":"x"} x', '{"username":["alice"],"password":"x"}',
    '{"username":"ali\\ud800ce","password":"x"}', '{"username":"alice","password":"\xff"}',
    "[" * 4000], ids=lambda text: text[:40])
def test_malformed_json_is_400(gate, body):
    response = gate.request("POST", "/login", {"Content-Type": "application/json"},
                            body.encode("latin-1"))
    assert response.status == 400
    assert set(response.json()) == {"error", "message"}


@pytest.mark.parametrize("body", [
    "username=alice&username=alice&password=x", "username=alice&password=x&password=y",
    "username=alice", "password=x", "", "username=%zz&password=x"])
def test_malformed_form_is_400(gate, body):
    assert gate.post_form("/login", body).status == 400


def test_query_is_never_read(gate):
    query = "?username=alice&password=correct+horse+battery+staple"
    assert gate.post_form("/login" + query, "").status == 400


def test_over_8_kib_is_413(gate):
    body = json.dumps({"username": "alice", "password": "x" * 8192})
    assert gate.request("POST", "/login", {"Content-Type": "application/json"}, body).status == 413


def test_chunked_over_8_kib_is_413(gate):
    with gate.connect() as client:
        client.send(b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n")
        client.send_pieces((b"400\r\n" + b" " * 1024 + b"\r\n") * 9 + b"0\r\n\r\n", [])
        assert client.read_response().status == 413


def test_announced_over_8_kib_is_413_before_the_body_is_sent(gate):
    """A hostile length costs nothing: refused from the head alone (I02)."""
    with gate.connect() as client:
        client.send(b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                    b"Content-Length: 104857600\r\n\r\n")
        assert client.read_response().status == 413


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "", None])
def test_other_content_types_are_415(gate, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    assert gate.request("POST", "/login", headers, b"{}").status == 415


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_logs_in(gate, method):
    response = gate.request(method, "/login")
    assert response.status == 405
    assert "POST" in response.get("Allow")


@pytest.mark.parametrize("headers", [
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://a.evil.example"},
    {"Origin": "http://a", "Sec-Fetch-Site": "cross-site"}])
def test_login_from_another_site_is_403(gate, headers):
    """Login CSRF: nobody may log the victim in as somebody else (H07)."""
    response = gate.try_login(headers=headers)
    assert response.status == 403
    assert not response.all("Set-Cookie")


@pytest.mark.parametrize("headers", [
    {"Origin": "http://a"}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"},
    {"Origin": "http://a", "Sec-Fetch-Site": "same-origin"}])
def test_login_from_our_own_site_is_served(gate, headers):
    assert gate.try_login(headers=headers).status == 200


def test_external_url_decides_what_our_site_is(start):
    gate = start(start.backend(), {"external_url": "https://app.example.com"})
    assert gate.try_login(headers={"Origin": "https://app.example.com"}).status == 200
    assert gate.try_login(headers={"Origin": "https://app.example.com.evil.org"}).status == 403
    assert gate.try_login(headers={"Origin": "http://app.example.com"}).status == 403


def test_login_never_adopts_a_cookie_and_ends_its_session(gate):
    """Session fixation: a planted token is no way into the victim's session (H06)."""
    old = gate.login()
    response = gate.try_login(headers=old.cookie())
    new = response.cookies()[REFRESH_COOKIE][0]
    assert claims(response.json()["accessToken"])["sid"] != old.claims()["sid"]
    assert gate.refresh(old.refresh).status == 403
    assert gate.refresh(new).status == 200


def test_password_may_not_exceed_its_bound(gate):
    assert gate.try_login("alice", "x" * 1025).status in (400, 401)


def test_bcrypt_never_cuts_a_password_short(start):
    """bcrypt reads 72 bytes; a longer password must not pass for its beginning (I03)."""
    line = subprocess.run(["htpasswd", "-nbBC", "4", "dave", LONG], check=True,
                          capture_output=True, text=True).stdout.strip()
    user = {"username": "dave", "password_hash": line.split(":", 1)[1]}
    gate = start(start.backend(), users=[user])
    assert gate.try_login("dave", LONG).status == 200
    assert gate.try_login("dave", LONG + "junk").status == 401
    assert gate.try_login("dave", LONG[:-1]).status == 401


def test_htpasswd_file(start):
    """A users file made by Apache's htpasswd serves as it is."""
    directory = start.directory()
    subprocess.run(["htpasswd", "-cbBC", "4", str(directory / "htpasswd"), "erin", "secret words"],
                   check=True, capture_output=True)
    gate = start(start.backend(), {"users": {"file": "htpasswd"}}, directory=directory)
    assert claims(gate.login("erin", "secret words").access)["sub"] == "erin"
    assert gate.try_login("erin", "secret word").status == 401


@pytest.mark.parametrize("spelling", ["Alice", "ALICE", "alice ", " alice", "alice\u200b", "ａlice"])
def test_user_names_have_one_spelling(gate, spelling):
    """Lockout, store and headers see the bytes that the users file has (A11)."""
    assert gate.try_login(spelling).status in (400, 401)


@pytest.mark.parametrize("password", [" leading", "trailing ", "пароль", "e\u0301", "é", "a\tb",
                                      "\"quotes\"", "x" * 64, "back\\slash", "=&%+"])
def test_odd_passwords_are_compared_byte_for_byte(start_module, odd_gate, password):
    gate, users = odd_gate
    assert gate.try_login(users[password], password).status == 200
    assert gate.try_login(users[password], password.strip() + "!").status == 401


@pytest.fixture(scope="module")
def odd_gate(start_module):
    names, users = {}, []
    passwords = [" leading", "trailing ", "пароль", "e\u0301", "é", "a\tb", "\"quotes\"", "x" * 64,
                 "back\\slash", "=&%+"]
    for number, password in enumerate(passwords):
        line = subprocess.run(["htpasswd", "-niBC", "4", f"u{number}"], check=True,
                              capture_output=True, input=password.encode()).stdout
        names[password] = f"u{number}"
        users.append({"username": f"u{number}",
                      "password_hash": line.decode().strip().split(":", 1)[1]})
    return start_module(start_module.backend(), users=users), names


# --- throttling

def throttled(start, **rates):
    rules = {"account_and_address": "1000/1m", "account": "1000/1m", "address": "1000/1m",
             "ban": "5m", **rates}
    return start(start.backend(), {"login": {"throttle": rules}})


def fail(gate, times, user="alice", headers=()):
    return [gate.try_login(user, "wrong", headers).status for _ in range(times)]


def test_guessing_is_throttled(start):
    """Then even the right password gets the same 429 (I05)."""
    gate = throttled(start, account_and_address="3/2m")
    assert fail(gate, 3) == [401] * 3
    wrong, right = gate.try_login("alice", "wrong"), gate.try_login("alice")
    assert wrong.status == right.status == 429
    assert wrong.body == right.body
    assert 1 <= int(right.get("Retry-After")) <= 300
    assert gate.try_login("bob").status == 200, "another account is not concerned"


def test_forged_addresses_do_not_evade_the_throttle(start):
    """X-Forwarded-For of a peer that is no trusted proxy is not an address (C04)."""
    gate = throttled(start, account_and_address="3/2m")
    statuses = [gate.try_login("alice", "wrong", {"X-Forwarded-For": f"10.0.0.{n}"}).status
                for n in range(6)]
    assert statuses == [401] * 3 + [429] * 3


def test_spraying_is_throttled_by_address(start):
    gate = throttled(start, address="4/2m")
    assert [gate.try_login(f"user{n}", "wrong").status for n in range(6)] == [401] * 4 + [429] * 2


def test_unknown_users_are_throttled_alike(start):
    """Or the throttle would tell which accounts exist."""
    gate = throttled(start, account_and_address="3/2m")
    assert fail(gate, 4, "nobody") == fail(gate, 4, "alice") == [401] * 3 + [429]


def test_good_logins_are_never_counted(start):
    gate = throttled(start, account_and_address="3/2m", account="3/2m", address="3/2m")
    assert [gate.try_login().status for _ in range(8)] == [200] * 8


def test_ban_ends(start):
    gate = throttled(start, account_and_address="2/1s", ban="1s")
    fail(gate, 3)
    assert gate.try_login().status == 429
    gate.wait_for(lambda: gate.try_login().status == 200, "the end of the ban")


def test_throttle_leaves_open_sessions_alone(start):
    """Locking an account out is no way to log its owner out (I06)."""
    gate = throttled(start, account_and_address="2/2m", account="2/2m")
    tokens = gate.login()
    fail(gate, 4)
    assert gate.get("/x", tokens.bearer()).status == 200
    assert gate.refresh(tokens.refresh).status == 200


def test_parallel_logins(gate):
    tokens = spin([gate.login] * 8)
    assert len({t.claims()["sid"] for t in tokens}) == 8




def test_json_that_calls_itself_a_form_is_told_what_is_missing(gate):
    answer = gate.post_form("/login", '{"username": "alice", "password": "x"}')
    assert answer.status == 400
    assert "Content-Type: application/json" in answer.json()["message"]
