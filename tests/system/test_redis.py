"""Sessions in Redis, shared by two replicas: one user, one truth, whatever happens to Redis."""

import hashlib
import hmac
import json
import signal
import threading
import time

import pytest

from support.gate import SLOW, USERS, refreshed, spin
from support.metrics import Metrics
from support.redis import Redis, free_port, store, wait_for
from support.webhook import Alarms

GRACE = {"tokens": {"refresh": {"grace": "1s"}}}


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
    gate.wait_for(lambda: gate.try_login().status == 200, "the other worker")


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

    def refreshed_again(token):
        """Each worker finds out by itself that Redis is back."""
        answers = []
        gate.wait_for(lambda: answers.append(gate.refresh(token)) or answers[-1].status != 503,
                      "Redis again")
        return refreshed(answers[-1])
    successors = [refreshed_again(token) for token in tokens]
    redis.kill()
    redis.start()
    assert [refreshed_again(token) for token in tokens] == successors
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


def test_logouts_wait_for_a_replica_and_nobody_else_does(start, backend, tmp_path):
    """store.redis.wait_replicas: 204 says that a replica has it, 503 that it is not known."""
    master = Redis(tmp_path / "master")
    replica = Redis(tmp_path / "replica", "--replicaof", "127.0.0.1", master.port,
                    "--repl-diskless-sync-delay", 0)
    wait_for(lambda: "master_link_status:up" in replica.run("INFO", "replication"), "the replica")
    gate = start(backend, {"store": store(master, wait_replicas=1), "workers": 1})
    users = [gate.login() for _ in range(6)]
    assert gate.request("POST", "/logout", users[0].cookie(), b"").status == 204
    sid = users[0].claims()["sid"]
    assert replica.run("GET", f"gatehouse:f{{{sid}}}") == "x"
    replica.pause()
    answers = []
    leaving = [threading.Thread(target=lambda t=t: answers.append(
        gate.request("POST", "/logout", t.cookie(), b""))) for t in users[1:4]]
    for thread in leaving:
        thread.start()
    served = 0
    while any(thread.is_alive() for thread in leaving):
        assert gate.refresh(users[4].refresh).status == 200
        served += 1
    assert [a.status for a in answers] == [503] * 3
    assert all(a.get("Retry-After") and not a.all("Set-Cookie") for a in answers)
    assert served >= 3, "refreshes waited behind the logouts"
    assert gate.request("POST", "/logout?all=true", users[5].cookie(), b"").status == 503
    replica.go_on()
    gate.wait_for(lambda: gate.request("POST", "/logout", users[5].cookie(), b"").status == 204,
                  "the replica again")
    replica.stop()
    master.stop()


def test_a_reload_follows_redis_to_another_place(start, backend, redis, own_redis, tmp_path):
    """What store.redis says is in force from the next connection on; what cannot be is named."""
    password = tmp_path / "redis.password"
    password.write_text("first\n")
    own_redis.run("ACL", "SETUSER", "gatehouse", "on", ">first", "~*", "&*", "+@all")
    config = start.config(backend, {"store": store(redis, key_prefix="moving:")})
    gate = start(backend, config)
    tokens = gate.login()
    config["store"] = store(own_redis, key_prefix="other:", username="gatehouse",
                            password_file=str(password))
    gate.write_config(config)
    gate.signal(signal.SIGHUP)
    gate.wait_for_log("reloaded the configuration")
    named = [r for r in gate.log() if r.get("key") == "store.redis.key_prefix"]
    assert named and "restart" in named[0]["message"]
    gate.wait_for(lambda: gate.refresh(tokens.refresh).status == 403, "the other server")
    tokens = gate.login()
    assert own_redis.run("KEYS", "moving:f*") != ""
    # A password that is exchanged, as an operator does it.
    own_redis.run("ACL", "SETUSER", "gatehouse", ">second")
    password.write_text("second\n")
    gate.signal(signal.SIGHUP)
    gate.wait_for_log("reloaded the configuration", 2)
    own_redis.run("ACL", "SETUSER", "gatehouse", "<first")
    own_redis.run("CLIENT", "KILL", "USER", "gatehouse")
    gate.wait_for(lambda: gate.refresh(tokens.refresh).status == 200, "the new password")


def test_replicas_share_the_bucket_of_a_rate_limit(start, backend, redis, own_redis):
    """`scope: cluster`: one bucket, whichever replica is asked; without Redis each has its own."""
    routes = [{"path": "/limited", "rate_limit": {"rate": "4/1h", "scope": "cluster"}}]
    config = {"store": store(own_redis, command_timeout="300ms"), "routes": routes}
    gates = [start(backend, config) for _ in range(2)]
    alice, bob = gates[0].login("alice").bearer(), gates[0].login("bob").bearer()
    for i in range(4):
        assert gates[i % 2].get("/limited", alice).status == 200
    for gate in gates:
        answer = gate.get("/limited", alice)
        assert answer.status == 429 and int(answer.get("Retry-After")) > 60
        assert gate.get("/limited", bob).status == 200
        assert gate.get("/other", alice).status == 200
    keys = own_redis.run("KEYS", "gatehouse:b*").split()
    assert len(keys) == 2 and 0 < int(own_redis.run("TTL", keys[0])) <= 3601
    own_redis.kill()
    gates[0].wait_for(lambda: b"store: down" in
                      gates[0].request("GET", "/readyz", role="health").body, "the outage")
    statuses = [gates[0].get("/limited", alice).status for _ in range(6)]
    assert statuses == [200] * 4 + [429] * 2


def test_the_breaker_and_the_delivery_are_measured(start, backend, own_redis):
    gates = [start(backend, {"store": store(own_redis, command_timeout="300ms")})
             for _ in range(2)]
    assert metric(gates[0], "gatehouse_store_breaker_open") == 0
    for _ in range(3):
        tokens = gates[0].login()
        assert gates[0].request("POST", "/logout", tokens.cookie(), b"").status == 204
    gates[1].wait_for(lambda: metric(gates[1], "gatehouse_revocation_delivery_seconds_count") == 3,
                      "the revocations")
    assert metric(gates[0], "gatehouse_store_latency_seconds_count") > 6
    own_redis.kill()
    gates[0].wait_for(lambda: gates[0].try_login().status == 503 and
                      metric(gates[0], "gatehouse_store_breaker_open") >= 1, "the open breaker")
    own_redis.start()
    gates[0].wait_for(lambda: metric(gates[0], "gatehouse_store_breaker_open") == 0,
                      "the closed breaker")


def test_a_user_who_changed_during_an_outage_is_ended_afterwards(start, backend, own_redis):
    # SECURITY H17.
    own_redis.run("CONFIG", "SET", "appendonly", "yes")
    gate = start(backend, {"store": store(own_redis, command_timeout="300ms")})
    alice, bob = gate.login("alice"), gate.login("bob")
    own_redis.pause()
    gate.write_users([u for u in USERS if u["username"] != "alice"])
    gate.wait_for_record(event="revoke", outcome="failed", reason="user_changed", user="alice")
    own_redis.go_on()
    gate.wait_for_record(event="revoke", outcome="ok", reason="user_changed", user="alice")
    assert gate.refresh(alice.refresh).status == 403
    gate.wait_for(lambda: gate.get("/", alice.bearer()).status == 401, "the revocation")
    gate.wait_for(lambda: gate.refresh(bob.refresh).status == 200, "the others")


def test_what_a_login_leaves_behind_is_bounded(start, backend, own_redis):
    """However many browsers a user claims to have: after a logout there is a tombstone."""
    gate = start(backend, {"store": store(own_redis)})
    tokens = gate.login()
    for i in range(20):
        assert gate.try_login("alice", headers={"User-Agent": f"browser {i}"}).status == 200
    listed = gate.get("/.gatehouse/sessions", tokens.bearer()).json()["sessions"]
    assert {s["userAgent"] for s in listed} >= {f"browser {i}" for i in range(20)}
    assert gate.request("POST", "/logout?all=true", tokens.cookie(), b"").status == 204
    left = own_redis.run("KEYS", "*").split()
    assert all(own_redis.run("PTTL", key) != "-1" for key in left if "revocations" not in key)
    for key in left:
        if key.startswith("gatehouse:f"):
            assert own_redis.run("GET", key) == "x"
