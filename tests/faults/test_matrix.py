"""An account breaks answers in their middle, everything fails, heals, is broken for good.

After the first byte a caller learns of a fault by an error event, without `[DONE]` and without a
second answer spliced in. Each answer is checked word by word. (`make soak-faults`: the long form.)
"""

import itertools
import json
import time

import pytest

from support.gateway import Gateway
from support.matrix import CALLS, CLOCKS, FAULTY, HARMLESS, MIDDLE, PLAIN_MIDDLE, go, named


@pytest.mark.parametrize("fault", PLAIN_MIDDLE, ids=named)
def test_a_plain_answer_that_breaks_is_got_elsewhere(sim, gateway, fault):
    sim.set_faults({**fault, "accounts": [FAULTY]})

    crowd = go(gateway, stream=False)

    assert crowd.seen == {"good": CALLS}


@pytest.mark.parametrize("fault", MIDDLE, ids=named)
def test_a_stream_that_breaks_says_so_and_is_never_spliced(sim, gateway, fault):
    sim.set_faults({**fault, "accounts": [FAULTY]})

    crowd = go(gateway, stream=True)

    assert set(crowd.seen) <= {"good", "error event"}
    assert crowd.seen["error event"] > 0
    assert crowd.seen["good"] >= CALLS * 0.5


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("fault", HARMLESS, ids=named)
def test_what_is_no_fault_to_a_caller_is_none(sim, gateway, fault, stream):
    sim.set_faults({**fault, "accounts": [FAULTY]})

    assert go(gateway, stream=stream).seen == {"good": CALLS}


def test_when_everything_fails_retries_stay_within_their_budget(sim, gateway):
    sim.set_faults({"kind": "error", "status": 500})
    calls = 1000
    before = len(sim.log())

    crowd = go(gateway, stream=False, calls=calls)

    attempts = len(sim.log()) - before
    assert set(crowd.seen) <= {"status 502 upstream_error", "status 503 no_healthy_account"}
    # A fifth of traffic, three a second, and what those three had saved up in the ten seconds
    # before.
    assert attempts <= 1.2 * calls + 3 * crowd.took_s + 30


def test_goodput_is_back_within_five_seconds_of_healing(sim, gateway):
    sim.set_faults({"kind": "error", "status": 500})
    go(gateway, stream=False, calls=200)
    sim.control("DELETE", "/faults")
    healed_s = time.monotonic()
    good = 0.0
    while good < 0.95:
        assert time.monotonic() < healed_s + 5
        crowd = go(gateway, stream=False, calls=100)
        good = crowd.seen["good"] / 100


def test_25_straight_failures_are_out_after_five_probed_singly_and_back_in_time(sim):
    """Out after at most 5, one probe at a time, back within 1.1 times the cooldown."""
    cooldown_s = 1.0
    sim.control("DELETE", "/faults")
    settings = {
        "accounts": sim.pool,
        "upstream": CLOCKS,
        "routing": {"ejection_s": cooldown_s, "max_ejection_s": cooldown_s, "slow_start_s": 0.0},
    }
    with Gateway(settings, env=sim.env) as gateway:
        sim.set_faults({"kind": "error", "status": 500, "accounts": [FAULTY], "at_most": 7})
        before = len(sim.log())
        deadline_s = time.monotonic() + 6 * cooldown_s
        while time.monotonic() < deadline_s:  # two probes fail, the third finds it healed
            go(gateway, stream=False, calls=20, at_once=1)
            lines = [line for line in sim.log()[before:] if line["account"] == FAULTY]
            failed = [line for line in lines if line["fault"]]
            back = [line for line in lines if line["at_unix_s"] > failed[-1]["at_unix_s"]]
            if len(failed) == 7 and back:
                break
        assert len(failed) == 7
        # The fifth put it out: what follows are the two probes that failed.
        for earlier, later in itertools.pairwise(failed[4:]):
            waited_s = later["at_unix_s"] - earlier["at_unix_s"]
            assert 0.85 * cooldown_s <= waited_s <= 1.1 * cooldown_s + 0.3
        assert back[0]["at_unix_s"] - failed[-1]["at_unix_s"] <= 1.1 * cooldown_s + 0.3


def test_a_broken_account_is_out_until_an_operator_acts_and_the_operator_sees_why(sim, gateway):
    sim.set_faults({"kind": "error", "code": "AccountOverdueError", "accounts": [FAULTY]})
    before = len(sim.log())
    go(gateway, stream=False, calls=40)
    sim.control("DELETE", "/faults")
    go(gateway, stream=False, calls=40)
    asked = [line for line in sim.log()[before:] if line["account"] == FAULTY]
    assert len(asked) <= 16  # those under way when the first of them came back
    (ejected, *_) = [
        event
        for event in map(json.loads, gateway.stderr().splitlines())
        if event["event"] == "account_ejected"
    ]
    assert (ejected["account"], ejected["needs_operator"]) == (FAULTY, True)
    assert "AccountOverdueError" in ejected["reason"]

    gateway.arkway("accounts", "drain", FAULTY)
    gateway.arkway("accounts", "enable", FAULTY)
    time.sleep(0.5)  # a change reaches a worker
    before = len(sim.log())
    go(gateway, stream=False, calls=40)

    assert any(line["account"] == FAULTY for line in sim.log()[before:])


def test_when_all_are_broken_callers_are_told_so_with_a_hint(sim, gateway):
    sim.set_faults({"kind": "error", "code": "AuthenticationError"})

    crowd = go(gateway, stream=False, calls=20)

    assert crowd.seen == {"status 503 no_healthy_account": 20}
