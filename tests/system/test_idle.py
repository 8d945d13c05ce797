"""Connections that wait long for their next request: what they cost, and that they are as good as
any other when it comes. They are put aside after a second, so the tests let more than that pass."""

import signal
import time

import pytest

from support.certificates import Authority, TlsClient
from support.client import render
from support.faults import needs_plain_program
from support.gate import SLOW

PUT_ASIDE = 1.4  # seconds


class Site:
    def __init__(self, start, tls, directory, keep_alive="4s"):
        self.backend = start.backend()
        changes = {"routes": [{"path": "/**", "access": "public"}],
                   "upstreams": {"app": {"max_idle_connections": 16}},
                   "timeouts": {"keep_alive": keep_alive}}
        if tls:
            authority = Authority(directory)
            changes["listeners"] = [{"address": "127.0.0.1:0", "tls": authority.listener()}]
            self._context = authority.context()
        self.is_tls = tls
        self.config = start.config(self.backend, changes)
        self.gate = start(self.backend, changes)

    def connect(self):
        if self.is_tls:
            return TlsClient(self.gate.address, self._context)
        return self.gate.connect()

    def used(self):
        """A connection that has had a request."""
        client = self.connect()
        assert client.request("GET", "/first").status == 200
        return client


@pytest.fixture(params=["plain", "tls"])
def site(request, start, tmp_path):
    return Site(start, request.param == "tls", tmp_path)


def test_an_idle_connection_serves_the_next_request(site):
    with site.used() as client:
        for number in range(2):
            time.sleep(PUT_ASIDE)
            assert client.request("GET", f"/{number}").status == 200
        assert client.request("GET", "/at-once").status == 200
    assert [r.target for r in site.backend.requests] == ["/first", "/0", "/1", "/at-once"]


def test_it_may_come_in_pieces_or_with_others_behind_it(site):
    with site.used() as client:
        time.sleep(PUT_ASIDE)
        for byte in render("GET", "/pieces", {}):
            client.send(bytes([byte]))
        assert client.read_response().status == 200
        time.sleep(PUT_ASIDE)
        client.send(render("POST", "/a", {"Content-Length": "5"}) + b"hello" +
                    render("GET", "/b", {}))
        assert [client.read_response("POST").status, client.read_response().status] == [200, 200]
    assert [r.target for r in site.backend.requests] == ["/first", "/pieces", "/a", "/b"]


def test_being_put_aside_adds_nothing_to_keep_alive(site):
    with site.used() as client:
        began = time.monotonic()
        assert client.is_closed(4 + 5 * SLOW)
        assert time.monotonic() - began > 3.5


def test_it_ends_with_the_process(site):
    clients = [site.used() for _ in range(20)]
    time.sleep(PUT_ASIDE)
    site.gate.stop()
    assert all(client.is_closed(1) for client in clients)
    assert "cutting what is left" not in site.gate.stderr()


def test_a_client_that_leaves_is_forgotten(site):
    clients = [site.used() for _ in range(20)]
    time.sleep(PUT_ASIDE)
    for client in clients[:10]:
        client.close()
    for client in clients[10:]:
        client.abort()

    def open_connections():
        text = site.gate.request("GET", "/metrics", role="health").body.decode()
        return float([line.split()[1] for line in text.splitlines()
                      if line.startswith("gatehouse_connections ")][0])
    site.gate.wait_for(lambda: open_connections() == 0, "their end")


def test_a_reload_reaches_it(site):
    """Its next request is served by the new configuration."""
    with site.used() as client:
        time.sleep(PUT_ASIDE)
        site.gate.write_config({**site.config, "routes": [{"path": "/**"}]})
        site.gate.signal(signal.SIGHUP)
        site.gate.wait_for_log("reloaded")
        assert client.request("GET", "/second", {"Accept": "application/json"}).status == 401


@pytest.mark.parametrize("tls, each", [(False, 2), (True, 20)])
def test_many_of_them_cost_little(start, tmp_path, tls, each, figure):
    """Also where all of them were busy at the same time: what that took goes back."""
    needs_plain_program()
    site = Site(start, tls, tmp_path, "5m")
    warm = [site.used() for _ in range(50)]
    before = site.gate.memory_kib("RssAnon")
    clients = [site.connect() for _ in range(400)]
    for client in clients:
        client.send(render("GET", "/x", {}))
    for client in clients:
        assert client.read_response().status == 200
    site.gate.wait_for(lambda: site.gate.memory_kib("RssAnon") - before < each * 400,
                       f"less than {each} KiB for each")
    kind = "TLS" if tls else "plain"
    figure(f"400 idle {kind} connections, busy at the same time before: "
           f"{(site.gate.memory_kib('RssAnon') - before) / 400:.1f} KiB each")
    for client in clients + warm:
        client.close()
