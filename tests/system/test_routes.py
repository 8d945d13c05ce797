"""Which rule a request falls under and what it demands."""

import pytest

from support.gate import PASSWORD_HASH, claims

CONFIG = {"routes": [
    {"path": "/assets/**", "access": "public"},
    {"path": "/health", "access": "public", "methods": ["GET"]},
    {"path": "/admin/**", "methods": ["GET", "POST"], "require": {"groups": ["admins", "root"]}},
    {"path": "/orders/**", "require": {"scopes": ["orders:read"]}},
    {"path": "/both/**", "require": {"groups": ["admins"], "scopes": ["orders:write"]}},
    {"path": "/tenant/**", "require": {"claims": {"email": ["alice@example.com", "x@y.z"]}}},
    {"path": "/api/**", "strip_prefix": "/api"},
    {"path": "/old/**", "paths": "legacy"},
    {"path": "/users/*/photo", "access": "public"},
    {"path": "/split", "methods": ["GET"], "access": "public"},
    {"path": "/split", "methods": ["DELETE"], "require": {"groups": ["admins"]}},
    {"host": "api.example.com", "path": "/open/**", "access": "public"},
    {"path": "/rest/**", "methods": ["GET"], "access": "public"},
]}


@pytest.mark.parametrize("path, status", [
    ("/", 401), ("/anything", 401), ("/assets", 200), ("/assets/", 200), ("/assets/a/b.css", 200),
    ("/assetsx", 401), ("/users/7/photo", 200), ("/users/7/8/photo", 401), ("/users/photo", 401),
    ("/users//photo", 400), ("/health", 200), ("/health/", 401), ("/healthx", 401)])
def test_without_a_token(gate, backend, path, status):
    """Everything needs a token but what a public rule matches exactly."""
    response = gate.get(path)
    assert response.status == status
    assert len(backend.requests) == (status == 200)
    if status == 401:
        assert response.get("WWW-Authenticate").startswith("Bearer realm=")
        assert "error=" not in response.get("WWW-Authenticate"), "no token was shown"
        assert set(response.json()) == {"error", "message"}
        assert response.get("Cache-Control") == "no-store"


@pytest.mark.parametrize("token", ["x", "a.b.c", "e30.e30.", "gh1.AAAA"])
def test_a_bad_token_is_401_with_its_reason_code(gate, backend, token):
    response = gate.get("/x", {"Authorization": f"Bearer {token}"})
    assert response.status == 401
    assert 'error="invalid_token"' in response.get("WWW-Authenticate")
    assert not backend.requests


def test_a_bad_token_is_ignored_on_public_routes(gate, backend):
    assert gate.get("/assets/x", {"Authorization": "Bearer nonsense"}).status == 200
    assert not backend.last().all("Authorization")
    assert not backend.last().all("X-Forwarded-User")


def test_a_good_token_identifies_on_public_routes(gate, backend):
    assert gate.get("/assets/x", gate.bearer()).status == 200
    assert backend.last().all("X-Forwarded-User") == ["alice"]


@pytest.mark.parametrize("user, path, status", [
    ("alice", "/admin/x", 200), ("bob", "/admin/x", 403), ("carol", "/admin", 403),
    ("alice", "/orders/1", 200), ("bob", "/orders/1", 403), ("alice", "/both/x", 403),
    ("alice", "/tenant/x", 200), ("bob", "/tenant/x", 403), ("bob", "/other", 200)])
def test_requirements(gate, backend, user, path, status):
    assert gate.get(path, gate.bearer(user)).status == status
    assert len(backend.at(path)) == (status == 200)


def test_missing_scope_is_said_in_the_challenge(gate):
    response = gate.get("/orders/1", gate.bearer("bob"))
    assert response.status == 403
    assert 'error="insufficient_scope"' in response.get("WWW-Authenticate")


def test_requirements_need_a_token_first(gate):
    assert gate.get("/admin/x").status == 401


def test_methods_of_a_rule(gate, backend):
    """405 with Allow, whoever asks; the rule below is never tried."""
    bearer = gate.bearer()
    assert gate.request("POST", "/admin/x", bearer, b"").status == 200
    response = gate.request("DELETE", "/admin/x", bearer)
    assert response.status == 405
    allowed = {m.strip() for m in response.get("Allow").split(",")}
    assert {"GET", "POST"} <= allowed and "DELETE" not in allowed
    assert not [r for r in backend.requests if r.method == "DELETE"]


def test_methods_divide_neighbours_of_one_path(gate, backend):
    assert gate.get("/split").status == 200
    assert gate.request("DELETE", "/split").status == 401
    assert gate.request("DELETE", "/split", gate.bearer("bob")).status == 403
    assert gate.request("DELETE", "/split", gate.bearer("alice")).status == 200
    response = gate.request("PUT", "/split", gate.bearer(), b"")
    assert response.status == 405
    assert {"GET", "DELETE"} <= {m.strip() for m in response.get("Allow").split(",")}


def test_a_public_method_does_not_open_the_others(gate, backend):
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert gate.request(method, "/rest/x", {}, b"").status in (401, 405)
    assert not backend.requests


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "get", "LINK"])
def test_other_methods_are_never_forwarded(gate, backend, method):
    response = gate.request(method, "/assets/x")
    assert response.status in (400, 405, 501)
    assert not backend.requests


@pytest.mark.parametrize("host, status", [
    ("api.example.com", 200), ("API.Example.COM", 200), ("api.example.com.", 200),
    ("api.example.com:8443", 200), ("example.com", 401), ("xapi.example.com", 401),
    ("api.example.com.evil.org", 401), ("api.example.com, x", 400)])
def test_host_rules(gate, host, status):
    """One rule for every spelling of one host (B09)."""
    assert gate.get("/open/x", {"Host": host}).status == status


# --- strip_prefix

def test_strip_prefix(gate, backend):
    for path, seen in (("/api/x?q=1", "/x?q=1"), ("/api", "/"), ("/api/", "/"),
                       ("/api/a%20b", "/a%20b")):
        assert gate.get(path, gate.bearer()).status == 200
        assert backend.last().target == seen


@pytest.mark.parametrize("user, path, status", [
    ("bob", "/api/admin/x", 403), ("alice", "/api/admin/x", 200), (None, "/api/assets/x", 401),
    ("bob", "/api/assets/x", 200), ("bob", "/api/orders/1", 403)])
def test_stripped_path_is_matched_once_more(gate, backend, user, path, status):
    """The requirements of both rules hold, or the prefix would be a way around them (B04)."""
    headers = gate.bearer(user) if user else {}
    backend.requests.clear()
    assert gate.get(path, headers).status == status
    assert len(backend.requests) == (status == 200)


@pytest.mark.parametrize("path", ["/api//admin/x", "/api/../admin", "/api/%2fadmin",
                                  "/api/./admin"])
def test_stripped_path_must_be_canonical(gate, backend, path):
    bearer = gate.bearer("bob")
    backend.requests.clear()
    assert gate.get(path, bearer).status in (400, 403)
    assert not backend.requests


# --- legacy paths

@pytest.mark.parametrize("path", ["/old//a", "/old/a;v=1/b", "/old/a%2Fb", "/old/a%2fb", "/old/x"])
def test_legacy_paths_pass_unchanged(gate, backend, path):
    assert gate.get(path, gate.bearer()).status == 200
    assert backend.last().target == path


@pytest.mark.parametrize("path", [
    "/old/../x", "/old/%2e%2e/x", "/old/a%2F..%2Fb", "/old/a\\b", "/old/a%5Cb", "/old/a%00",
    "/old/..;/x", "/old;/../x", "/old/./x"])
def test_dot_segments_are_refused_on_legacy_routes_too(gate, backend, path):
    bearer = gate.bearer()
    backend.requests.clear()
    assert gate.get(path, bearer).status == 400
    assert not backend.requests


@pytest.mark.parametrize("path", ["//old/a", "/old%2Fa", "/assets//a", "/assets/a;b",
                                  "/assets/a%2Fb", "/admin//x", "/x//y", "/x;y"])
def test_legacy_forms_elsewhere_are_refused(gate, backend, path):
    bearer = gate.bearer()
    backend.requests.clear()
    assert gate.get(path, bearer).status == 400
    assert not backend.requests


# --- upstreams

def test_routes_choose_upstreams(start):
    first, second = start.backend(), start.backend()
    gate = start(first, {
        "upstreams": {"other": {"endpoints": [second.url]}},
        "routes": [{"path": "/other/**", "upstream": "other"}]})
    bearer = gate.bearer()
    assert gate.get("/other/x", bearer).status == gate.get("/x", bearer).status == 200
    assert [r.target for r in second.requests] == ["/other/x"]
    assert [r.target for r in first.requests] == ["/x"]


def test_claims_of_a_user_reach_the_rules(start):
    users = [{"username": "dora", "password_hash": PASSWORD_HASH, "claims": {"tenant": "north"}},
             {"username": "emil", "password_hash": PASSWORD_HASH, "claims": {"tenant": "south"}}]
    gate = start(start.backend(), {"routes": [{"path": "/n/**",
                                               "require": {"claims": {"tenant": "north"}}}]},
                 users=users)
    assert claims(gate.login("dora").access)["tenant"] == "north"
    assert gate.get("/n/x", gate.bearer("dora")).status == 200
    assert gate.get("/n/x", gate.bearer("emil")).status == 403
