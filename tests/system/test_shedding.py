"""Who is told to come back when there are too many clients or too little memory, and that those who
are being served notice nothing."""

import threading
import time

import pytest

from support.client import Client, render
from support.faults import needs_plain_program
from support.gate import SLOW


@pytest.mark.parametrize("workers", [1, 2])
def test_x14_who_finds_no_room_is_told_to_come_back(start, workers):
    """Idle ones make room first; where nobody is idle, a new client gets 503 with Retry-After, and
    those that are being served notice nothing."""
    backend = start.backend()
    go_on = threading.Event()

    def script(exchange):
        exchange.wait(go_on, 60 * SLOW)
        exchange.reply(200, b"served")
    backend.on("/slow", script)
    gate = start(backend, {"workers": workers, "limits": {"connections": 8}})
    bearer = gate.bearer()
    idle = [gate.connect() for _ in range(8)]
    for client in idle:
        assert client.request("GET", "/x", bearer).status == 200
    busy = []
    for number in range(8):
        # Eight idle clients hold all places; each of these needs one of them to go.
        busy.append(Client(gate.address, timeout=20 * SLOW))
        busy[-1].send(render("GET", "/slow", bearer))
        gate.wait_for(lambda n=number: len(backend.at("/slow")) > n, "a place for a new client")
    for client in idle:
        assert client.is_closed(5 * SLOW)
    for _ in range(3):
        answer = gate.get("/x", bearer)
        assert answer.status == 503
        assert answer.get("Retry-After") == "1" and answer.get("Connection") == "close"
        assert answer.json()["error"] == "overloaded"
    seen = len(backend.at("/x"))
    # Surplus clients that say nothing hold their few places for a second only.
    silent = [gate.connect() for _ in range(60)]
    gate.wait_for(lambda: silent[0].is_closed(0.1), "the silent ones to be closed")
    assert len(backend.at("/x")) == seen
    go_on.set()
    for client in busy:
        assert client.read_response().body == b"served"
        client.close()
    for client in silent:
        client.close()
    gate.wait_for(lambda: gate.get("/x", bearer).status == 200, "room")


def test_x39_beyond_its_memory_it_sheds_new_clients_and_keeps_those_it_serves(start, figure):
    """Thousands of clients with half a large head each: new ones are refused at limits.memory, the
    one that is being served is served on, and when they are gone everybody is."""
    needs_plain_program()
    backend = start.backend()
    bound = 24 << 10  # KiB
    gate = start(backend, {"workers": 1, "limits": {"memory": f"{bound}KiB", "request_head": "1MiB",
                                                    "connections": 4000},
                           "timeouts": {"request_head": "10m"}})
    bearer = gate.bearer()
    served, enough = [], threading.Event()

    def work():
        """Never silent for as long as a second, unless its thread gets no processor."""
        with gate.connect() as good:
            asked = time.monotonic()
            while not enough.is_set():
                before, asked = asked, time.monotonic()
                try:
                    served.append(good.request("GET", "/x", bearer).status)
                except Exception:
                    served.append("idle" if asked - before > 0.9 else "lost")
                    return
    good = threading.Thread(target=work)
    good.start()
    flood, refused = [], False
    part = b"GET /x HTTP/1.1\r\nHost: a\r\n" + (b"X-A: " + b"a" * 4_000 + b"\r\n") * 3
    while not refused and len(flood) < 3_000:
        flood.append(Client(gate.address, timeout=20 * SLOW))
        flood[-1]._send_piece(part)
        time.sleep(0.002)  # it looks ten times a second, and a flood has its pace
        if len(flood) % 50 == 0:
            refused = gate.get("/x", bearer).status == 503
    # Those who stalled longest went, or whoever comes now costs nothing that stays.
    gate.wait_for_log("limits.memory is reached")
    for _ in range(200):
        flood.append(Client(gate.address, timeout=20 * SLOW))
        flood[-1]._send_piece(part)
    assert gate.memory_kib("RssAnon") < bound + bound / 4 + 4_096
    figure(f"{len(flood)} clients with half a head of 12 KiB each at a bound of 24 MiB: "
           f"{gate.memory_kib('RssAnon') / 1024:.1f} MiB")
    for client in flood:
        client.close()
    gate.wait_for(lambda: gate.get("/x", bearer).status == 200, "memory for new clients")
    enough.set()
    good.join()
    assert set(served) - {"idle"} == {200}
    gate.wait_for_log("there is memory again")
