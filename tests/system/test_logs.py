"""What is written down: a line for each request and each security event, and never a secret."""

import json

import pytest

from support.gate import PASSWORD, REFRESH_COOKIE, refreshed


def test_access_line(gate, backend):
    gate.get("/logged/x?secret=1", {**gate.bearer(), "Host": "shop.example",
                                    "User-Agent": "probe/1"})
    line = gate.wait_for_record(path="/logged/x")
    assert line["method"] == "GET" and line["status"] == 200 and line["user"] == "alice"
    assert line["host"] == "shop.example" and line["client"] == "127.0.0.1"
    assert line["user_agent"] == "probe/1" and line["bytes_out"] == 2
    assert line["request_id"] == backend.last().get("X-Request-Id")
    assert "secret" not in json.dumps(line), "queries may hold secrets"


def test_refusals_say_why(gate):
    gate.get("/logged/none")
    gate.get("/logged/bad", {"Authorization": "Bearer x.y.z"})
    assert gate.wait_for_record(path="/logged/none")["reason"] == "missing"
    assert gate.wait_for_record(path="/logged/bad")["reason"] == "malformed"


def test_audit_lines(gate):
    tokens = gate.login("bob")
    sid = tokens.claims()["sid"]
    gate.refresh(tokens.refresh)
    gate.request("POST", "/logout", tokens.cookie(), b"")
    gate.try_login("bob", "wrong")
    gate.wait_for_record(event="login", outcome="ok", user="bob", session_id=sid)
    gate.wait_for_record(event="refresh", outcome="rotated", session_id=sid)
    gate.wait_for_record(event="logout", session_id=sid)
    gate.wait_for_record(event="login", outcome="failed", user="bob")


@pytest.mark.parametrize("agent", ['a"b\\c', "\xe2\x80\xa8", "x" * 5000, "a\tb", "{}"])
def test_every_line_is_one_json_object(gate, agent):
    """Nothing a client sends can forge a line (I11)."""
    before = len(failed_logins(gate))
    gate.request("POST", "/login", {"Content-Type": "application/json", "User-Agent": agent},
                 json.dumps({"username": 'eve"\n{"event":"login","forged":1}\x1b[31m\u2028',
                             "password": "x"}))
    gate.wait_for(lambda: len(failed_logins(gate)) > before, "the audit line")
    for line in gate.stdout().split("\n"):
        if line:
            record = json.loads(line)
            assert isinstance(record, dict) and "forged" not in record
            assert "\x1b" not in line and "\u2028" not in line


def failed_logins(gate):
    return [r for r in gate.records() if r.get("event") == "login" and r["outcome"] == "failed"]


def test_no_secret_is_ever_logged(start):
    """A whole flow at the most talkative level; then every secret is looked for in everything that
    was written (I10)."""
    backend = start.backend()
    gate = start(backend, {"log": {"level": "debug"}, "tokens": {"refresh": {"grace": 0}}})
    secrets = {PASSWORD, "wrong-password-1234", "cookie-of-the-app-1234", "basic-cHdk-1234"}
    tokens = gate.login()
    secrets |= {tokens.access, tokens.refresh}
    gate.try_login("alice", "wrong-password-1234")
    gate.try_login("wrong-password-1234", "wrong-password-1234")
    gate.get(f"/x?access_token={tokens.access}&password={PASSWORD.replace(' ', '+')}",
             {**tokens.bearer(), "Cookie": f"app=cookie-of-the-app-1234; "
                                           f"{REFRESH_COOKIE}={tokens.refresh}"})
    gate.get("/x", {"Authorization": "Basic basic-cHdk-1234"})
    gate.get("/x", {"Authorization": f"Bearer {tokens.access[:-4]}AAAA"})
    gate.get("/x", {"Authorization": f"Bearer {tokens.refresh}"})
    successor = gate.refresh(tokens.refresh)
    secrets |= {refreshed(successor), successor.json()["accessToken"]}
    later = gate.post_json("/token", {"token": refreshed(successor)})
    secrets |= {later.json()["refreshToken"], later.json()["accessToken"]}
    gate.refresh(tokens.refresh)
    gate.post_json("/logout", {"token": later.json()["refreshToken"]})
    gate.stop()
    command = " ".join(gate.arguments)
    text = gate.stdout() + gate.stderr() + command
    assert "/x" in gate.stdout()
    # The username field may well hold a password typed in the wrong place; it is logged as a name.
    for secret in secrets - {"wrong-password-1234"}:
        for piece in {secret, secret[-24:]}:
            assert piece not in text, piece


def test_text_format(start):
    gate = start(start.backend(), {"log": {"format": "text"}})
    assert not gate.stderr().lstrip().startswith("{")


def test_access_log_may_be_off(start):
    gate = start(start.backend(), {"log": {"access": False}})
    gate.get("/quiet", gate.bearer())
    gate.wait_for_record(event="login", outcome="ok")
    gate.stop()
    assert not [r for r in gate.records() if r.get("path") == "/quiet"]


def test_log_file(start):
    gate = start(start.backend(), {"log": {"file": "gatehouse.log"}}, log_file="gatehouse.log")
    gate.get("/logged/in/file", gate.bearer())
    gate.wait_for(lambda: "/logged/in/file" in gate.log_file.read_text(), "the access line")
    assert "/logged/in/file" not in gate.stdout()
