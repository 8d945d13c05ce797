"""The PROXY protocol in front of a listener: who is believed, and what a stranger gets."""

import socket
import struct

import pytest

from support.certificates import Authority, TlsClient
from support.client import Client, render
from support.gate import SLOW

CONFIG = {"listeners": [{"address": "127.0.0.1:0", "proxy_protocol": True}],
          "trusted_proxies": ["127.0.0.1/32"], "timeouts": {"tls_handshake": "1s"}}

V1 = b"PROXY TCP4 192.0.2.7 127.0.0.1 51234 443\r\n"
V2 = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("192.0.2.8")
      + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 51234, 443))
LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"


def bearer(gate, header=V1):
    with Client(gate.address) as client:
        client.send(header)
        body = b'{"username": "alice", "password": "correct horse battery staple"}'
        answer = client.request("POST", "/login", {"Content-Type": "application/json"}, body)
        return {"Authorization": "Bearer " + answer.json()["accessToken"]}


@pytest.mark.parametrize("header,address", [(V1, "192.0.2.7"), (V2, "192.0.2.8"),
                                            (LOCAL, "127.0.0.1"),
                                            (b"PROXY UNKNOWN\r\n", "127.0.0.1")])
def test_the_client_is_who_the_balancer_says(gate, backend, header, address):
    token = bearer(gate)
    request = render("GET", "/x", token)
    with Client(gate.address) as client:
        client.send(header + request)
        assert client.read_response().status == 200
        client.send(request)
        assert client.read_response().status == 200, "the header is for the whole connection"
    with Client(gate.address) as client:
        client.send_bytewise(header)
        client.send(request)
        assert client.read_response().status == 200
    assert [r.get("X-Forwarded-For") for r in backend.at("/x")] == [address] * 3


def test_the_client_behind_it_is_not_trusted_for_that(gate, backend):
    token = bearer(gate)
    with Client(gate.address) as client:
        client.send(V1)
        client.request("GET", "/x", {**token, "X-Forwarded-For": "203.0.113.9"})
    assert backend.last().get("X-Forwarded-For") == "192.0.2.7"


@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"PROXY TCP4 192.0.2.7 127.0.0.1 51234\r\n",
    b"PROXY " + b"x" * 500, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", b"\0" * 200])
def test_what_is_no_header_is_closed_without_an_answer(gate, backend, data):
    with Client(gate.address) as client:
        client.send(data)
        assert client.read_to_end() == b""
    assert not backend.requests


def test_a_header_that_does_not_come_is_not_waited_for(gate):
    with Client(gate.address) as client:
        client.send(b"PROXY TC")
        assert client.is_closed(5 * SLOW)


def test_only_trusted_proxies_are_let_in(start):
    backend = start.backend()
    gate = start(backend, {**CONFIG, "trusted_proxies": ["10.0.0.1/32"]})
    with Client(gate.address) as client:
        client.send(V1 + render("GET", "/x", {}))
        assert client.read_to_end() == b""


def test_tls_begins_behind_the_header(start, tmp_path):
    backend = start.backend()
    authority = Authority(tmp_path)
    listener = {"address": "127.0.0.1:0", "proxy_protocol": True, "tls": authority.listener()}
    gate = start(backend, {**CONFIG, "listeners": [listener],
                           "routes": [{"path": "/open", "access": "public"}]})
    for header in (V1, V2):
        with TlsClient(gate.address, authority.context(), before=header) as client:
            assert client.request("GET", "/open").status == 200
    seen = backend.at("/open")
    assert [r.get("X-Forwarded-For") for r in seen] == ["192.0.2.7", "192.0.2.8"]
    assert seen[0].get("X-Forwarded-Proto") == "https"
