"""/metrics of the running program: what happened is counted, by route and code, and nobody is
named."""

import shutil
import signal
import subprocess
import threading
import time

from support.backend import response
from support.client import render
from support.gate import PASSWORD, refreshed, spin
from support.metrics import Metrics

CONFIG = {"routes": [{"path": "/open/**", "access": "public", "name": "open"},
                     {"path": "/orders/**"}]}


def scrape(gate):
    answer = gate.request("GET", "/metrics", role="health")
    assert answer.status == 200
    assert answer.get("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    return Metrics(answer.body.decode())


def counted(gate, change, name, by, **labels):
    """Runs `change` and waits until the number has grown by exactly `by`."""
    before = scrape(gate).value(name, **labels)
    change()
    gate.wait_for(lambda: scrape(gate).value(name, **labels) >= before + by, f"{name} {labels}")
    assert scrape(gate).value(name, **labels) == before + by


def test_requests_by_route_and_code(gate, backend):
    backend.answer("/open/teapot", response(418, b"short and stout"))
    bearer = gate.bearer()
    name = "gatehouse_requests_total"
    counted(gate, lambda: gate.get("/open/teapot"), name, 1, route="open", code="418")
    counted(gate, lambda: gate.get("/orders/1", bearer), name, 1, route="/orders/**", code="200")
    counted(gate, lambda: gate.get("/orders/1"), name, 1, route="/orders/**", code="401")
    counted(gate, lambda: gate.get("/x", bearer), name, 1, route="default", code="200")
    counted(gate, lambda: gate.get("//x", bearer), name, 1, route="none", code="400")
    counted(gate, gate.login, name, 1, route="endpoint:login", code="200")
    counted(gate, lambda: gate.get("/orders/1", bearer),
            "gatehouse_upstream_duration_seconds_count", 1, upstream="app")


def test_sessions(gate):
    counted(gate, lambda: gate.login("bob"), "gatehouse_logins_total", 1, result="ok")
    counted(gate, lambda: gate.try_login("bob", "wrong"), "gatehouse_logins_total", 1,
            result="wrong_password")
    tokens = gate.login("bob")
    counted(gate, lambda: gate.refresh(tokens.refresh), "gatehouse_token_refresh_total", 1,
            outcome="rotated")
    counted(gate, lambda: gate.refresh("gh1.x"), "gatehouse_token_refresh_total", 1,
            outcome="malformed")
    counted(gate, lambda: gate.request("POST", "/logout", tokens.cookie(), b""),
            "gatehouse_sessions_revoked_total", 1, reason="logout")


def test_passwords_that_are_hashed(gate):
    counted(gate, lambda: gate.login("bob"), "gatehouse_hash_queue_duration_seconds_count", 1)
    assert scrape(gate).value("gatehouse_hash_queue_length") == 0


def test_passwords_that_are_not_hashed_in_time(start):
    """Forty logins that take two threads far longer than two seconds, whatever the machine: those
    that get no turn are told to come again, and are counted."""
    line = subprocess.run(["htpasswd", "-nbBC", "13", "dave", PASSWORD], check=True,
                          capture_output=True, text=True).stdout.strip()
    gate = start(start.backend(), users=[{"username": "dave",
                                          "password_hash": line.split(":", 1)[1]}])
    answers = spin([lambda: gate.try_login("dave")] * 40)
    refused = [answer for answer in answers if answer.status != 200]
    assert refused and {answer.status for answer in refused} == {503}
    assert all(answer.get("Retry-After") for answer in refused)
    now = scrape(gate)
    assert now.value("gatehouse_hash_queue_refused_total") == len(refused)
    assert now.value("gatehouse_hash_queue_duration_seconds_count") == 40 - len(refused)


def test_known_tokens(gate):
    bearer = gate.login().bearer()
    with gate.connect() as client:
        before = scrape(gate)
        for _ in range(3):
            assert client.request("GET", "/x", bearer).status == 200
    after = scrape(gate)
    for name, more in [("hits", 2), ("misses", 1)]:
        name = f"gatehouse_token_cache_{name}_total"
        assert after.value(name) - before.value(name) == more


def test_in_flight_and_connections(gate, backend):

    go_on = threading.Event()
    backend.on("/open/slow", lambda exchange: (exchange.wait(go_on), exchange.reply(200, b"ok")))
    with gate.connect() as client:
        client.send(render("GET", "/open/slow"))
        gate.wait_for(lambda: scrape(gate).value("gatehouse_requests_in_flight") == 1, "one")
        assert scrape(gate).value("gatehouse_connections") >= 1
        go_on.set()
        assert client.read_response().status == 200
    gate.wait_for(lambda: scrape(gate).value("gatehouse_requests_in_flight") == 0, "none")


def test_a_client_that_left_is_499(gate, backend):

    go_on = threading.Event()
    backend.on("/open/gone", lambda exchange: exchange.wait(go_on))

    def leave():
        backend.arrived.clear()
        client = gate.connect()
        client.send(render("GET", "/open/gone"))
        assert backend.arrived.wait(10)
        client.abort()
    counted(gate, leave, "gatehouse_requests_total", 1, route="open", code="499")
    go_on.set()
    blamed = scrape(gate).value("gatehouse_upstream_failures_total", reason="client_closed")
    assert blamed == 0, "that is not the application's fault"


def test_failures_of_the_application(gate, backend):
    backend.answer("/open/broken", b"HTTP/1.1 banana\r\n\r\n", close=True)
    counted(gate, lambda: gate.get("/open/broken"), "gatehouse_upstream_failures_total", 1,
            upstream="app", reason="upstream_bad_response")


def test_the_process_tells_about_itself(gate):
    now = scrape(gate)
    assert now.value("gatehouse_build_info") == 1 and now.value("gatehouse_workers") == 2
    assert now.value("gatehouse_ready") == 1
    assert now.value("gatehouse_config_last_reload_success") == 1
    assert now.value("process_resident_memory_bytes") > 1e6
    assert now.value("process_open_fds") > 5 and now.value("process_start_time_seconds") > 1e9


def test_nobody_is_named(gate):
    tokens = gate.login("alice")
    gate.try_login("not-a-user", "x")
    gate.refresh(refreshed(gate.refresh(tokens.refresh)))
    text = gate.request("GET", "/metrics", role="health").body.decode()
    for secret in ["alice", "not-a-user", tokens.claims()["sid"], "127.0.0.1:5", tokens.access,
                   tokens.refresh, PASSWORD]:
        assert secret not in text, secret


def test_promtool_takes_it(gate):
    """Where Prometheus is installed."""
    if shutil.which("promtool") is None:
        return
    gate.login()
    text = gate.request("GET", "/metrics", role="health").body
    result = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_counters_go_on_over_a_reload(start):

    gate = start(start.backend(), CONFIG)
    gate.get("/open/a")
    gate.wait_for(lambda: scrape(gate).value("gatehouse_requests_total", route="open") == 1, "one")
    gate.signal(signal.SIGHUP)
    gate.wait_for(lambda: scrape(gate).value("gatehouse_config_reloads_total", result="ok") == 1,
                  "the reload")
    gate.get("/open/a")
    gate.wait_for(lambda: scrape(gate).value("gatehouse_requests_total", route="open") == 2, "two")
    (gate.directory / "gatehouse.yaml").write_text("nonsense: true\n")
    gate.signal(signal.SIGHUP)
    gate.wait_for(lambda: scrape(gate).value("gatehouse_config_last_reload_success") == 0,
                  "the refusal")
    assert scrape(gate).value("gatehouse_config_reloads_total", result="refused") == 1
    assert gate.get("/open/a").status == 200


def test_connections_to_the_application(gate):
    gate.get("/x", gate.bearer())
    gate.wait_for(lambda: scrape(gate).value("gatehouse_upstream_connections", upstream="app") >= 1,
                  "the idle connection")
    assert scrape(gate).value("gatehouse_upstream_requests_pending", upstream="app") == 0


def test_endpoints_that_fail(start):
    good, bad = start.backend(), start.backend()
    bad.on("*", lambda exchange: exchange.reset())
    bad.on("/health", lambda exchange: exchange.reply(500))
    gate = start(good, {"routes": [{"path": "/open/**", "access": "public",
                                    "retry": {"attempts": 2}}], "workers": 1,
                        "upstreams": {"app": {
                            "endpoints": [good.url, bad.url], "ejection": {},
                            "health_check": {"path": "/health", "interval": "200ms"}}}})

    def healthy(backend):
        return scrape(gate).value("gatehouse_upstream_endpoint_healthy", upstream="app",
                                  endpoint=backend.url)
    for _ in range(4):
        assert gate.get("/open/x").status == 200
    gate.wait_for(lambda: healthy(good) == 1 and healthy(bad) == 0, "the health check")


def test_certificates(start, tmp_path, keys):
    certificate = tmp_path / "idp.pem"
    subprocess.run(["openssl", "req", "-new", "-x509", "-key", str(keys.private("ES256", "idp")),
                    "-subj", "/CN=idp", "-days", "10", "-out", str(certificate)], check=True,
                   capture_output=True)
    gate = start(start.backend(), {"tokens": {"trusted_issuers": [
        {"issuer": "https://idp.example.com", "audience": ["app"], "subject_prefix": "idp:",
         "keys": [{"kid": "k", "algorithm": "ES256", "public_key_file": str(certificate)}]}]}})
    end = scrape(gate).value("gatehouse_tls_cert_not_after_seconds", file=str(certificate))
    assert 9 * 86400 < end - time.time() <= 10 * 86400 + 60


def test_retries_and_ejections(start):
    backend, bad = start.backend(), start.backend()
    bad.on("*", lambda exchange: exchange.reset())
    gate = start(backend, {"routes": [{"path": "/open/**", "access": "public",
                                       "retry": {"attempts": 2}}], "workers": 1,
                           "upstreams": {"app": {
                               "endpoints": [backend.url, bad.url],
                               "ejection": {"consecutive_failures": 1}}}})
    for _ in range(4):
        assert gate.get("/open/x").status == 200
    now = scrape(gate)
    assert now.value("gatehouse_upstream_retries_total", upstream="app") >= 1
    assert now.value("gatehouse_upstream_ejections_total", upstream="app",
                     endpoint=bad.url) == 1
