"""Bodies that trickle (X-12): regular bytes are not enough to hold the application."""

import threading
import time

from support.client import render
from support.gate import SLOW

WINDOW = 30  # seconds, over which 256 bytes a second are the least


def test_x12_a_body_slower_than_256_bytes_a_second_is_given_up(start, figure):
    """Time in which the application takes nothing does not count, but this one takes everything;
    a client that is slow and not that slow goes on."""
    backend = start.backend()
    gate = start(backend)
    bearer = gate.bearer()
    head = {**bearer, "Content-Length": "1000000"}
    began, enough, answers = time.monotonic(), threading.Event(), {}

    def send(name, piece):
        with gate.connect() as client:
            client.send(render("POST", f"/{name}", head))
            client.socket.settimeout(0.25)
            while not enough.is_set():
                try:
                    client.send(piece)
                    answers[name] = client.read_response().status, time.monotonic() - began
                    return
                except TimeoutError:
                    continue
    senders = [threading.Thread(target=send, args=("trickle", b"a")),
               threading.Thread(target=send, args=("slow", b"a" * 128))]
    for sender in senders:
        sender.start()
    senders[0].join(WINDOW + 10 * SLOW)
    status, seconds = answers["trickle"]
    assert status == 408 and WINDOW - 1 < seconds
    connection = backend.at("/trickle")[0].connection
    assert backend.connections[connection].ended.wait(5 * SLOW), "the application is let go"
    assert "slow" not in answers, "half a kilobyte a second is enough"
    enough.set()
    senders[1].join()
    figure(f"4 bytes a second: 408 after {seconds:.1f} s")
