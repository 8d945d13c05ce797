"""A client of the site that Gatehouse and the example application make together: logs in, refreshes
and calls, over plain connections to fixed ports of the tests' own network."""

import json

from support.client import Client

USER, PASSWORD = "alice", "a rather long password"
LISTENER, HEALTH, APPLICATION = ("127.0.0.1", 8080), ("127.0.0.1", 9902), ("127.0.0.1", 3000)


def request(address, method, path, headers=(), body=None, timeout=10):
    with Client(address, timeout=timeout) as client:
        return client.request(method, path, headers, body)


def status(address, path):
    """The status of a GET, or 0 when nobody answers."""
    try:
        return request(address, "GET", path, timeout=2).status
    except OSError:
        return 0


def log_in(password=PASSWORD):
    body = json.dumps({"username": USER, "password": password})
    return request(LISTENER, "POST", "/login", {"Content-Type": "application/json"}, body)


def refresh_cookie(response):
    """The `Cookie` line with the refresh token that an answer set."""
    name, (value, _) = next((n, v) for n, v in response.cookies().items() if "_refresh" in n)
    return {"Cookie": f"{name}={value}"}


def bearer(response):
    return {"Authorization": "Bearer " + response.json()["accessToken"]}


def user_seen(headers):
    """Whom the application was told of when called with these headers; None when refused."""
    response = request(LISTENER, "GET", "/api/echo", headers)
    if response.status != 200:
        return None
    return dict(map(tuple, response.json()["headers"])).get("X-Forwarded-User")
