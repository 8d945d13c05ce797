"""Honest users, as many as wanted, each a thread: tabs that refresh at once, answers that are lost
and asked for again, pages in between. A crowd knows what must never happen to one of them."""

import random
import threading
import time

from .client import Client
from .gate import PASSWORD_HASH, claims, refreshed, spin
from .redis import wait_for


def accounts(count):
    return [{"username": f"user{i}", "password_hash": PASSWORD_HASH} for i in range(count)]


def echo(exchange):
    """The application: says who it was told is asking."""
    exchange.read_body()
    exchange.reply(200, exchange.received.get("X-Forwarded-User", "nobody").encode())


class Crowd:
    """`pace`: seconds between two visits of a user, on average."""

    def __init__(self, gates, count, pace=0.5, seed=1):
        self.gates, self.pace = gates, pace
        self.users = [User(self, i, random.Random(seed * 1000 + i)) for i in range(count)]
        self.ending = threading.Event()
        self.refused = []  # (user, what happened); must stay empty
        self.served = self.waited = self.lost = self.pages = 0
        self.lock = threading.Lock()

    def start(self):
        for user in self.users:
            user.start()

    def count(self, name):
        with self.lock:
            setattr(self, name, getattr(self, name) + 1)

    def refuse(self, user, what):
        with self.lock:
            self.refused.append((user.name, what))

    def goes_on(self, seconds=60):
        """Every user is served once more."""
        before = [user.refreshes for user in self.users]
        wait_for(lambda: self.refused or
                 all(u.refreshes > b for u, b in zip(self.users, before)),
                 "every user to go on", seconds)
        assert not self.refused, self.refused[:10]

    def finish(self):
        self.ending.set()
        for user in self.users:
            user.join()

    def assert_unharmed(self):
        """Nobody was logged out, nobody is somebody else, and no alarm rang."""
        assert not self.refused, self.refused[:10]
        for gate in self.gates:
            alarms = [r for r in gate.records() if r.get("outcome") == "reuse"]
            assert not alarms, alarms[:3]

    def __str__(self):
        return (f"{len(self.users)} users: {self.served} refreshes, {self.pages} pages, "
                f"{self.waited} times 503, {self.lost} answers lost, "
                f"{sum(u.generation for u in self.users)} generations")


class User(threading.Thread):
    """One browser with its jar."""

    def __init__(self, crowd, number, choices):
        super().__init__(daemon=True)
        self.crowd, self.random = crowd, choices
        self.name = f"user{number}"
        gate = crowd.gates[number % len(crowd.gates)]
        wait_for(lambda: gate.try_login(self.name).status == 200, "a login")
        tokens = gate.login(self.name)
        self.jar, self.access = tokens.refresh, tokens.access
        self.sid = tokens.claims()["sid"]
        self.refreshes = self.generation = 0

    def run(self):
        while not self.crowd.ending.is_set():
            try:
                self.visit()
            except OSError as error:
                self.crowd.refuse(self, repr(error))
            self.crowd.ending.wait(self.random.expovariate(1 / self.crowd.pace))

    def gate(self):
        return self.random.choice(self.crowd.gates)

    def visit(self):
        tabs = self.random.choice([1, 1, 1, 2, 4])
        token, gates = self.jar, [self.gate() for _ in range(tabs)]
        if tabs == 1:
            answers = [gates[0].refresh(token)]
        else:
            answers = spin([lambda g=g: g.refresh(token) for g in gates])
        for answer in answers:
            self.take(answer)
        if self.random.random() < 0.5:
            self.look()

    def take(self, answer):
        if answer.status == 503:
            self.crowd.count("waited")
            if answer.all("Set-Cookie") or not answer.get("Retry-After"):
                self.crowd.refuse(self, f"a cookie or no pause with 503: {answer.headers}")
        elif answer.status != 200:
            self.crowd.refuse(self, f"{answer.status} {answer.body!r}")
        elif self.random.random() < 0.1:
            # It is lost on its way; the same token is shown again.
            self.crowd.count("lost")
        else:
            said = claims(answer.json()["accessToken"])
            if (said["sub"], said["sid"]) != (self.name, self.sid):
                self.crowd.refuse(self, f"is {said['sub']} now")
            self.jar, self.access = refreshed(answer), answer.json()["accessToken"]
            self.generation = said["gen"]
            self.refreshes += 1
            self.crowd.count("served")

    def look(self):
        """A page, which also proves that this generation has arrived."""
        answer = self.gate().get("/page", {"Authorization": f"Bearer {self.access}"})
        self.crowd.count("pages")
        if answer.status != 200 or answer.body.decode() != self.name:
            self.crowd.refuse(self, f"{answer.status} {answer.body!r} for a page")


class Watch:
    """How long requests of one connection take, one after the other, in a process of its own."""

    def __init__(self, gate, bearer):
        self.address, self.bearer = gate.address, bearer

    def measure(self, seconds):
        """(seconds of each request, statuses that were not 200)."""
        durations, bad = [], []
        end = time.monotonic() + seconds
        with Client(self.address) as client:
            while time.monotonic() < end:
                began = time.perf_counter()
                answer = client.request("GET", "/page", self.bearer)
                durations.append(time.perf_counter() - began)
                if answer.status != 200:
                    bad.append(answer.status)
                time.sleep(0.001)
        return durations, bad
