"""What happens in one and the same turn of the event loop: the process is stopped while its peers
do several things, and finds all of them at once when it goes on."""

import contextlib
import signal
import threading
from pathlib import Path

import pytest

from support.backend import response
from support.client import Client, render
from support.gate import SLOW

CONFIG = {"routes": [{"path": "/**", "access": "public"}], "workers": 1,
          "timeouts": {"request_body": "60s"}}


@contextlib.contextmanager
def stopped(gate):
    """Whatever is done to the process within comes to it in one turn."""
    def stands_still():
        tasks = Path(f"/proc/{gate.process.pid}/task").iterdir()
        return all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T"
                   for task in tasks)
    gate.signal(signal.SIGSTOP)
    try:
        gate.wait_for(stands_still, "a process that stands still")
        yield
    finally:
        gate.signal(signal.SIGCONT)


class Closing:
    """An application whose connection ends when the test says so, without having read the body.
    A request that comes again is answered."""

    def __init__(self, backend, path):
        self._asked, self._go_on = threading.Event(), threading.Event()
        self._exchange = None
        backend.on(path, self._script)

    def _script(self, exchange):
        if self._exchange:
            exchange.reply(200, b"again")
            return
        self._exchange = exchange
        self._asked.set()
        exchange.wait(self._go_on, 30 * SLOW)
        exchange.close()

    def wait_for_request(self):
        assert self._asked.wait(10 * SLOW)

    def close(self):
        self._go_on.set()
        assert self._exchange.connection.ended.wait(10 * SLOW)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_that_comes_with_the_end_of_the_application_is_sent_whole_or_not(
        gate, backend, framing):
    """The application closes an idle connection just when the body comes. If the request goes out
    again it has its whole body, and nobody's request is ever read as somebody else's body."""
    body = b"B" * 60
    head, sent = {"Content-Length": "60"}, body
    if framing == "chunked":
        head, sent = {"Transfer-Encoding": "chunked"}, b"3c\r\n" + body + b"\r\n0\r\n\r\n"
    for turn in range(4):
        backend.forget()
        closing = Closing(backend, "/x")
        with gate.connect() as other, gate.connect() as client:
            assert other.request("GET", "/warm").status == 200
            client.send(render("PUT", "/x", head))
            closing.wait_for_request()
            with stopped(gate):
                # The order in which the loop hears of the two must not matter.
                if turn % 2:
                    client.send(sent)
                closing.close()
                if not turn % 2:
                    client.send(sent)
            answer = client.read_response("PUT")
            assert answer.status in (200, 502)
            if answer.status == 200:
                assert backend.at("/x")[-1].complete and backend.at("/x")[-1].body == body
            assert other.request("GET", "/victim").body == b"ok"
        assert len(backend.at("/victim")) == 1 and not backend.violations


@pytest.mark.parametrize("piece", [b"5", b"5\r\n", b"5\r\nhello\r\n"])
def test_an_upload_is_given_up_though_a_piece_of_it_has_just_come(gate, backend, piece):
    """The answer does not wait for a client that has no reason to send more."""
    for turn in range(2):
        backend.forget()
        closing = Closing(backend, "/x")
        with gate.connect() as client:
            client.send(render("POST", "/x", {"Transfer-Encoding": "chunked"}))
            closing.wait_for_request()
            with stopped(gate):
                if turn:
                    client.send(piece)
                closing.close()
                if not turn:
                    client.send(piece)
            assert client.read_response("POST").status == 502


def test_100_continue_and_an_early_answer_do_not_meet(start, tmp_path):
    """A client that reads nothing has filled its connection exactly when the invitation to send a
    body and the application's refusal have to be written."""
    backend = start.backend()
    backend.on("/g", lambda exchange: exchange.reply(200, b"x" * 7000))
    refused = threading.Event()

    def refuse(exchange):
        exchange.body_read = True
        exchange.send(response(413, b"too much", [("Connection", "close")]))
        exchange.close()
        refused.set()
    backend.on("/p", refuse)
    path = str(tmp_path / "gate.sock")
    gate = start(backend, {**CONFIG, "listeners": [{"address": "127.0.0.1:0"},
                                                   {"address": f"unix:{path}"}]})
    post = render("POST", "/p", {"Expect": "100-continue", "Content-Length": "1000"})
    for before in range(8, 400):
        refused.clear()
        with Client(path, timeout=20 * SLOW) as client:
            client.send(render("GET", "/g") * before + post)
            is_full = not refused.wait(2 * SLOW)  # an earlier answer did not fit: we are past it
            assert gate.get("/sync").status == 200  # the loop has seen the refusal
            for _ in range(before):
                assert client.read_response().body == b"x" * 7000
            answer = client.read_response("POST")
            assert answer.status == 413 and answer.body == b"too much"
        if is_full:
            return
    raise AssertionError("the connection never was full")
