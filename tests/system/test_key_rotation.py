"""The drill of docs/rotate-keys.md under load: publish, sign, retire, on two replicas that are
reloaded one after the other. No token that a client could still hold is ever refused."""

import base64
import json
import signal
import threading
import time

import pytest

from support.gate import SLOW, merge, refreshed
from support.metrics import Metrics

LIFE = 6 * max(1, int(SLOW))  # seconds of an access token


def reloads(gate):
    text = gate.request("GET", "/metrics", role="health").body.decode()
    return Metrics(text).value("gatehouse_config_reloads_total", result="ok")


def kid_of(token):
    head = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


class Fleet:
    """Replicas with the same keys; what one issues, the others verify."""

    def __init__(self, start, keys):
        self.start, self.backend = start, start.backend()
        self.access = {k: keys.config("ES256", k) for k in ("a", "b")}
        self.refresh = {"r": {"kid": "r", "secret_file": str(keys.refresh)},
                        "s": {"kid": "s", "secret_file": str(keys.private("HS256", "s"))}}
        self.gates = [start(self.backend, self.changes("a", "a", "r", "r")) for _ in range(2)]

    def changes(self, access, sign_access, refresh, sign_refresh):
        return {"tokens": {
            "access": {"life": f"{LIFE}s", "sign_with": sign_access,
                       "keys": [self.access[k] for k in access]},
            "refresh": {"grace": "1s", "sign_with": sign_refresh,
                        "keys": [self.refresh[k] for k in refresh]}}}

    def roll_out(self, *keys):
        """A rolling reload: meanwhile the replicas have different keys."""
        for gate in self.gates:
            before = reloads(gate)
            gate.write_config(self.start.config(self.backend, self.changes(*keys)))
            gate.signal(signal.SIGHUP)
            gate.wait_for(lambda: reloads(gate) == before + 1, "the reload")
            time.sleep(0.3)  # clients use the mixed fleet for a while

    def published(self):
        return [{k["kid"] for k in gate.get("/.well-known/jwks.json").json()["keys"]}
                for gate in self.gates]


class Clients:
    """Each logs in at one replica, sends its token to both, and refreshes well before the end."""

    def __init__(self, fleet, count=4):
        self.fleet, self.rejected, self.served = fleet, [], 0
        self.stop, self.kids = threading.Event(), set()
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True)
                        for n in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        try:
            home = self.fleet.gates[number % 2]
            tokens = home.login("alice" if number % 2 else "bob")
            access, refresh, since = tokens.access, tokens.refresh, time.monotonic()
            while not self.stop.is_set():
                for gate in self.fleet.gates:
                    status = gate.get("/x", {"Authorization": f"Bearer {access}"}).status
                    self.served += 1
                    if status != 200:
                        self.rejected.append((kid_of(access), status))
                if time.monotonic() - since > LIFE / 4:
                    answer = home.refresh(refresh)
                    refresh, access = refreshed(answer), answer.json()["accessToken"]
                    since = time.monotonic()
                    self.kids.add(kid_of(access))
        except Exception as failure:  # seen by the test, whatever it is
            self.rejected.append(repr(failure))

    def finish(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(30 * SLOW)
        assert self.rejected == [] and self.served > 50

    def wait_until_all_use(self, kid):
        """As long as tokens of the key before may be held: an access token's life."""
        deadline = time.monotonic() + LIFE
        while time.monotonic() < deadline and not self.rejected:
            time.sleep(0.05)
        assert not self.rejected and kid in self.kids


@pytest.mark.skipif(SLOW > 4, reason="it takes as long as two lives of a token")
def test_keys_are_rotated_without_a_rejected_token(start, keys):
    fleet = Fleet(start, keys)
    clients = Clients(fleet)
    fleet.roll_out("ab", "a", "rs", "r")  # publish
    assert fleet.published() == [{"a", "b"}] * 2
    fleet.roll_out("ab", "b", "rs", "s")  # sign
    clients.wait_until_all_use("b")
    fleet.roll_out("b", "b", "s", "s")    # retire
    assert fleet.published() == [{"b"}] * 2
    time.sleep(LIFE / 3)                  # another refresh of everybody, with the new keys alone
    clients.finish()


def test_signing_before_publishing_is_what_goes_wrong(start, keys):
    """The drill's first step is not for show: a replica that does not know the key refuses."""
    fleet = Fleet(start, keys)
    fleet.gates[0].write_config(start.config(fleet.backend, fleet.changes("ab", "b", "r", "r")))
    fleet.gates[0].signal(signal.SIGHUP)
    fleet.gates[0].wait_for(lambda: reloads(fleet.gates[0]) == 1, "the reload")
    bearer = fleet.gates[0].bearer()
    assert fleet.gates[0].get("/x", bearer).status == 200
    assert fleet.gates[1].get("/x", bearer).status == 401


def test_a_retired_key_verifies_without_being_able_to_sign(start, keys):
    """Its public half is enough for tokens that are still out."""
    fleet = Fleet(start, keys)
    gate = fleet.gates[0]
    old = gate.bearer()
    config = start.config(fleet.backend, merge(fleet.changes("b", "b", "r", "r"), {}))
    config["tokens"]["access"]["keys"].append(
        {"kid": "a", "algorithm": "ES256", "public_key_file": str(keys.public("ES256", "a"))})
    gate.write_config(config)
    gate.signal(signal.SIGHUP)
    gate.wait_for(lambda: reloads(gate) == 1, "the reload")
    assert gate.get("/x", old).status == 200
    assert kid_of(gate.login().access) == "b"
