"""What the application sees of a request and what the client sees of the answer: byte-exact where
it is theirs, rebuilt where it is ours."""

import hashlib
import os
import threading
import time

import pytest

from support.backend import response
from support.client import Client, chunked, render
from support.gate import REFRESH_COOKIE, SLOW, spin

CONFIG = {"routes": [{"path": "/ws", "websocket": True}, {"path": "/open/**", "access": "public"}]}
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


@pytest.fixture(scope="module")
def bearer(shared_gate):
    return shared_gate.bearer()


# --- the request as the application sees it

def test_request_is_rebuilt_from_its_parts(gate, backend, bearer):
    headers = [("Host", "shop.example:8443"), *bearer.items(), ("User-Agent", "probe/1"),
               ("X-Custom", "a,  b"), ("x-custom", "second"), ("Accept", "*/*"),
               ("Cookie", f"a=1; {REFRESH_COOKIE}=gh1.x; b=\"2\"; c"), ("X-Empty", "")]
    assert gate.request("GET", "/x?q=1&q=%20", headers).status == 200
    seen = backend.last()
    assert (seen.method, seen.target, seen.version) == ("GET", "/x?q=1&q=%20", "HTTP/1.1")
    names = [n for n, _ in seen.headers]
    assert len({n.lower() for n in names if n.lower() != "x-custom"}) == len(names) - 2
    assert seen.all("Host") == ["shop.example:8443"], "preserve_host"
    assert seen.all("X-Custom") == ["a,  b", "second"], "order and spelling as sent"
    assert "x-custom" in names and "X-Custom" in names
    assert seen.all("Cookie") == ["a=1; b=\"2\"; c"]
    assert seen.all("X-Empty") == [""] and seen.all("User-Agent") == ["probe/1"]
    assert not seen.all("Authorization")


def test_identity_and_forwarding_headers(gate, backend, bearer):
    gate.get("/x", {"Host": "shop.example:8443", **bearer})
    seen = backend.last()
    assert seen.all("X-Forwarded-User") == ["alice"]
    assert seen.all("X-Forwarded-Preferred-Username") == ["alice"]
    assert seen.all("X-Forwarded-Email") == ["alice@example.com"]
    assert seen.all("X-Forwarded-Groups") == ["staff,admins"]
    assert seen.all("X-Forwarded-For") == ["127.0.0.1"]
    assert seen.all("X-Forwarded-Proto") == ["http"]
    assert seen.all("X-Forwarded-Host") == ["shop.example:8443"]
    assert seen.all("X-Forwarded-Port") == ["8443"]
    assert len(seen.all("X-Request-Id")) == 1 and len(seen.get("X-Request-Id")) >= 16


def test_request_ids_are_ours_and_differ(gate, backend, bearer):
    for _ in range(3):
        gate.get("/x", {**bearer, "X-Request-Id": "mine"})
    ids = [r.get("X-Request-Id") for r in backend.requests]
    assert len(set(ids)) == 3 and "mine" not in ids


SPELLINGS = ["X-Forwarded-User", "x-forwarded-user", "X_Forwarded_User", "X.Forwarded.User",
             "XForwardedUser", "X-Forwarded-Groups", "x_forwarded_email", "X-Forwarded-For",
             "X-Forwarded-Anything", "Forwarded", "X-Real-IP", "X_Real_Ip", "X-Original-URL",
             "X-Original-Method", "X-Rewrite-URL", "X-Forwarded-Preferred-Username"]


@pytest.mark.parametrize("path, with_token", [("/x", True), ("/open/x", False), ("/open/x", True)])
@pytest.mark.parametrize("name", SPELLINGS)
def test_client_spellings_of_our_headers_never_arrive(gate, backend, bearer, name, path, with_token):
    """Compared by folded names, on every route (A01, A02, A07, C01)."""
    status = gate.get(path, {name: "forged", **(bearer if with_token else {})}).status
    assert status in (200, 400)
    for received in backend.requests:
        assert "forged" not in [value for _, value in received.headers]


@pytest.mark.parametrize("preset, expected", [
    ("authelia", {"Remote-User": "alice", "Remote-Groups": "staff,admins",
                  "Remote-Email": "alice@example.com", "Remote-Name": "Alice Liddell"}),
    ("x_auth_request", {"X-Auth-Request-User": "alice", "X-Auth-Request-Groups": "staff,admins",
                        "X-Auth-Request-Email": "alice@example.com",
                        "X-Auth-Request-Preferred-Username": "alice"})])
def test_identity_presets(start, preset, expected):
    backend = start.backend()
    gate = start(backend, {"identity": {"preset": preset, "headers": [
        {"name": "X-Employee", "claim": "sub"}]}})
    forged = {name: "forged" for name in expected}
    assert gate.get("/x", {**gate.bearer(), **forged, "x-employee": "forged"}).status == 200
    seen = backend.last()
    for name, value in {**expected, "X-Employee": "alice"}.items():
        assert seen.all(name) == [value]
    assert gate.get("/x", {**gate.bearer("carol"), **forged}).status == 200
    assert "forged" not in [v for _, v in backend.last().headers], "deleted though nothing is set"


def test_authorization_access_token(start):
    backend = start.backend()
    gate = start(backend, {"identity": {"authorization": "access_token"}})
    bearer = gate.bearer()
    gate.get("/x", bearer)
    assert backend.last().all("Authorization") == [bearer["Authorization"]]


def test_preserve_host_off(start):
    backend = start.backend()
    gate = start(backend, {"upstreams": {"app": {"preserve_host": False}}})
    gate.get("/x", {"Host": "shop.example", **gate.bearer()})
    assert backend.last().all("Host") == [f"127.0.0.1:{backend.port}"]
    assert backend.last().all("X-Forwarded-Host") == ["shop.example"]


@pytest.mark.parametrize("connection", [
    "close, X-Hop", "x-hop", "keep-alive, X-Hop", ", ,X-Hop,,"])
def test_hop_by_hop_fields_are_removed(gate, backend, bearer, connection):
    """What Connection names goes, and so do the fields that always are hop-by-hop."""
    headers = [*bearer.items(), ("Connection", connection), ("X-Hop", "1"), ("Keep-Alive", "t=5"),
               ("TE", "trailers"), ("Proxy-Connection", "keep-alive"), ("X-Stays", "1"),
               ("Proxy-Authorization", "Basic eDp5")]
    assert gate.request("GET", "/x", headers).status == 200
    seen = backend.last()
    for name in ("X-Hop", "Keep-Alive", "TE", "Proxy-Connection", "Proxy-Authorization", "Trailer",
                 "Upgrade"):
        assert not seen.all(name), name
    assert seen.all("X-Stays") == ["1"]
    assert "x-hop" not in seen.get("Connection", "").lower()


def test_http_1_0_client(gate, backend, bearer):
    """It gets an answer it can read; the application sees HTTP/1.1."""
    with gate.connect() as client:
        client.send(render("GET", "/x", {"Host": "a", **bearer}, version="1.0"))
        answer = client.read_response()
        assert answer.status == 200 and answer.body == b"ok"
        assert client.is_closed()
    assert backend.last().version == "HTTP/1.1"


def test_http_1_0_client_never_gets_chunks(gate, backend, bearer):
    backend.answer("/x", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                   + chunked(b"one", b"two"))
    with gate.connect() as client:
        client.send(render("GET", "/x", {"Host": "a", **bearer}, version="1.0"))
        answer = client.read_response()
        assert not answer.all("Transfer-Encoding")
        assert answer.body == b"onetwo"


# --- bodies

def big_body(mebibytes):
    block = os.urandom(1 << 20)
    return [block] * mebibytes, hashlib.sha256(block * mebibytes).hexdigest()


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_upload_of_64_mib(gate, backend, bearer, framing):
    blocks, digest = big_body(64)
    head = {**bearer, "Content-Length": str(64 << 20)}
    if framing == "chunked":
        head = {**bearer, "Transfer-Encoding": "chunked"}
    with Client(gate.address, timeout=60 * SLOW) as client:
        client.send(render("POST", "/up", head))
        for block in blocks:
            client.send(block if framing == "length" else
                        b"%x\r\n%s\r\n" % (len(block), block))
        if framing == "chunked":
            client.send(b"0\r\n\r\n")
        assert client.read_response("POST").status == 200
    seen = backend.last()
    assert seen.complete and seen.body_length == 64 << 20 and seen.sha256 == digest


@pytest.mark.parametrize("framing", ["length", "chunked", "until close"])
def test_download_of_64_mib(gate, backend, bearer, framing):
    blocks, digest = big_body(64)

    def script(exchange):
        exchange.read_body()
        field = {"length": f"Content-Length: {64 << 20}\r\n", "until close": "",
                 "chunked": "Transfer-Encoding: chunked\r\n"}[framing]
        exchange.send(f"HTTP/1.1 200 OK\r\n{field}\r\n".encode())
        for block in blocks:
            exchange.send(b"%x\r\n%s\r\n" % (len(block), block) if framing == "chunked" else block)
        if framing == "chunked":
            exchange.send(b"0\r\n\r\n")
        else:
            exchange.close()
    backend.on("/down", script)
    sink, size = hashlib.sha256(), 0
    with Client(gate.address, timeout=60 * SLOW) as client:
        client.send(render("GET", "/down", {**bearer, "Connection": "close"}))
        head = client.read_head()
        if head.all("Transfer-Encoding"):
            while piece := client.read_chunk():
                sink.update(piece)
                size += len(piece)
        else:
            while piece := client.read_some():
                sink.update(piece)
                size += len(piece)
    assert head.status == 200 and size == 64 << 20 and sink.hexdigest() == digest


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
        assert resident(gate) - memory < 4 << 20


def resident(gate):
    for line in open(f"/proc/{gate.process.pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024


# --- answers

PASSED_ON = [
    ("plain", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-App: 1\r\n\r\nhi", 200, b"hi"),
    ("empty", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b""),
    ("204", b"HTTP/1.1 204 No Content\r\nX-App: 1\r\n\r\n", 204, b""),
    ("304", b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", 304, b""),
    ("304 with length", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b""),
    ("404", b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone", 404, b"none"),
    ("500", b"HTTP/1.1 500 Oh No\r\nContent-Length: 4\r\n\r\nnone", 500, b"none"),
    ("299", b"HTTP/1.1 299 Odd\r\nContent-Length: 1\r\n\r\nx", 299, b"x"),
    ("no reason", b"HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx", 200, b"x"),
    ("redirect", b"HTTP/1.1 302 Found\r\nLocation: http://b/\r\nContent-Length: 0\r\n\r\n", 302, b""),
    ("HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
    ("chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200,
     b"abc"),
    ("chunked with trailer", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
     b"X-T: 1\r\n\r\n", 200, b"abc"),
    ("early hints", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"
     b"Content-Length: 2\r\n\r\nhi", 200, b"hi"),
]


@pytest.mark.parametrize("data, status, body", [p[1:] for p in PASSED_ON],
                         ids=[p[0] for p in PASSED_ON])
def test_answers_pass(gate, backend, bearer, data, status, body):
    backend.answer("/x", data, close=b"HTTP/1.0" in data)
    with gate.connect() as client:
        answer = client.request("GET", "/x", bearer)
        assert (answer.status, answer.body, answer.complete) == (status, body, True)
        backend.forget()
        if answer.get("Connection", "").lower() != "close" and (
                answer.all("Content-Length") or answer.all("Transfer-Encoding")
                or status in (204, 304)):
            assert client.request("GET", "/y", bearer).body == b"ok", "the connection goes on"


def test_answer_fields_pass_unchanged(gate, backend, bearer):
    fields = [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2"), ("X-Odd", "a,  b;c"),
              ("ETag", 'W/"1"'), ("WWW-Authenticate", 'Basic realm="app"'), ("Vary", "Cookie"),
              ("WWW-Authenticate", "Digest x=y"), ("x-lower", "1"), ("Date", "x"), ("Server", "s")]
    backend.answer("/x", response(401, b"no", fields))
    answer = gate.get("/x", bearer)
    assert answer.status == 401 and answer.body == b"no"
    for name, value in fields:
        assert (name, value) in answer.headers
    assert answer.all("WWW-Authenticate") == ['Basic realm="app"', "Digest x=y"]
    assert len(answer.all("Date")) == 1


def test_hop_by_hop_fields_of_the_answer_are_removed(gate, backend, bearer):
    backend.answer("/x", response(200, b"hi", [("Connection", "X-Hop"), ("X-Hop", "1"),
                                               ("Keep-Alive", "timeout=5"), ("X-Stays", "1"),
                                               ("Proxy-Connection", "x"), ("Upgrade", "h2c")]))
    answer = gate.get("/x", bearer)
    for name in ("X-Hop", "Keep-Alive", "Proxy-Connection", "Upgrade"):
        assert not answer.all(name), name
    assert answer.all("X-Stays") == ["1"]


@pytest.mark.parametrize("data", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n"], ids=["length", "chunked", "neither"])
def test_head(gate, backend, bearer, data):
    """An answer to HEAD has no body, whatever its fields announce."""
    backend.answer("/x", data)
    with gate.connect() as client:
        answer = client.request("HEAD", "/x", bearer)
        assert answer.status == 200 and answer.body == b""
        if b"Content-Length" in data:
            assert answer.get("Content-Length") == "5"
        assert client.request("GET", "/y", bearer).body == b"ok"


def test_options_asterisk_is_ours(gate, backend):
    response = gate.request("OPTIONS", "*")
    assert response.status in (200, 204, 400, 405)
    assert not backend.requests


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


# --- one connection, many requests

def test_keep_alive(gate, backend, bearer):
    with gate.connect() as client:
        for number in range(20):
            assert client.request("GET", f"/{number}", bearer).status == 200
    assert [r.target for r in backend.requests] == [f"/{n}" for n in range(20)]
    assert len({r.connection for r in backend.requests}) == 1, "the upstream connection is reused"


def test_connection_close_is_honoured(gate, bearer):
    with gate.connect() as client:
        answer = client.request("GET", "/x", {**bearer, "Connection": "close"})
        assert answer.get("Connection", "").lower() == "close"
        assert client.is_closed(4 * SLOW)


def test_pipelining_keeps_the_order(gate, backend, bearer):
    """Each request of a burst is judged on its own (D24)."""
    for path in ("/1", "/3"):
        backend.answer(path, response(200, path))
    requests = (render("GET", "/1", bearer) + render("POST", "/2", {}, b"abc")
                + render("GET", "/3", bearer))
    for cut in range(1, len(requests), 11):
        with gate.connect() as client:
            client.send_pieces(requests, [cut])
            answers = [client.read_response() for _ in range(3)]
            assert [a.status for a in answers] == [200, 401, 200]
            assert [answers[0].body, answers[2].body] == [b"/1", b"/3"]
    assert not backend.at("/2")


def test_long_pipeline(gate, backend, bearer):
    """Many requests in one write by a client that reads late (X-17)."""
    count = 300
    with gate.connect() as client:
        sender = threading.Thread(target=client.send_pieces,
                                  args=(render("GET", "/x", bearer) * count, []))
        sender.start()
        assert [client.read_response().status for _ in range(count)] == [200] * count
        sender.join()
    assert len(backend.requests) == count


@pytest.mark.threads
def test_parallel_clients_get_their_own_answers(gate, backend, bearer):
    def script(exchange):
        exchange.reply(200, exchange.received.target.encode() * 50)
    backend.on("*", script)

    def run(number):
        with gate.connect() as client:
            for turn in range(40):
                path = f"/{number}/{turn}"
                assert client.request("GET", path, bearer).body == path.encode() * 50
    spin([lambda n=n: run(n) for n in range(12)])


@pytest.mark.threads
def test_clients_that_vanish_harm_nobody(gate, backend, bearer):
    """RST at many points of an exchange (J03)."""
    data = render("POST", "/x", bearer, b"hello")
    for cut in range(1, len(data) + 1, 17):
        client = gate.connect()
        client.send(data[:cut])
        client.abort()
    assert gate.get("/y", bearer).status == 200


# --- server-sent events and web sockets

def test_events_are_flushed_at_once(gate, backend, bearer):
    step = threading.Semaphore(0)

    def script(exchange):
        exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            assert step.acquire(timeout=10)
            event = b"data: %d\n\n" % number
            exchange.send(b"%x\r\n%s\r\n" % (len(event), event))
        exchange.send(b"0\r\n\r\n")
    backend.on("/events", script)
    with gate.connect() as client:
        client.send(render("GET", "/events", bearer))
        assert client.read_head().status == 200, "the head does not wait for an event"
        for number in range(3):
            step.release()
            assert client.read_chunk() == b"data: %d\n\n" % number
        assert client.read_chunk() == b""


def test_a_client_that_leaves_ends_the_stream(gate, backend, bearer):
    ended = threading.Event()

    def script(exchange):
        exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        if not exchange.receive():
            ended.set()
    backend.on("/events", script)
    with gate.connect() as client:
        client.send(render("GET", "/events", bearer))
        client.read_head()
    assert ended.wait(10 * SLOW), "the upstream connection stays open"


def tunnel(exchange):
    exchange.read_body()
    exchange.send(SWITCH)
    while data := exchange.receive():
        exchange.send(data.upper())
    exchange.close()


def test_websocket_tunnel(gate, backend, bearer):
    backend.on("/ws", tunnel)
    with gate.connect() as client:
        answer = client.request("GET", "/ws", {**bearer, **UPGRADE})
        assert answer.status == 101
        assert answer.get("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert answer.get("Upgrade").lower() == "websocket"
        for size in (5, 70000):
            client.send(b"a" * size)
            assert client.read_exactly(size) == b"A" * size
    seen = backend.last()
    assert seen.get("Upgrade").lower() == "websocket"
    assert seen.get("Connection").lower() == "upgrade"
    assert seen.get("Sec-WebSocket-Key") == UPGRADE["Sec-WebSocket-Key"]
    assert seen.all("X-Forwarded-User") == ["alice"]


def test_websocket_needs_a_token_and_a_route(gate, backend, bearer):
    assert gate.get("/ws", UPGRADE).status == 401
    answer = gate.get("/chat", {**bearer, **UPGRADE})
    assert answer.status in (200, 400, 403, 426)
    for received in backend.requests:
        assert not received.all("Upgrade")


def test_refused_upgrade_is_an_ordinary_answer(gate, backend, bearer):
    """Anything but 101 never switches; what follows is a request of its own (E04)."""
    backend.answer("/ws", response(200, b"no"))
    with gate.connect() as client:
        client.send(render("GET", "/ws", {**bearer, **UPGRADE}) + render("GET", "/evil"))
        assert client.read_response().body == b"no"
        rest = client.read_response() if not client.is_closed(0.3) else None
        assert rest is None or rest.status in (400, 401)
    assert not backend.at("/evil")


def test_early_bytes_wait_for_the_switch(gate, backend, bearer):
    """Nothing is relayed before the application agreed (P10)."""
    before_switch, go_on = [], threading.Event()

    def script(exchange):
        exchange.read_body()
        exchange.wait(go_on)
        before_switch.append(bytes(exchange.connection.raw).split(b"\r\n\r\n", 1)[1])
        tunnel(exchange)
    backend.on("/ws", script)
    with gate.connect() as client:
        client.send(render("GET", "/ws", {**bearer, **UPGRADE}) + b"early")
        assert backend.arrived.wait(5)
        time.sleep(0.1)
        go_on.set()
        answer = client.read_response()
        if answer.status == 101:
            assert client.read_exactly(5) == b"EARLY"
    assert b"".join(before_switch) == b""


def test_unasked_switch_is_502(gate, backend, bearer):
    backend.answer("/x", SWITCH)
    assert gate.get("/x", bearer).status == 502


def test_logout_closes_the_tunnel(gate, backend):
    """Open web sockets of an ended session are closed."""
    backend.on("/ws", tunnel)
    tokens = gate.login()
    with gate.connect() as client:
        assert client.request("GET", "/ws", {**tokens.bearer(), **UPGRADE}).status == 101
        client.send(b"x")
        assert client.read_exactly(1) == b"X"
        assert gate.request("POST", "/logout", tokens.cookie(), b"").status == 204
        client.socket.settimeout(3 * SLOW)
        client.read_to_end()
        assert client.ended


@pytest.mark.parametrize("upgrade", ["h2c", "websocket, h2c", "TLS/1.0"])
def test_other_upgrades_are_plain_requests(gate, backend, bearer, upgrade):
    answer = gate.get("/ws", {**bearer, "Connection": "Upgrade, HTTP2-Settings",
                              "Upgrade": upgrade, "HTTP2-Settings": "AAMAAABkAAQAAP__"})
    assert answer.status in (200, 400)
    for received in backend.requests:
        assert not received.all("Upgrade") and not received.all("HTTP2-Settings")
