"""Many logins at once and many of them wrong: hashing is bounded, what cannot be served is told to
come back, and whoever is logged in notices nothing (experiments X-20 to X-23, X-34 of
docs/reliability.md). Each has a long form that is run by night."""

import random
import statistics
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.client import Client, render
from support.faults import is_plain_program
from support.gate import BINARY, PASSWORD, PASSWORD_HASH, SLOW, refreshed

MIB = 1024  # in KiB


def argon2_line(password):
    return subprocess.run([BINARY, "hash-password"], input=password + "\n", check=True,
                          capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def expensive_users():
    """The hash that `hash-password` makes: 19 MiB and tens of milliseconds each."""
    line = argon2_line(PASSWORD)
    return [{"username": name, "password_hash": line} for name in ("alice", "bob")]


def at_once(count, work):
    """The results of `count` calls that begin together."""
    start_together = threading.Barrier(count)

    def run(number):
        start_together.wait(30 * SLOW)
        return work(number)
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


# ---

def flood_of_logins(start, users, count):
    gate = start(start.backend(), users=users)
    bearer = gate.bearer()
    # Both hashing threads have had their memory once.
    at_once(4, lambda _: gate.try_login())
    before = gate.memory_kib("VmRSS")
    ended, waits = threading.Event(), []

    def good_client():
        with gate.connect() as client:
            while not ended.is_set():
                begin = time.monotonic()
                assert client.request("GET", "/x", bearer).status == 200
                waits.append(time.monotonic() - begin)
    other = threading.Thread(target=good_client)
    other.start()

    def login(_):
        with Client(gate.address, timeout=60 * SLOW) as client:
            body = f'{{"username": "alice", "password": "{PASSWORD}"}}'
            return client.request("POST", "/login", {"Content-Type": "application/json"}, body)
    answers = at_once(count, login)
    ended.set()
    other.join()
    assert waits, "the client with a token was served meanwhile"
    served = [a for a in answers if a.status == 200]
    shed = [a for a in answers if a.status != 200]
    assert served and shed
    for answer in shed:
        assert answer.status == 503
        assert int(answer.get("Retry-After")) >= 1
        assert not answer.all("Set-Cookie")
    if is_plain_program():
        more = gate.memory_kib("VmHWM") - before
        assert more < 2 * 19 * MIB + 16 * MIB, f"{more} KiB for two hashing threads"
    assert gate.try_login().status == 200


def test_x20_a_flood_of_logins_is_shed(start, expensive_users):
    """What cannot be hashed in time is 503 with Retry-After; memory is that of two hashes."""
    flood_of_logins(start, expensive_users, 100)


@pytest.mark.nightly
def test_x20_five_hundred_logins_at_once(start, expensive_users):
    flood_of_logins(start, expensive_users, 500)


# ---

def huge_passwords(start, users, announced, count):
    """Refused from the head, before a hash: each is answered although nothing else was sent."""
    gate = start(start.backend(), users=users)

    def login(number):
        head = render("POST", "/login", {"Content-Type": "application/json",
                                         "Content-Length": str(announced)})
        with Client(gate.address, timeout=60 * SLOW) as client:
            client.send(head)
            answer = client.read_response("POST")
            client.send_pieces(b'{"username": "alice", "password": "' + b"x" * 65536, [])
            return answer.status
    assert set(at_once(count, login)) == {413}
    if is_plain_program():
        assert gate.memory_kib("VmHWM") < gate.memory_kib("VmRSS") + 19 * MIB, "a hash was made"
    assert gate.try_login().status == 200


@pytest.mark.parametrize("announced", [1 << 20, 100 << 20])
def test_x21_huge_passwords_cost_no_hash(start, expensive_users, announced):
    huge_passwords(start, expensive_users, announced, 40)


@pytest.mark.nightly
def test_x21_a_thousand_huge_passwords_at_once(start, expensive_users):
    huge_passwords(start, expensive_users, 100 << 20, 1000)


# ---

def timed(gate, user, password):
    begin = time.perf_counter()
    assert gate.try_login(user, password).status == 401
    return time.perf_counter() - begin


def failure_times(start, rounds):
    """Interleaved, so that a busy machine is busy for all of them alike."""
    line = subprocess.run(["htpasswd", "-nbBC", "8", "x", PASSWORD], check=True,
                          capture_output=True, text=True).stdout.strip().split(":", 1)[1]
    gate = start(start.backend(), {"workers": 1}, users=[
        {"username": "alice", "password_hash": line},
        {"username": "bob", "password_hash": line},
        {"username": "gone", "password_hash": line, "disabled": True}])
    classes = {"known": ("alice", "wrong"), "other": ("bob", "wrong"), "unknown": ("nobody", "x"),
               "disabled": ("gone", PASSWORD)}
    times = {name: [] for name in classes}
    names = list(classes)
    for _ in range(rounds):
        random.shuffle(names)
        for name in names:
            times[name].append(timed(gate, *classes[name]))
    return times


def distance(one, two):
    """The Kolmogorov-Smirnov statistic of two samples."""
    points = sorted([(x, 0) for x in one] + [(x, 1) for x in two])
    counts, worst = [0, 0], 0.0
    for _, which in points:
        counts[which] += 1
        worst = max(worst, abs(counts[0] / len(one) - counts[1] / len(two)))
    return worst


def test_x22_failures_cannot_be_told_apart_by_their_time(start):
    """In small and on a busy machine: no class of failures takes half or twice another's time."""
    times = failure_times(start, 12)
    known = statistics.median(times["known"])
    for name, taken in times.items():
        assert known / 2 < statistics.median(taken) < known * 2, name


@pytest.mark.nightly
def test_x22_two_thousand_failures_of_each_kind(start):
    """Medians within 2 ms or 2 %, and distributions that the test of Kolmogorov and Smirnov does
    not tell apart (p > 0.01) more than two classes of the same kind of failure."""
    rounds = 2000
    times = failure_times(start, rounds)
    known = statistics.median(times["known"])
    bound = 1.63 * (2 / rounds) ** 0.5
    for name, taken in times.items():
        median = statistics.median(taken)
        assert abs(median - known) < max(0.002, 0.02 * known), (name, median, known)
        assert distance(times["known"], taken) < bound, name


# ---

THROTTLE = {"account_and_address": "5/10m", "account": "50/1h", "address": "1000000/2m",
            "ban": "12h"}


def test_x23_guesses_at_once_are_as_many_as_one_after_the_other(start, expensive_users):
    """All of them begin before the first has failed; those that come out behind the fifth failure
    learn nothing, nor would one that is right."""
    gate = start(start.backend(), {"login": {"throttle": THROTTLE}}, users=expensive_users)
    statuses = [answer.status for answer in
                at_once(30, lambda n: gate.try_login("alice", f"guess {n}"))]
    assert statuses.count(401) <= 5 + 5, "some may have been hashed when the fifth was counted"
    assert set(statuses) <= {401, 429, 503}, "503 where hashing takes too long"
    assert gate.try_login("alice", PASSWORD).status == 429
    assert gate.try_login("bob", PASSWORD).status == 200


def guessing_from_many_addresses(start, addresses):
    """One account, a new address for each guess: the account's own limit holds."""
    gate = start(start.backend(), {"trusted_proxies": ["127.0.0.1/32"],
                                   "login": {"throttle": THROTTLE}})
    tokens = gate.login()
    tried = 0
    for number in range(addresses):
        headers = {"X-Forwarded-For": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"}
        tried += gate.try_login("alice", f"guess {number}", headers).status == 401
    assert tried <= 100, "fewer than a hundred passwords may be tried"
    assert gate.refresh(tokens.refresh).status == 200, "open sessions go on"


def test_x23_guessing_from_many_addresses_is_throttled(start):
    guessing_from_many_addresses(start, 150)


@pytest.mark.nightly
def test_x23_ten_thousand_guesses(start):
    guessing_from_many_addresses(start, 10_000)


def spraying(start, names):
    """Names that do not exist fill the table of counters; it is bounded, and a ban outlives it."""
    gate = start(start.backend(), {"workers": 1, "login": {"throttle": THROTTLE}})
    for _ in range(6):
        banned = gate.try_login("bob", "wrong").status
    assert banned == 429
    before = gate.memory_kib("VmRSS")

    def spray(part):
        with gate.connect() as client:
            for number in range(part, names, 8):
                body = f'{{"username": "user{number}", "password": "x"}}'
                answer = client.request("POST", "/login", {"Content-Type": "application/json"},
                                        body)
                assert answer.status in (401, 503), answer.status
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(spray, range(8)))
    assert gate.try_login("bob").status == 429, "the ban is forgotten last"
    assert gate.try_login("alice").status == 200
    if is_plain_program():
        assert gate.memory_kib("VmRSS") - before < 64 * MIB


def test_x23_spraying_stays_bounded(start):
    spraying(start, 1_500)


@pytest.mark.nightly
def test_x23_fifty_thousand_names(start):
    spraying(start, 50_000)


# ---

def full_store(start, sessions):
    """The store never takes more, ends nobody else's session, and says 503 when it is full."""
    users = [{"username": f"u{n}", "password_hash": PASSWORD_HASH}
             for n in range(min(sessions // 10, 5_000))]
    gate = start(start.backend(), {"store": {"memory": {"sessions_max": sessions}}},
                 users=[*users, {"username": "late", "password_hash": PASSWORD_HASH}])
    before = gate.memory_kib("VmRSS")

    def fill(part):
        kept = None
        for number in range(part, sessions, 8):
            tokens = gate.login(f"u{number % len(users)}")
            kept = kept or tokens
        return kept
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(fill, range(8)))
    late = gate.try_login("late")
    assert late.status == 503 and late.get("Retry-After")
    assert all(refreshed(gate.refresh(tokens.refresh)) for tokens in kept)
    oldest = kept[0]
    assert gate.try_login(oldest.claims()["sub"]).status == 200, "the same user's oldest makes room"
    if is_plain_program():
        assert gate.memory_kib("VmRSS") - before < 24 * MIB + sessions // 4


def test_x34_a_full_store_stays_full(start):
    full_store(start, 400)


@pytest.mark.nightly
def test_x34_a_hundred_thousand_sessions(start):
    full_store(start, 100_000)
