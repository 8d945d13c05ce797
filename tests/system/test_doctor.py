"""gatehouse doctor: each thing that usually goes wrong is found, and said how to mend."""

import socket
import subprocess
from pathlib import Path

import pytest
import yaml

from support.backend import Backend
from support.faults import needs_plain_program
from support.gate import BINARY, ROOT, USERS, merge
from support.redis import Redis, missing_tools


def doctor(directory, config, users=USERS):
    (directory / "gatehouse.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    users_file = directory / "users.yaml"
    users_file.write_text(yaml.safe_dump({"users": users}))
    users_file.chmod(0o640)
    result = subprocess.run([BINARY, "doctor", "-c", "gatehouse.yaml"], cwd=directory,
                            capture_output=True, text=True, timeout=120)
    assert result.stderr == ""
    return result.returncode, result.stdout


@pytest.fixture
def healthy(start):
    """A configuration without fault, of which each test spoils one thing."""
    return start.config(start.backend(), {"external_url": "https://app.example.com"})


def weighed(output, weight, *words):
    lines = [line for line in output.splitlines() if line.startswith(weight)]
    found = [line for line in lines if all(word in line for word in words)]
    assert found, output
    at = output.splitlines().index(found[0])
    if weight != "ok":
        assert output.splitlines()[at + 1].startswith("      to mend it: "), output
    return found[0]


def test_a_healthy_one(healthy, tmp_path):
    code, output = doctor(tmp_path, healthy)
    assert code == 0 and "FAIL" not in output, output
    weighed(output, "ok", "cannot be reached past Gatehouse")
    weighed(output, "ok", "keys are strong enough")
    assert output.splitlines()[-1].startswith("0 broken, ")


def test_every_problem_of_a_bad_file(healthy, tmp_path):
    code, output = doctor(tmp_path, merge(healthy, {"workers": -1, "typo": 1}))
    assert code == 1
    weighed(output, "FAIL", "workers")
    weighed(output, "FAIL", "typo")


class OpenBackend(Backend):
    """Listens on all addresses, as applications like to do."""

    def __init__(self):
        super().__init__()
        self.stop()

        self.socket = socket.create_server(("0.0.0.0", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"


def has_address():
    result = subprocess.run(["hostname", "-I"], capture_output=True, text=True)
    return bool(result.stdout.strip())


@pytest.mark.skipif(not has_address(), reason="this machine has no address but loopback")
def test_an_application_that_can_be_reached_past_gatehouse(healthy, tmp_path):
    backend = OpenBackend()
    try:
        code, output = doctor(tmp_path,
                              merge(healthy, {"upstreams": {"app": {"endpoints": [backend.url]}}}))
    finally:
        backend.socket.close()
    assert code == 1
    weighed(output, "FAIL", "goes past Gatehouse")
    assert "listen on 127.0.0.1 only" in output


def test_an_application_that_is_not_there(healthy, tmp_path):
    code, output = doctor(tmp_path, merge(healthy, {"upstreams": {"app": {
        "endpoints": ["http://127.0.0.1:1"]}}}))
    assert code == 0
    weighed(output, "warn", "does not answer")


def test_an_application_elsewhere(healthy, tmp_path):
    _, output = doctor(tmp_path, merge(healthy, {"upstreams": {"app": {
        "endpoints": ["http://192.0.2.1:3000"]}}}))
    weighed(output, "warn", "others may reach it")


def test_files_that_others_can_read_or_change(healthy, tmp_path, keys):
    secret = tmp_path / "refresh.key"
    secret.write_bytes(keys.refresh.read_bytes())
    secret.chmod(0o644)
    config = merge(healthy, {"tokens": {"refresh": {
        "keys": [{"kid": "r", "secret_file": str(secret)}]}}})
    code, output = doctor(tmp_path, config)
    assert code == 0
    weighed(output, "warn", "tokens.refresh.keys[0].secret_file", "read by everybody")
    assert f"chmod o= {secret}" in output
    secret.chmod(0o666)
    code, output = doctor(tmp_path, config)
    assert code == 1
    weighed(output, "FAIL", "can be changed by everybody")


def test_keys_that_are_weak(healthy, tmp_path, keys):
    secret = tmp_path / "refresh.key"
    secret.write_text("abcabcabcabcabcabcabcabcabcabcabcabcabc")
    secret.chmod(0o600)
    code, output = doctor(tmp_path, merge(healthy, {"tokens": {
        "access": {"keys": [keys.config("RS256", "rsa")]},
        "refresh": {"keys": [{"kid": "r", "secret_file": str(secret)}]}}}))
    assert code == 1
    weighed(output, "FAIL", "looks typed or repeated")
    weighed(output, "warn", "RSA key of 2048 bits")


@pytest.mark.parametrize("days, weight, words", [
    (-1, "FAIL", "ended on"), (5, "warn", "ends on"), (300, "ok", "is valid until")])
def test_certificate_dates(healthy, tmp_path, keys, days, weight, words):
    certificate = tmp_path / "idp.pem"
    request = tmp_path / "request.pem"
    key = str(keys.private("ES256", "idp"))
    subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=idp.example.com",
                    "-out", str(request)], check=True, capture_output=True)
    subprocess.run(["openssl", "x509", "-req", "-in", str(request), "-signkey", key,
                    "-days", str(days), "-out", str(certificate)], check=True,
                   capture_output=True)
    code, output = doctor(tmp_path, merge(healthy, {"tokens": {"trusted_issuers": [
        {"issuer": "https://idp.example.com", "audience": ["app"], "subject_prefix": "idp:",
         "keys": [{"kid": "k", "algorithm": "ES256", "public_key_file": str(certificate)}]}]}}))
    weighed(output, weight, "the certificate of idp.example.com", words)
    assert code == (1 if weight == "FAIL" else 0)


def test_cookies_that_do_not_fit(healthy, tmp_path):
    code, output = doctor(tmp_path, merge(healthy, {"cookies": {"domain": "other.example"}}))
    assert code == 1
    weighed(output, "FAIL", "does not contain external_url's host app.example.com")
    code, output = doctor(tmp_path, merge(healthy, {"cookies": {"domain": "example.com"}}))
    assert code == 0
    weighed(output, "ok", "cookies fit external_url")


def test_descriptors(healthy, tmp_path):
    _, output = doctor(tmp_path, merge(healthy, {"limits": {"connections": 10_000_000}}))
    weighed(output, "warn", "limits.connections is lowered")


# --- Redis

RIGHTS = next(line for line in (ROOT / "docs/redis.md").read_text().splitlines()
              if line.startswith("ACL SETUSER gatehouse ")).replace(">PASSWORD", ">secret").split()
FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
needs_redis = pytest.mark.skipif(missing_tools() != [], reason="redis-server is not installed")


@pytest.fixture
def redis(tmp_path):
    server = Redis(tmp_path / "redis")
    assert server.run(*RIGHTS) == "OK"
    yield server
    server.stop()


def with_redis(config, redis, **more):
    keys = {"url": f"redis://{redis.endpoint}", "username": "gatehouse", "password": "secret"}
    keys.update(more)
    return merge(config, {"store": {"kind": "redis", "redis": {
        name: value for name, value in keys.items() if value is not None}}})


@needs_redis
def test_redis_with_the_rights_of_the_documentation(healthy, tmp_path, redis):
    code, output = doctor(tmp_path, with_redis(healthy, redis))
    assert code == 0, output
    for words in ("answers", "may do what is needed", "clock agrees", "may not change the server"):
        weighed(output, "ok", "Redis", words)
    assert redis.run("KEYS", "*") == "", "nothing is left behind"


@needs_redis
def test_redis_without_a_right(healthy, tmp_path, redis):
    redis.run("ACL", "SETUSER", "gatehouse", "-xadd", "-eval")
    code, output = doctor(tmp_path, with_redis(healthy, redis))
    assert code == 1
    weighed(output, "FAIL", "may not run scripts")
    weighed(output, "FAIL", "may not write streams")


@needs_redis
def test_redis_with_too_many_rights_and_eviction(healthy, tmp_path, redis):
    redis.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    code, output = doctor(tmp_path, with_redis(healthy, redis, username=None, password=None))
    assert code == 0
    weighed(output, "warn", "may do more than it needs")
    weighed(output, "warn", "throws sessions away (allkeys-lru)")


@needs_redis
def test_redis_that_does_not_let_us_in(healthy, tmp_path, redis):
    code, output = doctor(tmp_path, with_redis(healthy, redis, password="wrong"))
    assert code == 1
    weighed(output, "FAIL", "Redis does not answer")


@needs_redis
@pytest.mark.skipif(FAKETIME == [], reason="faketime is not installed")
def test_redis_whose_clock_is_not_ours(healthy, tmp_path, redis, monkeypatch):
    needs_plain_program()
    monkeypatch.setenv("FAKETIME", "+1h")
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    monkeypatch.setenv("LD_PRELOAD", str(FAKETIME[0]))
    code, output = doctor(tmp_path, with_redis(healthy, redis))
    assert code == 1
    weighed(output, "FAIL", "its clock and ours differ by 3")
