"""Every limit has its own status, and every wait has its end."""

import os
import signal
import threading
import time

import pytest

from support.client import Client, chunked, render
from support.gate import SLOW

CONFIG = {"limits": {"request_body": "64KiB"},
          "timeouts": {"request_head": "800ms", "keep_alive": "1s", "request_body": "800ms",
                       "write": "1s"}}


@pytest.fixture(scope="module")
def bearer(shared_gate):
    return shared_gate.bearer()


def first_status(gate, data):
    with gate.connect() as client:
        client.send_pieces(data, [])
        response = client.read_response()
        assert client.is_closed(4 * SLOW)
        return response.status


def test_target_too_long_is_414(gate, backend):
    assert first_status(gate, render("GET", "/" + "a" * 65536)) == 414
    assert not backend.requests


def test_target_of_8000_bytes_is_taken(gate, backend, bearer):
    """RFC 9112 section 3 recommends at least that much."""
    path = "/" + "a" * 7960
    assert gate.get(path, bearer).status == 200
    assert backend.last().target == path


@pytest.mark.parametrize("fields", [
    [("X-A", "a" * 40_000)], [(f"X-{n}", "1") for n in range(120)],
    [(f"X-{n}", "a" * 1000) for n in range(50)], [("Cookie", "a=b; " * 8000)]],
    ids=["one field", "count", "sum", "cookie"])
def test_head_too_large_is_431(gate, backend, fields):
    assert first_status(gate, render("GET", "/x", fields)) == 431
    assert not backend.requests


def test_head_that_never_ends_is_431(gate):
    with gate.connect() as client:
        client.send_pieces(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100_000, [])
        assert client.read_response().status == 431
        assert client.is_closed(4 * SLOW)


def test_announced_body_too_large_is_413(gate, backend, bearer):
    with gate.connect() as client:
        client.send(render("POST", "/x", {**bearer, "Content-Length": "65537"}))
        assert client.read_response("POST").status == 413
        assert client.is_closed(8 * SLOW), "it waits 5 s for the rest, at most"
    assert not backend.requests


def test_body_up_to_the_limit_is_taken(gate, backend, bearer):
    assert gate.request("POST", "/x", bearer, b"x" * 65536).status == 200
    assert backend.last().body_length == 65536


def test_chunked_body_too_large_is_413(gate, backend, bearer):
    with gate.connect() as client:
        client.send_pieces(render("POST", "/x", {**bearer, "Transfer-Encoding": "chunked"},
                                  chunked(*[b"x" * 1000] * 70)), [])
        assert client.read_response("POST").status == 413
    assert not [r for r in backend.requests if r.complete], "the application saw a whole request"


# --- deadlines

def ended_within(client, low, high):
    """The status (0: closed without one) of a connection that is ended in that time."""
    began = time.monotonic()
    data = client.read_to_end()
    took = time.monotonic() - began
    assert low < took < high * SLOW, took
    return int(data.split(b" ")[1]) if data else 0


def test_slow_head_is_ended(gate):
    """The deadline is absolute: a byte now and then does not extend it (L04)."""
    with gate.connect() as client:
        began = time.monotonic()
        data = iter(render("GET", "/x", {"X-Slow": "a" * 200}))
        status = None
        client.socket.settimeout(0.1)
        while status is None and time.monotonic() - began < 5 * SLOW:
            client._send_piece(bytes([next(data)]))
            try:
                client._fill()
                if client.ended:
                    status = int(client.buffer.split(b" ")[1]) if client.buffer else 0
            except TimeoutError:
                pass
        assert status in (0, 408)
        assert time.monotonic() - began < 0.8 + 2 * SLOW


def test_a_connection_without_a_request_is_ended(gate):
    with gate.connect() as client:
        assert ended_within(client, 0.4, 4) in (0, 408)


def test_an_idle_connection_is_ended(gate, bearer):
    with gate.connect() as client:
        client.request("GET", "/x", bearer)
        assert ended_within(client, 0.6, 4) == 0, "no 408 into a connection that is merely idle"


def test_a_body_that_stalls_is_ended(gate, backend, bearer):
    with gate.connect() as client:
        client.send(render("POST", "/x", {**bearer, "Content-Length": "1000"}) + b"x" * 10)
        assert ended_within(client, 0.4, 4) in (0, 408, 502)
    assert backend.connections[backend.last().connection].ended.wait(5), "upstream is let go"


def test_a_login_body_that_stalls_is_ended(gate):
    with gate.connect() as client:
        client.send(render("POST", "/login", {"Content-Type": "application/json",
                                              "Content-Length": "1000"}) + b"{")
        assert ended_within(client, 0.4, 4) in (0, 408)


def test_a_client_that_stops_reading_is_ended(gate, backend, bearer):
    """Write timeout without progress (X-13)."""
    def script(exchange):
        exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n")
        for _ in range(1600):
            exchange.send(b"x" * 65536)
    backend.on("/x", script)
    with Client(gate.address, receive_buffer=8192) as client:
        client.send(render("GET", "/x", bearer))
        client.read_head()
        assert backend.connections[backend.last().connection].ended.wait(10 * SLOW)


def test_slow_clients_do_not_hold_up_others(gate, bearer):
    slow = [gate.connect() for _ in range(200)]
    try:
        for client in slow:
            client.send(b"GET / HT")
        began = time.monotonic()
        for _ in range(10):
            assert gate.get("/x", bearer).status == 200
        assert time.monotonic() - began < 2 * SLOW
    finally:
        for client in slow:
            client.close()


def test_one_chunk_beyond_the_limit_is_413(start):
    """A body that comes whole with its head is counted like any other."""
    backend = start.backend()
    gate = start(backend, {"limits": {"request_body": "1KiB"}})
    fields = "".join(f"{name}: {value}\r\n" for name, value in gate.bearer().items())
    request = (f"POST /x HTTP/1.1\r\nHost: a\r\n{fields}Transfer-Encoding: chunked\r\n\r\n"
               f"800\r\n{'x' * 0x800}\r\n0\r\n\r\n")
    with gate.connect() as client:
        client.send(request.encode())
        assert client.read_response().status == 413
    assert not backend.at("/x")


# --- connections

def test_connections_beyond_the_limit_wait_or_are_refused(start):
    """Idle ones make room, oldest first; one that is being served is left alone (X-14)."""
    backend = start.backend()
    gate = start(backend, {"limits": {"connections": 20}, "workers": 1})
    bearer, go_on = gate.bearer(), threading.Event()

    def script(exchange):
        exchange.wait(go_on, 30)
        exchange.reply(200, b"served")
    backend.on("/slow", script)
    before = len(open_sockets(gate))
    with gate.connect() as good:
        good.send(render("GET", "/slow", bearer))
        assert backend.arrived.wait(5)
        flood = [gate.connect() for _ in range(60)]
        try:
            assert gate.readiness() == 200
            assert len(open_sockets(gate)) <= before + 30
            go_on.set()
            assert good.read_response().body == b"served"
        finally:
            for client in flood:
                client.close()
    gate.wait_for(lambda: gate.get("/x", bearer).status == 200, "a free place")


def open_sockets(gate):
    fds = f"/proc/{gate.process.pid}/fd"
    found = []
    for fd in os.listdir(fds):
        try:
            if os.readlink(f"{fds}/{fd}").startswith("socket:"):
                found.append(fd)
        except OSError:
            pass
    return found


def test_no_descriptor_is_lost(gate, bearer):
    """Connections of every fate leave nothing behind."""
    gate.get("/x", bearer)
    before = len(open_sockets(gate))
    for number in range(60):
        client = gate.connect()
        client.send([b"", b"GET", b"nonsense\r\n\r\n", render("GET", "/x", bearer)][number % 4])
        client.abort() if number % 3 else client.close()
    gate.wait_for(lambda: len(open_sockets(gate)) <= before + 2, "closed descriptors")


def test_time_in_which_the_process_was_stopped_counts_for_no_limit(gate, backend, bearer):
    """A suspended machine finds what its peers sent meanwhile, and nobody was late."""
    data = render("GET", "/x", bearer)
    with gate.connect() as client:
        client.send(data[:20])
        gate.signal(signal.SIGSTOP)
        stopped = time.monotonic()
        gate.wait_for(lambda: time.monotonic() - stopped > 2.5, "longer than request_head")
        client.send(data[20:])
        gate.signal(signal.SIGCONT)
        assert client.read_response().status == 200
