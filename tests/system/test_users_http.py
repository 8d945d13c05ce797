"""`users.http`: somebody else knows whether a password is right. It is asked once for each login,
within bounds; the session keeps what it said, since nobody can be asked without the password."""

import json
import threading
import time

import pytest

from support.backend import Backend
from support.gate import PASSWORD, USERS, claims, refreshed, spin
from support.redis import Redis, store

DORA = {"username": "dora", "email": "dora@example.com", "name": "Dora Müller",
        "groups": ["staff", "night shift"]}


class Service:
    """The application's own login: knows dora."""

    def __init__(self):
        self.backend = Backend()
        self.url = self.backend.url + "/check?from=gatehouse"
        self.backend.on("*", self.answer)
        self.status, self.body, self.asked = None, None, []
        self.stopped = threading.Event()

    def answer(self, exchange):
        exchange.read_body()
        asked = json.loads(exchange.received.body)
        self.asked.append(asked)
        if self.status:
            exchange.reply(self.status, self.body or b"")
        elif asked == {"username": "dora", "password": PASSWORD}:
            exchange.reply(200, json.dumps(DORA).encode(), [("Content-Type", "application/json")])
        else:
            exchange.reply(401, b"no")

    def hang(self):
        """Takes every question and answers none, until it stops."""
        self.backend.on("*", lambda exchange: (exchange.read_body(), self.stopped.wait(60)))

    def stop(self):
        self.stopped.set()
        self.backend.stop()

    def say(self, status=None, body=None):
        self.status = status
        self.body = body.encode() if isinstance(body, str) else body
        self.asked.clear()


@pytest.fixture(scope="module")
def running(start_module):
    service = Service()
    backend = start_module.backend()
    gate = start_module(backend, {"users": {"http": {"url": service.url, "timeout": "2s"}},
                                  "tokens": {"refresh": {"grace": "1s"}}})
    yield gate, service, backend
    service.stop()


@pytest.fixture
def served(running):
    running[1].say()
    running[2].forget()
    return running


def test_a_right_password_opens_a_session_of_the_user_it_names(served):
    gate, service, backend = served
    tokens = gate.login("dora")
    assert service.asked == [{"username": "dora", "password": PASSWORD}]
    assert service.backend.last().method == "POST"
    assert service.backend.last().target == "/check?from=gatehouse"
    said = tokens.claims()
    assert (said["sub"], said["email"], said["groups"]) == ("dora", DORA["email"], DORA["groups"])
    gate.get("/x", tokens.bearer())
    assert backend.last().all("X-Forwarded-User") == ["dora"]
    assert backend.last().all("X-Forwarded-Groups") == ["staff,night shift"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_password_is_answered_like_every_other(served, status):
    gate, service, _ = served
    service.say(status, "whatever the service says")
    refused = gate.try_login("dora", "wrong")
    of_the_file = gate.try_login("alice", "wrong")
    assert refused.status == of_the_file.status == 401
    assert refused.body == of_the_file.body
    assert refused.all("WWW-Authenticate") == of_the_file.all("WWW-Authenticate")


@pytest.mark.parametrize("status, body", [
    (500, ""), (404, ""), (204, ""), (302, ""), (200, ""), (200, "ok"), (200, "[]"), (200, "{}"),
    (200, '{"username": ""}'), (200, '{"username": 7}'), (200, '{"username": null}'),
    (200, '{"username": "dora", "username": "root"}'), (200, '{"username": "do\\r\\nra"}'),
    (200, '{"username": "dora", "email": "a\\u0000b"}'),
    (200, '{"username": "dora", "groups": "x"}'),
    (200, '{"username": "dora", "groups": [1]}'), (200, '{"username": "dora", "groups": ["a,b"]}'),
    (200, '{"username": "dora", "groups": ["a\\nb"]}'),
    (200, json.dumps({"username": "d" * 300})),
    (200, json.dumps({"username": "dora", "groups": ["g%d" % i for i in range(500)]})),
    (200, '{"username": "dora", "x": "' + "y" * 20_000 + '"}')])
def test_an_answer_that_is_neither_right_nor_wrong_is_an_outage(served, status, body):
    gate, service, _ = served
    service.say(status, body)
    answer = gate.try_login("dora")
    assert answer.status == 503 and answer.get("Retry-After"), (status, body[:60])
    assert not answer.all("Set-Cookie")


def test_an_outage_counts_no_failure_and_is_logged(served):
    gate, service, _ = served
    service.say(500)
    assert gate.try_login("erna").status == 503
    record = gate.wait_for_record(event="login", outcome="failed", reason="users_unavailable")
    assert "user" not in record or not record["user"], "a name that nobody knows may be a password"
    gate.wait_for_log("users.http could not be asked")
    assert PASSWORD not in gate.stderr() + gate.stdout()


def test_the_file_is_asked_first_and_alone_about_its_own(served):
    gate, service, _ = served
    assert gate.try_login("alice").status == 200
    assert gate.try_login("alice", "wrong").status == 401
    assert gate.try_login("alice@example.com").status == 200
    assert gate.try_login("mallory").status == 401, "disabled"
    assert service.asked == []


def test_the_service_cannot_name_a_user_of_the_file(served):
    gate, service, _ = served
    service.say(200, json.dumps({"username": "alice", "groups": ["admins"]}))
    assert gate.try_login("somebody").status == 503
    gate.wait_for_log("names a user of the users file")


def test_every_login_asks_anew(served):
    gate, service, _ = served
    for _ in range(3):
        gate.login("dora")
    assert len(service.asked) == 3
    service.say(401)
    assert gate.try_login("dora").status == 401, "nothing was remembered"


def test_a_refresh_goes_on_with_what_the_login_said(served):
    gate, service, _ = served
    tokens = gate.login("dora")
    service.say(500)  # nobody is asked
    answer = gate.refresh(tokens.refresh)
    assert answer.status == 200, answer.body
    said = claims(answer.json()["accessToken"])
    assert (said["sub"], said["email"], said["groups"], said["name"]) == \
        ("dora", DORA["email"], DORA["groups"], DORA["name"])
    assert service.asked == []
    successor = refreshed(answer)
    assert gate.request("POST", "/logout", {"Authorization": f"Bearer {successor}"}, b"").status \
        == 204
    assert gate.refresh(successor).status == 403


def test_sessions_survive_a_planned_restart(start):
    service = Service()
    directory = start.directory()
    changes = {"users": {"http": {"url": service.url}},
               "store": {"memory": {"snapshot_file": "sessions"}}}
    gate = start(start.backend(), changes, directory=directory)
    tokens = gate.login("dora")
    gate.stop()
    gate = start(start.backend(), changes, directory=directory)
    assert claims(gate.refresh(tokens.refresh).json()["accessToken"])["groups"] == DORA["groups"]
    gate.stop()
    gate = start(start.backend(), merge_out(changes), directory=directory)
    assert gate.refresh(tokens.refresh).status == 403, "whoever is asked no longer has no users"
    service.stop()


def merge_out(changes):
    return {**changes, "users": {}}


def test_guessing_is_throttled_as_for_the_file(start):
    service = Service()
    gate = start(start.backend(), {
        "users": {"http": {"url": service.url}},
        "login": {"throttle": {"account_and_address": "3/2m", "account": "1000/1h",
                               "address": "1000/2m", "ban": "5m"}}})
    spellings = ["dora", "Dora", "DORA ", "dora"]
    assert [gate.try_login(name, "x").status for name in spellings] == [401, 401, 401, 429]
    assert gate.try_login("dora").status == 429, "the right one, too"
    assert len(service.asked) == 3
    service.stop()


def test_a_service_that_hangs_costs_its_timeout_and_nothing_else(start):
    service = Service()
    service.hang()
    gate = start(start.backend(), {"users": {"http": {"url": service.url, "timeout": "300ms"}}})
    bearer = gate.bearer("alice")
    began = time.monotonic()
    answers = spin([lambda: gate.try_login("dora").status] * 8 +
                   [lambda: gate.get("/x", bearer).status] * 4)
    assert answers == [503] * 8 + [200] * 4
    assert time.monotonic() - began > 0.29
    service.stop()
    assert gate.try_login("dora").status == 503, "nobody listens"
    assert gate.try_login("alice").status == 200


def test_only_so_many_are_asked_at_once(start):
    service = Service()
    service.hang()
    gate = start(start.backend(), {"users": {"http": {"url": service.url, "timeout": "2s"}}})
    assert spin([lambda: gate.try_login("dora").status] * 48) == [503] * 48
    assert len(service.backend.requests) <= 32
    gate.wait_for_log("too many logins at once")
    service.stop()


def test_a_gatehouse_without_a_users_file(start):
    service = Service()
    gate = start(start.backend(), {"users": {"file": None, "http": {"url": service.url}}})
    assert gate.login("dora").claims()["sub"] == "dora"
    assert gate.try_login("alice").status == 401
    service.stop()


def test_files_users_are_not_the_services(start):
    """A user who leaves the file does not become one of the service."""
    service = Service()
    gate = start(start.backend(), {"users": {"http": {"url": service.url}}})
    refresh = gate.login("alice").refresh
    gate.write_users([user for user in USERS if user["username"] != "alice"])
    gate.wait_for(lambda: gate.refresh(refresh).status == 403, "the end of alice's session")
    service.stop()


def test_what_the_service_said_is_known_to_every_replica(start, backend, own_redis):
    """With Redis the profile lies beside the session, and ends with it."""
    service = Service()
    config = {"users": {"http": {"url": service.url}}, "store": store(own_redis),
              "tokens": {"refresh": {"grace": "0s"}}}
    gates = [start(backend, config) for _ in range(2)]
    tokens = gates[0].login("dora")
    answer = gates[1].refresh(tokens.refresh)
    said = claims(answer.json()["accessToken"])
    assert (said["sub"], said["email"], said["groups"]) == ("dora", DORA["email"], DORA["groups"])
    assert said["name"] == DORA["name"] and len(service.asked) == 1
    key = f"gatehouse:p{{{tokens.claims()['sid']}}}"
    assert 0 < int(own_redis.run("PTTL", key)) <= 30 * 24 * 3600 * 1000
    assert gates[1].request("POST", "/logout", gates[0].login("dora").cookie(), b"").status == 204
    assert len(own_redis.run("KEYS", "gatehouse:p*").split()) == 1, "it outlives its session"
    # Without it nobody knows who that is: the session is no longer good for new tokens.
    own_redis.run("DEL", key)
    assert gates[0].refresh(refreshed(answer)).status in (403, 503)
    assert not gates[0].refresh(refreshed(answer)).all("Set-Cookie")
    service.stop()
