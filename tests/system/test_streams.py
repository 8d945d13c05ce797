"""One connection and many requests; event streams and web sockets."""

import threading

import pytest

from support.backend import response
from support.client import render
from support.gate import SLOW, spin
from support.streams import SWITCH, UPGRADE, all_of, code_of, events

CONFIG = {"routes": [{"path": "/ws", "websocket": True}]}


@pytest.fixture(scope="module")
def bearer(shared_gate):
    return shared_gate.bearer()


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


def test_clients_that_vanish_harm_nobody(gate, backend, bearer):
    """RST behind every byte of a request (J03)."""
    data = render("POST", "/x", bearer, b"hello")
    for cut in range(1, len(data) + 1):
        client = gate.connect()
        client.send(data[:cut])
        client.abort()
    assert gate.get("/y", bearer).status == 200


def test_clients_that_vanish_within_the_answer_harm_nobody(gate, backend, bearer):
    """RST before, within and behind the answer's head and body (J03)."""
    backend.answer("/x", response(200, b"x" * 300_000))
    data = render("GET", "/x", bearer)
    for wanted in [0, *range(1, 300, 13), *range(1000, 300_000, 29_000)]:
        client = gate.connect()
        client.send(data)
        client.read_exactly(wanted)
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
        exchange.connection.socket.settimeout(0.1)
        try:
            before_switch.append(exchange.receive())
        except TimeoutError:
            exchange.connection.socket.settimeout(10)
        tunnel(exchange)
    backend.on("/ws", script)
    with gate.connect() as client:
        client.send(render("GET", "/ws", {**bearer, **UPGRADE}) + b"early")
        assert backend.arrived.wait(5)
        go_on.set()
        answer = client.read_response()
        if answer.status == 101:
            assert client.read_exactly(5) == b"EARLY"
    assert before_switch == []


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


def test_a_revoked_tunnel_ends_between_two_frames(gate, backend):
    """Close 1008 for both sides, and only once the frame under way is whole."""
    told, may_finish = [], threading.Event()

    def half_a_frame(exchange):
        exchange.read_body()
        exchange.send(SWITCH + b"\x82\x05abc")
        may_finish.wait(10 * SLOW)
        exchange.send(b"de\x81\x01z")
        told.append(all_of(exchange))
        exchange.close()
    backend.on("/ws", half_a_frame)
    tokens = gate.login()
    with gate.connect() as client:
        assert client.request("GET", "/ws", {**tokens.bearer(), **UPGRADE}).status == 101
        assert client.read_exactly(5) == b"\x82\x05abc"
        assert gate.request("POST", "/logout", tokens.cookie(), b"").status == 204
        may_finish.set()
        assert client.read_to_end() == b"de\x88\x02\x03\xf0"
    gate.wait_for(lambda: told, "the application's close frame")
    assert code_of(told[0]) == 1008


def test_a_revoked_tunnel_ends_with_the_code_of_its_route(start):
    backend = start.backend()
    backend.on("/ws", tunnel)
    gate = start(backend, {"routes": [{"path": "/ws", "websocket": True, "close_code": 4001}]})
    tokens = gate.login()
    with gate.connect() as client:
        assert client.request("GET", "/ws", {**tokens.bearer(), **UPGRADE}).status == 101
        client.send(b"\x82\x01a")
        assert client.read_exactly(3) == b"\x82\x01A"
        assert gate.request("POST", "/logout", tokens.cookie(), b"").status == 204
        assert client.read_to_end() == b"\x88\x02\x0f\xa1"


def test_a_revoked_event_stream_ends_and_is_not_cut(gate, backend):
    """The last chunk, so that a browser sees an end and asks again (and is told 401 then)."""
    backend.on("/events", events)
    tokens = gate.login()
    with gate.connect() as client:
        client.send(render("GET", "/events", tokens.bearer()))
        assert client.read_head().status == 200
        assert client.read_chunk() == b"data: 1\n\ndata: "
        assert gate.request("POST", "/logout", tokens.cookie(), b"").status == 204
        assert client.read_chunk() == b"", "the stream was cut"
        client.read_to_end()
    assert gate.wait_for_record(path="/events", reason="session_ended")["status"] == 200
    assert gate.get("/events", tokens.bearer()).status == 401


def test_a_revoked_event_stream_of_a_known_length_is_cut(gate, backend):
    """It cannot be brought to its end, and must not look as if it had been."""
    backend.on("/events", lambda exchange: events(exchange, b"Content-Length: 1000\r\n"))
    tokens = gate.login()
    with gate.connect() as client:
        client.send(render("GET", "/events", tokens.bearer()))
        assert client.read_head().status == 200
        assert client.read_exactly(15) == b"data: 1\n\ndata: "
        assert gate.request("POST", "/logout", tokens.cookie(), b"").status == 204
        with pytest.raises(ConnectionResetError):
            client.socket.settimeout(5 * SLOW)
            client.socket.recv(1)


def test_a_session_that_ends_before_its_stream_begins_is_401(start):
    backend = start.backend()
    # Another worker hears of a logout a moment later than the client does.
    gate = start(backend, {**CONFIG, "workers": 1})
    may_answer = threading.Event()

    def slowly(exchange):
        exchange.read_body()
        exchange.wait(may_answer)
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n")
        exchange.receive()
    backend.on("/events", slowly)
    tokens = gate.login()
    with gate.connect() as client:
        client.send(render("GET", "/events", tokens.bearer()))
        assert backend.arrived.wait(5 * SLOW)
        assert gate.request("POST", "/logout", tokens.cookie(), b"").status == 204
        may_answer.set()
        answer = client.read_response()
        assert answer.status == 401 and answer.get("WWW-Authenticate")


def test_a_session_that_ends_before_its_tunnel_begins_is_401(start):
    backend = start.backend()
    # Another worker hears of a logout a moment later than the client does.
    gate = start(backend, {**CONFIG, "workers": 1})
    may_answer, told = threading.Event(), []

    def slowly(exchange):
        exchange.read_body()
        exchange.wait(may_answer)
        exchange.send(SWITCH)
        told.append(exchange.receive())
    backend.on("/ws", slowly)
    tokens = gate.login()
    with gate.connect() as client:
        client.send(render("GET", "/ws", {**tokens.bearer(), **UPGRADE}))
        assert backend.arrived.wait(5 * SLOW)
        assert gate.request("POST", "/logout", tokens.cookie(), b"").status == 204
        may_answer.set()
        answer = client.read_response()
        assert answer.status == 401 and answer.get("WWW-Authenticate")
    gate.wait_for(lambda: told == [b""], "the end of the application's connection")


# --- one side that is done, or takes its time

def test_a_tunnel_closes_one_direction_at_a_time(gate, backend, bearer):
    """The application hears the client's end and may still say its last word."""
    heard = []

    def script(exchange):
        exchange.read_body()
        exchange.send(SWITCH)
        while data := exchange.receive():
            heard.append(data)
        exchange.send(b"last word")
        exchange.close()
    backend.on("/ws", script)
    with gate.connect() as client:
        assert client.request("GET", "/ws", {**bearer, **UPGRADE}).status == 101
        client.send(b"bye")
        client.finish_sending()
        assert client.read_to_end() == b"last word"
    assert b"".join(heard) == b"bye"


def test_a_tunnel_that_the_application_half_closes(gate, backend, bearer):
    heard, done = [], threading.Event()

    def script(exchange):
        exchange.read_body()
        exchange.send(SWITCH + b"no more from me")
        exchange.connection.socket.shutdown(1)
        while data := exchange.receive():
            heard.append(data)
        done.set()
        exchange.close()
    backend.on("/ws", script)
    with gate.connect() as client:
        assert client.request("GET", "/ws", {**bearer, **UPGRADE}).status == 101
        assert client.read_to_end() == b"no more from me"
        client.send(b"understood")
        client.finish_sending()
        assert done.wait(10 * SLOW)
    assert b"".join(heard) == b"understood"


def test_a_client_that_only_ends_its_side_gets_its_answer(gate, backend, bearer):
    """As `printf ... | nc` does. A longer silence than a second counts as having left."""
    with gate.connect() as client:
        client.send(render("GET", "/x", bearer))
        client.finish_sending()
        assert client.read_response().status == 200


def test_a_long_poll_is_answered_when_there_is_something_to_say(gate, backend, bearer):
    """Longer than the second after which we look whether the client is still there."""
    asked, news = threading.Semaphore(0), threading.Event()

    def script(exchange):
        exchange.read_body()
        asked.release()
        news.wait(30 * SLOW)
        exchange.send(response(200, b"news"))
    backend.on("/poll", script)
    with gate.connect() as one, gate.connect() as other:
        for client in (one, other):
            client.send(render("GET", "/poll", bearer))
            assert asked.acquire(timeout=10 * SLOW)
        threading.Timer(2.3, news.set).start()
        assert one.read_response().body == other.read_response().body == b"news"
        assert one.request("GET", "/x", bearer).status == 200, "the connection goes on"


def test_a_client_that_leaves_its_long_poll_frees_the_application(gate, backend, bearer):
    ended, asked = threading.Event(), threading.Event()

    def script(exchange):
        exchange.read_body()
        asked.set()
        if not exchange.receive():
            ended.set()
    backend.on("/poll", script)
    with gate.connect() as client:
        client.send(render("GET", "/poll", bearer))
        assert asked.wait(10 * SLOW)
    assert ended.wait(10 * SLOW), "the application goes on working for nobody"


def test_an_answer_that_comes_before_the_upload_has_ended(gate, backend, bearer):
    """It is passed on while the client still sends; then the connection ends, since the rest of the
    body is nobody's. The application's connection serves nobody else."""
    def script(exchange):
        exchange.body_read = True
        exchange.send(response(200, b"enough"))
        while exchange.receive():
            pass
        exchange.close()
    backend.on("/up", script)
    with gate.connect() as client:
        client.send(render("POST", "/up", {**bearer, "Transfer-Encoding": "chunked"})
                    + b"5\r\nfirst\r\n")
        answer = client.read_response("POST")
        assert (answer.status, answer.body) == (200, b"enough")
        try:
            for _ in range(200):
                client.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
        except OSError:
            pass
    number = backend.at("/up")[0].connection
    assert gate.get("/y", bearer).status == 200
    assert backend.last().connection != number


def test_events_and_an_upload_at_the_same_time(gate, backend, bearer):
    """Both directions of one exchange flow at once, each at its own pace."""
    def script(exchange):
        exchange.body_read = True
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n")
        connection = exchange.connection
        while size := int(connection._line(), 16):
            while len(connection.buffer) < size + 2:
                connection._fill()
            data, connection.buffer = connection.buffer[:size], connection.buffer[size + 2:]
            exchange.send(b"%x\r\n%s\r\n" % (len(data), data.upper()))
        connection._line()
        exchange.send(b"0\r\n\r\n")
    backend.on("/echo", script)
    with gate.connect() as client:
        client.send(render("POST", "/echo", {**bearer, "Transfer-Encoding": "chunked"})
                    + b"5\r\nhello\r\n")
        assert client.read_head().status == 200
        assert client.read_chunk() == b"HELLO"
        for _ in range(5):
            client.send(b"3\r\nabc\r\n")
            assert client.read_chunk() == b"ABC"
        client.send(b"0\r\n\r\n")
        assert client.read_chunk() == b""


@pytest.mark.parametrize("upgrade", ["h2c", "websocket, h2c", "TLS/1.0"])
def test_other_upgrades_are_plain_requests(gate, backend, bearer, upgrade):
    answer = gate.get("/ws", {**bearer, "Connection": "Upgrade, HTTP2-Settings",
                              "Upgrade": upgrade, "HTTP2-Settings": "AAMAAABkAAQAAP__"})
    assert answer.status in (200, 400)
    for received in backend.requests:
        assert not received.all("Upgrade") and not received.all("HTTP2-Settings")
