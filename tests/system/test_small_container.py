"""Every flood at once against a program with a container's bound of memory (X-39): the kernel does
not kill it, it sheds by its rules, and whoever has a connection is served."""

import multiprocessing
import threading
import time

import pytest

from support.cgroup import memory_group
from support.client import Client, render
from support.faults import needs_plain_program
from support.gate import SLOW

BOUND = 64 << 20


class Flood:
    """A process whose threads each do one kind of harm until told to stop; what is refused or cut
    is begun anew."""

    def __init__(self, address, bearer):
        self.address, self.bearer = address, bearer
        self.enough, self.done = multiprocessing.Event(), multiprocessing.Queue()
        self.process = multiprocessing.Process(target=self._flood)
        self.process.start()

    def _flood(self):
        threads = [threading.Thread(target=self._run, args=(kind,)) for kind in (
            self.half_a_head, self.unread_answer, self.header_bomb, self.half_a_body,
            self.wrong_password, self.connection)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _run(self, kind):
        held, count = [], 0
        while not self.enough.is_set():
            try:
                client = Client(self.address, timeout=5 * SLOW, receive_buffer=8_192)
                kind(client)
                held.append(client)
            except (OSError, AssertionError):
                pass  # refused, or cut while it was sent
            count += 1
            if len(held) > 400:
                held.pop(0).abort()
            time.sleep(0.002)
        for client in held:
            client.close()
        self.done.put(count)

    def half_a_head(self, client):
        client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n" + b"X-A: " + b"a" * 7_000 + b"\r\n")

    def unread_answer(self, client):
        client.send(render("GET", "/large", self.bearer))

    def header_bomb(self, client):
        client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 10_000)

    def half_a_body(self, client):
        client.send(render("POST", "/x", {**self.bearer, "Content-Length": "10000000"}) +
                    b"a" * 200_000)

    def wrong_password(self, client):
        body = b"username=alice&password=wrong"
        client.send(render("POST", "/login", {
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(body))}) + body)

    def connection(self, client):
        client.send(b"")

    def stop(self):
        self.enough.set()
        harms = sum(self.done.get(timeout=60 * SLOW) for _ in range(6))
        self.process.join()
        return harms


def all_floods_at_once(start, seconds, figure):
    needs_plain_program()
    backend = start.backend()

    def large(exchange):
        exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n")
        try:
            exchange.send(b"x" * 8_388_608)
        except OSError:
            exchange.close()
    backend.on("/large", large)
    with memory_group() as group:
        gate = start(backend, {"limits": {"memory": "40MiB", "connections": 1_500}})
        group.hold(gate.process, BOUND)
        bearer = gate.bearer()
        with gate.connect() as good:
            served, failed = 0, []
            flood = Flood(gate.address, bearer)
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                answer = good.request("GET", "/good", bearer)
                served += answer.status == 200
                if answer.status != 200:
                    failed.append(answer.status)
                time.sleep(0.01)
            harms = flood.stop()
        assert group.kills() == 0 and gate.process.poll() is None
        assert len(failed) <= served / 100, failed
        gate.wait_for(lambda: gate.get("/x", bearer).status == 200, "new clients to be served")
        gate.stop()
    figure(f"64 MiB, {harms} harms of six kinds in {seconds} s: not killed, {served} requests of a "
           f"client that was there served, {len(failed)} refused")


def test_x39_all_floods_at_once_in_64_mib(start, figure):
    all_floods_at_once(start, 8, figure)


@pytest.mark.nightly
def test_x39_ten_minutes_of_all_floods_in_64_mib(start, figure):
    all_floods_at_once(start, 600, figure)
