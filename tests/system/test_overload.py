"""Floods, stalls and shortages in small: what is refused, what is kept waiting, and that whoever is
being served goes on being served (experiments X-01 to X-19 of docs/reliability.md)."""

import os
import resource
import select
import signal
import socket
import threading
import time

import pytest

from support.backend import response
from support.client import Client, render
from support.faults import is_plain_program
from support.gate import SLOW


def cpu_seconds(gate):
    fields = open(f"/proc/{gate.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def refuses(address):
    try:
        Client(address).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass  # in the very moment in which it closes
    return False


def test_x01_an_application_that_is_down_is_said_at_once(start, figure):
    """And it is served again as soon as it is back."""
    backend = start.backend()
    port = closed_port()
    gate = start(backend, {"upstreams": {"app": {"endpoints": [f"http://127.0.0.1:{port}"]}}})
    bearer = gate.bearer()
    began = time.monotonic()
    with gate.connect() as client:
        for method in ("GET", "POST"):
            for _ in range(100):
                assert client.request(method, "/x", bearer, b"" if method == "POST" else None
                                      ).status in (502, 503)
                if client.ended:
                    break
                client.close()
                client.__init__(gate.address)
    figure(f"200 requests refused in {(time.monotonic() - began) * 1000:.0f} ms")
    with socket.create_server(("127.0.0.1", port)) as server:
        def answer():
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                peer.recv(65536)
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                peer.close()
        threading.Thread(target=answer, daemon=True).start()
        gate.wait_for(lambda: gate.get("/x", bearer).status == 200, "the application to be back")
        server.shutdown(socket.SHUT_RDWR)


def full_queue():
    """A listening socket whose queue is full: the kernel drops further SYNs, as a packet filter
    would. It, and what fills it."""
    server = socket.socket()
    server.bind(("0.0.0.0", 0))
    server.listen(0)
    fillers = []
    while len(fillers) < 64:
        filler = socket.socket()
        filler.setblocking(False)
        fillers.append(filler)
        filler.connect_ex(("127.0.0.1", server.getsockname()[1]))
        if not select.select([], [filler], [], 0.3)[1]:
            break
    return server, fillers


def test_x02_an_application_that_drops_packets_is_given_up(start, figure):
    """504 at connect_timeout for everybody who waits, and others notice nothing."""
    server, fillers = full_queue()
    backend = start.backend()
    gate = start(backend, {
        "upstreams": {"app": {"endpoints": [backend.url]},
                      "hole": {"endpoints": [f"http://127.0.0.1:{server.getsockname()[1]}"],
                               "connect_timeout": "700ms"}},
        "routes": [{"path": "/hole/**", "upstream": "hole"}]})
    bearer = gate.bearer()
    assert gate.get("/x", bearer).status == 200
    before = gate.memory_kib("VmRSS")
    began = time.monotonic()
    clients = [gate.connect() for _ in range(200)]
    for client in clients:
        client.send(render("GET", "/hole/x", bearer))
    assert gate.get("/x", bearer).status == 200
    more = gate.memory_kib("VmRSS") - before
    assert not is_plain_program() or more < 200 * 64 + 2_048
    assert {client.read_response().status for client in clients} == {504}
    took = time.monotonic() - began
    assert took >= 0.7
    figure(f"200 clients have 504 after {took:.2f} s (connect_timeout 0.7 s), {more / 200:.0f} KiB "
           f"each")
    for client in clients:
        client.close()
    for filler in [server, *fillers]:
        filler.close()


def test_many_endpoints_that_drop_packets_are_not_tried_one_after_the_other(start):
    server, fillers = full_queue()
    port = server.getsockname()[1]
    backend = start.backend()
    gate = start(backend, {"upstreams": {"app": {
        "endpoints": [f"http://127.0.{i}.1:{port}" for i in range(12)],
        "connect_timeout": "400ms"}}})
    bearer = gate.bearer()
    began = time.monotonic()
    assert gate.get("/x", bearer).status == 504
    assert 0.7 < time.monotonic() - began < 3 * SLOW
    for filler in [server, *fillers]:
        filler.close()


def test_x03_an_application_that_never_answers_is_given_up(start, figure):
    backend = start.backend()
    never = threading.Event()
    backend.on("/stuck", lambda exchange: exchange.wait(never, 30 * SLOW))
    gate = start(backend, {"upstreams": {"app": {"endpoints": [backend.url],
                                                 "response_timeout": "700ms"}}})
    bearer = gate.bearer()
    clients = [gate.connect() for _ in range(60)]
    began = time.monotonic()
    for client in clients:
        client.send(render("GET", "/stuck", bearer))
    assert {client.read_response().status for client in clients} == {504}
    figure(f"60 clients have 504 after {time.monotonic() - began:.2f} s (response_timeout 0.7 s)")
    never.set()
    assert gate.get("/x", bearer).status == 200
    for client in clients:
        client.close()


def test_x12_a_body_that_never_comes_is_given_up(start):
    backend = start.backend()
    gate = start(backend, {"timeouts": {"request_body": "400ms"}})
    bearer = gate.bearer()
    with gate.connect() as client:
        client.send(render("POST", "/slow", {**bearer, "Content-Length": "1000000"}) + b"a")
        answer = client.read_response()
        assert answer.status == 408
    assert gate.get("/x", bearer).status == 200


def test_x14_x15_out_of_descriptors(start, figure):
    """New clients wait, and those that are being served notice nothing; no busy loop, one line in
    the log; as soon as there is room the others are served."""
    backend = start.backend()
    gate = start(backend)
    bearer = gate.bearer()
    with gate.connect() as good:
        assert good.request("GET", "/x", bearer).status == 200
        used = len(os.listdir(f"/proc/{gate.process.pid}/fd"))
        _, hard = resource.prlimit(gate.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(gate.process.pid, resource.RLIMIT_NOFILE, (used + 20, hard))
        flood = [Client(gate.address) for _ in range(60)]
        gate.wait_for_log("out of file descriptors")
        began = cpu_seconds(gate)
        for _ in range(20):
            assert good.request("GET", "/x", bearer).status == 200
        time.sleep(1)
        used = cpu_seconds(gate) - began
        assert used < 0.5, "it does not spin while it is full"
        figure(f"40 clients wait for room: {used * 1000:.0f} ms of a processor in a second")
        assert sum("out of file descriptors" in line for line in gate.stderr().splitlines()) <= 2
        for client in flood:
            client.close()
        gate.wait_for(lambda: gate.get("/x", bearer).status == 200, "room")


def heads_that_never_end(start, count, figure):
    """Each is as long as it may be and lacks its last line; together they cost what they are."""
    gate = start(start.backend(), {"workers": 1, "timeouts": {"request_head": "60s"},
                                   "limits": {"connections": count + 10}})
    bearer = gate.bearer()
    before = gate.memory_kib("VmRSS")
    head = b"GET /x HTTP/1.1\r\nHost: a\r\n" + b"".join(
        b"X-%d: %s\r\n" % (n, b"a" * 7_000) for n in range(4))
    clients = [gate.connect() for _ in range(count)]
    for client in clients:
        client.send(head)
    # Behind them in the same loop: what it answers, it does with their bytes already read.
    for _ in range(20):
        assert gate.get("/x", bearer).status == 200
    more = gate.memory_kib("VmRSS") - before
    for client in clients:
        client.close()
    if is_plain_program():
        assert more < count * (32 + 8) + 4_096, f"{more} KiB for {count} heads"
    figure(f"{count} heads of 28 KiB: {more / count:.0f} KiB each")


def test_x16_heads_that_never_end_cost_their_limit(start, figure):
    heads_that_never_end(start, 200, figure)


@pytest.mark.nightly
def test_x16_a_thousand_heads_that_never_end(start, figure):
    heads_that_never_end(start, 1_000, figure)


FIELDS = {"32 KiB of a:b": b"a:b\r\n" * 6_500, "10,000 fields": b"a: b\r\n" * 10_000,
          "a name of 64 KiB": b"a" * 65_536 + b": b\r\n",
          "1,000 cookies": b"Cookie: a=b\r\n" * 1_000, "101 fields": b"a: b\r\n" * 101}


def header_bombs(start, rounds, figure):
    """Refused as soon as the limit is passed, for next to no work."""
    backend = start.backend()
    gate = start(backend, {"workers": 1})
    gate.get("/x", gate.bearer())
    before, began = gate.memory_kib("VmRSS"), cpu_seconds(gate)
    for _ in range(rounds):
        for name, fields in FIELDS.items():
            with gate.connect() as client:
                client.send_pieces(b"GET /y HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n", [])
                assert client.read_response().status in (400, 431), name
    used = (cpu_seconds(gate) - began) / (rounds * len(FIELDS))
    assert not backend.at("/y")
    more = gate.memory_kib("VmRSS") - before
    if is_plain_program():
        assert more < 1_024
        assert used < 0.01, f"{used * 1000} ms of a processor for each"
    figure(f"{rounds * len(FIELDS)} bombs: {used * 1e6:.0f} us of a processor each, "
           f"{more} KiB left")


def test_x16_header_bombs_are_refused_cheaply(start, figure):
    header_bombs(start, 20, figure)


@pytest.mark.nightly
def test_x16_ten_thousand_header_bombs(start, figure):
    header_bombs(start, 2_000, figure)


def unread_answers(start, count, size, figure):
    """Clients that read next to nothing of a large answer: the application is slowed down, and
    Gatehouse keeps a bounded part of each answer."""
    backend = start.backend()
    sent, ended = [0] * count, threading.Event()

    def script(exchange):
        number = int(exchange.received.target.rsplit("/", 1)[1])
        exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        try:
            while sent[number] < size and not ended.is_set():
                exchange.send(b"x" * 65_536)
                sent[number] += 65_536
        except OSError:
            pass
        exchange.close()
    backend.on("*", script)
    gate = start(backend, {"workers": 1})
    bearer = gate.bearer()
    before = gate.memory_kib("VmRSS")
    clients = [Client(gate.address, timeout=30 * SLOW, receive_buffer=8_192)
               for _ in range(count)]
    try:
        for number, client in enumerate(clients):
            client.send(render("GET", f"/{number}", bearer))
            assert client.read_head().status == 200
        stuck = wait_until_still(sent)
        assert all(part < size for part in stuck), "the application is slowed down"
        assert gate.get("/.gatehouse/session", bearer).status == 200
        more = gate.memory_kib("VmRSS") - before
        assert not is_plain_program() or more < count * 256
        figure(f"{count} answers of {size >> 20} MiB that nobody reads: "
               f"{more / count:.0f} KiB each")
        for client in clients:  # a little more is read, and a little more comes
            client.read_exactly(65_536)
    finally:
        ended.set()
        for client in clients:
            client.abort()


def wait_until_still(counters):
    """The values once none of them has changed for a while."""
    seen, since = list(counters), time.monotonic()
    while time.monotonic() - since < 0.5 * SLOW:
        time.sleep(0.05)
        if seen != counters:
            seen, since = list(counters), time.monotonic()
    return seen


def test_x09_answers_that_nobody_reads_are_not_kept(start, figure):
    unread_answers(start, 20, 64 << 20, figure)


@pytest.mark.nightly
def test_x09_a_hundred_answers_of_a_gibibyte(start, figure):
    unread_answers(start, 100, 1 << 30, figure)


def unread_pipeline(start, count, figure):
    """Ten thousand requests in one write by a client that reads nothing: a few are served, the
    rest waits in the kernel, and not in our memory."""
    backend = start.backend()
    gate = start(backend, {"workers": 1})
    bearer = gate.bearer()
    backend.answer("/x", response(200, b"a" * 8_000))
    before = gate.memory_kib("VmRSS")
    with Client(gate.address, timeout=60 * SLOW, receive_buffer=8_192) as client:
        sender = threading.Thread(target=client.send, args=(render("GET", "/x", bearer) * count,))
        sender.start()
        served = []
        gate.wait_for(lambda: served.append(len(backend.at("/x"))) or
                      (len(served) > 50 and served[-1] == served[-50] > 0), "it to pause", 60)
        assert served[-1] < count, "it waits for its client"
        more = gate.memory_kib("VmRSS") - before
        assert not is_plain_program() or more < 1_024
        figure(f"{served[-1]} of {count} pipelined requests are served until the client reads, "
               f"{more} KiB")
        for _ in range(count):
            assert client.read_response().status == 200
        sender.join()
    assert len(backend.at("/x")) == count


def test_x17_a_pipeline_whose_answers_nobody_reads_waits(start, figure):
    unread_pipeline(start, 2_500, figure)


@pytest.mark.nightly
def test_x17_ten_thousand_requests_in_one_write(start, figure):
    unread_pipeline(start, 10_000, figure)


def test_x17_pipelined_requests_are_served_one_after_the_other(start):
    backend = start.backend()
    gate = start(backend)
    bearer = gate.bearer()
    before = gate.memory_kib("VmRSS")
    request = render("GET", "/x", bearer)
    count = 2_000
    with gate.connect() as client:
        sender = threading.Thread(target=client.send, args=(request * count,))
        sender.start()
        for _ in range(count):
            assert client.read_response().status == 200
        sender.join()
    assert len(backend.at("/x")) == count
    assert not is_plain_program() or gate.memory_kib("VmRSS") - before < 4_096


def test_x19_connections_that_come_and_go_leave_nothing(start, figure):
    backend = start.backend()
    gate = start(backend)
    bearer = gate.bearer()
    with gate.connect() as good:
        assert good.request("GET", "/x", bearer).status == 200
        before = len(os.listdir(f"/proc/{gate.process.pid}/fd"))
        resident, began = gate.memory_kib("VmRSS"), cpu_seconds(gate)
        for i in range(2_000):
            client = Client(gate.address)
            client.abort() if i % 2 else client.close()
        assert good.request("GET", "/x", bearer).status == 200
        gate.wait_for(lambda: len(os.listdir(f"/proc/{gate.process.pid}/fd")) <= before + 2,
                      "every descriptor to be closed")
        used = (cpu_seconds(gate) - began) / 2_000
        figure(f"2,000 connections without a request: {used * 1e6:.0f} us of a processor each, "
               f"{gate.memory_kib('VmRSS') - resident} KiB left")


def test_more_requests_than_may_be_under_way_are_told_to_come_back(start):
    backend = start.backend()
    go_on = threading.Event()

    def script(exchange):
        exchange.read_body()
        exchange.wait(go_on, 20 * SLOW)
        exchange.send(response(200, b"done"))
    backend.on("/slow", script)
    gate = start(backend, {"workers": 1, "limits": {"pending": 2}})
    bearer = gate.bearer()
    with gate.connect() as one, gate.connect() as two, gate.connect() as three:
        for client in (one, two):
            backend.arrived.clear()
            client.send(render("GET", "/slow", bearer))
            assert backend.arrived.wait(10 * SLOW)
        answer = three.request("GET", "/x", bearer)
        assert answer.status == 503
        assert answer.get("Retry-After") == "1"
        assert answer.json()["error"] == "overloaded"
        go_on.set()
        assert one.read_response().status == two.read_response().status == 200
        assert three.request("GET", "/x", bearer).status == 200


def test_x35_a_client_that_keeps_its_connection_loses_nothing_to_a_drain(start, figure):
    """Its next request is still answered, and the answer says that it was the last. That holds for
    whoever asks again within a second; a client whose thread got no CPU for so long may find its
    connection closed, as one that was idle."""
    backend = start.backend()
    gate = start(backend, {"drain": {"delay": "200ms", "timeout": "10s"}})
    bearer = gate.bearer()
    lost, ended, slow = [], [], []

    def work():
        client = gate.connect()
        asked = time.monotonic()
        try:
            while True:
                before, asked = asked, time.monotonic()
                answer = client.request("GET", "/x", bearer)
                if answer.status != 200:
                    lost.append(answer.status)
                if answer.get("Connection") == "close":
                    ended.append(client)
                    return
        except Exception as error:
            # From the request before it, whose answer came at some time in between.
            (slow if asked - before > 0.9 else lost).append(error)
    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    gate.wait_for(lambda: len(backend.at("/x")) > 200, "some load", 30)
    gate.signal(signal.SIGTERM)
    for thread in threads:
        thread.join(20 * SLOW)
    assert not lost, lost
    assert len(ended) + len(slow) == 20
    gate.join()
    figure(f"SIGTERM under load: {len(backend.at('/x'))} requests of 20 clients, 0 lost")


def test_x35_an_answer_that_did_not_say_it_was_the_last_is_not(start):
    """The end begins while an answer is under way whose head left the connection open: one more
    request is answered on it."""
    backend = start.backend()
    go_on = threading.Event()

    def script(exchange):
        exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        exchange.wait(go_on, 20 * SLOW)
        exchange.send(b"cd")
    backend.on("/slow", script)
    gate = start(backend, {"drain": {"delay": "0s", "timeout": "20s"}})
    bearer = gate.bearer()
    with gate.connect() as client:
        client.send(render("GET", "/slow", bearer))
        head = client.read_head()
        assert head.get("Connection") is None
        gate.signal(signal.SIGTERM)
        gate.wait_for(lambda: refuses(gate.address), "the listener to close")
        go_on.set()
        assert client.read_exactly(4) == b"abcd"
        answer = client.request("GET", "/x", bearer)
        assert answer.status == 200
        assert answer.get("Connection") == "close"
    gate.join()
