"""JSON Web Tokens made by hand, good and bad, with nothing but the standard library."""

import base64
import hashlib
import hmac
import json
import time

HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def encode(data):
    if not isinstance(data, (bytes, str)):
        data = json.dumps(data)
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(claims, secret, algorithm="HS256", header=None):
    """`claims` and `header` may be raw JSON text, to say what json.dumps would not."""
    if header is None:
        header = {"alg": algorithm, "typ": "at+jwt"}
    text = f"{encode(header)}.{encode(claims)}"
    mac = hmac.new(secret, text.encode(), HASHES.get(algorithm, hashlib.sha256)).digest()
    return f"{text}.{encode(mac)}"


def good_claims(**changes):
    now = int(time.time())
    claims = {"iss": "https://idp.example.com", "aud": "app", "sub": "zoe", "iat": now,
              "exp": now + 300, **changes}
    return {key: value for key, value in claims.items() if value is not None}
