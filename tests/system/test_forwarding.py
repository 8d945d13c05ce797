"""What the application sees of a request and what the client sees of the answer: byte-exact where
it is theirs, rebuilt where it is ours."""

import pytest

from support.backend import response
from support.client import chunked, render
from support.gate import REFRESH_COOKIE

CONFIG = {"routes": [{"path": "/open/**", "access": "public"}]}


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
    assert seen.all("X-Forwarded-Port") == [str(gate.address[1])], "the listener's"
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
def test_client_spellings_of_our_headers_never_arrive(gate, backend, bearer, name, path,
                                                      with_token):
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
    ("redirect", b"HTTP/1.1 302 Found\r\nLocation: http://b/\r\nContent-Length: 0\r\n\r\n", 302,
     b""),
    ("HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
    ("chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200,
     b"abc"),
    ("chunked with trailer", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
     b"0\r\nX-T: 1\r\n\r\n", 200, b"abc"),
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
