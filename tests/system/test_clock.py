"""The wall clock jumps while the program runs: tokens end by it, timeouts and open connections do
not care, and nobody loses a session to an hour more or less."""

import pytest

from support.client import Client
from support.faults import Faults, build, needs_plain_program
from support.gate import refreshed
from support.redis import Redis, store

HOUR = 3600


@pytest.fixture
def faults(tmp_path):
    needs_plain_program()
    return Faults(build(tmp_path), tmp_path)


def test_an_access_token_ends_by_the_clock_and_the_session_goes_on(start, faults):
    gate = start(start.backend(), environment=faults.environment())
    tokens = gate.login()
    assert gate.get("/x", tokens.bearer()).status == 200
    faults.shift_clock(HOUR)
    assert gate.get("/x", tokens.bearer()).status == 401
    successor = refreshed(gate.refresh(tokens.refresh))
    assert successor != tokens.refresh


def test_a_clock_that_goes_back_ends_no_session(start, faults):
    gate = start(start.backend(), environment=faults.environment())
    faults.shift_clock(HOUR)
    tokens = gate.login()
    faults.shift_clock(0)
    # Issued in an hour: more than the leeway, so not yet a token.
    assert gate.get("/x", tokens.bearer()).status == 401
    successor = refreshed(gate.refresh(tokens.refresh))
    assert refreshed(gate.refresh(successor))


def test_a_jump_cuts_no_connection(start, faults):
    gate = start(start.backend(), environment=faults.environment())
    tokens = gate.login()
    with Client(gate.address) as client:
        assert client.request("GET", "/x", tokens.bearer()).status == 200
        for seconds in (HOUR, -HOUR, 0):
            faults.shift_clock(seconds)
            assert client.request("GET", "/.well-known/jwks.json").status == 200


def test_2038_is_an_ordinary_year(start, faults):
    gate = start(start.backend(), environment=faults.environment())
    faults.shift_clock(12 * 365 * 24 * HOUR)  # well past 2^31 seconds
    tokens = gate.login()
    claims = tokens.claims()
    assert claims["exp"] > 2**31 and claims["exp"] - claims["iat"] == 900
    assert gate.get("/x", tokens.bearer()).status == 200
    assert refreshed(gate.refresh(tokens.refresh))


def test_idle_and_absolute_life_end_a_session_by_the_clock(start, faults):
    gate = start(start.backend(), {"tokens": {"refresh": {"idle_life": "2h",
                                                          "absolute_life": "5h"}}},
                 environment=faults.environment())
    idle, busy = gate.login(), gate.login()
    token = busy.refresh
    for hour in (1, 2, 3, 4):
        faults.shift_clock(hour * HOUR)
        token = refreshed(gate.refresh(token))
    assert gate.refresh(idle.refresh).status == 403
    faults.shift_clock(5 * HOUR + 2)
    assert gate.refresh(token).status == 403


@pytest.mark.parametrize("behind", [50, HOUR])
def test_a_replica_whose_clock_is_behind_that_of_redis_serves(start, faults, tmp_path, behind):
    """Sessions are dated by Redis; a replica's own tokens must not come from its future."""
    redis = Redis(tmp_path / "redis")
    gate = start(start.backend(), {"store": store(redis)}, environment=faults.environment())
    faults.shift_clock(-behind)
    tokens = gate.login()
    assert gate.get("/x", tokens.bearer()).status == 200
    answer = gate.refresh(tokens.refresh)
    bearer = {"Authorization": "Bearer " + answer.json()["accessToken"]}
    assert answer.status == 200 and gate.get("/x", bearer).status == 200
    redis.stop()
