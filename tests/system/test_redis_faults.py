"""A Redis that is broken, hostile, full, loading, or somebody else: nothing that it says can log a
user out, end the program, or reach the wrong user."""

import threading
import time

import pytest

from support.broken_redis import BrokenRedis
from support.gate import SLOW, refreshed
from support.metrics import Metrics
from support.redis import Redis, store

QUICK = {"command_timeout": f"{300 * max(SLOW, 1):.0f}ms"}


@pytest.fixture
def own_redis(tmp_path):
    """For tests that are not kind to it."""
    server = Redis(tmp_path / "redis", "--busy-reply-threshold", 100)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def behind(start_module, shared_backend, redis):
    """A program whose Redis answers what the test says."""
    broken = BrokenRedis(redis)
    config = {"store": {"kind": "redis", "redis": {"url": f"redis://{broken.endpoint}", **QUICK}},
              "workers": 1}  # once it is served again, all of it is
    yield start_module(shared_backend, config), broken
    broken.stop()


@pytest.fixture
def broken(behind, backend):
    gate, relay = behind
    gate.wait_for(lambda: gate.try_login().status == 200, "Redis")
    yield gate, relay
    relay.rule = lambda request: None


def assert_no_verdict(gate, tokens):
    """Whatever needs the store is 503, nothing else changes, and no cookie is touched."""
    for answer in (gate.refresh(tokens.refresh), gate.try_login(),
                   gate.request("POST", "/logout", tokens.cookie(), b"")):
        # A number is what a login that has to wait is told.
        assert answer.status == 503 or answer.json()["error"] == "too_many_attempts", answer.body
        assert int(answer.get("Retry-After")) >= 1
        assert not answer.all("Set-Cookie")
    assert gate.get("/", tokens.bearer()).status == 200


def metric(gate, name, **labels):
    answer = gate.request("GET", "/metrics", role="health")
    return Metrics(answer.body.decode()).value(name, **labels)


def goes_on(gate, token):
    gate.wait_for(lambda: gate.refresh(token).status == 200, "Redis again")


GARBAGE = {
    "no RESP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": b"\0" * 4096,
    "an endless line": b"+" + b"x" * 40_000,
    "a huge array": b"*1073741824\r\n",
    "a huge text": b"$536870912\r\n" + b"x" * 65_536,
    "too much": b"$1048000\r\n" + b"x" * 1_048_000 + b"\r\n" + b"+OK\r\n" * 1000,
    "deep arrays": b"*1\r\n" * 1000,
    "a negative length": b"$-2\r\n",
    "RESP3": b"%1\r\n+a\r\n+b\r\n",
    "half a reply": b"*4\r\n$7\r\nrot",
    "nil": b"$-1\r\n",
    "a number": b":1\r\n",
    "a status": b"+OK\r\n",
    "an empty array": b"*0\r\n",
    "an array of nil": b"*4\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n",
    "an unknown outcome": b"*4\r\n$4\r\ngone\r\n:1\r\n:1\r\n$0\r\n\r\n",
    "two replies": b"+OK\r\n+OK\r\n",
    "an unknown error": b"-WHAT is this\r\n",
    "an error without words": b"-\r\n",
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE.keys())
def test_nonsense_instead_of_an_answer(broken, answer):
    # SECURITY K01, K02 and X-31: only what scripts are answered; greeting and stream are well.
    gate, relay = broken
    tokens = gate.login()
    relay.rule = lambda request: answer if b"EVAL" in request else None
    assert_no_verdict(gate, tokens)
    relay.rule = lambda request: None
    goes_on(gate, tokens.refresh)


@pytest.mark.parametrize("answer", [GARBAGE["no RESP"], GARBAGE["a huge array"],
                                    GARBAGE["a number"], GARBAGE["too much"]],
                         ids=["no RESP", "a huge array", "a number", "too much"])
def test_nonsense_from_the_first_byte(broken, answer):
    """Also in the greeting, and on the stream of revocations."""
    gate, relay = broken
    tokens = gate.login()
    relay.rule = lambda request: answer
    gate.wait_for(lambda: gate.refresh(tokens.refresh).status == 503, "the outage")
    assert_no_verdict(gate, tokens)
    relay.rule = lambda request: None
    goes_on(gate, tokens.refresh)
    gate.wait_for(lambda: gate.readiness() == 200, "readiness")


def test_a_late_answer_reaches_nobody_else(broken):
    # SECURITY K01: the connection is closed, and its answers with it.
    gate, relay = broken
    alice, bob = gate.login("alice"), gate.login("bob")
    sid = alice.claims()["sid"].encode()
    relay.rule = lambda request: 0.6 * max(SLOW, 1) if sid in request else None
    late = []
    asking = threading.Thread(target=lambda: late.append(gate.refresh(alice.refresh)))
    asking.start()
    deadline = time.monotonic() + 1.2 * max(SLOW, 1)
    while time.monotonic() < deadline:
        answer = gate.refresh(bob.refresh)
        assert answer.status in (200, 503)
        if answer.status == 200:
            payload = gate.get("/.gatehouse/userinfo",
                               {"Authorization": "Bearer " + answer.json()["accessToken"]})
            assert payload.json()["sub"] == "bob"
    asking.join()
    assert late[0].status in (200, 503)
    relay.rule = lambda request: None
    goes_on(gate, alice.refresh)


def test_an_alarm_is_not_lost_with_the_answer_that_rings_it(start, backend, redis):
    """The session is over in Redis, but its answer is lost: asked again it says the same."""
    relay = BrokenRedis(redis)
    config = {"store": {"kind": "redis", "redis": {"url": f"redis://{relay.endpoint}",
                                                   "key_prefix": "lost:", **QUICK}},
              "tokens": {"refresh": {"grace": 0}}, "workers": 1}
    gate = start(backend, config)
    tokens = gate.login()
    token = tokens.refresh
    for _ in range(2):
        token = refreshed(gate.refresh(token))
    lose = ["lost"]
    relay.rule = lambda request: lose.pop() if lose and b"EVAL" in request else None
    assert gate.refresh(tokens.refresh).status == 403
    assert not lose, "no answer was lost"
    for stolen in (tokens.refresh, token):
        assert gate.refresh(stolen).status == 403
    gate.wait_for_record(outcome="reuse", session_id=tokens.claims()["sid"])
    assert sum(r.get("outcome") == "reuse" for r in gate.records()) == 1
    assert metric(gate, "gatehouse_token_refresh_total", outcome="reuse") == 1
    relay.stop()


def test_a_busy_script_and_a_killed_one(start, backend, own_redis):
    gate = start(backend, {"store": store(own_redis, **QUICK), "workers": 1})
    tokens = gate.login()
    spinning = threading.Thread(
        target=lambda: own_redis.run("EVAL", "while true do end", "0"))
    spinning.start()
    gate.wait_for(lambda: gate.refresh(tokens.refresh).status == 503, "the outage")
    assert_no_verdict(gate, tokens)
    gate.wait_for(lambda: "OK" in own_redis.run("SCRIPT", "KILL"), "the end of the script")
    spinning.join()
    goes_on(gate, tokens.refresh)


def test_loading(start, backend, tmp_path):
    redis = Redis(tmp_path / "redis")
    gate = start(backend, {"store": store(redis, **QUICK), "workers": 1})
    tokens = gate.login()
    redis.run("EVAL", "for i = 1, 400 do redis.call('SET', 'filler' .. i, i) end", "0")
    redis.run("SAVE")
    redis.kill()
    redis.options += ["--key-load-delay", "20000",
                      "--loading-process-events-interval-bytes", "1024"]
    redis.start(answers="LOADING")
    gate.wait_for(lambda: b"loading" in gate.request("GET", "/readyz", role="health").body,
                  "the reason")
    assert_no_verdict(gate, tokens)
    goes_on(gate, tokens.refresh)
    redis.stop()


def test_everything_is_taken_away(start, backend, own_redis):
    # SECURITY X-29: the sessions are gone, which is said without taking a cookie; logins go on.
    gate = start(backend, {"store": store(own_redis, **QUICK), "workers": 1})
    tokens = gate.login()
    own_redis.run("SCRIPT", "FLUSH")
    assert gate.refresh(tokens.refresh).status == 200
    own_redis.run("FLUSHALL")
    answer = gate.refresh(tokens.refresh)
    assert answer.status == 403 and not answer.all("Set-Cookie")
    again = gate.login()
    assert gate.refresh(again.refresh).status == 200
    assert gate.request("POST", "/logout", again.cookie(), b"").status == 204
    gate.wait_for(lambda: gate.get("/", again.bearer()).status == 401, "the revocation")


def test_full_readonly_and_locked(start, backend, own_redis):
    # SECURITY X-30: OOM, READONLY, NOPERM and NOAUTH.
    gate = start(backend, {"store": store(own_redis, **QUICK), "workers": 1})
    tokens = gate.login()
    own_redis.run("CONFIG", "SET", "maxmemory", "1")
    assert_no_verdict(gate, tokens)
    own_redis.run("CONFIG", "SET", "maxmemory", "0")
    goes_on(gate, tokens.refresh)
    own_redis.run("CONFIG", "SET", "min-replicas-to-write", "1")
    assert_no_verdict(gate, tokens)
    own_redis.run("CONFIG", "SET", "min-replicas-to-write", "0")
    goes_on(gate, tokens.refresh)
    own_redis.run("ACL", "SETUSER", "default", "-evalsha", "-eval")
    assert_no_verdict(gate, tokens)
    own_redis.run("ACL", "SETUSER", "default", "+@all")
    goes_on(gate, tokens.refresh)
    token = refreshed(gate.refresh(tokens.refresh))
    assert gate.refresh(token).status == 200
