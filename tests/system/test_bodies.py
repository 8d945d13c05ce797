"""Bodies both ways: streamed, never buffered, never reframed into something else; and what happens
when one side does not want the rest."""

import hashlib
import os
import threading

import pytest

from support.backend import response
from support.client import Client, chunked, render
from support.faults import is_plain_program
from support.gate import SLOW


@pytest.fixture(scope="module")
def bearer(shared_gate):
    return shared_gate.bearer()


# --- bodies

def big_body(mebibytes):
    block, digest = os.urandom(1 << 20), hashlib.sha256()
    for _ in range(mebibytes):
        digest.update(block)
    return [block] * mebibytes, digest.hexdigest()


def peak(gate):
    """The most that was resident since reset_peak()."""
    return gate.memory_kib("VmHWM") * 1024


def reset_peak(gate):
    with open(f"/proc/{gate.process.pid}/clear_refs", "w") as file:
        file.write("5")
    return peak(gate)


def check_memory_is_flat(gate, before):
    if SLOW == 1:
        assert peak(gate) - before < 1 << 20


def upload(gate, backend, bearer, framing, mebibytes):
    blocks, digest = big_body(mebibytes)
    head = {**bearer, "Content-Length": str(mebibytes << 20)}
    if framing == "chunked":
        head = {**bearer, "Transfer-Encoding": "chunked"}
    before = reset_peak(gate)
    with Client(gate.address, timeout=60 * SLOW) as client:
        client.send(render("POST", "/up", head))
        for block in blocks:
            client.send(block if framing == "length" else
                        b"%x\r\n%s\r\n" % (len(block), block))
        if framing == "chunked":
            client.send(b"0\r\n\r\n")
        assert client.read_response("POST").status == 200
    seen = backend.last()
    assert seen.complete and seen.body_length == mebibytes << 20 and seen.sha256 == digest
    check_memory_is_flat(gate, before)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_upload_of_64_mib(gate, backend, bearer, framing):
    upload(gate, backend, bearer, framing, 64)


@pytest.mark.nightly
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_upload_of_10_gib(gate, backend, bearer, framing):
    upload(gate, backend, bearer, framing, 10 << 10)


def download(gate, backend, bearer, framing, mebibytes):
    blocks, digest = big_body(mebibytes)

    def script(exchange):
        exchange.read_body()
        field = {"length": f"Content-Length: {mebibytes << 20}\r\n", "until close": "",
                 "chunked": "Transfer-Encoding: chunked\r\n"}[framing]
        exchange.send(f"HTTP/1.1 200 OK\r\n{field}\r\n".encode())
        for block in blocks:
            exchange.send(b"%x\r\n%s\r\n" % (len(block), block) if framing == "chunked" else block)
        if framing == "chunked":
            exchange.send(b"0\r\n\r\n")
        else:
            exchange.close()
    backend.on("/down", script)
    before = reset_peak(gate)
    sink, size = hashlib.sha256(), 0
    with Client(gate.address, timeout=60 * SLOW) as client:
        client.send(render("GET", "/down", {**bearer, "Connection": "close"}))
        head = client.read_head()
        read = client.read_chunk if head.all("Transfer-Encoding") else client.read_some
        while piece := read():
            sink.update(piece)
            size += len(piece)
    assert head.status == 200 and size == mebibytes << 20 and sink.hexdigest() == digest
    check_memory_is_flat(gate, before)


@pytest.mark.parametrize("framing", ["length", "chunked", "until close"])
def test_download_of_64_mib(gate, backend, bearer, framing):
    download(gate, backend, bearer, framing, 64)


@pytest.mark.nightly
@pytest.mark.parametrize("framing", ["length", "chunked", "until close"])
def test_download_of_10_gib(gate, backend, bearer, framing):
    download(gate, backend, bearer, framing, 10 << 10)


@pytest.mark.parametrize("body", [b"", b"x", b"hello" * 5000])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_bodies_of_every_method(gate, backend, bearer, method, body):
    assert gate.request(method, "/x", bearer, body).status == 200
    seen = backend.last()
    assert seen.method == method and seen.body == body and seen.complete


@pytest.mark.parametrize("pieces", [[b"hello"], [b"a"] * 50, [b"x" * 70000, b"y"], []])
def test_chunked_upload(gate, backend, bearer, pieces):
    """Chunk borders are the proxy's own; the bytes are the client's."""
    answer = gate.request("POST", "/x", {**bearer, "Transfer-Encoding": "chunked"},
                          chunked(*pieces))
    assert answer.status == 200
    assert backend.last().body == b"".join(pieces)


def test_chunk_extensions_and_trailers_are_dropped(gate, backend, bearer):
    """D18, A04: neither may become a header on the other side."""
    with gate.connect() as client:
        client.send(render("POST", "/x", {**bearer, "Transfer-Encoding": "chunked",
                                          "Trailer": "X-Forwarded-User"})
                    + b"5;a=b\r\nhello\r\n0\r\nX-Forwarded-User: admin\r\n\r\n")
        assert client.read_response("POST").status == 200
    seen = backend.last()
    assert seen.body == b"hello" and seen.trailers == 0
    assert seen.all("X-Forwarded-User") == ["alice"]
    assert b"a=b" not in backend.connections[seen.connection].raw


def test_content_length_with_leading_zeros_is_normal_or_refused(gate, backend, bearer):
    with gate.connect() as client:
        client.send(render("POST", "/x", {**bearer, "Content-Length": "005"}) + b"hello")
        status = client.read_response("POST").status
    assert status in (200, 400)
    if status == 200:
        assert backend.last().all("Content-Length") == ["5"]


def test_upload_is_not_buffered(gate, backend, bearer):
    """The application may answer what it reads, as it reads."""
    first, go_on = threading.Event(), threading.Event()

    def script(exchange):
        while b"first" not in exchange.connection.buffer:
            exchange.connection._fill()
        first.set()
        exchange.wait(go_on)
        exchange.reply(200, b"done")
    backend.on("/up", script)
    with gate.connect() as client:
        client.send(render("POST", "/up", {**bearer, "Transfer-Encoding": "chunked"})
                    + b"5\r\nfirst\r\n")
        assert first.wait(5 * SLOW), "the first chunk waits for the last"
        client.send(b"4\r\nlast\r\n0\r\n\r\n")
        go_on.set()
        assert client.read_response("POST").body == b"done"
    assert backend.last().body == b"firstlast"


def test_back_pressure_reaches_the_application(gate, backend, bearer):
    """A client that does not read slows the application; the proxy does not pile up (X-09)."""
    sent, stop = [0], threading.Event()

    def script(exchange):
        exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        exchange.connection.socket.settimeout(0.2)
        block = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        try:
            while sent[0] < 256 << 20 and not stop.is_set():
                exchange.connection.socket.sendall(block)
                sent[0] += 65536
        except OSError:
            stop.set()
    backend.on("/flood", script)
    memory = resident(gate)
    with Client(gate.address, receive_buffer=8192) as client:
        client.send(render("GET", "/flood", bearer))
        assert stop.wait(20 * SLOW), "everything was taken though nobody read"
        assert sent[0] < 64 << 20
        assert not is_plain_program() or resident(gate) - memory < 4 << 20


def resident(gate):
    return gate.memory_kib("VmRSS") * 1024


# --- Expect, early answers

def test_expect_100_continue(gate, backend, bearer):
    """We say it ourselves, after the request was allowed; the application never sees it."""
    with gate.connect() as client:
        client.send(render("POST", "/x", {**bearer, "Expect": "100-continue",
                                          "Content-Length": "5"}))
        assert client.read_head().status == 100
        client.send(b"hello")
        assert client.read_response("POST").status == 200
    assert backend.last().body == b"hello" and not backend.last().all("Expect")


def test_expect_100_continue_is_refused_before_the_body(gate, backend):
    with gate.connect() as client:
        client.send(render("POST", "/x", {"Expect": "100-continue", "Content-Length": "5"}))
        assert client.read_response("POST").status == 401
        assert client.is_closed(4 * SLOW)
    assert not backend.requests


def test_unknown_expectation_is_417(gate, backend, bearer):
    assert gate.request("POST", "/x", {**bearer, "Expect": "tea"}, b"x").status in (400, 417)
    assert not backend.requests


def test_early_answer_is_relayed_at_once(gate, backend, bearer):
    """The application refuses an upload in the middle; the client learns why."""
    def script(exchange):
        exchange.body_read = True
        exchange.send(response(413, b"too much", [("Connection", "close")]))
        exchange.connection.socket.shutdown(1)
        while exchange.connection.receive():
            pass
        exchange.close()
    backend.on("/up", script)
    with gate.connect() as client:
        client.send(render("POST", "/up", {**bearer, "Content-Length": str(1 << 20)}) + b"x" * 4096)
        answer = client.read_response("POST")
        assert answer.status == 413 and answer.body == b"too much"
    assert gate.get("/y", bearer).status == 200


def test_unread_body_of_a_refused_request_is_no_request(gate, backend):
    """D23: the body of a 401 may hold a whole request; it must never be read as one."""
    smuggled = b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"
    with gate.connect() as client:
        client.send_pieces(render("POST", "/x", {"Content-Length": str(30 + len(smuggled))})
                           + b"x" * 30 + smuggled, [])
        assert client.read_response("POST").status == 401
        client.finish_sending()
        assert b"HTTP/1.1" not in client.read_to_end()
    assert not backend.requests


def test_refused_big_upload_can_be_read(gate):
    """The client is still sending when the 401 comes: it must arrive, not be lost to a RST."""
    for _ in range(10):
        with gate.connect() as client:
            client.send(render("POST", "/x", {"Content-Length": str(1 << 20)}))
            client.send_pieces(b"x" * (1 << 20), [])
            assert client.read_response("POST").status == 401
