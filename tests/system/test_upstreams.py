"""Several endpoints behind one upstream: who is next, who is left out, who waits."""

import os
import socket
import subprocess
import threading
import time

import pytest

from support.backend import response
from support.client import render
from support.gate import SLOW, spin
from support.metrics import Metrics

PUBLIC = {"routes": [{"path": "/**", "access": "public"}], "workers": 1}


def in_front_of(start, backends, upstream=None, **changes):
    """A program whose upstream has an endpoint for each backend."""
    app = {"endpoints": [b if isinstance(b, str) else b.url for b in backends], **(upstream or {})}
    first = next(b for b in backends if not isinstance(b, str))
    return start(first, {**PUBLIC, "upstreams": {"app": app}, **changes})


def unused_port():
    """An address that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{sock.getsockname()[1]}"


def counts(backends):
    return [len(b.requests) for b in backends]


def test_each_endpoint_in_turn(start):
    backends = [start.backend() for _ in range(3)]
    gate = in_front_of(start, backends)
    with gate.connect() as client:
        for _ in range(12):
            assert client.request("GET", "/x").status == 200
    assert counts(backends) == [4, 4, 4]


def test_a_unix_socket_beside_an_address(start, tmp_path):
    backends = [start.backend(tmp_path / "app.sock"), start.backend()]
    gate = in_front_of(start, backends)
    for _ in range(4):
        assert gate.get("/x").status == 200
    assert counts(backends) == [2, 2]
    assert {r["upstream"] for r in gate.records()} <= {b.url for b in backends}


def test_the_endpoint_with_the_fewest_requests(start):
    slow, fast = start.backend(), start.backend()
    release = threading.Event()

    def hold(exchange):
        release.wait(20 * SLOW)
        exchange.reply(200, b"late")
    slow.on("/x", hold)
    gate = in_front_of(start, [slow, fast], {"balance": "least_requests"})
    waiting = threading.Thread(target=gate.get, args=("/x",))
    waiting.start()
    assert slow.arrived.wait(10 * SLOW)
    for _ in range(5):
        assert gate.get("/x").status == 200
    release.set()
    waiting.join()
    assert counts([slow, fast]) == [1, 5]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_endpoint_that_cannot_be_reached_is_passed_over(start, method):
    """Nothing was sent to it, so that even a POST may go to the next one."""
    backend = start.backend()
    gate = in_front_of(start, [unused_port(), backend, unused_port()],
                       {"ejection": {"consecutive_failures": 0}})
    for i in range(9):
        assert gate.request(method, f"/x{i}", body=b"1" if method == "POST" else None).status == 200
    assert len(backend.requests) == 9
    assert len({r.target for r in backend.requests}) == 9


def test_with_no_endpoint_left_it_is_502(start):
    backend = start.backend()
    gate = start(backend, {**PUBLIC, "upstreams": {"app": {
        "endpoints": [unused_port(), unused_port()]}}})
    answer = gate.get("/x")
    assert (answer.status, answer.json()["error"]) == (502, "upstream_connect_failed")


def test_an_endpoint_that_fails_is_left_out_and_comes_back(start):
    good, bad = start.backend(), start.backend()
    bad.answer("/x", response(500, b"broken"))
    gate = in_front_of(start, [good, bad], {
        "ejection": {"consecutive_failures": 3, "base_time": "500ms"}})
    statuses = [gate.get("/x").status for _ in range(20)]
    assert statuses.count(500) >= 3
    gate.wait_for_log("left out for a while")
    bad.answer("/x", response(200, b"well"))
    before = len(bad.requests)
    gate.wait_for(lambda: gate.get("/x").status == 200 and len(bad.requests) > before,
                  "the endpoint's return")


def test_the_only_endpoint_is_never_left_out(start):
    backend = start.backend()
    backend.answer("/x", response(503, b"busy"))
    gate = in_front_of(start, [backend], {"ejection": {"consecutive_failures": 1}})
    for _ in range(10):
        assert gate.get("/x").body == b"busy"


def test_health_checks_take_endpoints_out_and_bring_them_back(start):
    one, two = start.backend(), start.backend()
    gate = in_front_of(start, [one, two], {"host": "app.internal", "health_check": {
        "path": "/health?deep=1", "interval": "100ms", "unhealthy_threshold": 2,
        "healthy_threshold": 2}})
    gate.wait_for(lambda: two.at("/health"), "a health check")
    check = two.at("/health")[0]
    assert (check.method, check.target) == ("GET", "/health?deep=1")
    assert check.get("Host") == "app.internal"
    assert check.get("User-Agent").startswith("gatehouse")
    two.answer("/health", response(503, b""))
    gate.wait_for_log("an endpoint is not well")
    seen = len(two.at("/x"))
    for _ in range(6):
        assert gate.get("/x").status == 200
    assert len(two.at("/x")) == seen
    two.answer("/health", response(204, length=False))
    gate.wait_for_log("an endpoint is well again")
    gate.wait_for(lambda: gate.get("/x").status == 200 and len(two.at("/x")) > seen,
                  "a request to the endpoint that is well again")


def test_without_a_healthy_endpoint_it_is_503_at_once(start):
    backend = start.backend()
    backend.answer("/health", response(500, b""))
    gate = in_front_of(start, [backend], {"health_check": {
        "path": "/health", "interval": "100ms", "unhealthy_threshold": 1}})
    gate.wait_for_log("an endpoint is not well")
    gate.wait_for(lambda: gate.get("/x").status == 503, "the refusal")
    answer = gate.get("/x")
    assert answer.json()["error"] == "upstream_unavailable"
    assert answer.get("Retry-After") == "1"
    # What was known is known after a reload, too, from the first request on.
    seen = len(backend.at("/x"))
    for reload in range(1, 6):
        gate.signal(1)
        while sum("reloaded the" in line for line in gate.stderr().splitlines()) < reload:
            assert gate.get("/x").status == 503
    assert gate.get("/x").status == 503
    assert len(backend.at("/x")) == seen


def test_connections_are_bounded_and_requests_wait_for_one(start):
    backend = start.backend()
    most, now, lock = [0], [0], threading.Lock()

    def count(exchange):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)  # long enough for the others to come in between
        with lock:
            now[0] -= 1
        exchange.reply(200, b"ok")
    backend.on("/x", count)
    gate = in_front_of(start, [backend], {"max_connections": 2, "connect_timeout": "30s"})
    assert [r.status for r in spin([lambda: gate.get("/x")] * 12)] == [200] * 12
    assert most[0] <= 2
    assert len(backend.connections) <= 2


def test_a_full_queue_is_503_with_retry_after(start):
    backend = start.backend()
    release = threading.Event()

    def hold(exchange):
        release.wait(20 * SLOW)
        exchange.reply(200, b"ok")
    backend.on("/hold", hold)
    gate = in_front_of(start, [backend], {"max_connections": 1, "max_pending": 1,
                                          "connect_timeout": "1m"})
    holder = threading.Thread(target=gate.get, args=("/hold",))
    holder.start()
    assert backend.arrived.wait(10 * SLOW)
    waiter = threading.Thread(target=gate.get, args=("/wait",))
    waiter.start()
    refused = []

    def is_full():
        with gate.connect(timeout=1) as client:
            try:
                refused[:] = [client.request("GET", "/more")]
            except OSError:
                return False  # this one was the one that waits
            return refused[0].status == 503
    gate.wait_for(is_full, "a full queue")
    assert refused[0].json()["error"] == "upstream_overloaded"
    assert refused[0].get("Retry-After") == "1"
    release.set()
    holder.join()
    waiter.join()


def test_whoever_waits_too_long_is_told_so(start):
    backend = start.backend()
    release = threading.Event()
    backend.on("/hold", lambda exchange: (release.wait(20 * SLOW), exchange.reply(200, b"ok")))
    gate = in_front_of(start, [backend], {"max_connections": 1, "connect_timeout": "300ms"})
    holder = threading.Thread(target=gate.get, args=("/hold",))
    holder.start()
    assert backend.arrived.wait(10 * SLOW)
    assert gate.get("/wait").status == 503
    release.set()
    holder.join()


def test_a_fixed_host(start):
    backend = start.backend()
    gate = in_front_of(start, [backend], {"host": "app.internal:8443"})
    gate.get("/x", {"Host": "a.example"})
    assert backend.last().all("Host") == ["app.internal:8443"]
    assert backend.last().get("X-Forwarded-Host") == "a.example"


def test_endpoints_that_are_all_dead_are_each_tried_once(start):
    backend = start.backend()
    dead = [unused_port() for _ in range(12)]
    gate = in_front_of(start, [*dead, backend])
    for _ in range(13):
        assert gate.get("/x").status == 200
    backend.stop()
    assert gate.get("/x").status == 502


def test_nobody_waits_for_an_application_that_is_gone(start):
    """One request had the only connection, others wait for it: when the application ends, so does
    the waiting."""
    backend = start.backend()
    held = threading.Event()
    backend.on("/x", lambda exchange: (exchange.read_body(), held.wait(30 * SLOW)))
    gate = in_front_of(start, [backend], {"max_connections": 1, "connect_timeout": "60s"})
    clients = [gate.connect(timeout=20 * SLOW) for _ in range(4)]
    for client in clients:
        client.send(render("GET", "/x"))

    def waiting():
        text = gate.request("GET", "/metrics", role="health").body.decode()
        return Metrics(text).value("gatehouse_upstream_requests_pending")
    gate.wait_for(lambda: waiting() == 3, "requests that wait")
    backend.stop()
    held.set()
    assert [client.read_response().status for client in clients] == [502] * 4


# --- names

def can_bind_hosts():
    """Whether a file can stand in for /etc/hosts, for one program only."""
    try:
        return subprocess.run(["unshare", "-rm", "mount", "--bind", "/etc/hostname", "/etc/hosts"],
                              capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.fixture
def with_hosts(start, tmp_path):
    """Starts the program with an /etc/hosts of its own."""
    if not can_bind_hosts():
        pytest.skip("no mount namespaces here")
    hosts = tmp_path / "hosts"
    wrapper = tmp_path / "gatehouse"

    def begin(backend, text, changes):
        from support import gate as support
        hosts.write_text(text)
        wrapper.write_text("#!/bin/sh\nexec unshare -rm sh -c 'mount --bind " + str(hosts) +
                           " /etc/hosts && exec \"$0\" \"$@\"' " + support.BINARY + " \"$@\"\n")
        wrapper.chmod(0o755)
        real, support.BINARY = support.BINARY, str(wrapper)
        try:
            return start(backend, changes)
        finally:
            support.BINARY = real
    begin.hosts = hosts
    return begin


def test_names_are_looked_up_again(start, with_hosts):
    """Every address is an endpoint; one that goes gets nothing more, one that comes is found."""
    backend = start.backend(host="0.0.0.0")
    seen = []

    def note(exchange):
        seen.append(exchange.connection.socket.getsockname()[0])
        exchange.reply(200, b"ok")
    backend.on("/x", note)
    before = [f"127.0.0.{number}" for number in range(11, 17)]
    gate = with_hosts(backend, "".join(f"{address} app.test\n" for address in before), {
        **PUBLIC, "upstreams": {"app": {"endpoints": [f"http://app.test:{backend.port}"],
                                        "dns_refresh": "200ms"}}})
    for _ in range(11):  # the last one's turn is next when it goes
        assert gate.get("/x", {"Host": "app.test"}).status == 200
    assert sorted(set(seen)) == before
    with_hosts.hosts.write_text("127.0.0.4 app.test\n")

    def has_moved():
        seen.clear()
        assert [gate.get("/x").status for _ in range(3)] == [200] * 3
        return set(seen) == {"127.0.0.4"}
    gate.wait_for(has_moved, "the new address")
    # A name server that fails changes nothing.
    with_hosts.hosts.write_text("")
    gate.wait_for_log("could not be looked up")
    assert gate.get("/x").status == 200


def test_a_name_without_an_address_is_502_until_it_has_one(start, with_hosts):
    backend = start.backend()
    gate = with_hosts(backend, "", {
        **PUBLIC, "upstreams": {"app": {"endpoints": [f"http://app.test:{backend.port}"],
                                        "dns_refresh": "200ms"}}})
    answer = gate.get("/x")
    assert (answer.status, answer.json()["error"]) == (502, "upstream_unresolved")
    with_hosts.hosts.write_text("127.0.0.1 app.test\n")
    gate.wait_for(lambda: gate.get("/x").status == 200, "the name's first address")


# --- what is sent again

def test_statuses_are_tried_again_at_another_endpoint(start):
    bad, good = start.backend(), start.backend()
    bad.answer("/x", response(503, b"busy"))
    gate = in_front_of(start, [bad, good], {"ejection": {"consecutive_failures": 0}},
                       routes=[{"path": "/**", "access": "public", "retry": {"attempts": 2}}])
    for _ in range(6):
        assert gate.get("/x").status == 200
    assert len(bad.requests) >= 3


def test_the_last_answer_is_the_clients(start):
    backend = start.backend()
    backend.answer("/x", response(503, b"busy", [("X-Reason", "maintenance")]))
    gate = in_front_of(start, [backend], routes=[
        {"path": "/**", "access": "public", "retry": {"attempts": 3}}])
    answer = gate.get("/x")
    assert (answer.status, answer.body, answer.get("X-Reason")) == (503, b"busy", "maintenance")
    assert len(backend.at("/x")) == 3


@pytest.mark.parametrize("method, body", [("POST", b"x"), ("PATCH", b"x"), ("PUT", b"x"),
                                          ("POST", None)])
def test_what_may_have_had_an_effect_is_sent_once(start, method, body):
    """POST and PATCH never go out twice, and nothing does of which a body byte was sent."""
    backend = start.backend()
    backend.answer("/x", response(503, b"busy"))
    backend.answer("/gone", b"", close=True)
    gate = in_front_of(start, [backend], routes=[
        {"path": "/**", "access": "public", "retry": {"attempts": 5}}])
    assert gate.request(method, "/x", body=body).status == 503
    assert len(backend.at("/x")) == 1
    assert gate.request(method, "/gone", body=body).status == 502
    assert len(backend.at("/gone")) == 1


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_a_broken_connection_is_tried_again_where_the_rule_says_so(start, method):
    backend = start.backend()
    tries = []

    def script(exchange):
        tries.append(1)
        if len(tries) < 3:
            exchange.close()
        else:
            exchange.reply(200, b"third time")
    backend.on("/x", script)
    gate = in_front_of(start, [backend], routes=[
        {"path": "/**", "access": "public", "retry": {"attempts": 3}}])
    assert gate.request(method, "/x").body == b"third time"
    tries.clear()
    backend.on("/once", lambda exchange: (tries.append(1), exchange.close()))
    plain = in_front_of(start, [backend])
    assert plain.request(method, "/once").status == 502
    assert len(tries) == 1


def test_a_try_that_takes_too_long_is_given_up(start):
    slow, fast = start.backend(), start.backend()
    release = threading.Event()
    slow.on("/x", lambda exchange: (release.wait(30 * SLOW), exchange.close()))
    gate = in_front_of(start, [slow, fast], {"response_timeout": "60s"}, routes=[
        {"path": "/**", "access": "public",
         "retry": {"attempts": 2, "per_try_timeout": "300ms", "on": ["timeout"]}}])
    for _ in range(2):
        assert gate.get("/x").status == 200
    release.set()
    assert counts([slow, fast]) == [2, 2]


def test_a_rule_tries_again_only_for_what_it_names(start):
    backend = start.backend()
    backend.answer("/x", response(503, b"busy"))
    gate = in_front_of(start, [backend], routes=[
        {"path": "/**", "access": "public", "retry": {"attempts": 3, "on": ["500", "reset"]}}])
    assert gate.get("/x").status == 503
    assert len(backend.at("/x")) == 1


def test_retries_have_a_budget(start):
    """Three may always be under way; beyond that no failing application gets a multiple."""
    backend = start.backend()
    backend.on("/x", lambda exchange: (time.sleep(0.2), exchange.reply(503, b"busy")))
    gate = in_front_of(start, [backend], {"retry_budget": "0%"}, routes=[
        {"path": "/**", "access": "public", "retry": {"attempts": 2}}])
    answers = spin([lambda: gate.get("/x")] * 24)
    assert {a.status for a in answers} == {503}
    assert 24 <= len(backend.at("/x")) < 44


def test_backends_killed_at_random_lose_no_get_and_double_no_post(start):
    """Under load the connections of one backend after another break, half of them for good until
    it listens again: every GET is answered, and no POST arrives twice."""
    backends = [start.backend() for _ in range(3)]
    gate = in_front_of(start, backends,
                       {"retry_budget": "100%", "ejection": {"base_time": "200ms"}},
                       workers=2,
                       routes=[{"path": "/**", "access": "public", "retry": {"attempts": 6}}])
    for backend in backends:
        backend.on("*", lambda exchange: (exchange.read_body(), exchange.reply(200, b"ok")))
    over = threading.Event()
    rounds = int(os.environ.get("GATEHOUSE_CHAOS_ROUNDS", "12"))

    def break_them():
        for number in range(rounds):
            victim = backends[number % len(backends)]
            for connection in list(victim.connections):
                try:
                    connection.socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            time.sleep(0.1)  # a rhythm, not a wait
        over.set()

    gets, posts = [], []

    def load(worker):
        number = 0
        while not over.is_set():
            with gate.connect() as client:
                for _ in range(20):
                    number += 1
                    gets.append(client.request("GET", f"/get/{worker}/{number}").status)
                    name = f"/post/{worker}/{number}"
                    try:
                        status = client.request("POST", name, body=b"x").status
                    except OSError:
                        posts.append((name, 0))
                        break
                    posts.append((name, status))
                    if status != 200:
                        break

    threads = [threading.Thread(target=load, args=(i,)) for i in range(8)]
    killer = threading.Thread(target=break_them)
    for thread in [*threads, killer]:
        thread.start()
    for thread in [*threads, killer]:
        thread.join()
    assert set(gets) == {200}, f"{len(gets)} GETs: {sorted(set(gets))}"
    arrived = [r.target for b in backends for r in b.requests if r.method == "POST"]
    assert len(arrived) == len(set(arrived)), "a POST arrived twice"
    assert {name for name, status in posts if status == 200} <= set(arrived)
    assert {status for _, status in posts} <= {0, 200, 502}
