"""X-Forwarded-* counts only from peers that the configuration names."""

import pytest

FORWARDED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https",
             "X-Forwarded-Host": "shop.example.com", "X-Forwarded-Port": "443"}


def test_nobody_is_trusted_by_default(gate, backend):
    """C01, C02: ours replace the client's."""
    gate.get("/x", {**gate.bearer(), **FORWARDED})
    seen = backend.last()
    assert seen.all("X-Forwarded-For") == ["127.0.0.1"]
    assert seen.all("X-Forwarded-Proto") == ["http"]
    assert seen.all("X-Forwarded-Host") == ["a"]


def test_an_untrusted_sender_is_logged_once_with_the_key_to_set(gate, backend):
    """The operator finds out why the scheme is wrong."""
    for _ in range(3):
        gate.get("/x", {**gate.bearer(), **FORWARDED})
    gate.wait_for_log("trusted_proxies")
    assert sum("trusted_proxies" in line for line in gate.stderr().splitlines()) <= 2, \
        "once, or once a worker"


@pytest.fixture(scope="module")
def behind(start_module):
    backend = start_module.backend()
    return start_module(backend, {"trusted_proxies": ["127.0.0.0/8"]}), backend


def test_a_trusted_proxy_is_believed(behind):
    gate, backend = behind
    gate.get("/x", {**gate.bearer(), **FORWARDED})
    seen = backend.last()
    assert seen.all("X-Forwarded-For") == ["203.0.113.9, 127.0.0.1"]
    assert seen.all("X-Forwarded-Proto") == ["https"]
    assert seen.all("X-Forwarded-Host") == ["shop.example.com"]
    assert seen.all("X-Forwarded-Port") == ["443"]


@pytest.mark.parametrize("chain, client", [
    ("203.0.113.9", "203.0.113.9"), ("203.0.113.9, 198.51.100.7", "198.51.100.7"),
    ("203.0.113.9, 127.0.0.5", "203.0.113.9"), ("2001:db8::1", "2001:db8::1"),
    ("evil, 203.0.113.9", "203.0.113.9")])
def test_the_client_is_the_last_untrusted_address(behind, chain, client):
    """From the right, past the proxies we know: what stands left of it anybody may have written."""
    gate, _ = behind
    path = "/chain/" + "".join(c if c.isalnum() else "-" for c in chain)
    gate.get(path, {**gate.bearer(), "X-Forwarded-For": chain})
    assert gate.wait_for_record(path=path)["client"] == client


@pytest.mark.parametrize("value", ["a", "", ",,,,", "999.999.999.999", "fe80::1%eth0", "\"",
                                   "127.0.0.1 evil", "::ffff:10.0.0.1", "," * 3000])
def test_unreadable_chains_fail_closed(behind, value):
    """No crash, no error page, and the login still needs its password (C03)."""
    gate, _ = behind
    assert gate.get("/x", {**gate.bearer(), "X-Forwarded-For": value}).status in (200, 400)
    assert gate.try_login("alice", "wrong", {"X-Forwarded-For": value}).status in (400, 401)


def test_https_in_front_makes_its_origin_ours(behind):
    """The scheme a trusted proxy names is part of our own origin."""
    gate, _ = behind
    headers = {"X-Forwarded-Proto": "https", "Host": "shop.example.com"}
    assert gate.try_login(headers={**headers, "Origin": "https://shop.example.com"}).status == 200
    assert gate.try_login(headers={**headers, "Origin": "https://evil.example"}).status == 403


def test_the_throttle_counts_real_addresses(start):
    gate = start(start.backend(), {
        "trusted_proxies": ["127.0.0.1/32"],
        "login": {"throttle": {"account_and_address": "2/2m", "account": "1000/1h",
                               "address": "1000/2m", "ban": "5m"}}})
    one, two = {"X-Forwarded-For": "203.0.113.1"}, {"X-Forwarded-For": "203.0.113.2"}
    assert [gate.try_login("alice", "x", one).status for _ in range(3)] == [401, 401, 429]
    assert gate.try_login(headers=two).status == 200, "alice from elsewhere gets in"
    assert gate.try_login(headers=one).status == 429
