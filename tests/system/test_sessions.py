"""What scripts may ask about their own session, and what the operator may do to all of them."""

import json
import subprocess

import pytest
import yaml

from support.gate import BINARY, PASSWORD


def sessions(gate, tokens):
    response = gate.get("/.gatehouse/sessions", tokens.bearer())
    assert response.status == 200
    return response.json()["sessions"]


@pytest.mark.parametrize("path", ["/.gatehouse/session", "/.gatehouse/userinfo",
                                  "/.gatehouse/sessions"])
def test_they_need_a_token(gate, backend, path):
    response = gate.get(path)
    assert response.status == 401
    assert response.get("WWW-Authenticate").startswith("Bearer")
    assert gate.get(path, {"Authorization": "Bearer x"}).status == 401
    assert not backend.requests


def test_session(gate):
    """When the session and the access token end, in seconds."""
    response = gate.get("/.gatehouse/session", gate.bearer())
    answer = response.json()
    assert response.get("Cache-Control") == "no-store"
    assert answer["user"] == "alice"
    assert 890 <= answer["accessExpiresIn"] <= 900
    assert 30 * 86400 - 10 <= answer["sessionExpiresIn"] <= 30 * 86400
    assert 7 * 86400 - 10 <= answer["idleExpiresIn"] <= 7 * 86400


def test_userinfo(gate):
    answer = gate.get("/.gatehouse/userinfo", gate.bearer()).json()
    assert answer["sub"] == "alice" and answer["email"] == "alice@example.com"
    assert answer["name"] == "Alice Liddell" and answer["groups"] == ["staff", "admins"]


def test_sessions_of_the_user(gate):
    mine, other = gate.login("carol"), gate.login("carol")
    response = gate.try_login("carol", headers={"User-Agent": "probe/1 <b>"})
    listed = sessions(gate, mine)
    ids = {s["id"]: s for s in listed}
    assert {mine.claims()["sid"], other.claims()["sid"]} < set(ids)
    assert [s["id"] for s in listed if s["current"]] == [mine.claims()["sid"]]
    assert ids[mine.claims()["sid"]]["createdAt"].endswith("Z")
    assert response.status == 200 and "probe/1 <b>" in {s["userAgent"] for s in listed}
    assert all("127.0.0.1" not in s["addressPrefix"] or "/" in s["addressPrefix"] for s in listed)
    assert not set(ids) & {s["id"] for s in sessions(gate, gate.login("bob"))}


def test_ending_one_of_them(gate):
    mine, other = gate.login(), gate.login()
    path = f"/.gatehouse/sessions/{other.claims()['sid']}"
    assert gate.request("DELETE", path, mine.bearer()).status == 204
    assert gate.refresh(other.refresh).status == 403
    assert gate.refresh(mine.refresh).status == 200
    assert gate.request("DELETE", path, mine.bearer()).status in (204, 404)


def test_nobody_ends_or_sees_the_sessions_of_others(gate):
    alice, bob = gate.login("alice"), gate.login("bob")
    path = f"/.gatehouse/sessions/{alice.claims()['sid']}"
    absent = gate.request("DELETE", "/.gatehouse/sessions/" + "A" * 22, bob.bearer())
    foreign = gate.request("DELETE", path, bob.bearer())
    assert foreign.status == absent.status == 404
    assert foreign.body == absent.body, "it cannot be told whether the session exists"
    assert gate.refresh(alice.refresh).status == 200


def test_ending_a_session_from_another_site_is_403(gate):
    tokens = gate.login()
    response = gate.request("DELETE", f"/.gatehouse/sessions/{tokens.claims()['sid']}",
                            {**tokens.bearer(), "Origin": "https://evil.example"})
    assert response.status == 403
    assert gate.refresh(tokens.refresh).status == 200


@pytest.mark.parametrize("path", ["/.gatehouse/nonsense", "/.gatehouse/", "/.gatehouse/auth"])
def test_unknown_paths_below_gatehouse_are_ordinary(gate, backend, path):
    assert gate.get(path).status in (401, 404)
    assert not backend.requests


# --- the admin listener

def test_admin_lists_and_ends_sessions(gate):
    one, two, other = gate.login("carol"), gate.login("carol"), gate.login("bob")
    listed = gate.request("GET", "/sessions?user=carol", role="admin")
    assert listed.status == 200
    ids = {s["id"] for s in listed.json()["sessions"]}
    assert {one.claims()["sid"], two.claims()["sid"]} <= ids
    assert other.claims()["sid"] not in ids
    path = f"/sessions/{one.claims()['sid']}"
    assert gate.request("DELETE", path, role="admin").status == 204
    assert gate.refresh(one.refresh).status == 403
    assert gate.refresh(two.refresh).status == 200
    assert gate.request("DELETE", "/sessions?user=carol", role="admin").status in (200, 204)
    assert gate.refresh(two.refresh).status == 403
    gate.wait_for(lambda: gate.get("/x", two.bearer()).status == 401, "her access token's end", 2)
    assert gate.refresh(other.refresh).status == 200


def test_admin_is_audited(gate):
    tokens = gate.login()
    sid = tokens.claims()["sid"]
    gate.request("DELETE", f"/sessions/{sid}", role="admin")
    gate.wait_for(lambda: any(r.get("session_id") == sid and r.get("event") in ("admin", "revoke")
                              for r in gate.records()), "the audit event")


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/sessions", 400), ("DELETE", "/sessions", 400), ("GET", "/nonsense", 404),
    ("POST", "/sessions?user=x", 405), ("DELETE", "/sessions/nonsense", 404)])
def test_admin_refuses_the_rest(gate, method, path, status):
    assert gate.request(method, path, {}, b"" if method == "POST" else None,
                        role="admin").status == status


def test_admin_is_not_on_the_public_listener(gate, backend):
    assert gate.get("/sessions?user=alice").status == 401
    assert not backend.requests


def test_admin_token(start, tmp_path):
    token = "admin-0123456789-0123456789-0123456789"
    (tmp_path / "admin.token").write_text(token + "\n")
    gate = start(start.backend(), {"admin": {"token_file": str(tmp_path / "admin.token")}})
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {token}x"},
                    {"Authorization": f"Basic {token}"}, gate.bearer()):
        response = gate.request("GET", "/sessions?user=alice", headers, role="admin")
        assert response.status == 401 and response.get("WWW-Authenticate")
    good = {"Authorization": f"Bearer {token}"}
    assert gate.request("GET", "/sessions?user=alice", good, role="admin").status == 200


def test_endpoints_may_be_switched_off(start):
    backend = start.backend()
    gate = start(backend, {"endpoints": {"session": False, "userinfo": "/me", "sessions": False,
                                         "jwks": False}})
    bearer = gate.bearer()
    assert gate.get("/me", bearer).json()["sub"] == "alice"
    for path in ("/.gatehouse/session", "/.gatehouse/sessions", "/.well-known/jwks.json"):
        backend.requests.clear()
        assert gate.get(path, bearer).status == 200
        assert backend.last().target == path, "the application's own now"
    assert gate.post_json("/login", {"username": "alice", "password": PASSWORD}).status == 200


# --- gatehouse sessions

def admin_url(gate):
    host, port = gate.addresses["admin"]
    return f"http://{host}:{port}"


def command(*words, cwd=None):
    return subprocess.run([BINARY, "sessions", *words], capture_output=True, text=True, cwd=cwd,
                          timeout=60)


def test_the_command_lists_and_ends_sessions(gate):
    url = admin_url(gate)
    one, two, other = gate.login("carol"), gate.login("carol"), gate.login("bob")
    gate.try_login("carol", headers={"User-Agent": "\x1b[31mred"})
    listed = command("list", "--url", url, "--user", "carol")
    assert listed.returncode == 0 and listed.stderr == ""
    assert listed.stdout.splitlines()[0].startswith("SESSION ")
    assert one.claims()["sid"] in listed.stdout and two.claims()["sid"] in listed.stdout
    assert other.claims()["sid"] not in listed.stdout and "\x1b" not in listed.stdout
    raw = command("list", "--url", url, "--user", "carol", "--json")
    assert {s["id"] for s in json.loads(raw.stdout)["sessions"]} > {one.claims()["sid"]}
    ended = command("revoke", "--url", url, "--session", one.claims()["sid"])
    assert ended.returncode == 0 and ended.stdout == "the session has ended\n"
    assert gate.refresh(one.refresh).status == 403
    assert gate.refresh(two.refresh).status == 200
    again = command("revoke", "--url", url, "--session", one.claims()["sid"])
    assert again.returncode == 1 and "no such session" in again.stderr
    rest = command("revoke", "--url", url, "--user", "carol")
    assert rest.returncode == 0
    assert rest.stdout.startswith("sessions of carol that have ended: ")
    assert gate.refresh(two.refresh).status == 403
    assert gate.refresh(other.refresh).status == 200
    assert command("list", "--url", url, "--user", "carol").stdout.count("\n") == 1
    assert command("revoke", "--url", url, "--everybody").returncode == 0
    assert gate.refresh(other.refresh).status == 403


def test_the_command_shows_the_token(start, tmp_path):
    token = tmp_path / "admin.token"
    token.write_text("admin-0123456789-0123456789-0123456789\n")
    gate = start(start.backend(), {"admin": {"token_file": str(token)}})
    url = admin_url(gate)
    refused = command("list", "--url", url, "--user", "alice")
    assert refused.returncode == 1 and "admin.token_file" in refused.stderr
    assert command("list", "--url", url, "--user", "alice", "--token-file",
                   str(token)).returncode == 0


def test_the_command_finds_the_listener_in_the_configuration(start, tmp_path):
    socket = tmp_path / "admin.sock"
    gate = start(start.backend(), {"admin": {"address": f"unix:{socket}"}},
                 sockets={"listener": 1, "health": 1})
    tokens = gate.login("alice")
    listed = command("list", "-c", "gatehouse.yaml", "--user", "alice", cwd=gate.directory)
    assert listed.returncode == 0, listed.stderr
    assert tokens.claims()["sid"] in listed.stdout


def test_the_command_says_what_is_wrong(start, tmp_path):
    nowhere = command("list", "--url", "http://127.0.0.1:1", "--user", "x")
    assert nowhere.returncode == 1
    assert "does not answer: Connection refused; is Gatehouse running here?" in nowhere.stderr
    for url in ("https://127.0.0.1:1", "127.0.0.1:1", "http://"):
        wrong = command("list", "--url", url, "--user", "x")
        assert wrong.returncode == 1 and "--url takes" in wrong.stderr
    config = start.config(start.backend(), {"admin": None})
    (tmp_path / "gatehouse.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "users.yaml").write_text("users: []\n")
    unset = command("list", "-c", "gatehouse.yaml", "--user", "x", cwd=tmp_path)
    assert unset.returncode == 1 and "admin.address is not set" in unset.stderr
    assert command("revoke", "--url", "http://127.0.0.1:1").returncode == 2
    shown = command("revoke", "--help")
    assert shown.returncode == 0 and "gatehouse sessions revoke -c" in shown.stdout
