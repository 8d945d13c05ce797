"""Sessions in Redis, shared by two replicas: one user, one truth, whatever happens to Redis."""

import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from support.gate import SLOW, refreshed, spin
from support.metrics import Metrics
from support.redis import Redis, free_port, store, wait_for

GRACE = {"tokens": {"refresh": {"grace": "1s"}}}


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    server = Redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def own_redis(tmp_path):
    """For tests that are not kind to it."""
    server = Redis(tmp_path / "redis")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def pair(start_module, shared_backend, redis):
    """Two replicas."""
    config = {"store": store(redis)}
    return start_module(shared_backend, config), start_module(shared_backend, config)


@pytest.fixture
def replicas(pair, backend):
    return pair


def metric(gate, name, **labels):
    answer = gate.request("GET", "/metrics", role="health")
    return Metrics(answer.body.decode()).value(name, **labels)


def test_a_session_of_one_replica_is_one_of_the_other(replicas):
    a, b = replicas
    tokens = a.login()
    assert b.get("/", tokens.bearer()).status == 200
    successor = refreshed(b.refresh(tokens.refresh))
    assert refreshed(a.refresh(tokens.refresh)) == successor
    listed = b.get("/.gatehouse/sessions", tokens.bearer()).json()["sessions"]
    assert tokens.claims()["sid"] in [s["id"] for s in listed]


@pytest.mark.parametrize("rounds", [10])
def test_a_hundred_at_once_get_the_same_successor(replicas, rounds):
    # SECURITY H01 and X-32.
    tokens = replicas[0].login()
    token = tokens.refresh
    for round_ in range(rounds):
        count = 20 if round_ else 100
        asks = [lambda i=i: replicas[i % 2].refresh(token) for i in range(count)]
        successors = {refreshed(answer) for answer in spin(asks)}
        assert len(successors) == 1
        # Within grace every later one is answered with the same, too: the chain goes on at once.
        assert refreshed(replicas[0].refresh(token)) in successors


def test_logout_at_one_replica_is_known_to_the_other(replicas):
    a, b = replicas
    tokens = a.login()
    assert b.get("/", tokens.bearer()).status == 200
    before = time.monotonic()
    assert a.request("POST", "/logout", tokens.cookie(), b"").status == 204
    b.wait_for(lambda: b.get("/", tokens.bearer()).status == 401, "the revocation", 5)
    assert time.monotonic() - before < 1 * max(SLOW, 1) + 1
    assert b.refresh(tokens.refresh).status == 403


def test_logout_of_all_reaches_everybody(replicas):
    a, b = replicas
    mine = [gate.login("carol") for gate in (a, b, a)]
    other = b.login("bob")
    assert a.request("POST", "/logout?all=true", mine[0].cookie(), b"").status == 204
    for tokens in mine:
        b.wait_for(lambda t=tokens: b.get("/", t.bearer()).status == 401, "the revocation", 5)
        assert b.refresh(tokens.refresh).status == 403
    assert b.get("/", other.bearer()).status == 200
    again = b.login("carol")
    assert a.get("/", again.bearer()).status == 200


def test_failed_logins_are_counted_together(start, backend, redis):
    config = {"store": store(redis, key_prefix="throttle:"),
              "login": {"throttle": {"account_and_address": "4/1m", "ban": "1m"}}}
    gates = [start(backend, config) for _ in range(2)]
    for i in range(4):
        assert gates[i % 2].try_login("alice", "wrong").status == 401
    for gate in gates:
        answer = gate.try_login("alice", "wrong")
        assert answer.status == 429 and int(answer.get("Retry-After")) > 30


class Alarms:
    """Receives alarms; refuses the first `refusals`."""

    def __init__(self, refusals=0):
        self.seen, left = [], [refusals]
        alarms = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                left[0] -= 1
                if left[0] >= 0:
                    self.send_response(500)
                else:
                    alarms.seen.append((self.headers["X-Gatehouse-Signature"], body))
                    self.send_response(204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/alarm"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.parametrize("kind", ["redis", "memory"])
def test_a_stolen_token_is_found_and_rings_once(start, backend, redis, tmp_path, kind):
    # SECURITY H02: thief and user both go on with the same session.
    alarms = Alarms(refusals=1)
    secret = tmp_path / "webhook.key"
    secret.write_text("a webhook secret of thirty-two bytes")
    config = {**GRACE, "alerts": {"webhook": {"url": alarms.url, "secret_file": str(secret)}}}
    if kind == "redis":
        config["store"] = store(redis, key_prefix="theft:")
    gates = [start(backend, config) for _ in range(2 if kind == "redis" else 1)]
    tokens = gates[0].login()
    token = tokens.refresh
    for i in range(3):
        token = refreshed(gates[i % len(gates)].refresh(token))
        time.sleep(1.1)  # grace is what is tested
    thief = gates[-1].refresh(tokens.refresh)
    assert thief.status == 403
    assert gates[0].refresh(token).status == 403
    for gate in gates:
        gate.wait_for(lambda g=gate: g.get("/", tokens.bearer()).status == 401, "the revocation")
    wait_for(lambda: alarms.seen, "the alarm")
    signature, body = alarms.seen[0]
    stamp, mac = signature.split(",")
    expected = hmac.new(secret.read_bytes(), stamp[2:].encode() + b"." + body, hashlib.sha256)
    assert mac == "v1=" + expected.hexdigest()
    alarm = json.loads(body)
    assert alarm["event"] == "refresh_token_reuse" and alarm["user"] == "alice"
    assert alarm["sessionId"] == tokens.claims()["sid"]
    time.sleep(0.3)
    assert len(alarms.seen) == 1
    assert sum(r.get("outcome") == "reuse" for gate in gates for r in gate.records()) == 1
    alarms.stop()


def test_outage(start, backend, own_redis):
    # SECURITY X-26: access goes on, refresh waits, and nobody is logged out.
    gate = start(backend, {"store": store(own_redis, command_timeout="300ms")})
    tokens = gate.login()
    own_redis.kill()
    gate.wait_for(lambda: b"store: down" in gate.request("GET", "/readyz", role="health").body,
                  "the outage")
    readyz = gate.request("GET", "/readyz", role="health")
    assert readyz.status == 200 and b"ok" in readyz.body
    assert gate.get("/", tokens.bearer()).status == 200
    gate.wait_for_record(event="outage", outcome="allowed")
    for answer in [gate.refresh(tokens.refresh) for _ in range(8)] + [
            gate.try_login(), gate.request("POST", "/logout", tokens.cookie(), b"")]:
        assert answer.status == 503 and answer.get("Retry-After")
        assert not answer.all("Set-Cookie")
    began = time.monotonic()
    assert gate.refresh(tokens.refresh).status == 503
    assert time.monotonic() - began < 0.05 * SLOW + 0.05
    assert metric(gate, "gatehouse_store_up") == 0
    own_redis.start()
    gate.wait_for(lambda: metric(gate, "gatehouse_store_up") == 1, "Redis again")
    # Its memory is gone, and says so: no error, no crash, a new login.
    gate.wait_for(lambda: gate.refresh(tokens.refresh).status == 403, "the truth")
    assert gate.get("/", gate.login().bearer()).status == 200


def test_outage_with_deny_and_fail(start, backend, own_redis):
    more = store(own_redis)
    more["on_outage"] = {"access": "deny", "readyz": "fail"}
    gate = start(backend, {"store": more, "routes": [{"path": "/open", "access": "public"}]})
    tokens = gate.login()
    own_redis.kill()
    gate.wait_for(lambda: gate.readiness() == 503, "the outage")
    denied = gate.get("/", tokens.bearer())
    assert denied.status == 503 and denied.get("Retry-After")
    assert gate.get("/open").status == 200
    gate.wait_for_record(event="outage", outcome="denied")
    own_redis.start()
    gate.wait_for(lambda: gate.readiness() == 200, "Redis again")
    assert gate.get("/", tokens.bearer()).status == 200


def test_a_pause_and_a_restart_log_nobody_out(start, backend, tmp_path):
    redis = Redis(tmp_path / "redis", "--appendonly", "yes", "--appendfsync", "always")
    gate = start(backend, {"store": store(redis, command_timeout="300ms")})
    tokens = [gate.login().refresh for _ in range(5)]
    redis.pause()
    assert {gate.refresh(token).status for token in tokens} == {503}
    redis.go_on()
    gate.wait_for(lambda: gate.refresh(tokens[0]).status == 200, "Redis again")
    successors = [refreshed(gate.refresh(token)) for token in tokens]
    redis.kill()
    redis.start()
    gate.wait_for(lambda: gate.refresh(tokens[0]).status == 200, "Redis again")
    assert [refreshed(gate.refresh(token)) for token in tokens] == successors
    redis.stop()


def test_redis_may_come_later(start, backend, tmp_path):
    # SECURITY X-24.
    redis = Redis(tmp_path / "redis")
    redis.kill()
    gate = start(backend, {"store": store(redis)}, ready=False)
    gate.wait_for(gate._is_listening, "the listening lines")
    readyz = gate.request("GET", "/readyz", role="health")
    assert readyz.status == 503 and b"store: down" in readyz.body
    assert gate.try_login().status == 503
    redis.start()
    gate.wait_for(lambda: gate.readiness() == 200, "readiness")
    assert gate.try_login().status == 200
    redis.stop()


def test_what_redis_answers_is_no_verdict(start, backend, own_redis):
    # SECURITY.
    gate = start(backend, {"store": store(own_redis)})
    tokens = gate.login()
    key = f"gatehouse:f{{{tokens.claims()['sid']}}}"
    own_redis.run("SCRIPT", "FLUSH")
    assert gate.refresh(tokens.refresh).status == 200
    saved = own_redis.run("--raw", "EXISTS", key)
    assert saved == "1"
    own_redis.run("CONFIG", "SET", "maxmemory", "1")
    assert gate.refresh(tokens.refresh).status == 503
    assert gate.try_login().status == 503
    own_redis.run("CONFIG", "SET", "maxmemory", "0")
    assert gate.refresh(tokens.refresh).status == 200
    own_redis.run("REPLICAOF", "127.0.0.1", free_port())
    answer = gate.refresh(tokens.refresh)
    assert answer.status == 503 and not answer.all("Set-Cookie")
    own_redis.run("REPLICAOF", "NO", "ONE")
    gate.wait_for(lambda: gate.refresh(tokens.refresh).status == 200, "a master again")
    own_redis.run("CONFIG", "SET", "requirepass", "secret")
    own_redis.password = "secret"
    own_redis.run("CLIENT", "KILL", "TYPE", "normal")
    gate.wait_for(lambda: gate.refresh(tokens.refresh).status == 503, "NOAUTH")
    own_redis.run("CONFIG", "SET", "requirepass", "")
    own_redis.password = None
    gate.wait_for(lambda: gate.refresh(tokens.refresh).status == 200, "no password again")
    own_redis.run("SET", key, "junk")
    assert gate.refresh(tokens.refresh).status in (403, 503)
    own_redis.run("DEL", key)
    own_redis.run("LPUSH", key, "x")
    assert gate.refresh(tokens.refresh).status == 503
    own_redis.run("FLUSHALL")
    answer = gate.refresh(tokens.refresh)
    assert answer.status == 403 and not answer.all("Set-Cookie")
