"""What the end of the process says to those whose streams would never end by themselves (X-35)."""

import signal

import pytest

from support.client import render
from support.gate import SLOW
from support.streams import SWITCH, UPGRADE, all_of, code_of, events


@pytest.mark.parametrize("access", ["public", "token"])
def test_x35_tunnels_are_told_that_the_process_goes_away(start, access):
    """1001 to both sides at drain.timeout, whoever opened them, and no later than a second on the
    process is gone."""
    backend, told = start.backend(), []

    def keep(exchange):
        exchange.read_body()
        exchange.send(SWITCH)
        told.append(all_of(exchange))
        exchange.close()
    backend.on("/ws", keep)
    gate = start(backend, {"drain": {"delay": 0, "timeout": "300ms"},
                           "routes": [{"path": "/ws", "websocket": True, "access": access}]})
    headers = gate.bearer() if access == "token" else {}
    clients = [gate.connect() for _ in range(5)]
    for client in clients:
        assert client.request("GET", "/ws", {**headers, **UPGRADE}).status == 101
    gate.signal(signal.SIGTERM)
    for client in clients:
        assert client.read_to_end() == b"\x88\x02\x03\xe9"
        client.close()
    gate.join(seconds=5)
    assert all(connection.ended.wait(5 * SLOW) for connection in backend.connections)
    assert [code_of(frame) for frame in told] == [1001] * 5


def test_x35_event_streams_end_with_the_process_and_are_whole(start):
    backend = start.backend()
    backend.on("/events", events)
    gate = start(backend, {"drain": {"delay": 0, "timeout": "300ms"},
                           "routes": [{"path": "/events", "access": "public"}]})
    with gate.connect() as client:
        client.send(render("GET", "/events", {}))
        client.read_until(b"data: 1")
        gate.signal(signal.SIGTERM)
        assert client.read_to_end().endswith(b"0\r\n\r\n")
    gate.join(seconds=5)
