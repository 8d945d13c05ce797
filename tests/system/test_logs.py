"""What is written down: a line for each request and each security event, and never a secret."""

import json
import re
import shutil
import signal
import subprocess
import threading

import pytest
import yaml

from support.client import Client, render
from support.gate import BINARY, LISTENING, PASSWORD, REFRESH_COOKIE, ROOT, SLOW, USERS, refreshed
from support.metrics import Metrics


def test_access_line(gate, backend):
    gate.get("/logged/x?secret=1", {**gate.bearer(), "Host": "shop.example",
                                    "User-Agent": "probe/1"})
    line = gate.wait_for_record(path="/logged/x")
    assert line["method"] == "GET" and line["status"] == 200 and line["user"] == "alice"
    assert line["host"] == "shop.example" and line["client"] == "127.0.0.1"
    assert line["user_agent"] == "probe/1" and line["bytes_out"] == 2
    assert line["request_id"] == backend.last().get("X-Request-Id")
    assert "secret" not in json.dumps(line), "queries may hold secrets"


def test_a_request_that_cannot_be_read_has_no_bytes_of_the_one_before(gate, backend):
    with gate.connect() as client:
        assert client.request("POST", "/x", gate.bearer(), b"x" * 1000).status == 200
        client.send(b"GET /broken HTTP/1.1\r\nno field\r\n\r\n")
        assert client.read_response().status == 400
    line = gate.wait_for_record(type="access", status=400)
    assert line["bytes_in"] == 0


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


TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_the_trace_of_the_client_stands_in_its_lines(gate, backend):
    """Without a collector nothing is made, and the client's fields go on as they came."""
    headers = {"traceparent": TRACEPARENT, "tracestate": "a=1"}
    gate.get("/logged/trace", {**gate.bearer(), **headers})
    trace_id = TRACEPARENT.split("-")[1]
    assert gate.wait_for_record(path="/logged/trace")["trace_id"] == trace_id
    assert backend.last().get("traceparent") == TRACEPARENT
    assert backend.last().get("tracestate") == "a=1"
    gate.try_login("alice", "wrong", headers)
    gate.wait_for_record(type="audit", event="login", outcome="failed", trace_id=trace_id)


COMBINED = re.compile(r'(\S+) - (\S+) \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] '
                      r'"GET (\S+) HTTP/1.1" (\d{3}) (\d+) "(.*)" "(.*)" (\S+) (\S+)\Z')


def test_access_lines_of_web_servers(start):
    gate = start(start.backend(), {"log": {"access_format": "combined"}})
    gate.get("/clf?secret=1", {**gate.bearer(), "User-Agent": 'a" b',
                               "Referer": 'https://app.example.com/from"?code=secret#token'})
    gate.wait_for(lambda: "/clf" in gate.stdout(), "the access line")
    line = next(line for line in gate.stdout().splitlines() if "/clf" in line)
    found = COMBINED.match(line)
    assert found, line
    assert found.group(1, 2, 3, 4, 5) == ("127.0.0.1", "alice", "/clf", "200", "2")
    assert found.group(6) == 'https://app.example.com/from\\"'
    assert found.group(7) == 'a\\" b' and len(found.group(8)) == 24 and found.group(9) == "-"
    gate.wait_for_record(event="login", outcome="ok")  # audit lines keep log.format


def test_a_sample_of_the_access_lines(start):
    gate = start(start.backend(), {"workers": 1, "log": {"sample": 0.1},
                                   "routes": [{"path": "/open/**", "access": "public"}]})
    with gate.connect() as client:
        for _ in range(50):
            assert client.request("GET", "/open/x").status == 200
        for _ in range(3):
            assert client.request("GET", "/closed").status == 401
    gate.wait_for(lambda: [r.get("path") for r in gate.records()].count("/closed") == 3, "refusals")
    assert [r.get("path") for r in gate.records()].count("/open/x") == 5


def test_log_rotation(start):
    """mv and SIGUSR1, as logrotate does it: no line is lost."""
    gate = start(start.backend(), {"log": {"file": "gatehouse.log"}}, log_file="gatehouse.log")
    bearer = gate.bearer()
    old, new = gate.directory / "gatehouse.log.1", gate.log_file
    with gate.connect() as client:
        for number in range(200):
            assert client.request("GET", f"/rotated/{number}", bearer).status == 200
            if number == 100:
                new.rename(old)
                gate.signal(signal.SIGUSR1)
    gate.wait_for(lambda: new.exists() and "/rotated/199" in new.read_text(), "the last line")
    text = old.read_text() + new.read_text()
    for number in range(200):
        assert text.count(f'"/rotated/{number}"') == 1, number


def test_a_reader_that_does_not_read_holds_nobody_up(start, tmp_path):
    """Standard output is a pipe that nobody empties: lines are dropped and counted, requests are
    served as before."""
    backend = start.backend()
    config = start.config(backend, {"workers": 1,
                                    "routes": [{"path": "/**", "access": "public"}]})
    (tmp_path / "gatehouse.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "users.yaml").write_text(yaml.safe_dump({"users": USERS}))
    with (tmp_path / "stderr").open("wb") as error:
        process = subprocess.Popen([BINARY, "-c", "gatehouse.yaml"], cwd=tmp_path, stderr=error,
                                   stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        addresses = wait_for_addresses(tmp_path / "stderr", process)
        request = render("GET", "/" + "p" * 900, {"User-Agent": "u" * 250}) * 100
        with Client(addresses["listener"], timeout=20 * SLOW) as client:
            for _ in range(60):
                client.send(request)
                for _ in range(100):
                    assert client.read_response().status == 200
                if dropped(addresses["health"]) > 0:
                    break
            assert dropped(addresses["health"]) > 0
            assert client.request("GET", "/still").status == 200
        drain = threading.Thread(target=process.stdout.read, daemon=True)
        drain.start()
        process.terminate()
        assert process.wait(20 * SLOW) == 0
    finally:
        process.kill()
    assert "log lines were dropped" in (tmp_path / "stderr").read_text()


def test_a_reader_that_has_left_holds_nobody_up(start, tmp_path):
    """The other end of the pipe is closed: that is an error of a write, and no end (X-40)."""
    backend = start.backend()
    config = start.config(backend, {"workers": 1})
    (tmp_path / "gatehouse.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "users.yaml").write_text(yaml.safe_dump({"users": USERS}))
    with (tmp_path / "stderr").open("wb") as error:
        process = subprocess.Popen([BINARY, "-c", "gatehouse.yaml"], cwd=tmp_path, stderr=error,
                                   stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        process.stdout.close()
        addresses = wait_for_addresses(tmp_path / "stderr", process)
        with Client(addresses["listener"], timeout=20 * SLOW) as client:
            for _ in range(200):
                assert client.request("GET", "/x").status == 401
        process.terminate()
        assert process.wait(20 * SLOW) == 0
    finally:
        process.kill()


def test_a_full_disk_holds_nobody_up(start, tmp_path):
    """Lines that cannot be written are dropped and counted; requests go on (X-40)."""
    sockets = {role: str(tmp_path / role) for role in ("listener", "health")}
    gate = start(start.backend(), {"workers": 1, "log": {"file": "/dev/full"},
                                   "listeners": [{"address": f"unix:{sockets['listener']}"}],
                                   "health": {"address": f"unix:{sockets['health']}"}}, ready=False)
    gate.addresses = sockets
    gate.wait_for(lambda: gate.readiness() == 200, "readiness without any line")
    with gate.connect() as client:
        for _ in range(200):
            assert client.request("GET", "/x").status == 401
    gate.wait_for(lambda: dropped(sockets["health"]) >= 200, "lines to be counted as lost")
    assert gate.try_login().status == 200


def wait_for_addresses(file, process):
    event = threading.Event()
    for _ in range(int(3000 * SLOW)):
        found = {role: address for address, role in LISTENING.findall(file.read_text())}
        if {"listener", "health"} <= set(found):
            return {r: ("127.0.0.1", int(a.rsplit(":")[-1])) for r, a in found.items()}
        assert process.poll() is None, file.read_text()
        event.wait(0.005)
    raise AssertionError("it does not listen")


def dropped(address):
    with Client(address) as client:
        text = client.request("GET", "/metrics").body.decode()
    return Metrics(text).value("gatehouse_log_lines_dropped_total")


@pytest.mark.skipif(shutil.which("fail2ban-regex") is None, reason="fail2ban is not installed")
def test_fail2ban_recipe(start):
    """The filter of examples/fail2ban finds each failed login and nothing else."""
    gate = start(start.backend(), {"log": {"file": "gatehouse.log"},
                                   "login": {"throttle": {"account_and_address": "4/1m"}}},
                 log_file="gatehouse.log")
    gate.login()
    for user in ("bob", "nobody", 'x","client":"203.0.113.7'):
        gate.try_login(user, "wrong", {"User-Agent": '","client":"203.0.113.7'})
    for _ in range(5):
        gate.try_login("carol", "wrong")
    gate.get("/x", {"Authorization": "Bearer x.y.z"})
    gate.stop()
    result = subprocess.run(["fail2ban-regex", "-v", "--print-all-matched", str(gate.log_file),
                             str(ROOT / "examples/fail2ban/gatehouse.conf")],
                            capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
    audit = [line for line in gate.log_file.read_text().splitlines()
             if '"outcome":"failed"' in line or '"event":"throttle"' in line]
    assert len(audit) == 8
    assert re.search(r"^Lines: .* 8 matched", result.stdout, re.M), result.stdout
    assert "203.0.113.7" not in "".join(re.findall(r"^\|\s+(\d+\.\d+\.\d+\.\d+)",
                                                   result.stdout, re.M))
    assert result.stdout.count("127.0.0.1 ") >= 8, result.stdout
