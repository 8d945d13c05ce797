"""Who has connected and was not accepted yet, at the beginning and at the end of a program."""

import signal
import threading

from support.client import Client, render
from support.fronts import free_port


def test_who_waits_in_the_accept_queue_is_answered_before_the_end(start):
    """The end begins while nobody has been accepted yet: all of them are, and are served."""
    backend = start.backend()
    for _ in range(3):
        gate = start(backend)
        bearer = gate.bearer()
        gate.signal(signal.SIGSTOP)
        waiting = [gate.connect() for _ in range(20)]
        for client in waiting:
            client.send(render("GET", "/x", bearer))
        gate.signal(signal.SIGTERM)
        gate.signal(signal.SIGCONT)
        assert [client.read_response().status for client in waiting] == [200] * 20
        for client in waiting:
            client.close()
        gate.join()


def test_who_connects_while_it_starts_is_refused_or_served_and_never_reset(start):
    backend = start.backend()
    port, resets, served, enough = free_port(), [], [], threading.Event()

    def knock():
        while not enough.is_set():
            try:
                with Client(("127.0.0.1", port)) as client:
                    client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
                    served.append(client.read_response().status)
            except ConnectionRefusedError:
                continue
            except Exception as error:
                resets.append(error)
    knocker = threading.Thread(target=knock)
    knocker.start()
    try:
        gate = start(backend, {"listeners": [{"address": f"127.0.0.1:{port}"}]})
        gate.wait_for(lambda: served, "somebody to be served")
    finally:
        enough.set()
        knocker.join()
    assert not resets, resets
