"""Keys of trusted issuers by URL: there before the first request, renewed without a word, and an
issuer that misbehaves is asked seldom and changes nothing (row G20)."""

import base64
import json
import subprocess
import threading
import time

import pytest

from support.backend import response
from support.certificates import Authority
from support.gate import SLOW
from support.jws import encode, good_claims
from support.metrics import Metrics


class Issuer:
    """Signs tokens with RSA keys and publishes them at a URL."""

    def __init__(self, start, keys, context=None):
        self.server = start.backend(context=context)
        self.keys = keys
        self.url = self.server.url + "/keys"

    def jwk(self, name, **more):
        modulus = subprocess.run(["openssl", "rsa", "-in", self.keys.private("RS256", name),
                                  "-noout", "-modulus"], check=True, capture_output=True,
                                 text=True)
        number = bytes.fromhex(modulus.stdout.strip().split("=")[1])
        return {"kty": "RSA", "kid": name, "use": "sig", "alg": "RS256", "e": "AQAB",
                "n": base64.urlsafe_b64encode(number).rstrip(b"=").decode(), **more}

    def publish(self, *keys, status=200):
        self.publish_raw(response(status, json.dumps({"keys": list(keys)}),
                                  [("Content-Type", "application/json")]))

    def publish_raw(self, data):
        self.server.answer("/keys", data, close=True)

    def bearer(self, name="k1", kid=None):
        header = {"alg": "RS256", "typ": "at+jwt", "kid": kid or name}
        text = f"{encode(header)}.{encode(good_claims())}"
        mac = subprocess.run(["openssl", "dgst", "-sha256", "-sign",
                              self.keys.private("RS256", name)], input=text.encode(), check=True,
                             capture_output=True).stdout
        return {"Authorization": f"Bearer {text}.{encode(mac)}"}

    def fetches(self):
        return len(self.server.at("/keys"))

    def config(self):
        return {"tokens": {"trusted_issuers": [
            {"issuer": "https://idp.example.com", "audience": ["app"], "subject_prefix": "idp:",
             "algorithms": ["RS256"], "keys": [{"jwks_url": self.url}]}]}}


@pytest.fixture
def issuer(start, keys):
    return Issuer(start, keys)


def test_keys_are_there_before_the_first_request(start, issuer):
    issuer.publish(issuer.jwk("k1"))
    gate = start(start.backend(), issuer.config())
    assert gate.get("/x", issuer.bearer()).status == 200
    assert gate.get("/x", issuer.bearer("k2", kid="k1")).status == 401
    assert issuer.server.last().get("Host") == issuer.server.url.split("//")[1]


def test_metrics_tell_how_the_keys_are(start, issuer):
    issuer.publish(issuer.jwk("k1"), issuer.jwk("k2"))
    gate = start(start.backend(), issuer.config())

    def value(name, **labels):
        text = gate.request("GET", "/metrics", role="health").body.decode()
        return Metrics(text).value(f"gatehouse_jwks_{name}", url=issuer.url, **labels)
    assert value("keys") == 2 and value("fetches_total", result="ok") == 1
    assert abs(value("last_success_timestamp_seconds") - time.time()) < 60 * SLOW
    issuer.publish(status=500)
    assert gate.get("/x", issuer.bearer(kid="k9")).status == 401
    assert value("keys") == 2


def test_metrics_tell_of_keys_that_cannot_be_had(start, issuer):
    issuer.publish(status=500)
    gate = start(start.backend(), issuer.config(), ready=False)
    gate.wait_for(gate._is_listening, "the listening lines")

    def failed():
        text = gate.request("GET", "/metrics", role="health").body.decode()
        metrics = Metrics(text)
        assert metrics.value("gatehouse_jwks_keys") == 0
        return metrics.value("gatehouse_jwks_fetches_total", url=issuer.url, result="failed") >= 1
    gate.wait_for(failed, "the failure")


def test_readiness_waits_for_the_keys(start, issuer):
    go_on = threading.Event()

    def script(exchange):
        exchange.wait(go_on, 20 * SLOW)
        exchange.send(response(200, json.dumps({"keys": [issuer.jwk("k1")]})))
        exchange.close()
    issuer.server.on("/keys", script)
    gate = start(start.backend(), issuer.config(), ready=False)
    gate.wait_for(gate._is_listening, "the listening lines")
    gate.wait_for(lambda: gate.request("GET", "/readyz", role="health").status == 503, "503")
    assert b"keys" in gate.request("GET", "/readyz", role="health").body
    assert gate.try_login().status == 200, "our own users need no other's keys"
    go_on.set()
    gate.wait_for(lambda: gate.readiness() == 200, "readiness")
    assert gate.get("/x", issuer.bearer()).status == 200


def test_over_verified_tls(start, keys, tmp_path):
    authority = Authority(tmp_path)
    issuer = Issuer(start, keys, authority.server_context())
    issuer.publish(issuer.jwk("k1"))
    gate = start(start.backend(), issuer.config(),
                 environment={"SSL_CERT_FILE": str(authority.file)})
    assert gate.get("/x", issuer.bearer()).status == 200
    gate.stop()
    gate = start(start.backend(), issuer.config(), ready=False)
    gate.wait_for(gate._is_listening, "the listening lines")
    gate.wait_for_log("certificate refused")
    assert gate.get("/x", issuer.bearer()).status == 401


def test_g20_unknown_kids_fetch_at_most_once_a_minute(start, issuer):
    issuer.publish(issuer.jwk("k1"))
    gate = start(start.backend(), issuer.config())
    good = issuer.bearer()
    head, payload, mac = good["Authorization"].split(" ")[1].split(".")
    with gate.connect() as client:
        for i in range(1_000):
            forged = encode({"alg": "RS256", "typ": "at+jwt", "kid": f"random-{i}"})
            answer = client.request("GET", "/x",
                                    {"Authorization": f"Bearer {forged}.{payload}.{mac}"})
            assert answer.status == 401
        assert client.request("GET", "/x", good).status == 200
    assert issuer.fetches() <= 2


@pytest.mark.parametrize("answer", [
    response(500, b"no"), response(302, b"", [("Location", "http://127.0.0.1:1/keys")]),
    response(200, b"x" * 10_000_000), response(200, b"{}"), response(200, b"not json"),
    response(200, b'{"keys": []}'), b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
], ids=["500", "redirect", "10-MiB", "no-keys", "no-json", "empty", "cut"])
def test_g20_a_bad_answer_is_no_key_set(start, issuer, answer):
    issuer.publish_raw(answer)
    gate = start(start.backend(), issuer.config(), ready=False)
    gate.wait_for(gate._is_listening, "the listening lines")
    gate.wait_for_log("the keys of a trusted issuer could not be fetched")
    assert gate.readiness() == 503
    issuer.publish(issuer.jwk("k1"))
    gate.wait_for(lambda: gate.readiness() == 200, "the next try")
    assert gate.get("/x", issuer.bearer()).status == 200


def test_g20_private_and_doubled_keys_are_refused(start, issuer):
    for keys in ([issuer.jwk("k1", d="AQAB")], [issuer.jwk("k1"), issuer.jwk("k1")]):
        issuer.publish(*keys)
        gate = start(start.backend(), issuer.config(), ready=False)
        gate.wait_for(gate._is_listening, "the listening lines")
        gate.wait_for_log("the keys of a trusted issuer could not be fetched")
        assert gate.get("/x", issuer.bearer()).status == 401
        gate.stop()


def test_the_last_good_keys_outlive_a_reload_without_the_issuer(start, issuer):
    issuer.publish(issuer.jwk("k1"))
    backend = start.backend()
    gate = start(backend, issuer.config())
    assert gate.get("/x", issuer.bearer()).status == 200
    issuer.publish(status=500)
    gate.write_config(start.config(backend, {**issuer.config(), "limits": {"header_count": 99}}))
    gate.signal(1)
    gate.wait_for_log("reloaded the configuration")
    assert gate.get("/x", issuer.bearer()).status == 200
    assert gate.readiness() == 200
