"""Reloads and crashes under load, in numbers (experiments X-36 and X-37 of docs/reliability.md);
each has a long form that is run by night."""

import signal
import threading
import time

import pytest

from support.client import ProtocolError
from support.faults import is_plain_program
from support.gate import SLOW, refreshed
from support.redis import free_port, store


class Load:
    """Clients that keep their connections and ask without a pause. `served` counts answers of 200,
    `refused` attempts to connect, and `lost` is what went wrong once a request was sent."""

    def __init__(self, connect, bearer, clients=4):
        self.connect, self.bearer = connect, bearer
        self.served, self.refused, self.lost = 0, 0, []
        self.enough, self.lock = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self._work) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def _work(self):
        client = None
        while not self.enough.is_set():
            if client is None:
                try:
                    client = self.connect()
                except OSError:
                    with self.lock:
                        self.refused += 1
                    time.sleep(0.005)
                    continue
            try:
                status = client.request("GET", "/x", self.bearer).status
                with self.lock:
                    self.served += status == 200
                if status != 200:
                    self.lost.append(status)
            except (OSError, ProtocolError) as error:
                self.lost.append(error)
                client.close()
                client = None

    def finish(self):
        self.enough.set()
        for thread in self.threads:
            thread.join()


def reloads_under_load(start, figure, count):
    """Good ones, bad ones in between, and a new key beside the old one."""
    backend = start.backend()
    gate = start(backend)
    load = Load(gate.connect, gate.bearer())
    resident, refused = 0, 0
    began = time.monotonic()
    for number in range(count):
        if number == 10:
            resident = gate.memory_kib("VmRSS")
        if number % 5 == 4:
            refused += 1
            gate.write_config("nonsense: true\n")
            gate.signal(signal.SIGHUP)
            gate.wait_for_log("reload refused", refused)
            continue
        gate.write_config(start.config(backend, {"routes": [
            {"path": f"/open{number}/**", "access": "public"}]}))
        gate.signal(signal.SIGHUP)
        gate.wait_for(lambda n=number: gate.get(f"/open{n}/x").status == 200, f"reload {number}")
    seconds, more = time.monotonic() - began, gate.memory_kib("VmRSS") - resident
    load.finish()
    assert not load.lost, load.lost[:5]
    assert not is_plain_program() or more < 4_096, f"{more} KiB"
    figure(f"{count} reloads, {refused} of them refused, in {seconds:.1f} s: {load.served} "
           f"requests, 0 failed, {more} KiB more resident since the tenth")


def test_x36_reloads_under_load(start, figure):
    reloads_under_load(start, figure, 20)


@pytest.mark.nightly
def test_x36_a_hundred_reloads_under_load(start, figure):
    reloads_under_load(start, figure, 100)


def crashes_under_load(start, own_redis, figure, count, pause):
    """kill -9, and the next one on the same port: only what was under way is lost, and sessions in
    Redis go on."""
    backend, port = start.backend(), free_port()
    changes = {"listeners": [{"address": f"127.0.0.1:{port}"}], "store": store(own_redis)}
    gate = start(backend, changes)
    tokens = gate.login()
    token, slowest = tokens.refresh, 0.0
    load = Load(gate.connect, tokens.bearer())
    for _ in range(count):
        served = load.served
        gate.wait_for(lambda n=served: load.served > n + 20, "some requests")
        time.sleep(pause)
        gate.kill()
        began = time.monotonic()
        gate = start(backend, changes, directory=gate.directory)
        slowest = max(slowest, time.monotonic() - began)
        gate.wait_for(lambda t=token: gate.refresh(t).status == 200, "the session")
        token = refreshed(gate.refresh(token))
    load.finish()
    # A process that dies closes one socket after the other: a client may come once more.
    assert len(load.lost) <= 3 * count * len(load.threads), load.lost[:5]
    assert not [what for what in load.lost if isinstance(what, int)], "no answer was an error"
    figure(f"{count} times kill -9 under load: ready again within {slowest * 1000:.0f} ms, "
           f"{load.served} requests served, {len(load.lost)} lost that were under way, "
           f"the session goes on")
    assert slowest < 2 * SLOW


def test_x37_kill_and_restart_under_load(start, own_redis, figure):
    crashes_under_load(start, own_redis, figure, 3, 0)


@pytest.mark.nightly
def test_x37_ten_minutes_of_kill_and_restart(start, own_redis, figure):
    crashes_under_load(start, own_redis, figure, 60, 10)
