"""Fields behind a chunked body: dropped, unless the rule forwards them; and then only those that
could not be taken for a head's."""

import pytest

from support.client import ProtocolError, render

CONFIG = {"routes": [{"path": "/rpc/**", "trailers": "forward", "upstream": "app"},
                     {"path": "/plain/**", "upstream": "app"}],
          "identity": {"headers": [{"name": "X-Employee", "claim": "sub"}]}}
ANSWER = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
          b"Trailer: X-Checksum, Set-Cookie\r\n\r\n5\r\nhello\r\n0\r\n")


@pytest.fixture(scope="module")
def bearer(shared_gate):
    return shared_gate.bearer()


def read_answer(client):
    head = client.read_head()
    body = b""
    while size := int(client._line(), 16):
        body += client.read_exactly(size)
        assert client.read_exactly(2) == b"\r\n"
    lines = []
    while line := client._line():
        lines.append(line)
    return head, body, lines


def raw_trailers(backend):
    raw = bytes(backend.connections[backend.last().connection].raw)
    return raw[raw.rindex(b"\r\n0\r\n") + 5:]


FORGED = (b"Authorization: Bearer evil\r\nX-Forwarded-User: admin\r\nX_Forwarded_User: admin\r\n"
          b"x-employee: boss\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: evil\r\n"
          b"Cookie: a=b\r\nX-Request-Id: 1\r\nTE: trailers\r\nConnection: X-Checksum\r\n"
          b"Forwarded: for=1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nContent-Type: text/evil\r\n"
          b"Sec-Fetch-Site: none\r\nIf-Match: x\r\nProxy-Authorization: x\r\n")


def test_harmless_trailers_of_a_request_pass_where_the_rule_forwards_them(gate, backend, bearer):
    head = {**bearer, "Transfer-Encoding": "chunked",
            "Trailer": "X-Checksum, Authorization , X-Forwarded-User,Grpc-Status"}
    body = (b"5\r\nhello\r\n0\r\n" + FORGED + b"X-Checksum: abc\r\ngrpc-status:0\r\n"
            b"\r\n")
    for cut in range(0, len(body), 7):
        with gate.connect() as client:
            client.send_pieces(render("POST", "/rpc/x", head) + body,
                               [len(render("POST", "/rpc/x", head)) + cut])
            assert client.read_response("POST").status == 200
        seen = backend.last()
        assert seen.body == b"hello"
        assert raw_trailers(backend) == b"X-Checksum: abc\r\ngrpc-status:0\r\n\r\n"
        assert seen.all("Trailer") == ["X-Checksum, Grpc-Status"]
        assert seen.all("X-Forwarded-User") == ["alice"] and seen.all("X-Employee") == ["alice"]


def test_nothing_passes_by_default(gate, backend, bearer):
    head = {**bearer, "Transfer-Encoding": "chunked", "Trailer": "X-Checksum", "TE": "trailers"}
    with gate.connect() as client:
        client.send(render("POST", "/plain/x", head)
                    + b"5\r\nhello\r\n0\r\nX-Checksum: abc\r\n\r\n")
        assert client.read_response("POST").status == 200
    seen = backend.last()
    assert raw_trailers(backend) == b"\r\n" and not seen.all("Trailer") and not seen.all("TE")


def test_trailers_of_an_answer_pass_to_clients_that_want_them(gate, backend, bearer):
    backend.answer("/rpc/x", ANSWER + b"X-Checksum: abc\r\nSet-Cookie: a=b\r\nServer: x\r\n"
                   b"Access-Control-Allow-Origin: *\r\nContent-Length: 1\r\n\r\n")
    with gate.connect() as client:
        for _ in range(2):
            client.send(render("GET", "/rpc/x", {**bearer, "TE": "trailers"}))
            head, body, lines = read_answer(client)
            assert (body, lines) == (b"hello", [b"X-Checksum: abc"])
            assert head.all("Trailer") == ["X-Checksum"]
        assert backend.last().all("TE") == ["trailers"]
        assert backend.last().get("Connection") == "TE"
        client.send(render("GET", "/rpc/x", bearer))
        head, body, lines = read_answer(client)
        assert (body, lines, head.all("Trailer")) == (b"hello", [], [])
    assert not backend.last().all("TE")


def test_trailers_of_an_answer_are_dropped_by_default(gate, backend, bearer):
    backend.answer("/plain/x", ANSWER + b"X-Checksum: abc\r\n\r\n")
    with gate.connect() as client:
        client.send(render("GET", "/plain/x", {**bearer, "TE": "trailers"}))
        head, body, lines = read_answer(client)
    assert (body, lines, head.all("Trailer")) == (b"hello", [], [])


@pytest.mark.parametrize("trailer", [b"X : y\r\n", b" folded\r\n", b"X: a\nY: b\r\n", b"X\r\n",
                                     b"X: a\0b\r\n"])
def test_a_malformed_trailer_ends_the_message_as_ever(gate, backend, bearer, trailer):
    with gate.connect() as client:
        client.send(render("POST", "/rpc/x", {**bearer, "Transfer-Encoding": "chunked"})
                    + b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n")
        assert client.read_response("POST").status == 400
    assert not [r for r in backend.requests if r.complete]
    backend.answer("/rpc/y", ANSWER + trailer + b"\r\n")
    with gate.connect() as client, pytest.raises((ProtocolError, EOFError, ConnectionError)):
        client.send(render("GET", "/rpc/y", {**bearer, "TE": "trailers"}))
        head, body, _ = read_answer(client)
        assert head.status == 502
        raise EOFError
