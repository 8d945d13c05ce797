"""Start, reload, drain and restart: a rolling restart loses no request, and a bad file changes
nothing."""

import os
import signal
import subprocess
import threading
import time

import pytest

from support.backend import response
from support.client import render
from support.gate import BINARY, PASSWORD_HASH, SLOW, USERS, claims, merge, refreshed


def slow_answer(backend, path="/slow"):
    """A request to `path` hangs until the returned event is set."""
    go_on = threading.Event()

    def script(exchange):
        exchange.read_body()
        exchange.wait(go_on, 20)
        exchange.send(response(200, b"done"))
    backend.on(path, script)
    return go_on


# --- drain

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_drain_finishes_what_runs(start, number):
    backend = start.backend()
    gate = start(backend, {"drain": {"delay": 0, "timeout": "10s"}})
    bearer = gate.bearer()
    go_on = slow_answer(backend)
    with gate.connect() as busy, gate.connect() as idle:
        assert idle.request("GET", "/x", bearer).status == 200
        backend.arrived.clear()
        busy.send(render("GET", "/slow", bearer))
        assert backend.arrived.wait(5)
        gate.signal(number)
        assert idle.is_closed(5 * SLOW), "idle connections are closed"
        go_on.set()
        answer = busy.read_response()
        assert answer.status == 200 and answer.body == b"done"
        assert answer.get("Connection", "").lower() == "close"
        assert busy.is_closed(5 * SLOW)
    gate.join()


def test_readiness_goes_first(start):
    """During the delay the load balancer learns, and requests are still served."""
    gate = start(start.backend(), {"drain": {"delay": "1500ms", "timeout": "5s"}})
    bearer = gate.bearer()
    gate.signal(signal.SIGTERM)
    gate.wait_for(lambda: gate.readiness() == 503, "readiness 503", 1)
    assert gate.request("GET", "/livez", role="health").status == 200
    assert gate.get("/x", bearer).status == 200
    assert gate.try_login().status == 200
    gate.join()


def test_drain_cuts_what_does_not_end(start):
    backend = start.backend()
    gate = start(backend, {"drain": {"delay": 0, "timeout": "500ms"}})
    go_on = slow_answer(backend)
    with gate.connect() as client:
        client.send(render("GET", "/slow", gate.bearer()))
        assert backend.arrived.wait(5)
        began = time.monotonic()
        gate.signal(signal.SIGTERM)
        gate.join()
        assert time.monotonic() - began < 0.5 + 3 * SLOW
        client.read_to_end()
    go_on.set()


def test_second_interrupt_ends_at_once(start):
    backend = start.backend()
    gate = start(backend, {"drain": {"delay": 0, "timeout": "30s"}})
    go_on = slow_answer(backend)
    with gate.connect() as client:
        client.send(render("GET", "/slow", gate.bearer()))
        assert backend.arrived.wait(5)
        gate.signal(signal.SIGINT)
        gate.wait_for(lambda: gate.readiness() != 200, "the drain")
        gate.signal(signal.SIGINT)
        assert gate.process.wait(5 * SLOW) in (0, 1, 130)
    go_on.set()


def test_no_request_is_lost_to_a_drain(start):
    """Clients that go on until the listener is gone see answers, never an error (X-35)."""
    backend = start.backend()
    gate = start(backend, {"drain": {"delay": "300ms", "timeout": "5s"}})
    bearer, errors, served = gate.bearer(), [], []

    def run():
        while True:
            try:
                client = gate.connect()
            except OSError:
                return  # the listener is closed
            try:
                while True:
                    client.send(render("GET", "/x", bearer))
                    answer = client.read_response()
                    served.append(answer.status)
                    if answer.get("Connection", "").lower() == "close":
                        break
            except (OSError, AssertionError) as error:
                # A connection that was closed while idle lost nothing; one closed with half an
                # answer did.
                if client.buffer:
                    errors.append(error)
            finally:
                client.close()
    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    gate.wait_for(lambda: len(served) > 50, "some requests")
    gate.signal(signal.SIGTERM)
    gate.join()
    for thread in threads:
        thread.join()
    assert not errors and set(served) == {200}


# --- reload

def test_reload_takes_a_new_configuration(start):
    backend = start.backend()
    gate = start(backend)
    bearer = gate.bearer()
    config = start.config(backend, {"routes": [{"path": "/open/**", "access": "public"}]})
    assert gate.get("/open/x").status == 401
    with gate.connect() as client:
        assert client.request("GET", "/open/x").status == 401
        gate.write_config(config)
        gate.signal(signal.SIGHUP)
        gate.wait_for(lambda: gate.get("/open/x").status == 200, "the new routes")
        assert client.request("GET", "/open/x").status == 200, "on open connections as well"
    assert gate.get("/x", bearer).status == 200, "tokens go on"


@pytest.mark.parametrize("text", [
    "listeners: [", "nonsense: 1\n", "", "listeners: [{address: '127.0.0.1:0'}]\n"],
    ids=["syntax", "unknown key", "empty", "no upstream"])
def test_a_bad_file_changes_nothing(start, text):
    gate = start(start.backend(), {"routes": [{"path": "/open/**", "access": "public"}]})
    tokens = gate.login()
    gate.write_config(text)
    gate.signal(signal.SIGHUP)
    gate.wait_for_log("gatehouse.yaml")
    assert gate.get("/open/x").status == 200
    assert gate.get("/x", tokens.bearer()).status == 200
    assert gate.refresh(tokens.refresh).status == 200


def test_a_missing_key_file_changes_nothing(start, keys):
    backend = start.backend()
    gate = start(backend)
    tokens = gate.login()
    broken = {"kid": "z", "algorithm": "ES256", "key_file": "absent.pem"}
    gate.write_config(start.config(backend, {"tokens": {"access": {"keys": [broken]}}}))
    gate.signal(signal.SIGHUP)
    gate.wait_for_log("absent.pem")
    assert gate.get("/x", tokens.bearer()).status == 200


def test_what_cannot_be_put_into_force_neither_ends_nor_deafens_the_process(start, keys):
    """The id of a refresh key is part of each token; a reload that is refused may be mended."""
    backend = start.backend()
    gate = start(backend)
    tokens = gate.login()
    long = [{"kid": "r" * 33, "secret_file": str(keys.refresh)}]
    gate.write_config(start.config(backend, {"tokens": {"refresh": {"keys": long}}}))
    gate.signal(signal.SIGHUP)
    gate.wait_for_log("must be 1 to 32 printable")
    gate.write_config(start.config(backend, {"routes": [{"path": "/open/**", "access": "public"}]}))
    gate.signal(signal.SIGHUP)
    gate.wait_for(lambda: gate.get("/open/x").status == 200, "the new routes")
    assert gate.refresh(tokens.refresh).status == 200
    gate.stop()


def test_keys_rotate_by_reload(start, keys):
    """The new key signs; the old one goes on verifying until its tokens are gone."""
    backend = start.backend()
    gate = start(backend)
    old = gate.login()
    both = [keys.config("ES256", "a"), keys.config("EdDSA", "b")]
    gate.write_config(start.config(backend, {"tokens": {"access": {"keys": both,
                                                                   "sign_with": "b"}}}))
    gate.signal(signal.SIGHUP)
    gate.wait_for(lambda: len(gate.get("/.well-known/jwks.json").json()["keys"]) == 2, "both keys")
    assert gate.get("/x", old.bearer()).status == 200
    new = gate.login()
    assert gate.get("/x", new.bearer()).status == 200
    gate.write_config(start.config(backend, {"tokens": {"access": {"keys": both[1:]}}}))
    gate.signal(signal.SIGHUP)
    gate.wait_for(lambda: gate.get("/x", old.bearer()).status == 401,
                  "the end of the old key, cached tokens included")
    assert gate.get("/x", new.bearer()).status == 200
    assert gate.refresh(old.refresh).status == 200, "sessions do not hang on the access key"


def test_keys_made_at_start_survive_a_reload(start):
    backend = start.backend()
    changes = {"tokens": {"access": None, "refresh": None}}
    gate = start(backend, changes)
    tokens = gate.login()
    gate.write_config(start.config(backend, merge(changes, {
        "routes": [{"path": "/open/**", "access": "public"}]})))
    gate.signal(signal.SIGHUP)
    gate.wait_for(lambda: gate.get("/open/x").status == 200, "the reload")
    assert gate.get("/x", tokens.bearer()).status == 200
    assert gate.refresh(tokens.refresh).status == 200


def test_many_reloads_under_load(start, figure):
    """Each request keeps the configuration it began with; none fails (X-36)."""
    backend = start.backend()
    gate = start(backend)
    bearer, stop, statuses = gate.bearer(), threading.Event(), []

    def run():
        with gate.connect() as client:
            while not stop.is_set():
                statuses.append(client.request("GET", "/x", bearer).status)
    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(15):
        gate.write_config(start.config(backend, {"routes": [
            {"path": f"/open{number}/**", "access": "public"}]}))
        gate.signal(signal.SIGHUP)
        gate.wait_for(lambda n=number: gate.get(f"/open{n}/x").status == 200, f"reload {number}")
    stop.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200} and len(statuses) > 30
    figure(f"15 reloads under load: {len(statuses)} requests, 0 failed")


def test_changed_users_file_is_picked_up(start):
    """No signal needed; a broken file leaves the old users in place."""
    gate = start(start.backend())
    assert gate.try_login("frank").status == 401
    gate.write_users([*USERS, {"username": "frank", "password_hash": PASSWORD_HASH}])
    gate.wait_for(lambda: gate.try_login("frank").status == 200, "the new user")
    (gate.directory / "users.yaml").write_text("users: [{username: frank, password_hash: x}]\n")
    gate.wait_for_log("users.yaml")
    assert gate.try_login("alice").status == 200
    gate.write_users(USERS)
    gate.wait_for(lambda: gate.try_login("frank").status == 401, "his leaving")


def test_a_users_file_that_is_being_written_ends_nobodys_session(start):
    """Half of it, seen between two looks, is not a file in which the other half was removed."""
    gate = start(start.backend())
    bob = gate.login("bob")
    file = gate.directory / "users.yaml"
    whole = file.read_text()
    for end in range(1, 40):
        cut = whole[:whole.index("bob")].rfind("- ") if end % 2 else len(whole)
        file.write_text(whole[:cut] + "#" * end + "\n")
        time.sleep(0.1)  # a slow writer: never the same for two looks
    file.write_text(whole)
    gate.write_users([*USERS, {"username": "frank", "password_hash": PASSWORD_HASH}])
    gate.wait_for(lambda: gate.try_login("frank").status == 200, "the last state")
    assert gate.refresh(bob.refresh).status == 200


def test_disabling_a_user_ends_the_sessions(start):
    """Within a second, access tokens included (H17)."""
    gate = start(start.backend())
    bob, alice = gate.login("bob"), gate.login("alice")
    assert gate.get("/x", bob.bearer()).status == 200
    gate.write_users([{**u, "disabled": u["username"] == "bob"} for u in USERS
                      if u["username"] != "mallory"])
    gate.wait_for(lambda: gate.get("/x", bob.bearer()).status == 401, "the end of his session")
    assert gate.refresh(bob.refresh).status == 403
    assert gate.try_login("bob").status == 401
    assert gate.refresh(alice.refresh).status == 200


def test_another_password_ends_the_sessions(start):
    """Whoever changes it may do so because somebody else knows the old one (H17)."""
    gate = start(start.backend())
    bob, alice = gate.login("bob"), gate.login("alice")
    line = subprocess.run(["htpasswd", "-nbBC", "4", "bob", "another"], check=True,
                          capture_output=True, text=True).stdout.strip().split(":", 1)[1]
    gate.write_users([{**u, "password_hash": line} if u["username"] == "bob" else u
                      for u in USERS])
    gate.wait_for(lambda: gate.get("/x", bob.bearer()).status == 401, "the end of his session")
    assert gate.refresh(bob.refresh).status == 403
    assert gate.try_login("bob").status == 401
    assert gate.try_login("bob", "another").status == 200
    assert gate.refresh(alice.refresh).status == 200


# --- restart

SNAPSHOT = {"store": {"memory": {"snapshot_file": "sessions.snapshot"}}}


def restart(start, backend, gate, changes):
    gate.stop()
    return start(backend, changes, directory=gate.directory)


def test_a_planned_restart_logs_nobody_out(start):
    backend = start.backend()
    gate = start(backend, SNAPSHOT)
    tokens, ended = gate.login(), gate.login()
    assert gate.request("POST", "/logout", ended.cookie(), b"").status == 204
    gate = restart(start, backend, gate, SNAPSHOT)
    assert gate.get("/x", tokens.bearer()).status == 200
    response = gate.refresh(tokens.refresh)
    assert claims(response.json()["accessToken"])["sid"] == tokens.claims()["sid"]
    assert gate.refresh(ended.refresh).status == 403, "an ended session stays ended"
    assert gate.get("/x", ended.bearer()).status == 401, "and so do its access tokens"
    gate = restart(start, backend, gate, SNAPSHOT)
    assert gate.refresh(refreshed(response)).status == 200


def test_a_crash_resurrects_nothing(start):
    """The file of an earlier stop is gone once read, so what ended since cannot come back."""
    backend = start.backend()
    gate = start(backend, SNAPSHOT)
    tokens = gate.login()
    gate = restart(start, backend, gate, SNAPSHOT)
    assert not (gate.directory / "sessions.snapshot").exists()
    assert gate.request("POST", "/logout", tokens.cookie(), b"").status == 204
    gate.kill()
    gate = start(backend, SNAPSHOT, directory=gate.directory)
    assert gate.refresh(tokens.refresh).status == 403


def test_a_password_changed_across_a_restart_ends_the_sessions(start):
    """Nobody compares two users files then: the session knows which password opened it (H17)."""
    backend = start.backend()
    gate = start(backend, SNAPSHOT)
    bob, alice = gate.login("bob"), gate.login("alice")
    line = subprocess.run(["htpasswd", "-nbBC", "4", "bob", "another"], check=True,
                          capture_output=True, text=True).stdout.strip().split(":", 1)[1]
    gate.stop()
    gate.write_users([{**u, "password_hash": line} if u["username"] == "bob" else u
                      for u in USERS])
    gate = start(backend, SNAPSHOT, directory=gate.directory)
    assert gate.refresh(bob.refresh).status == 403
    gate.wait_for_record(event="revoke", reason="user_changed", user="bob")
    assert gate.get("/x", bob.bearer()).status == 401
    assert gate.refresh(alice.refresh).status == 200


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\0" * 5000])
def test_a_damaged_snapshot_is_reported_and_ignored(start, content):
    backend = start.backend()
    directory = start.directory()
    (directory / "sessions.snapshot").write_bytes(content)
    gate = start(backend, SNAPSHOT, directory=directory)
    gate.wait_for_log("sessions.snapshot")
    assert gate.try_login().status == 200


def test_a_snapshot_of_another_key_is_ignored(start, tmp_path):
    backend = start.backend()
    gate = start(backend, SNAPSHOT)
    tokens = gate.login()
    other = tmp_path / "other.key"
    other.write_text("0123456789abcdef0123456789abcdef-other\n")
    changes = merge(SNAPSHOT, {"tokens": {"refresh": {"keys": [
        {"kid": "r", "secret_file": str(other)}]}}})
    gate = restart(start, backend, gate, changes)
    gate.wait_for_log("sessions.snapshot")
    assert gate.refresh(tokens.refresh).status == 403


def test_snapshot_holds_no_secret(start):
    """Nothing that could be stolen, and nobody else may read it (K06)."""
    backend = start.backend()
    gate = start(backend, SNAPSHOT)
    tokens = gate.login()
    gate.stop()
    file = gate.directory / "sessions.snapshot"
    data = file.read_bytes()
    assert data and file.stat().st_mode & 0o077 == 0
    for secret in (tokens.refresh, tokens.access, "alice"):
        assert secret.encode() not in data


def test_kill_and_restart_is_quick(start, figure):
    """Ready again at once on the same port (X-37)."""
    backend = start.backend()
    gate = start(backend)
    port = gate.address[1]
    gate.kill()
    began = time.monotonic()
    gate = start(backend, {"listeners": [{"address": f"127.0.0.1:{port}"}]},
                 directory=gate.directory)
    took = time.monotonic() - began
    assert took < 2 * SLOW
    figure(f"ready again {took * 1000:.0f} ms after kill -9")
    assert gate.address[1] == port and gate.try_login().status == 200


def test_an_occupied_port_is_an_error_at_start(start):
    backend = start.backend()
    gate = start(backend, {"listeners": [{"address": f"127.0.0.1:{backend.port}"}]}, ready=False)
    gate.join(expect=1)
    assert str(backend.port) in gate.stderr()


# --- listeners

def test_unix_socket_listener(start, tmp_path):
    backend = start.backend()
    path = str(tmp_path / "gate.sock")
    gate = start(backend, {"listeners": [{"address": f"unix:{path}"}]})
    tokens = gate.login()
    assert gate.address == path
    assert gate.get("/x", tokens.bearer()).status == 200
    gate.stop()
    gate = start(backend, {"listeners": [{"address": f"unix:{path}"}]}, directory=gate.directory)
    assert gate.try_login().status == 200


def test_a_stale_unix_socket_is_no_obstacle(start, tmp_path):
    backend = start.backend()
    path = str(tmp_path / "gate.sock")
    gate = start(backend, {"listeners": [{"address": f"unix:{path}"}]})
    gate.kill()
    gate = start(backend, {"listeners": [{"address": f"unix:{path}"}]}, directory=gate.directory)
    assert gate.try_login().status == 200


def test_several_listeners(start):
    gate = start(start.backend(), {"listeners": [{"address": "127.0.0.1:0"},
                                                 {"address": "127.0.0.1:0"}]})
    addresses = [line["address"] for line in gate.log() if line.get("message") == "listening"
                 and line.get("role") == "listener"]
    assert len(set(addresses)) == 2
    assert gate.try_login().status == 200


# --- health

def test_health_endpoints(start):
    gate = start(start.backend())
    for path in ("/livez", "/readyz"):
        assert gate.request("GET", path, role="health").status == 200
    assert gate.request("GET", "/nonsense", role="health").status == 404
    for path in ("/livez", "/readyz", "/prestop"):
        assert gate.get(path).status == 401, "not on the public listener (B11)"


def test_prestop_waits_out_the_delay(start):
    """For a lifecycle hook: the load balancer forgets this pod while the answer takes its time."""
    gate = start(start.backend(), {"drain": {"delay": "600ms", "timeout": "2s"}})
    began = time.monotonic()
    assert gate.request("GET", "/prestop", role="health").status in (200, 204)
    assert time.monotonic() - began > 0.5
    assert gate.try_login().status == 200


def test_prestop_is_answered_before_the_end(start):
    """Beside an ordinary container both come at once, the hook perhaps a moment later; an answer
    that is lost would end the application before its requests."""
    gate = start(start.backend(), {"drain": {"delay": "600ms", "timeout": "20s"}})
    gate.signal(signal.SIGTERM)
    gate.wait_for(lambda: gate.readiness() == 503, "the beginning of the end")
    assert gate.request("GET", "/prestop", role="health").status == 200
    gate.join()


# --- what is left behind

@pytest.mark.skipif(os.geteuid() != 0, reason="takes root, to become somebody else")
def test_no_core_dump_can_carry_keys(tmp_path):
    """A process that may not be dumped belongs to root in /proc, whoever started it (I10)."""
    def owner_of(command):
        with (tmp_path / "output").open("wb") as output:
            process = subprocess.Popen(command, user=65534, cwd="/", stdout=output, stderr=output,
                                       stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 15 * SLOW
            while time.monotonic() < deadline:
                yield os.stat(f"/proc/{process.pid}/environ").st_uid
        finally:
            process.kill()
            process.wait()
    assert next(owner_of(["sleep", "60"])) == 65534, "others belong to their user"
    ours = owner_of([BINARY, "run", "--upstream", "http://127.0.0.1:9", "--listen", "127.0.0.1:0"])
    assert any(owner == 0 for owner in ours), (tmp_path / "output").read_text()
    ours.close()
