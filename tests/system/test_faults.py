"""The n-th allocation, receive, send, accept, connect ... fails, for every n over a script of
requests. Whatever fails, nothing unauthorised reaches the application, an answer is the right one
or a 5xx, no refresh is refused, and the program goes on or ends with a line that says why."""

import re
import signal
import subprocess

import pytest

from support.client import Client, ProtocolError, chunked
from support.faults import Faults, build, needs_plain_program
from support.gate import BINARY, PASSWORD, REFRESH_COOKIE, SLOW

CONFIG = {
    "workers": 1,
    "routes": [{"path": "/public/**", "access": "public"},
               {"path": "/admin/**", "require": {"groups": ["admins"]}}],
}
# Ours, or the C library's where a thread's own memory is missing.
LAST_LINE = "the process ends at once|Fatal glibc error: .*out of memory"
LOST = 0  # no answer: the connection ended


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    needs_plain_program()
    return build(tmp_path_factory.mktemp("faults"))


@pytest.fixture
def faults(library, tmp_path):
    return Faults(library, tmp_path)


class Script:
    """Twelve requests of a visitor, and which statuses are right for them."""

    def __init__(self, gate):
        self.gate = gate
        self.answers = []

    def ask(self, right, method, path, headers=(), body=None):
        try:
            with Client(self.gate.address, timeout=2 * SLOW) as client:
                answer = client.request(method, path, headers, body)
                status = answer.status if answer.complete else LOST
        except (ProtocolError, ConnectionError, TimeoutError):
            status = LOST
        self.answers.append((method, path, status, right))
        return answer if status == right else None

    def run(self):
        json = {"Content-Type": "application/json"}
        bearer, cookie = {}, {}
        login = self.ask(200, "POST", "/login", json,
                         f'{{"username": "bob", "password": "{PASSWORD}"}}')
        if login:
            bearer = {"Authorization": f"Bearer {login.json()['accessToken']}"}
            cookie = {"Cookie": f"{REFRESH_COOKIE}={login.cookies()[REFRESH_COOKIE][0]}"}
        right = 200 if bearer else 401
        self.ask(right, "GET", "/first", bearer)
        self.ask(right, "GET", "/again", bearer)
        self.ask(401, "GET", "/nobody")
        self.ask(401, "GET", "/forged", {"Authorization": "Bearer a.b.c"})
        self.ask(403 if bearer else 401, "GET", "/admin/x", bearer)
        self.ask(200, "GET", "/public/x")
        self.ask(right, "POST", "/upload", bearer, b"x" * 3000)
        self.ask(right, "POST", "/chunks", {**bearer, "Transfer-Encoding": "chunked"},
                 chunked(b"x" * 3000))
        self.ask(right, "GET", "/.gatehouse/session", bearer)
        self.ask(right, "POST", "/token", cookie, b"")
        ended = self.ask(204, "POST", "/logout", cookie, b"")
        if ended:
            self.ask(401, "GET", "/ended", bearer)


def run_with_fault(gate, backend, faults, kind, number):
    """Whether the call was made, after the script has shown what its failure did."""
    backend.forget()
    script = Script(gate)
    faults.arm(kind, number)
    script.run()
    failed = faults.disarm()
    for method, path, status, right in script.answers:
        # Not even without memory for its signature: that is no verdict about a token.
        assert status in (right, LOST) or status >= 500, (kind, number, method, path, status)
    for received in backend.requests:
        assert received.target not in ("/nobody", "/forged", "/admin/x", "/ended"), received.head
        if received.target != "/public/x":
            assert received.folded("xforwardeduser") == ["bob"], received.head
    return failed


# Which calls: all of the few, a sample of the thousands of allocations (nightly: every one).
STEPS = {"allocation": 23, "receiving": 1, "sending": 1, "accepting": 3, "connecting": 1,
         "opening": 1, "watching": 3}


def has_ended(gate):
    """Ended, or about to: one that lives answers."""
    if gate.process.poll() is None and gate.readiness() != 200:
        try:
            gate.process.wait(10 * SLOW)
        except subprocess.TimeoutExpired:
            pass
    return gate.process.poll() is not None


def try_every(kind, step, start, faults):
    backend = start.backend()
    # No connection is kept for connecting and opening to be needed at all.
    config = {**CONFIG, "upstreams": {"app": {"max_idle_connections": 0}}}
    gate = start(backend, config, environment=faults.environment())
    number, more = 1, True
    while more:
        more = run_with_fault(gate, backend, faults, kind, number)
        if has_ended(gate):
            assert re.search(LAST_LINE, gate.stderr()), (kind, number, gate.stderr())
            gate = start(backend, config, environment=faults.environment())
            more = True
        number += step if more else 0
    assert number > 1, "no call of this kind was made"
    last = Script(gate)
    last.run()
    assert all(status == right for _, _, status, right in last.answers), last.answers
    # Housekeeping has survived, too: what was answered last is in the log.
    gate.wait_for_record(path="/ended", status=401)


@pytest.mark.parametrize("kind", STEPS)
def test_a_call_that_fails_opens_nothing(kind, start, faults):
    try_every(kind, STEPS[kind], start, faults)


def test_a_new_listener_that_cannot_be_watched_yet_is_tried_again(start, faults, tmp_path):
    backend = start.backend()
    config = {**CONFIG, "workers": 1}
    gate = start(backend, config, environment=faults.environment())
    path = str(tmp_path / "second.sock")
    gate.write_config(start.config(backend, {**config, "listeners": [
        {"address": "127.0.0.1:0"}, {"address": f"unix:{path}"}]}))
    faults.arm("watching", 1)
    gate.signal(signal.SIGHUP)
    gate.wait_for_log("a new listener waits")
    assert faults.disarm()
    with Client(path) as client:
        assert client.request("GET", "/public/x").status == 200


def test_no_password_is_wrong_for_lack_of_memory(start, faults):
    """Of a hash that takes 19 MiB: whichever allocation of a login fails, it is no verdict."""
    line = subprocess.run([BINARY, "hash-password"], input=PASSWORD, check=True, text=True,
                          capture_output=True).stdout.strip()
    users = [{"username": "bob", "password_hash": line}]
    environment = faults.environment()
    gate = start(start.backend(), {"workers": 1}, users=users, environment=environment)
    number, failed, refused = 1, True, 0
    while failed:
        script = Script(gate)
        faults.arm("allocation", number)
        script.ask(200, "POST", "/login", {"Content-Type": "application/json"},
                   f'{{"username": "bob", "password": "{PASSWORD}"}}')
        failed = faults.disarm()
        if has_ended(gate):
            assert re.search(LAST_LINE, gate.stderr()), (number, gate.stderr())
            gate = start(start.backend(), {"workers": 1}, users=users, environment=environment)
        status = script.answers[0][2]
        assert status in (200, LOST) or status >= 500, (number, status)
        refused += status >= 500
        number += 1
    assert refused, "the allocation of the hash itself was among them"


@pytest.mark.nightly
def test_every_allocation_may_fail(start, faults):
    try_every("allocation", 1, start, faults)
