"""TLS of listeners and towards applications: who is believed, what clients get, and that new
certificates come without anybody noticing."""

import os
import shutil
import socket
import ssl
import subprocess
import time

import pytest

from support.backend import response
from support.certificates import Authority, TlsClient
from support.client import Client, render
from support.gate import SLOW


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def listening(tls, **more):
    return {"listeners": [{"address": "127.0.0.1:0", "tls": tls, **more}]}


def login_over(gate, context, **more):
    with TlsClient(gate.address, context, **more) as client:
        body = b'{"username": "alice", "password": "correct horse battery staple"}'
        answer = client.request("POST", "/login", {"Content-Type": "application/json"}, body)
        assert answer.status == 200, answer.body
        return {"Authorization": "Bearer " + answer.json()["accessToken"]}


def is_turned_away(gate, context, **more):
    """No answer, whether the handshake failed or the connection ended behind it."""
    try:
        with TlsClient(gate.address, context, **more) as client:
            client.send(render("GET", "/", {}))
            return client.read_some() == b""
    except (OSError, ssl.SSLError):
        return True


def s_client(gate, *arguments, text=b""):
    host, port = gate.address
    done = subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}", *arguments],
                          input=text, capture_output=True, timeout=20 * SLOW)
    return (done.stdout + done.stderr).decode(errors="replace")


# --- listeners

def test_requests_over_tls_are_told_to_the_application(start, authority):
    backend = start.backend()
    gate = start(backend, listening(authority.listener()))
    context = authority.context()
    bearer = login_over(gate, context)
    with TlsClient(gate.address, context) as client:
        for _ in range(3):
            assert client.request("GET", "/x", bearer).status == 200
        answer = client.request("POST", "/up", bearer, b"b" * 300_000)
        assert answer.status == 200
        assert client.socket.version() == "TLSv1.3"
    seen = backend.at("/x")[0]
    assert seen.get("X-Forwarded-Proto") == "https"
    assert seen.get("X-Forwarded-Client-Cert") is None
    assert backend.at("/up")[0].body_length == 300_000


def test_a_large_answer_arrives_whole(start, authority):
    backend = start.backend()
    body = os.urandom(3_000_000)
    backend.answer("/big", response(200, body))
    gate = start(backend, listening(authority.listener()))
    context = authority.context()
    bearer = login_over(gate, context)
    with TlsClient(gate.address, context) as client:
        assert client.request("GET", "/big", bearer).body == body


def test_a_cut_answer_looks_cut(start, authority):
    """Neither a last chunk nor a close_notify: nothing that a client could take for the end."""
    backend = start.backend()
    backend.answer("/cut", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", close=True)
    gate = start(backend, listening(authority.listener()))
    context = authority.context()
    bearer = login_over(gate, context)
    with TlsClient(gate.address, context) as client:
        client.socket.suppress_ragged_eofs = False
        client.send(render("GET", "/cut", bearer))
        with pytest.raises((ssl.SSLEOFError, ConnectionResetError, ssl.SSLError)):
            while client.socket.recv(4096):
                pass


def test_the_name_chooses_the_certificate(start, authority):
    names = {"a.example": "DNS:a.example", "wild": "DNS:*.b.example", "localhost": "DNS:localhost"}
    certificates = []
    for name, alternative in names.items():
        certificate, key = authority.issue(name, alternative)
        certificates.append({"certificate_file": str(certificate), "key_file": str(key)})
    gate = start(start.backend(), listening({"certificates": certificates}))
    context = authority.context()
    for asked in ("a.example", "A.example", "x.b.example", "localhost"):
        with TlsClient(gate.address, context, name=asked) as client:
            assert client.request("GET", "/x").status == 401
    for asked in ("b.example", "x.y.b.example", "other.example"):
        output = s_client(gate, "-servername", asked)
        assert "subject=CN = a.example" in output, "the first certificate is for all others"


def test_old_versions_and_other_protocols_are_refused(start, authority):
    gate = start(start.backend(), listening(authority.listener(min_version="1.3")))
    context = authority.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert is_turned_away(gate, context)
    for version in ("-tls1", "-tls1_1"):
        assert "Cipher is (NONE)" in s_client(gate, version, "-cipher", "ALL:@SECLEVEL=0")
    context = authority.context()
    context.set_alpn_protocols(["h2"])
    assert is_turned_away(gate, context)
    context = authority.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with TlsClient(gate.address, context) as client:
        assert client.socket.selected_alpn_protocol() == "http/1.1"


def test_plain_text_on_a_tls_listener_is_closed(start, authority):
    gate = start(start.backend(), listening(authority.listener()))
    with Client(gate.address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert not client.read_to_end().startswith(b"HTTP/")
    gate.wait_for_log("a TLS handshake failed")
    line, = [line for line in gate.log() if line["message"] == "a TLS handshake failed"]
    assert line["client"] == "127.0.0.1" and "http request" in line["reason"]


def test_a_flood_of_failed_handshakes_fills_no_log(start, authority):
    gate = start(start.backend(), {**listening(authority.listener()), "workers": 1})
    Client(gate.address).close()  # a probe that says nothing is not worth a line
    began = time.monotonic()
    for _ in range(100):
        with Client(gate.address) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            client.read_to_end()
    gate.wait_for_log("a TLS handshake failed")
    lines = sum("a TLS handshake failed" in line for line in gate.stderr().splitlines())
    assert lines <= time.monotonic() - began + 2


def test_a_stapled_answer_is_sent_or_missed_with_a_warning(start, authority, tmp_path):
    tls = authority.listener()
    certificate = tls["certificate_file"]
    index = tmp_path / "index.txt"
    serial = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-serial"],
                            check=True, capture_output=True, text=True).stdout.split("=")[1].strip()
    index.write_text(f"V\t300101000000Z\t\t{serial}\tunknown\t/CN=localhost\n")
    answer = tmp_path / "ocsp.der"
    subprocess.run(["openssl", "ocsp", "-index", index, "-CA", authority.file, "-rsigner",
                    authority.file, "-rkey", authority.file.with_suffix(".key"), "-issuer",
                    authority.file, "-cert", certificate, "-ndays", "1", "-respout", answer],
                   check=True, capture_output=True)
    gate = start(start.backend(), listening({**tls, "ocsp_file": str(answer)}))
    assert "OCSP Response Status: successful" in s_client(gate, "-status")
    gate.stop()
    answer.write_bytes(b"nothing")
    gate = start(start.backend(), listening({**tls, "ocsp_file": str(answer)}))
    assert "no response sent" in s_client(gate, "-status")
    gate.wait_for_log("is no OCSP answer")


# --- sessions (L07)

def session_of(gate, context):
    with TlsClient(gate.address, context) as client:
        client.request("GET", "/x")  # TLS 1.3 brings the ticket with the first data
        return client.socket.session


def is_resumed(gate, context, session):
    with TlsClient(gate.address, context, session=session) as client:
        client.request("GET", "/x")
        return client.socket.session_reused


def test_sessions_are_resumed_across_reloads_and_replicas(start, authority, tmp_path):
    keys = tmp_path / "tickets"
    keys.write_bytes(os.urandom(80))
    changes = listening(authority.listener(ticket_key_files=[str(keys)]))
    first, second = start(start.backend(), changes), start(start.backend(), changes)
    context = authority.context()
    session = session_of(first, context)
    assert is_resumed(first, context, session)
    assert is_resumed(second, context, session), "replicas that share the file"


def test_l07_a_session_of_one_listener_is_nothing_to_another(start, authority, tmp_path):
    """Even where they share the keys of their tickets: one of them asks for a certificate."""
    keys = tmp_path / "tickets"
    keys.write_bytes(os.urandom(48))
    tls = authority.listener(ticket_key_files=[str(keys)])
    open_gate = start(start.backend(), listening(tls))
    guarded = start(start.backend(), listening({**tls, "client_ca_file": str(authority.file)}))
    context = authority.context()
    session = session_of(open_gate, context)
    assert is_turned_away(guarded, context, session=session)
    context = authority.context(authority.issue("somebody"))
    session = session_of(open_gate, context)
    assert not is_resumed(guarded, context, session)


# --- a hostile client (L08)

def test_l08_a_client_hello_byte_by_byte_is_understood(start, authority):
    gate = start(start.backend(), listening(authority.listener()))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    machine = authority.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with Client(gate.address) as client:
        while True:
            try:
                machine.do_handshake()
                break
            except ssl.SSLWantReadError:
                client.send_bytewise(outgoing.read())
                incoming.write(client.socket.recv(65536))
        client.send_bytewise(outgoing.read())
        machine.write(render("GET", "/x", {}))
        client.send_bytewise(outgoing.read())
        incoming.write(client.socket.recv(65536))
        text = b""
        while b"401" not in text:
            try:
                text += machine.read(4096)
            except ssl.SSLWantReadError:
                incoming.write(client.socket.recv(65536))


@pytest.mark.parametrize("bytes_sent", [
    b"\x15\x03\x01\x00\x02\x01\x00",                     # close_notify before anything else
    b"\x16\x03\x01\xff\xff",                             # a record of 64 KiB
    b"\x17\x03\x03\x00\x01a",                            # data before the handshake
    b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03",         # a ClientHello of one byte
    b"\x80\x2e\x01\x00\x02" + b"\0" * 64,                # SSL 2
], ids=["close_notify", "huge", "early-data", "short", "sslv2"])
def test_l08_what_is_no_handshake_is_closed(start, authority, bytes_sent):
    gate = start(start.backend(), listening(authority.listener()))
    with Client(gate.address) as client:
        client.send(bytes_sent)
        assert len(client.read_to_end()) < 100
    assert not is_turned_away(gate, authority.context())


def test_l08_renegotiation_ends_the_connection(start, authority):
    gate = start(start.backend(), listening(authority.listener()))
    output = s_client(gate, "-tls1_2", text=b"R\n")
    assert "RENEGOTIATING" in output
    assert "HTTP/1.1" not in output


def test_x18_a_handshake_that_stalls_is_closed_in_time(start, authority, figure):
    gate = start(start.backend(), {**listening(authority.listener()),
                                   "timeouts": {"tls_handshake": "500ms"}})
    stalled = []
    for _ in range(200):
        client = Client(gate.address)
        client.send(b"\x16\x03\x01\x02\x00\x01")
        stalled.append(client)
    assert not is_turned_away(gate, authority.context()), "good clients are served meanwhile"
    began = time.monotonic()
    for client in stalled:
        assert client.is_closed(5 * SLOW)
        client.close()
    figure(f"200 stalled handshakes closed within {0.5 + time.monotonic() - began:.1f} s (0.5 s)")


# --- client certificates

def test_a_client_certificate_reaches_rules_and_application(start, authority):
    backend = start.backend()
    own = authority.issue("device one", "DNS:device.example,URI:spiffe://example/device")
    changes = {**listening(authority.listener(client_ca_file=str(authority.file))),
               "routes": [{"path": "/one/**",
                           "require": {"claims": {"client_certificate": ["CN=device one"]}}},
                          {"path": "/two/**",
                           "require": {"claims": {"client_certificate": ["CN=device two"]}}}]}
    gate = start(backend, changes)
    assert is_turned_away(gate, authority.context()), "a certificate is required"
    stranger = Authority(authority.directory, "stranger")
    context = authority.context(stranger.issue("device one"))
    assert is_turned_away(gate, context)
    context = authority.context(own)
    bearer = login_over(gate, context)
    with TlsClient(gate.address, context) as client:
        forged = {**bearer, "X-Forwarded-Client-Cert": "Hash=0;Subject=\"CN=admin\""}
        assert client.request("GET", "/one/x", forged).status == 200
        assert client.request("GET", "/two/x", bearer).status == 403
    values = backend.at("/one/x")[0].all("X-Forwarded-Client-Cert")
    assert len(values) == 1
    assert values[0].startswith("Hash=") and "admin" not in values[0]
    assert values[0].endswith(';Subject="CN=device one";DNS=device.example;'
                              'URI=spiffe://example/device')


def test_an_optional_certificate_may_be_missing_but_not_wrong(start, authority):
    backend = start.backend()
    gate = start(backend, listening(authority.listener(client_ca_file=str(authority.file),
                                                       client_auth="optional")))
    context = authority.context()
    bearer = login_over(gate, context)
    with TlsClient(gate.address, context) as client:
        assert client.request("GET", "/x", {**bearer, "X-Forwarded-Client-Cert": "By=me"}
                              ).status == 200
    assert backend.at("/x")[0].get("X-Forwarded-Client-Cert") is None
    stranger = Authority(authority.directory, "stranger2")
    assert is_turned_away(gate, authority.context(stranger.issue("x")))


# --- new certificates

def serial_of(gate, context):
    with TlsClient(gate.address, context) as client:
        return client.socket.getpeercert()["serialNumber"]


def test_certificates_are_re_read_and_nobody_notices(start, authority, tmp_path):
    """As Kubernetes does it: a directory behind a symlink that is switched."""
    for generation in ("one", "two"):
        directory = tmp_path / generation
        directory.mkdir()
        certificate, key = authority.issue(f"generation {generation}")
        shutil.copy(certificate, directory / "tls.crt")
        shutil.copy(key, directory / "tls.key")
    (tmp_path / "..data").symlink_to("one")
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    gate = start(start.backend(), listening({"certificate_file": str(tmp_path / "tls.crt"),
                                             "key_file": str(tmp_path / "tls.key")}))
    context = authority.context()
    bearer = login_over(gate, context)
    before = serial_of(gate, context)
    with TlsClient(gate.address, context) as kept:
        assert kept.request("GET", "/x", bearer).status == 200
        (tmp_path / "next").symlink_to("two")
        (tmp_path / "next").replace(tmp_path / "..data")
        gate.wait_for_log("re-read the certificates")
        gate.wait_for(lambda: serial_of(gate, context) != before, "the new certificate")
        assert kept.request("GET", "/x", bearer).status == 200, "the connection goes on"
    (tmp_path / "two" / "tls.crt").write_text("broken")
    gate.wait_for_log("the new certificates cannot be used")
    assert serial_of(gate, context) != before, "the last good one stays"


def test_what_cannot_be_read_is_said_at_start_and_by_check(start, authority, tmp_path):
    tls = {"certificate_file": "missing.crt", "key_file": "missing.key"}
    gate = start(start.backend(), listening(tls), ready=False)
    gate.join(expect=1)
    assert "listeners[0].tls.certificate_file" in gate.stderr()
    check = start.run(gate.directory, ["check", "--config", "gatehouse.yaml"], ready=False)
    check.join(expect=1)
    assert "missing.crt: No such file or directory" in check.stderr() + check.stdout()


# --- towards the application

def upstream(authority, backend, **tls):
    return {"upstreams": {"app": {"endpoints": [backend.url],
                                  "tls": {"ca_file": str(authority.file), **tls}}}}


def test_an_application_behind_tls(start, authority):
    backend = start.backend(context=authority.server_context())
    gate = start(backend, upstream(authority, backend))
    bearer = gate.bearer()
    body = os.urandom(1_000_000)
    backend.answer("/big", response(200, body))
    with gate.connect() as client:
        for _ in range(3):
            assert client.request("GET", "/x", bearer).status == 200
        assert client.request("GET", "/big", bearer).body == body
        assert client.request("POST", "/up", bearer, b"u" * 500_000).status == 200
    assert len({r.connection for r in backend.at("/x")}) == 1, "connections are kept"
    assert backend.at("/up")[0].body_length == 500_000


def test_an_application_with_another_name_is_not_believed(start, authority):
    backend = start.backend(context=authority.server_context("other", "DNS:other.example"))
    gate = start(backend, upstream(authority, backend))
    assert gate.get("/x", gate.bearer()).status == 502
    assert not backend.requests
    gate.stop()
    gate = start(backend, upstream(authority, backend, server_name="other.example"))
    assert gate.get("/x", gate.bearer()).status == 200


def test_an_application_of_a_stranger_is_not_believed(start, authority):
    stranger = Authority(authority.directory, "stranger3")
    backend = start.backend(context=stranger.server_context())
    gate = start(backend, upstream(authority, backend))
    assert gate.get("/x", gate.bearer()).status == 502
    assert not backend.requests


def test_the_application_may_ask_for_our_certificate(start, authority):
    context = authority.server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(str(authority.file))
    backend = start.backend(context=context)
    gate = start(backend, upstream(authority, backend))
    assert gate.get("/x", gate.bearer()).status == 502
    gate.stop()
    certificate, key = authority.issue("gatehouse")
    gate = start(backend, upstream(authority, backend, certificate_file=str(certificate),
                                   key_file=str(key)))
    assert gate.get("/x", gate.bearer()).status == 200


def test_l05_an_answer_before_the_handshake_reaches_nobody(start, authority):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10 * SLOW)
        backend = start.backend()
        changes = {"upstreams": {"app": {
            "endpoints": [f"https://127.0.0.1:{server.getsockname()[1]}"],
            "tls": {"ca_file": str(authority.file)}}}}
        gate = start(backend, changes)
        with gate.connect() as client:
            client.send(render("GET", "/x", gate.bearer()))
            injected, _ = server.accept()
            injected.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\ninjected")
            answer = client.read_response()
            injected.close()
        assert answer.status == 502
        assert b"injected" not in answer.body


def test_a_body_that_ends_without_notice_is_cut(start, authority):
    backend = start.backend(context=authority.server_context())

    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\n\r\nhalf of i")
        os.close(exchange.connection.socket.detach())
        exchange.close()
    backend.on("/half", script)
    gate = start(backend, upstream(authority, backend))
    with gate.connect() as client:
        client.send(render("GET", "/half", gate.bearer()))
        answer = client.read_response()
        assert not answer.complete
