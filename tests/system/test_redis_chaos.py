"""The promise: no honest user is ever logged out by us, whatever happens to Redis, and a stolen
token is always found. Each in a short form; the long ones (-m nightly) print what they saw."""

import multiprocessing
import random
import subprocess
import threading
import time

import pytest

from support.crowd import Crowd, Watch, accounts, echo
from support.gate import SLOW, refreshed, spin
from support.redis import Redis, free_port, store, wait_for
from support.webhook import Alarms

QUICK = {"command_timeout": "400ms"}
# Much longer than a request takes on a busy machine, and short enough to rotate again and again.
GRACE = 3
AGAIN = {"tokens": {"refresh": {"grace": f"{GRACE}s"}}}
long = pytest.mark.nightly


def crowd_of(start, config, count, pace):
    """Two replicas and their users, who have logged in."""
    backend = start.backend()
    backend.on("*", echo)
    config = {**AGAIN, **config, "log": {"access": False}}
    gates = [start(backend, config, users=accounts(count)) for _ in range(2)]
    return Crowd(gates, count, pace)


# --- 1: many at once

@pytest.mark.parametrize("rounds, width", [(2, 20), pytest.param(200, 100, marks=long)])
def test_parallel_refreshes_have_one_successor(start, tmp_path, rounds, width):
    # SECURITY H01 and X-32: two replicas, one cookie.
    redis, grace = Redis(tmp_path / "redis"), 2 * max(SLOW, 1)  # longer than a wave takes
    backend = start.backend()
    config = {"tokens": {"refresh": {"grace": f"{grace:.0f}s"}},
              "store": store(redis, command_timeout="10s")}
    gates = [start(backend, config) for _ in range(2)]
    tokens = gates[0].login()
    token, before, began = tokens.refresh, 0, time.monotonic()
    for turn in range(rounds):
        if turn:
            time.sleep(grace + 0.1)  # grace is what is tested
        answers = spin([lambda i=i: gates[i % 2].refresh(token) for i in range(width)])
        successors = {refreshed(answer) for answer in answers}
        assert len(successors) == 1, "more than one live successor"
        token = successors.pop()
        now = int(redis.run("EVAL", "return string.byte(redis.call('GET', KEYS[1]), 2)", 1,
                            f"gatehouse:f{{{tokens.claims()['sid']}}}"))
        assert now == before + 1, "a wave made more than one generation"
        before = now
    print(f"\n{rounds} rounds of {width}: {time.monotonic() - began:.0f} s")
    redis.stop()


# --- 2: one server, and sentinels

def abuse(redis, choices):
    """What may happen to one server; durable as docs/redis.md says."""
    what = choices.choice(["kill", "sleep", "connections", "scripts", "full"])
    if what == "kill":
        redis.kill()
        redis.start()
    elif what == "sleep":
        redis.run("DEBUG", "SLEEP", choices.choice([0.2, 0.7, 1.5]))
    elif what == "connections":
        redis.run("CLIENT", "KILL", "TYPE", "normal")
    elif what == "scripts":
        redis.run("SCRIPT", "FLUSH")
    else:
        redis.run("CONFIG", "SET", "maxmemory", "1")
        time.sleep(0.5)
        redis.run("CONFIG", "SET", "maxmemory", "0")


@pytest.mark.parametrize("users, seconds", [(15, 6), pytest.param(200, 120, marks=long)])
def test_chaos_of_one_server_logs_nobody_out(start, tmp_path, users, seconds):
    # SECURITY.
    redis = Redis(tmp_path / "redis", "--appendonly", "yes", "--appendfsync", "everysec")
    crowd = crowd_of(start, {"store": store(redis, **QUICK)}, users, 0.2 if users < 50 else 1.0)
    choices, end = random.Random(5), time.monotonic() + seconds
    crowd.start()
    events = 0
    while time.monotonic() < end:
        abuse(redis, choices)
        events += 1
        time.sleep(choices.uniform(0.5, 2))
    crowd.goes_on()
    crowd.finish()
    print(f"\n{crowd}; {events} faults")
    crowd.assert_unharmed()
    redis.stop()


class Sentinels:
    """A master, a replica, and three sentinels that watch them."""

    def __init__(self, directory):
        options = ["--repl-diskless-sync-delay", 0, "--appendonly", "yes"]
        self.master = Redis(directory / "a", *options)
        self.replica = Redis(directory / "b", *options)
        self.replica.run("REPLICAOF", "127.0.0.1", self.master.port)
        wait_for(lambda: "master_link_status:up" in self.replica.run("INFO", "replication"),
                 "the replica")
        self.sentinels = [Redis(directory / f"sentinel{i}", program="sentinel") for i in range(3)]
        for sentinel in self.sentinels:
            sentinel.run("SENTINEL", "MONITOR", "mymaster", "127.0.0.1", self.master.port, 2)
            sentinel.run("SENTINEL", "SET", "mymaster", "down-after-milliseconds", 1000)
            sentinel.run("SENTINEL", "SET", "mymaster", "failover-timeout", 3000)
        wait_for(lambda: "slaves=1,sentinels=3" in self.sentinels[0].run("INFO", "sentinel"),
                 "the sentinels")

    def store(self):
        return {"kind": "redis", "redis": {
            "mode": "sentinel", "master": "mymaster",
            "endpoints": [s.endpoint for s in self.sentinels], **QUICK}}

    def lose_and_fail_over(self, lost):
        """What is written in these last seconds is lost; the replica becomes the master."""
        self.replica.run("REPLICAOF", "127.0.0.1", free_port())
        time.sleep(lost)
        self.master.kill()
        wait_for(lambda: self.sentinels[0].run("SENTINEL", "get-master-addr-by-name", "mymaster")
                 .endswith(str(self.replica.port)), "the failover", 60)
        wait_for(lambda: "role:master" in self.replica.run("INFO", "replication"), "the new one")

    def settle(self):
        """Who is the master now is for the sentinels to say, also after a fault that they took for
        its end; the other one follows it."""
        def is_settled():
            port = self.sentinels[0].run("SENTINEL", "get-master-addr-by-name", "mymaster")
            if not port.endswith(str(self.master.port)):
                self.master, self.replica = self.replica, self.master
            if "role:master" in self.replica.run("INFO", "replication"):
                self.replica.run("REPLICAOF", "127.0.0.1", self.master.port)
            told = self.master.run("INFO", "replication")
            views = [s.run("SENTINEL", what, "mymaster") for s in self.sentinels
                     for what in ("MASTER", "REPLICAS")]
            return ("role:master" in told
                    and f"slave0:ip=127.0.0.1,port={self.replica.port},state=online" in told
                    and not any("s_down" in view or "disconnected" in view for view in views))
        for server in (self.master, self.replica):
            if server.process.poll() is not None:
                server.start()
        wait_for(is_settled, "a master with its replica, as all sentinels see it", 60)

    def stop(self):
        for server in (*self.sentinels, self.replica, self.master):
            server.stop()


@long
@pytest.mark.parametrize("users, seconds", [(200, 120)])
def test_failovers_that_lose_writes_log_nobody_out(start, tmp_path, users, seconds):
    # SECURITY X-28; the short form is in test_redis_topologies.py.
    servers = Sentinels(tmp_path)
    crowd = crowd_of(start, {"store": servers.store()}, users, 1.0)
    choices, end = random.Random(6), time.monotonic() + seconds
    crowd.start()
    failovers = 0
    while time.monotonic() < end:
        servers.lose_and_fail_over(choices.choice([0.3, 1, 3]))
        crowd.goes_on()
        failovers += 1
        servers.settle()
        abuse(servers.master, choices)
        crowd.goes_on()
        servers.settle()
    crowd.finish()
    print(f"\n{crowd}; {failovers} failovers")
    crowd.assert_unharmed()
    servers.stop()


# --- 3: a cluster

@long
@pytest.mark.parametrize("users, failovers", [(200, 4)])
def test_failovers_of_a_shard_log_nobody_out(start, tmp_path, users, failovers):
    # The short form is in test_redis_topologies.py.
    options = ["--cluster-enabled", "yes", "--cluster-node-timeout", 1500,
               "--repl-diskless-sync-delay", 0, "--appendonly", "yes"]
    nodes = [Redis(tmp_path / f"node{i}", *options) for i in range(6)]
    made = subprocess.run(["redis-cli", "--cluster", "create", *[n.endpoint for n in nodes],
                           "--cluster-replicas", "1", "--cluster-yes"], capture_output=True,
                          text=True, timeout=60 * SLOW, check=False)
    assert "All 16384 slots covered" in made.stdout, made.stdout[-2000:]
    config = {"store": {"kind": "redis", "redis": {
        "mode": "cluster", "endpoints": [n.endpoint for n in nodes], **QUICK}}}
    crowd = crowd_of(start, config, users, 1.0)
    crowd.start()
    for _ in range(failovers):
        for node in nodes:
            wait_for(lambda n=node: "master_link_status:down" not in n.run("INFO", "replication"),
                     "the replicas", 60)
        crowd.goes_on()
        master = next(n for n in nodes if "role:master" in n.run("INFO", "replication")
                      and "connected_slaves:0" not in n.run("INFO", "replication"))
        master.kill()
        crowd.goes_on()
        master.start()
    crowd.finish()
    print(f"\n{crowd}; {failovers} failovers")
    crowd.assert_unharmed()
    for node in nodes:
        node.stop()


# --- 4: thieves

@pytest.mark.parametrize("families", [6, pytest.param(1000, marks=long)])
def test_every_theft_is_found_and_rings_once(start, tmp_path, families):
    """Half of the thieves come before their victim, half behind it. Both go on as if nothing had
    happened; in the end neither has a session, and the bell has rung once for each."""
    redis, alarms, secret = Redis(tmp_path / "redis"), Alarms(), tmp_path / "webhook.key"
    secret.write_text("a webhook secret of thirty-two bytes")
    grace = 1 if families < 50 else GRACE
    config = {"tokens": {"refresh": {"grace": f"{grace}s"}}, "store": store(redis),
              "alerts": {"webhook": {"url": alarms.url, "secret_file": str(secret)}}}
    backend = start.backend()
    gates = [start(backend, config) for _ in range(2)]
    logins = [gates[i % 2].login() for i in range(families)]
    sids = {tokens.claims()["sid"] for tokens in logins}
    first = [tokens.refresh for tokens in logins]   # whoever acts first in each round
    second = list(first)
    is_over = [False] * families

    def act(tokens):
        def ask(begin):
            for i in range(begin, families, 8):
                answer = gates[(i + begin) % 2].refresh(tokens[i])
                assert answer.status in (200, 403), answer.body
                assert not answer.all("Set-Cookie") or answer.status == 200
                is_over[i] = is_over[i] or answer.status == 403
                if answer.status == 200:
                    assert not is_over[i], "a session came back to life"
                    tokens[i] = refreshed(answer)
        spin([lambda b=b: ask(b) for b in range(8)])
        time.sleep(grace + 0.1)  # grace is what is tested

    rounds = 0
    while not all(is_over):
        rounds += 1
        assert rounds < 5, f"{is_over.count(False)} thefts are not found"
        act(first)
        act(second)
    act(first)
    act(second)
    wait_for(lambda: len(alarms.seen) >= families, "the alarms", 60)
    time.sleep(0.3)
    assert sorted(alarms.sessions()) == sorted(sids)
    audited = [r["session_id"] for g in gates for r in g.records() if r.get("outcome") == "reuse"]
    assert sorted(audited) == sorted(sids)
    print(f"\n{families} thefts, found in {rounds} rounds, {len(alarms.seen)} alarms")
    alarms.stop()
    redis.stop()


# --- 6: a long outage

@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=long)])
def test_an_outage_under_load(start, tmp_path, seconds):
    """Access goes on as fast as before, refreshes wait, and everybody goes on afterwards."""
    redis = Redis(tmp_path / "redis", "--appendonly", "yes", "--appendfsync", "always")
    users = 10 if seconds < 10 else 50
    crowd = crowd_of(start, {"store": store(redis, **QUICK)}, users, 0.3)
    watch = Watch(crowd.gates[0], crowd.gates[0].login("user0").bearer())
    with multiprocessing.get_context("fork").Pool(1) as pool:  # before there are threads
        crowd.start()
        before, failed_before = pool.apply(watch.measure, (seconds / 2,))
        redis.kill()
        waited = crowd.waited
        during, failed = pool.apply(watch.measure, (seconds,))
        assert crowd.waited > waited
        redis.start()
        crowd.goes_on()
        after, failed_after = pool.apply(watch.measure, (seconds / 2,))
    crowd.finish()
    crowd.assert_unharmed()
    assert failed_before == failed == failed_after == []

    def late(durations):
        return sorted(durations)[int(len(durations) * 0.99)]
    usual, meanwhile = late(before + after), late(during)
    print(f"\n{crowd}; {len(during)} requests meanwhile, p99 {meanwhile * 1e3:.2f} ms; "
          f"before and after {usual * 1e3:.2f} ms: {meanwhile / usual:.2f}")
    if seconds >= 60:
        assert meanwhile <= 1.2 * usual
    redis.stop()


def test_the_crowd_notices(start, tmp_path):
    """That it stays silent above would mean little otherwise."""
    redis = Redis(tmp_path / "redis")
    crowd = crowd_of(start, {"store": store(redis, **QUICK)}, 3, 0.1)
    crowd.start()
    crowd.goes_on()
    redis.run("FLUSHALL")
    wait_for(lambda: crowd.refused, "a user who is logged out")
    crowd.finish()
    assert threading.active_count() < 50
    redis.stop()
