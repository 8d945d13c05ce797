"""Floods, stalls and shortages in small: what is refused, what is kept waiting, and that whoever is
being served goes on being served (experiments X-01 to X-19 of docs/reliability.md)."""

import os
import resource
import signal
import socket
import threading
import time

import pytest

from support.backend import response
from support.client import Client, render
from support.gate import SLOW


def cpu_seconds(gate):
    fields = open(f"/proc/{gate.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def resident_kib(gate):
    for line in open(f"/proc/{gate.process.pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def refuses(address):
    try:
        Client(address).close()
    except ConnectionRefusedError:
        return True
    return False


def test_x01_an_application_that_is_down_is_said_at_once(start):
    """And it is served again as soon as it is back."""
    backend = start.backend()
    port = closed_port()
    gate = start(backend, {"upstreams": {"app": {"endpoints": [f"http://127.0.0.1:{port}"]}}})
    bearer = gate.bearer()
    with gate.connect() as client:
        for method in ("GET", "POST"):
            for _ in range(100):
                assert client.request(method, "/x", bearer, b"" if method == "POST" else None
                                      ).status in (502, 503)
                if client.ended:
                    break
                client.close()
                client.__init__(gate.address)
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


def test_x03_an_application_that_never_answers_is_given_up(start):
    backend = start.backend()
    never = threading.Event()
    backend.on("/stuck", lambda exchange: exchange.wait(never, 30 * SLOW))
    gate = start(backend, {"upstreams": {"app": {"endpoints": [backend.url],
                                                 "response_timeout": "700ms"}}})
    bearer = gate.bearer()
    clients = [gate.connect() for _ in range(60)]
    for client in clients:
        client.send(render("GET", "/stuck", bearer))
    assert {client.read_response().status for client in clients} == {504}
    never.set()
    assert gate.get("/x", bearer).status == 200
    for client in clients:
        client.close()


def test_x12_a_body_that_trickles_keeps_nothing_for_ever(start):
    """Regular bytes are not enough: half a minute of less than 256 a second ends it. The time is
    counted while we wait, so it is the request_body timeout that ends this one sooner."""
    backend = start.backend()
    gate = start(backend, {"timeouts": {"request_body": "400ms"}})
    bearer = gate.bearer()
    with gate.connect() as client:
        client.send(render("POST", "/slow", {**bearer, "Content-Length": "1000000"}) + b"a")
        answer = client.read_response()
        assert answer.status == 408
    assert gate.get("/x", bearer).status == 200


def test_x14_x15_out_of_descriptors(start):
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
        assert cpu_seconds(gate) - began < 0.5, "it does not spin while it is full"
        assert sum("out of file descriptors" in line for line in gate.stderr().splitlines()) <= 2
        for client in flood:
            client.close()
        gate.wait_for(lambda: gate.get("/x", bearer).status == 200, "room")


def test_x17_pipelined_requests_are_served_one_after_the_other(start):
    backend = start.backend()
    gate = start(backend)
    bearer = gate.bearer()
    before = resident_kib(gate)
    request = render("GET", "/x", bearer)
    count = 2_000
    with gate.connect() as client:
        sender = threading.Thread(target=client.send, args=(request * count,))
        sender.start()
        for _ in range(count):
            assert client.read_response().status == 200
        sender.join()
    assert len(backend.at("/x")) == count
    assert resident_kib(gate) - before < 4_096


def test_x19_connections_that_come_and_go_leave_nothing(start):
    backend = start.backend()
    gate = start(backend)
    bearer = gate.bearer()
    with gate.connect() as good:
        assert good.request("GET", "/x", bearer).status == 200
        before = len(os.listdir(f"/proc/{gate.process.pid}/fd"))
        for i in range(2_000):
            client = Client(gate.address)
            client.abort() if i % 2 else client.close()
        assert good.request("GET", "/x", bearer).status == 200
        gate.wait_for(lambda: len(os.listdir(f"/proc/{gate.process.pid}/fd")) <= before + 2,
                      "every descriptor to be closed")


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


def test_x35_a_client_that_keeps_its_connection_loses_nothing_to_a_drain(start):
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
