"""Access tokens as an attacker would make them: each is refused with the same 401, and the backend
never hears of it. A trusted issuer with an HMAC secret stands for all, since its tokens can be made
here at will."""

import base64
import json
import time

import pytest

from support.gate import claims
from support.jws import encode, good_claims, sign

SECRET = b"0123456789abcdef-trusted-issuer-0123456789"
ISSUER = {"issuer": "https://idp.example.com", "audience": ["app"],
          "keys": [{"kid": "k1", "algorithm": "HS256", "secret": SECRET.decode()}],
          "subject_prefix": "idp:", "claims": {"groups": "realm_access.roles"}}
CONFIG = {"tokens": {"trusted_issuers": [ISSUER]},
          "routes": [{"path": "/admin/**", "require": {"groups": ["admins"]}}]}


def ask(gate, token, path="/x"):
    return gate.get(path, {"Authorization": f"Bearer {token}"})


def is_refused(gate, backend, token):
    response = ask(gate, token)
    return (response.status == 401 and not backend.requests
            and 'error="invalid_token"' in response.get("WWW-Authenticate", ""))


# --- trusted issuers

def test_token_of_a_trusted_issuer(gate, backend):
    token = sign(good_claims(email="zoe@example.com"), SECRET)
    assert ask(gate, token).status == 200
    assert backend.last().all("X-Forwarded-User") == ["idp:zoe"], "their admin is not our admin"


def test_claims_of_a_trusted_issuer_are_mapped(gate, backend):
    roles = {"realm_access": {"roles": ["admins", "x"]}}
    assert ask(gate, sign(good_claims(**roles), SECRET), "/admin/x").status == 200
    assert backend.last().all("X-Forwarded-Groups") == ["admins,x"]
    assert ask(gate, sign(good_claims(groups=["admins"]), SECRET), "/admin/x").status == 403


def test_a_foreign_token_opens_none_of_our_sessions(gate):
    token = sign(good_claims(sub="alice", sid=gate.login().claims()["sid"]), SECRET)
    headers = {"Authorization": f"Bearer {token}"}
    assert gate.get("/.gatehouse/sessions", headers).json()["sessions"] == []


# --- G01..G16

HEADERS = {
    "none": {"alg": "none", "typ": "at+jwt"}, "None": {"alg": "None", "typ": "at+jwt"},
    "empty alg": {"alg": "", "typ": "at+jwt"}, "null alg": {"alg": None, "typ": "at+jwt"},
    "no alg": {"typ": "at+jwt"}, "alg list": {"alg": ["HS256"], "typ": "at+jwt"},
    "alg number": {"alg": 0, "typ": "at+jwt"}, "lower case alg": {"alg": "hs256", "typ": "at+jwt"},
    "other alg": {"alg": "HS512", "typ": "at+jwt"}, "RS256": {"alg": "RS256", "typ": "at+jwt"},
    "crit": {"alg": "HS256", "typ": "at+jwt", "crit": ["b64"], "b64": False},
    "empty crit": {"alg": "HS256", "typ": "at+jwt", "crit": []},
    "crit exp": {"alg": "HS256", "typ": "at+jwt", "crit": ["exp"]},
    "ID token": {"alg": "HS256", "typ": "JWT"}, "no typ": {"alg": "HS256"},
    "other kid": {"alg": "HS256", "typ": "at+jwt", "kid": "../../dev/null"},
    "kid number": {"alg": "HS256", "typ": "at+jwt", "kid": 5},
    "two algs": '{"alg":"none","alg":"HS256","typ":"at+jwt"}', "list": "[]", "text": '"x"',
    "BOM": "\ufeff{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", "deep": "[" * 1000,
    "JWE": {"alg": "dir", "enc": "A128GCM", "zip": "DEF"},
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_headers_that_are_refused(gate, backend, header):
    assert is_refused(gate, backend, sign(good_claims(), SECRET, header=header))


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE"])
def test_unsigned_tokens_are_refused(gate, backend, alg):
    text = encode({"alg": alg, "typ": "at+jwt"}) + "." + encode(good_claims())
    for token in (text, text + ".", text + ".AAAA"):
        assert is_refused(gate, backend, token)


NOW = int(time.time())
CLAIMS = {
    "no exp": {"exp": None}, "exp null": '{"exp":null}', "exp text": {"exp": str(NOW + 300)},
    "exp past": {"exp": NOW - 60}, "exp huge": {"exp": 1e300}, "exp negative": {"exp": -1},
    "exp 2^63": {"exp": 2 ** 63}, "exp tiny": {"exp": 0.001},
    "nbf future": {"nbf": NOW + 3600}, "iat future": {"iat": NOW + 3600},
    "no aud": {"aud": None}, "aud empty list": {"aud": []}, "aud empty text": {"aud": [""]},
    "aud other": {"aud": ["other"]}, "aud object": {"aud": {"app": 1}}, "aud number": {"aud": 5},
    "aud with blank": {"aud": "app "}, "aud prefix": {"aud": "ap"}, "aud case": {"aud": "App"},
    "iss other": {"iss": "https://evil.example"}, "iss ours": {"iss": "gatehouse"},
    "iss with slash": {"iss": "https://idp.example.com/"}, "no iss": {"iss": None},
    "iss list": {"iss": ["https://idp.example.com"]}, "no sub": {"sub": None},
    "sub empty": {"sub": ""}, "sub number": {"sub": 5}, "sub list": {"sub": ["zoe"]},
    "sub with CRLF": {"sub": "a\r\nX-Forwarded-User: admin"}, "sub with NUL": {"sub": "a\0b"},
    "groups with CRLF": {"realm_access": {"roles": ["a\r\nX-Admin: 1"]}},
}


@pytest.mark.parametrize("changes", CLAIMS.values(), ids=CLAIMS.keys())
def test_claims_that_are_refused(gate, backend, changes):
    """G08, G10, A08; unsafe values are 401 or 403, and no header line is ever made of them."""
    body = good_claims(**changes) if isinstance(changes, dict) else changes
    response = ask(gate, sign(body, SECRET))
    assert response.status in (401, 403)
    assert not backend.requests


@pytest.mark.parametrize("body", [
    "[]", '"x"', "null", "", "{", '{"sub":"a","sub":"b"}', "[" * 1000 + "]" * 1000,
    b'{"sub":"\xff"}', '{"sub":"\\ud800"}', '\ufeff{"sub":"a"}'], ids=lambda b: repr(b)[:20])
def test_payloads_that_are_refused(gate, backend, body):
    assert is_refused(gate, backend, sign(body, SECRET))


def test_a_duplicate_claim_is_refused(gate, backend):
    text = json.dumps(good_claims())
    token = sign(text[:-1] + f', "exp": {NOW + 600}}}', SECRET)
    assert is_refused(gate, backend, token)


LEGAL_CLAIMS = {
    "aud list": lambda now: {"aud": ["other", "app"]},
    "aud list of one": lambda now: {"aud": ["app"]},
    "exp fraction": lambda now: {"exp": now + 300.5},
    "nbf leeway": lambda now: {"nbf": now + 10}, "iat leeway": lambda now: {"iat": now + 10},
}


@pytest.mark.parametrize("changes", LEGAL_CLAIMS.values(), ids=LEGAL_CLAIMS.keys())
def test_claims_that_are_legal(gate, changes):
    """Lists of audiences, fractions, and clocks that differ by less than the leeway."""
    claims = good_claims(**changes(int(time.time())))
    assert ask(gate, sign(claims, SECRET)).status == 200


def test_every_changed_byte_is_noticed(gate, backend):
    token = sign(good_claims(), SECRET)
    assert ask(gate, token).status == 200
    backend.requests.clear()
    for place in range(0, len(token), 5):
        other = "A" if token[place] != "A" else "B"
        assert ask(gate, token[:place] + other + token[place + 1:]).status == 401
    assert not backend.requests


def test_base64_has_one_spelling(gate, backend):
    """Padding, other alphabets, blanks and stray trailing bits are refused (G14)."""
    head, body, mac = sign(good_claims(), SECRET).split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # Only bits that a decoder throws away differ.
    loose = mac[:-1] + alphabet[alphabet.index(mac[-1]) + 1]
    for token in (f"{head}.{body}.{mac}=", f"{head}=.{body}.{mac}", f"{head}.{body}.{loose}",
                  f"{head}.{body}.{mac}.", f".{head}.{body}.{mac}", f"{head}..{mac}",
                  f"{head}.{body}.{mac},{mac}", f"{head}.{body}%2E{mac}"):
        assert ask(gate, token).status in (400, 401)
    assert not backend.requests


@pytest.mark.parametrize("token", ["." * 7000, "a." * 2000, "a" * 7900, ".", "..", "a.b.c.d.e"])
def test_shapeless_tokens_are_cheap(gate, backend, token):
    """G12, G13: long before any key is touched."""
    began = time.perf_counter()
    assert ask(gate, token).status in (400, 401, 431)
    assert time.perf_counter() - began < 1
    assert not backend.requests


def test_our_public_key_is_no_secret(gate, backend, keys):
    """Algorithm confusion: HS256 with the public key as secret (G02)."""
    own = claims(gate.login().access)
    pem = keys.public("ES256").read_bytes()
    der = base64.b64decode(b"".join(pem.splitlines()[1:-1]))
    jwk = gate.get("/.well-known/jwks.json").json()["keys"][0]
    for secret in (pem, pem.strip(), der, json.dumps(jwk).encode(), b"", b"\0" * 32):
        for kid in ("a", None):
            header = {"alg": "HS256", "typ": "at+jwt", "kid": kid}
            if kid is None:
                del header["kid"]
            assert is_refused(gate, backend, sign(own, secret, header=header))


def test_keys_inside_a_token_are_never_used(gate, backend):
    """jwk, jku, x5u: no key from there, no request to there (G05)."""
    jwk = {"kty": "oct", "k": encode(b"attacker-0123456789-0123456789-x")}
    for extra in ({"jwk": jwk}, {"jku": f"{backend.url}/keys"}, {"x5u": f"{backend.url}/cert"}):
        header = {"alg": "HS256", "typ": "at+jwt", **extra}
        token = sign(good_claims(), b"attacker-0123456789-0123456789-x", header=header)
        assert is_refused(gate, backend, token)


def test_psychic_signature_is_refused(gate, backend):
    """ES256 with r = s = 0 (CVE-2022-21449)."""
    own = claims(gate.login().access)
    head = encode({"alg": "ES256", "typ": "at+jwt", "kid": "a"})
    for signature in (bytes(64), b"\x30\x06\x02\x01\x00\x02\x01\x00", b"\xff" * 64, bytes(63)):
        assert is_refused(gate, backend, f"{head}.{encode(own)}.{encode(signature)}")


def test_all_refusals_look_alike(gate):
    """No oracle: one body and one set of headers for every reason."""
    tokens = ["x", sign(good_claims(), b"wrong-0123456789-0123456789-012345"),
              sign(good_claims(exp=NOW - 60), SECRET), sign(good_claims(aud="other"), SECRET)]
    answers = [ask(gate, token) for token in tokens]
    varying = {"date", "x-request-id"}
    shapes = {(a.status, a.body, tuple(h for h in a.headers if h[0].lower() not in varying))
              for a in answers}
    assert len(shapes) == 1


def test_a_token_expires_though_it_was_seen_before(start):
    """A verified token's cache entry dies with it (G18)."""
    gate = start(start.backend(), {"tokens": {"access": {"life": "2s"}}})
    bearer = gate.bearer()
    assert gate.get("/x", bearer).status == 200
    gate.wait_for(lambda: gate.get("/x", bearer).status == 401, "expiry", 4)


@pytest.mark.parametrize("headers", [
    {"X-Access-Token": "{}"}, {"Cookie": "access_token={}"}, {"Proxy-Authorization": "Bearer {}"},
    {"Authorization": "Basic {}"}, {"Authorization": "Bearer {} x"}, {"Authorization": "{}"},
    {"Cookie": "__Host-gatehouse_access={}"}])
def test_tokens_elsewhere_do_not_count(gate, backend, headers):
    """G19; the access cookie counts only with the browser pages on."""
    token = gate.login().access
    backend.requests.clear()
    headers = {name: value.format(token) for name, value in headers.items()}
    assert gate.get(f"/x?access_token={token}", headers).status in (400, 401)
    assert not backend.requests


@pytest.mark.parametrize("algorithm", ["HS384", "RS256", "PS256", "ES384", "ES512", "EdDSA"])
def test_every_algorithm_signs_and_verifies(start, keys, algorithm):
    gate = start(start.backend(), {"tokens": {"access": {"keys": [keys.config(algorithm)]}}})
    tokens = gate.login()
    head = json.loads(base64.urlsafe_b64decode(tokens.access.split(".")[0] + "=="))
    assert head["alg"] == algorithm and head["typ"] == "at+jwt" and head["kid"] == "a"
    assert gate.get("/x", tokens.bearer()).status == 200
    published = gate.get("/.well-known/jwks.json").json()["keys"]
    assert [k["kid"] for k in published] == ([] if algorithm.startswith("HS") else ["a"])


# --- the key set

def test_key_set(gate):
    response = gate.get("/.well-known/jwks.json")
    assert response.status == 200
    assert response.get("Cache-Control") == "public, max-age=300"
    assert response.get("X-Content-Type-Options") == "nosniff"
    key, = response.json()["keys"]
    assert (key["kid"], key["kty"], key["crv"], key["alg"]) == ("a", "EC", "P-256", "ES256")
    assert key.get("use") == "sig"
    assert not {"d", "p", "q", "dp", "dq", "qi", "k", "oth"} & set(key)


def test_retiring_keys_are_published_and_verify(start, keys):
    backend = start.backend()
    old = start(backend, {"tokens": {"access": {"keys": [keys.config("ES256", "b")]}}})
    token = old.login().access
    new = start(backend, {"tokens": {"access": {"keys": [
        keys.config("ES256", "a"),
        {"kid": "b", "algorithm": "ES256", "public_key_file": str(keys.public("ES256", "b"))}]}}})
    assert {k["kid"] for k in new.get("/.well-known/jwks.json").json()["keys"]} == {"a", "b"}
    assert ask(new, token).status == 200
    other = start(backend)
    assert ask(other, token).status == 401, "a key that nobody named"
