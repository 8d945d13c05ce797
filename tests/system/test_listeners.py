"""Listeners over reload: what stays is not closed, what is new opens, what goes is emptied
first."""

import signal
import threading

from support.certificates import Authority, TlsClient
from support.client import Client
from support.gate import LISTENING


def reload(gate, config, times=1):
    gate.write_config(config)
    gate.signal(signal.SIGHUP)
    gate.wait_for_log("reloaded the configuration", times)


def addresses_in(gate):
    return [address for address, role in LISTENING.findall(gate.stderr()) if role == "listener"]


def port_of(text):
    return ("127.0.0.1", int(text.rsplit(":", 1)[1]))


def test_listeners_come_and_go_with_a_reload(start, tmp_path):
    backend = start.backend()
    socket_file = tmp_path / "gate.sock"
    gate = start(backend, {"listeners": [{"address": "127.0.0.1:0"},
                                         {"address": f"unix:{socket_file}"}]})
    bearer = gate.bearer()
    with gate.connect() as kept, Client(str(socket_file)) as leaving:
        assert kept.request("GET", "/x", bearer).status == 200
        assert leaving.request("GET", "/x", bearer).status == 200
        other = tmp_path / "other.sock"
        reload(gate, start.config(backend, {"listeners": [{"address": "127.0.0.1:0"},
                                                          {"address": f"unix:{other}"}]}))
        gate.wait_for(other.exists, "the new socket")
        gate.wait_for(lambda: not socket_file.exists(), "the end of the old socket")
        with Client(str(other)) as client:
            assert client.request("GET", "/x", bearer).status == 200
        assert kept.request("GET", "/x", bearer).status == 200, "it was never closed"
        assert leaving.is_closed(), "an idle connection of a listener that is gone ends"
    assert gate.get("/x", bearer).status == 200


def test_an_answer_under_way_survives_its_listener(start, tmp_path):
    backend = start.backend()
    socket_file = tmp_path / "gate.sock"
    go_on = threading.Event()

    def script(exchange):
        exchange.read_body()
        exchange.wait(go_on, 20)
        exchange.reply(200, b"done")
    backend.on("/slow", script)
    gate = start(backend, {"listeners": [{"address": "127.0.0.1:0"},
                                         {"address": f"unix:{socket_file}"}]})
    bearer = gate.bearer()
    with Client(str(socket_file)) as client:
        backend.arrived.clear()
        client.send(b"GET /slow HTTP/1.1\r\nHost: a\r\nAuthorization: "
                    + bearer["Authorization"].encode() + b"\r\n\r\n")
        assert backend.arrived.wait(10)
        reload(gate, start.config(backend))
        gate.wait_for(lambda: not socket_file.exists(), "the end of the old socket")
        go_on.set()
        answer = client.read_response()
        assert answer.status == 200 and answer.body == b"done"
        assert answer.get("Connection") == "close"


def test_what_waits_in_the_queue_of_a_listener_that_goes_is_served(start, tmp_path):
    backend = start.backend()
    socket_file = tmp_path / "gate.sock"
    gate = start(backend, {"listeners": [{"address": "127.0.0.1:0"},
                                         {"address": f"unix:{socket_file}"}]})
    bearer = gate.bearer()
    gate.signal(signal.SIGSTOP)
    waiting = [Client(str(socket_file)) for _ in range(300)]
    gate.write_config(start.config(backend))
    gate.signal(signal.SIGHUP)
    gate.signal(signal.SIGCONT)
    gate.wait_for(lambda: not socket_file.exists(), "the end of the old socket")
    served = 0
    for client in waiting:
        try:
            served += client.request("GET", "/x", bearer).status == 200
        finally:
            client.close()
    assert served == 300


def test_an_address_that_cannot_be_had_changes_nothing(start, tmp_path):
    backend = start.backend()
    taken = start.backend()
    gate = start(backend)
    bearer = gate.bearer()
    gate.write_config(start.config(backend, {
        "listeners": [{"address": "127.0.0.1:0"}, {"address": f"127.0.0.1:{taken.port}"}],
        "limits": {"request_body": "1KiB"}}))
    gate.signal(signal.SIGHUP)
    gate.wait_for_log("reload refused")
    assert "Address already in use" in gate.stderr()
    assert gate.request("POST", "/x", bearer, b"x" * 5_000).status == 200
    gate.write_config(start.config(backend, {
        "listeners": [{"address": "127.0.0.1:0",
                       "tls": {"certificate_file": "no.crt", "key_file": "no.key"}}]}))
    gate.signal(signal.SIGHUP)
    gate.wait_for_log("reload refused", 2)
    assert gate.get("/x", bearer).status == 200


def test_a_listener_turns_to_tls_where_it_is(start, tmp_path):
    backend = start.backend()
    authority = Authority(tmp_path)
    gate = start(backend)
    bearer = gate.bearer()
    with gate.connect() as plain:
        assert plain.request("GET", "/x", bearer).status == 200
        reload(gate, start.config(backend, {
            "listeners": [{"address": "127.0.0.1:0", "tls": authority.listener()}]}))

        def speaks_tls():
            try:
                with TlsClient(gate.address, authority.context()) as client:
                    return client.request("GET", "/x", bearer).status == 200
            except OSError:
                return False
        gate.wait_for(speaks_tls, "TLS")
        assert plain.request("GET", "/x", bearer).status == 200, "its connections stay as they were"
