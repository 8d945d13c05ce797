"""What a route does beside choosing: rewriting, cross-origin answers, rate limits."""

import pytest

from support.backend import response
from support.gate import merge

ORIGIN = "https://app.example.com"
PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT",
             "Access-Control-Request-Headers": "authorization"}

CONFIG = {"workers": 1, "trusted_proxies": ["127.0.0.1/32"], "routes": [
    {"path": "/cors/**", "cors": {"allow_origins": [ORIGIN, "https://*.example.org"],
                                  "allow_credentials": True, "expose_headers": ["X-Total"],
                                  "allow_headers": ["Authorization", "X-Thing"],
                                  "max_age": "5m"}},
    {"path": "/open/**", "access": "public", "cors": {"allow_origins": ["*"]}},
    {"path": "/admin/**", "require": {"groups": ["admins"]}},
    {"path": "/secret/*", "require": {"groups": ["admins"]}},
    {"path": "/v1/*/items/**", "rewrite": "/items/**"},
    {"path": "/of/*/file/*", "rewrite": "/files/*/by/*"},
    {"path": "/fixed", "access": "public", "rewrite": "/a/fixed/page"},
    {"path": "/sneaky/**", "access": "public", "rewrite": "/admin/**"},
    {"path": "/peek/*", "rewrite": "/secret/*"},
    {"path": "/user-rate", "rate_limit": {"rate": "2/1h"}},
    {"path": "/address-rate/**", "access": "public",
     "rate_limit": {"key": "address", "rate": "2/1h"}},
    {"path": "/token-rate", "name": "by \"name\"",
     "rate_limit": {"key": "address", "rate": "3/1h"}},
    {"path": "/spelled-rate", "access": "public", "rate_limit": {"key": "route", "rate": "2/1h"}},
    {"path": "/all-rate", "access": "public", "rate_limit": {"key": "route", "rate": "2/1h"},
     "cors": {"allow_origins": [ORIGIN]}},
    {"path": "/soon", "access": "public", "rate_limit": {"key": "route", "rate": "5/1s",
                                                         "burst": 1}},
]}


def cors(response):
    return {n.lower(): v for n, v in response.headers
            if n.lower().startswith("access-control-") or n.lower() == "vary"}


# --- rewriting

@pytest.mark.parametrize("path, seen", [
    ("/v1/eu/items/1/2", "/items/1/2"), ("/v1/eu/items", "/items"), ("/v1/eu/items/", "/items/"),
    ("/of/7/file/8", "/files/7/by/8"), ("/v1/eu/items/%C3%A9?q=1&r=2", "/items/%C3%A9?q=1&r=2")])
def test_wildcards_are_put_in_their_places(gate, backend, path, seen):
    assert gate.get(path, gate.bearer()).status == 200
    assert backend.last().target == seen


def test_a_fixed_rewrite_asks_the_rule_of_its_target_too(gate, backend):
    """/a/fixed/page has no rule: it needs a token, whatever the rule that leads there says."""
    assert gate.get("/fixed").status == 401
    assert gate.get("/fixed", gate.bearer()).status == 200
    assert backend.last().target == "/a/fixed/page"


def test_what_the_application_will_see_is_matched_once_more(gate, backend):
    assert gate.get("/sneaky/x").status == 401
    assert gate.get("/sneaky/x", gate.bearer("bob")).status == 403
    assert gate.get("/peek/x", gate.bearer("bob")).status == 403
    assert not backend.requests
    assert gate.get("/sneaky/x", gate.bearer("alice")).status == 200
    assert backend.last().target == "/admin/x"


@pytest.mark.parametrize("path", ["/v1/eu/items/../x", "/v1/../items/x", "/v1/eu/items//x",
                                  "/v1/%2e%2e/items/x", "/v1/eu/items/%2e%2e/x"])
def test_no_rewritten_path_leaves_its_place(gate, backend, path):
    assert gate.get(path, gate.bearer()).status == 400
    assert not backend.requests


# --- cross-origin

def test_a_preflight_needs_no_token_and_reaches_nobody(gate, backend):
    answer = gate.request("OPTIONS", "/cors/x", PREFLIGHT)
    assert answer.status == 204
    assert not backend.requests
    found = {}
    for name, value in answer.headers:
        found.setdefault(name.lower(), []).append(value)
    assert found["access-control-allow-origin"] == [ORIGIN]
    assert found["access-control-allow-credentials"] == ["true"]
    assert "PUT" in found["access-control-allow-methods"][0]
    assert found["access-control-allow-headers"] == ["Authorization, X-Thing"]
    assert found["access-control-max-age"] == ["300"]
    assert "Origin" in ", ".join(found["vary"])


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://app.example.com",
                                    "https://app.example.com.evil.example",
                                    "https://evilexample.org"])
def test_a_preflight_of_another_origin_is_refused(gate, backend, origin):
    answer = gate.request("OPTIONS", "/cors/x", {**PREFLIGHT, "Origin": origin})
    assert answer.status == 403
    assert cors(answer) == {"vary": "Origin"}
    assert not backend.requests


def test_options_that_are_no_preflight_need_a_token(gate, backend):
    assert gate.request("OPTIONS", "/cors/x", {"Origin": ORIGIN}).status == 401
    no_origin = {"Access-Control-Request-Method": "GET"}
    assert gate.request("OPTIONS", "/cors/x", no_origin).status == 401
    assert gate.request("OPTIONS", "/other", PREFLIGHT).status == 401
    assert not backend.requests


def test_every_answer_says_who_may_read_it(gate, backend):
    """The application's, its failure, and our own refusals."""
    backend.on("/cors/gone", lambda exchange: exchange.close())
    headers = {**gate.bearer(), "Origin": ORIGIN}
    for path, sent, status in [("/cors/x", headers, 200), ("/cors/x", {"Origin": ORIGIN}, 401),
                               ("/cors/gone", headers, 502)]:
        answer = gate.get(path, sent)
        assert answer.status == status
        assert cors(answer) == {
            "access-control-allow-origin": ORIGIN, "access-control-allow-credentials": "true",
            "access-control-expose-headers": "X-Total", "vary": "Origin"}, path
    assert cors(gate.get("/cors/x", gate.bearer())) == {"vary": "Origin"}
    assert cors(gate.get("/cors/x", {**headers, "Origin": "https://evil.example"})) == {
        "vary": "Origin"}
    assert cors(gate.get("/cors/x", {**headers, "Origin": "https://a.b.example.org"}))[
        "access-control-allow-origin"] == "https://a.b.example.org"


def test_the_applications_own_fields_do_not_pass(gate, backend):
    backend.answer("/cors/x", response(200, b"x", [
        ("Access-Control-Allow-Origin", "*"), ("access-control-allow-credentials", "true"),
        ("Access-Control-Allow-Private-Network", "true"), ("Vary", "Accept, Origin"),
        ("X-Total", "3")]))
    answer = gate.get("/cors/x", {**gate.bearer(), "Origin": "https://evil.example"})
    assert cors(answer) == {"vary": "Accept, Origin"}
    assert answer.get("X-Total") == "3"
    backend.answer("/other", response(200, b"x", [("Access-Control-Allow-Origin", "*")]))
    assert cors(gate.get("/other", gate.bearer())) == {"access-control-allow-origin": "*"}


def test_everybody_may_read_an_open_rule(gate):
    for origin in (ORIGIN, "null", "https://evil.example"):
        assert cors(gate.get("/open/x", {"Origin": origin})) == {
            "access-control-allow-origin": "*"}


# --- rate limits

def test_a_users_requests_are_counted_whoever_else_comes(gate, backend):
    alice, bob = gate.bearer("alice"), gate.bearer("bob")
    assert [gate.get("/user-rate", alice).status for _ in range(4)] == [200, 200, 429, 429]
    assert [gate.get("/user-rate", bob).status for _ in range(3)] == [200, 200, 429]
    # The user, not the token.
    assert gate.get("/user-rate", gate.bearer("alice")).status == 429
    assert gate.get("/user-rate").status == 401, "nobody is counted who is nobody"
    assert len(backend.requests) == 4


def test_a_refusal_says_when_to_come_back(gate):
    for _ in range(2):
        gate.get("/all-rate")
    answer = gate.get("/all-rate", {"Origin": ORIGIN})
    assert answer.status == 429
    assert answer.json()["error"] == "rate_limited"
    assert 1700 <= int(answer.get("Retry-After")) <= 1800
    assert answer.get("RateLimit") == f'"/all-rate";r=0;t={answer.get("Retry-After")}'
    assert answer.get("RateLimit-Policy") == '"/all-rate";q=2;w=3600'
    assert answer.get("Cache-Control") == "no-store"
    assert cors(answer)["access-control-allow-origin"] == ORIGIN


def test_another_spelling_takes_from_the_same_bucket(gate, backend):
    """Many applications serve the same page there."""
    bearer = gate.bearer()
    statuses = [gate.get(path, bearer).status for path in (
        "/spelled-rate", "/SPELLED-rate", "/spelled-rate/", "/Spelled-Rate",
        "/spelled-rate")]
    assert statuses == [200, 200, 429, 429, 429]
    assert len(backend.requests) == 2


def test_addresses_are_counted_before_any_token_is_looked_at(gate):
    headers = {"Authorization": "Bearer nonsense"}
    assert [gate.get("/token-rate", headers).status for _ in range(5)] == [401] * 3 + [429] * 2
    assert gate.get("/token-rate", gate.bearer()).status == 429
    assert '"by \\"name\\""' in gate.get("/token-rate").get("RateLimit")


def test_an_ipv6_client_is_its_network_and_others_are_others(gate):
    def ask(address):
        return gate.get("/address-rate/x", {"X-Forwarded-For": address}).status
    assert [ask("2001:db8::1"), ask("2001:db8::2"), ask("2001:db8::3")] == [200, 200, 429]
    assert [ask("2001:db8:0:1::1"), ask("198.51.100.1"), ask("198.51.100.2")] == [200] * 3


def test_the_bucket_fills_again(gate):
    statuses = set()

    def both_seen():
        statuses.add(gate.get("/soon").status)
        return statuses == {200, 429}
    gate.wait_for(both_seen, "a refusal")
    gate.wait_for(lambda: gate.get("/soon").status == 200, "the next free place")


def test_counts_outlive_a_reload(start):
    backend = start.backend()
    limit = {"routes": [{"path": "/**", "access": "public",
                         "rate_limit": {"key": "route", "rate": "1/1h"}}]}
    gate = start(backend, limit)
    assert gate.get("/x").status == 200
    gate.write_config(start.config(backend, merge(limit, {"log": {"level": "debug"}})))
    gate.signal(1)
    gate.wait_for_log("reloaded the configuration")
    assert gate.get("/x").status == 429
