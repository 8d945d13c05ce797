"""A backend that is absent, slow, broken or hostile: the client gets an honest error, nobody gets
somebody else's answer, and a cut body never looks complete."""

import socket
import threading
import time

import pytest

from support.backend import Backend, response
from support.client import chunked, render
from support.gate import SLOW, spin

CONFIG = {"upstreams": {"app": {"connect_timeout": "1s", "response_timeout": "700ms",
                                "stream_idle_timeout": "700ms", "idle_connection_timeout": "30s"}}}


@pytest.fixture(scope="module")
def bearer(shared_gate):
    return shared_gate.bearer()


# --- malformed answers (D27)

OK = b"HTTP/1.1 200 OK\r\n"
MALFORMED = {
    "two lengths": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "two equal lengths": OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "length list": OK + b"Content-Length: 5, 5\r\n\r\nhello",
    "empty length": OK + b"Content-Length: \r\n\r\nhello",
    "signed length": OK + b"Content-Length: +5\r\n\r\nhello",
    "negative length": OK + b"Content-Length: -5\r\n\r\nhello",
    "hex length": OK + b"Content-Length: 0x5\r\n\r\nhello",
    "huge length": OK + b"Content-Length: 99999999999999999999\r\n\r\nhello",
    "length and coding": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding and length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "gzip coding": OK + b"Transfer-Encoding: gzip\r\n\r\nhello",
    "gzip, chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked, gzip": OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    "identity coding": OK + b"Transfer-Encoding: identity\r\n\r\nhello",
    "empty coding": OK + b"Transfer-Encoding: \r\nContent-Length: 5\r\n\r\nhello",
    "coding in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded field": OK + b"X-A: b\r\n c\r\nContent-Length: 5\r\n\r\nhello",
    "folded coding": OK + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "space before colon": OK + b"Set-Cookie : a=b\r\nContent-Length: 5\r\n\r\nhello",
    "NUL in value": OK + b"X-A: b\0c\r\nContent-Length: 5\r\n\r\nhello",
    "CR in value": OK + b"X-A: b\rX-B: c\r\nContent-Length: 5\r\n\r\nhello",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "bare LF in fields": OK + b"X-A: b\nContent-Length: 5\r\n\r\nhello",
    "no colon": OK + b"nonsense\r\nContent-Length: 5\r\n\r\nhello",
    "empty name": OK + b": x\r\nContent-Length: 5\r\n\r\nhello",
    "leading space": OK + b" X-A: b\r\nContent-Length: 5\r\n\r\nhello",
    "control byte in name": OK + b"X\x01A: b\r\nContent-Length: 5\r\n\r\nhello",
    "no status": b"HTTP/1.1 \r\nContent-Length: 5\r\n\r\nhello",
    "status 99": b"HTTP/1.1 99 Odd\r\nContent-Length: 5\r\n\r\nhello",
    "status 1000": b"HTTP/1.1 1000 Odd\r\nContent-Length: 5\r\n\r\nhello",
    "status text": b"HTTP/1.1 abc Odd\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/0.9": b"<html>hello</html>\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x16",
    "huge head": OK + b"X-A: " + b"a" * 200_000 + b"\r\n\r\n",
    "many fields": OK + b"X-A: b\r\n" * 5000 + b"\r\n",
    "1xx flood": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000 + OK + b"Content-Length: 0\r\n\r\n",
    "switch unasked": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "end in the head": OK + b"Content-Le",
    "nothing": b"",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_answers_are_502(gate, backend, bearer, data):
    backend.answer("/x", data, close=True)
    with gate.connect() as client:
        answer = client.request("GET", "/x", bearer)
        assert answer.status == 502, answer.head
        assert answer.complete and b"hello" not in answer.body
        assert answer.json()["error"]
        assert answer.get("Connection") == "close" or \
            client.request("GET", "/y", bearer).body == b"ok"
    assert gate.get("/y", bearer).body == b"ok"
    assert backend.last().connection != backend.at("/x")[-1].connection, "never used again"


BROKEN_CHUNKS = {"bad size": b"G\r\nhello\r\n0\r\n\r\n", "signed size": b"+5\r\nhello\r\n0\r\n\r\n",
                 "size overflow": b"fffffffffffffffff\r\nhello",
                 "no line end": b"5\r\nhelloX0\r\n\r\n",
                 "bare LF": b"5\nhello\n0\n\n", "bad trailer": b"5\r\nhello\r\n0\r\nX : y\r\n\r\n"}


@pytest.mark.parametrize("data", BROKEN_CHUNKS.values(), ids=BROKEN_CHUNKS.keys())
def test_broken_chunks_cut_the_answer(gate, backend, bearer, data):
    """502 while nothing was passed on yet, else the client sees a cut, never an end."""
    backend.answer("/x", OK + b"Transfer-Encoding: chunked\r\n\r\n" + data, close=True)
    with gate.connect() as client:
        answer = client.request("GET", "/x", bearer)
        assert answer.status == 502 or not answer.complete
    assert gate.get("/y", bearer).body == b"ok"


@pytest.mark.parametrize("cut", range(0, 60, 6))
@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("head, body", [
    (OK + b"Content-Length: 60\r\n\r\n", b"x" * 60),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n", chunked(b"x" * 20, b"y" * 24))],
    ids=["length", "chunked"])
def test_cut_answers_never_look_complete(gate, backend, bearer, head, body, cut, reset):
    """X-05: the client can tell at whatever byte the application dies."""
    def script(exchange):
        exchange.read_body()
        exchange.send(head + body[:cut])
        exchange.reset() if reset else exchange.close()
    backend.on("/x", script)
    with gate.connect() as client:
        answer = client.request("GET", "/x", bearer)
        assert answer.status == 502 or not answer.complete


def test_a_stalled_answer_is_cut(gate, backend, bearer):
    release = threading.Event()

    def script(exchange):
        exchange.read_body()
        exchange.send(OK + b"Content-Length: 60\r\n\r\nxxx")
        release.wait(20)
        exchange.close()
    backend.on("/x", script)
    with gate.connect() as client:
        answer = client.request("GET", "/x", bearer)
        assert answer.status == 200 and not answer.complete
    release.set()


# --- absent and slow

def test_refused_connection_is_502(start):
    backend = Backend()
    gate = start(backend)
    bearer = gate.bearer()
    backend.stop()
    for _ in range(3):
        answer = gate.get("/x", bearer)
        assert answer.status == 502 and answer.complete
        assert answer.get("Cache-Control") == "no-store"
    assert gate.try_login().status == 200, "our own endpoints do not need the application"
    assert gate.readiness() == 200


def test_it_recovers_when_the_application_is_back(start):
    backend = Backend()
    gate = start(backend)
    bearer = gate.bearer()
    backend.stop()
    assert gate.get("/x", bearer).status == 502
    again = socket.socket()
    again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    again.bind(("127.0.0.1", backend.port))
    again.listen()

    def serve():
        connection, _ = again.accept()
        connection.recv(65536)
        connection.sendall(response(200, b"back", [("Connection", "close")]))
        connection.close()
    threading.Thread(target=serve, daemon=True).start()
    assert gate.get("/x", bearer).body == b"back"
    again.close()


def test_silent_application_is_504(gate, backend, bearer):
    release = threading.Event()
    backend.on("/x", lambda exchange: release.wait(20))
    began = time.monotonic()
    with gate.connect() as client:
        answer = client.request("GET", "/x", bearer)
        assert answer.status == 504
        assert 0.6 < time.monotonic() - began < 0.7 + 2 * SLOW
        assert answer.get("Connection") == "close" or \
            client.request("GET", "/y", bearer).status == 200
    assert len(backend.at("/x")) == 1, "not asked again"
    release.set()


def test_post_that_times_out_is_sent_once(gate, backend, bearer):
    release = threading.Event()

    def script(exchange):
        exchange.read_body()
        release.wait(20)
    backend.on("/x", script)
    assert gate.request("POST", "/x", bearer, b"hello").status == 504
    assert len(backend.at("/x")) == 1
    release.set()


def test_a_slow_upload_does_not_count_as_a_silent_application(gate, backend, bearer):
    """The time to the answer begins when the request is through."""
    with gate.connect() as client:
        client.send(render("POST", "/x", {**bearer, "Content-Length": "4"}))
        for byte in (b"a", b"b", b"c", b"d"):
            time.sleep(0.3)
            client.send(byte)
        assert client.read_response("POST").status == 200


@pytest.mark.parametrize("drops", [[OK + b"X-A: "] + [b"a"] * 60,
                                   [b"HTTP/1.1 103 Early Hints\r\n\r\n"] * 14],
                         ids=["a byte each", "interim answers"])
def test_an_answer_that_trickles_is_late(gate, backend, bearer, drops):
    """response_timeout is for the whole head, whatever comes of it meanwhile."""
    over = threading.Event()

    def script(exchange):
        for drop in drops:
            exchange.send(drop)
            if over.wait(0.3):
                return
        exchange.send(OK + b"Content-Length: 0\r\n\r\n")
    backend.on("/x", script)
    answer = gate.get("/x", bearer)
    over.set()
    assert answer.status == 504


# --- reused connections (P15, X-04, X-06)

def warm(gate, bearer):
    """Leaves an idle upstream connection behind, on the same worker as the client."""
    client = gate.connect()
    assert client.request("GET", "/warm", bearer).status == 200
    return client


def vanishing(backend, reset, on_request):
    """Answers /warm, then kills the connection: before the next request or upon it."""
    def script(exchange):
        exchange.reply(200, b"warm")
        if not on_request:
            exchange.reset() if reset else exchange.close()
    backend.on("/warm", script)
    first = []

    def fail_once(exchange):
        if exchange.connection.number not in first and not first:
            first.append(exchange.connection.number)
            exchange.body_read = True
            exchange.reset() if reset else exchange.close()
        else:
            exchange.reply(200, b"again")
    backend.on("/x", fail_once)


@pytest.mark.parametrize("reset", [True, False], ids=["RST", "FIN"])
def test_get_on_a_dying_idle_connection_is_sent_again(gate, backend, bearer, reset):
    vanishing(backend, reset, on_request=True)
    with warm(gate, bearer) as client:
        answer = client.request("GET", "/x", bearer)
        assert answer.status == 200 and answer.body == b"again"
    assert len(backend.at("/x")) == 2, "once more, and only once"


@pytest.mark.parametrize("head", [{"Content-Length": "0"}, {"Transfer-Encoding": "chunked"}])
def test_a_put_without_a_byte_is_sent_again_as_a_get_is(gate, backend, bearer, head):
    vanishing(backend, reset=False, on_request=True)
    with warm(gate, bearer) as client:
        client.send(render("PUT", "/x", {**bearer, **head}) +
                    (b"" if "Content-Length" in head else b"0\r\n\r\n"))
        assert client.read_response("PUT").body == b"again"
    assert len(backend.at("/x")) == 2 and backend.last().complete


def test_get_is_sent_again_only_once(gate, backend, bearer):
    backend.on("/x", lambda exchange: exchange.reset())
    with warm(gate, bearer) as client:
        assert client.request("GET", "/x", bearer).status == 502
    assert len(backend.at("/x")) <= 2


@pytest.mark.parametrize("reset", [True, False], ids=["RST", "FIN"])
def test_post_is_never_sent_twice(gate, backend, bearer, reset):
    vanishing(backend, reset, on_request=True)
    with warm(gate, bearer) as client:
        assert client.request("POST", "/x", bearer, b"hello").status == 502
    assert len(backend.at("/x")) == 1


def test_get_on_a_fresh_connection_is_not_sent_again(start):
    """Only a reused connection may have died of idleness."""
    backend = start.backend()
    gate = start(backend)
    backend.on("/x", lambda exchange: exchange.reset())
    assert gate.get("/x", gate.bearer()).status == 502
    assert len(backend.at("/x")) == 1


def test_keep_alive_race_shows_no_error(gate, backend, bearer):
    """The application closes idle connections at once, as some do after every answer (X-06)."""
    vanishing(backend, reset=False, on_request=False)
    with gate.connect() as client:
        for _ in range(200):
            assert client.request("GET", "/warm", bearer).status == 200


def test_connection_close_of_the_application_is_honoured(gate, backend, bearer):
    def script(exchange):
        exchange.reply(200, b"bye", [("Connection", "close")])
        exchange.close()
    backend.on("/x", script)
    with gate.connect() as client:
        for _ in range(5):
            assert client.request("GET", "/x", bearer).body == b"bye"
    assert len({r.connection for r in backend.at("/x")}) == 5


# --- nobody gets somebody else's answer (D27, D28, X-07)

def test_extra_bytes_after_an_answer_reach_nobody(gate, backend, bearer):
    forged = response(200, b"forged", [("X-Forged", "1")])

    def script(exchange):
        exchange.read_body()
        exchange.send(response(200, exchange.received.target.encode()) + forged)
    backend.on("*", script)

    def run(number):
        with gate.connect() as client:
            for turn in range(50):
                path = f"/{number}/{turn}"
                assert client.request("GET", path, bearer).body == path.encode()
    spin([lambda n=n: run(n) for n in range(8)])
    used = [r.connection for r in backend.requests]
    assert len(set(used)) == len(used), "a connection with extra bytes was used again"


def test_late_extra_bytes_reach_nobody(gate, backend, bearer):
    """They arrive while the connection idles in the pool."""
    go_on, sent = threading.Event(), threading.Event()

    def script(exchange):
        exchange.reply(200, b"mine")
        exchange.wait(go_on)
        exchange.send(response(200, b"forged"))
        sent.set()
    backend.on("/x", script)
    with gate.connect() as client:
        assert client.request("GET", "/x", bearer).body == b"mine"
        go_on.set()
        assert sent.wait(5)
        for _ in range(5):
            assert client.request("GET", "/y", bearer).body == b"ok"


@pytest.mark.parametrize("data", [
    OK + b"Content-Length: 2\r\n\r\nhi", b"HTTP/1.1 204 No Content\r\n\r\nforged body",
    b"HTTP/1.1 304 Not Modified\r\n\r\nforged body"], ids=["HEAD with body", "204", "304"])
def test_bodies_where_none_may_be_reach_nobody(gate, backend, bearer, data):
    backend.answer("/x", data)
    method = "HEAD" if b"200" in data else "GET"
    with gate.connect() as client:
        assert client.request(method, "/x", bearer).status in (200, 204, 304, 502)
        answer = client.request("GET", "/y", bearer)
        assert (answer.status, answer.body) == (200, b"ok"), answer.head


def test_answers_that_come_too_late_reach_nobody(gate, backend, bearer):
    """The client gave up; the answer must not go to the next one on that connection."""
    go_on = threading.Event()

    def script(exchange):
        exchange.read_body()
        exchange.wait(go_on)
        exchange.send(response(200, b"late"))
    backend.on("/x", script)
    for _ in range(5):
        client = gate.connect()
        client.send(render("GET", "/x", bearer))
        assert backend.arrived.wait(5)
        backend.arrived.clear()
        client.abort()
    go_on.set()
    for _ in range(20):
        assert gate.get("/y", bearer).body == b"ok"


def test_an_interrupted_upload_leaves_no_connection_behind(gate, backend, bearer):
    """Half a request upstream, then a client that is gone (D28)."""
    for _ in range(5):
        client = gate.connect()
        client.send(render("POST", "/up", {**bearer, "Content-Length": "100"}) + b"x" * 50)
        assert backend.arrived.wait(5)
        backend.arrived.clear()
        client.abort()
    for _ in range(10):
        assert gate.get("/y", bearer).body == b"ok"
    assert not [r for r in backend.at("/up") if r.complete]
    halves = {r.connection for r in backend.at("/up")}
    assert not halves & {r.connection for r in backend.at("/y")}


def test_an_early_answer_leaves_no_half_request_behind(gate, backend, bearer):
    """Answered in the middle of the upload: the application would read the next request of that
    connection as the rest of the body (D28)."""
    def script(exchange):
        exchange.body_read = True  # its other half never comes
        exchange.send(response(200, b"enough"))
    backend.on("/up", script)
    for _ in range(5):
        with gate.connect() as client:
            client.send(render("POST", "/up", {**bearer, "Content-Length": "100"}) + b"x" * 50)
            assert client.read_response("POST").body == b"enough"
        assert gate.get("/y", bearer).body == b"ok"
    seen = [(r.target, r.connection) for r in backend.requests]
    for place, (target, connection) in enumerate(seen):
        later = [number for _, number in seen[place + 1:]]
        assert target != "/up" or connection not in later, seen


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate"])
def test_connection_bound_logins_of_the_application_are_not_shared(gate, backend, bearer, scheme):
    """NTLM binds the user to the connection: the next client must not inherit it (E07)."""
    backend.answer("/x", response(401, b"", [("WWW-Authenticate", scheme)]))
    with gate.connect() as client:
        assert client.request("GET", "/x", bearer).status == 401
        # Later requests carry no trace of the login, and the connection is still this client's.
        assert client.request("GET", "/z", bearer).status == 200
        pinned = backend.at("/x")[0].connection
        assert backend.at("/z")[0].connection == pinned
        for _ in range(10):
            gate.get("/y", bearer)
    for _ in range(10):
        gate.get("/y", bearer)
    assert pinned not in {r.connection for r in backend.at("/y")}


def test_unix_socket_upstream(start, tmp_path):
    backend = start.backend(tmp_path / "app.sock")
    gate = start(backend)
    assert gate.get("/x", gate.bearer()).body == b"ok"
    assert backend.last().all("X-Forwarded-User") == ["alice"]
