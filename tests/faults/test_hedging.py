"""What does a second attempt buy, and who pays for it? One of four accounts is late now and then.

Callers note when their first token came and what they were told to have used; the ledger has to
say the same in sum, and to name every attempt that the upstream saw.
"""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from support.answers import HANG, Pause, Script, reply, streamed
from support.gateway import Gateway
from support.httpraw import live_frames
from support.lab import Lab, open_lab
from support.upstream import Seen

LATE_S = 0.6
CANCEL_LIMIT_S = 0.1
CALLS, WARM, AT_ONCE = 120, 160, 4
USUAL = {"kind": "slow_first_token", "for_s": 0.01}  # a time that can be told from none
FAULT = {"kind": "slow_first_token", "accounts": ["ark-1"], "for_s": LATE_S, "every": 6}


def call(gateway: Gateway) -> tuple[float, int, str]:
    """Make one call; return when its first token came, what it used, and what it said."""
    began_s = time.monotonic()
    with gateway.open_stream("[[sim tokens=8]]", stream_options={"include_usage": True}) as it:
        head = it.read_head()
        first_s = time.monotonic() - began_s
        assert head.status == 200
        *events, done = live_frames(it, head)
    assert done.data == "[DONE]"
    text = "".join(
        choice["delta"].get("content") or ""
        for event in events
        for choice in event.json()["choices"]
    )
    return first_s, events[-1].json()["usage"]["total_tokens"], text


def ends(gateway: Gateway) -> list[tuple[str, str, int]]:
    """Return `(kind, outcome, tokens)` of each attempt in the ledger."""
    with closing(sqlite3.connect(f"file:{gateway.home}/ledger.db?mode=ro", uri=True)) as db:
        return db.execute(
            "SELECT kind, outcome, uncached + cached + created + output + reasoning FROM ends"
        ).fetchall()


def run(sim, *, hedges: bool) -> tuple[list[float], int, list[tuple[str, str, int]], int]:
    """Return times to first token in order, what callers were told, the ledger, and its calls."""
    sim.set_faults(USUAL)
    before = len(sim.log())
    routing = {"hedges": hedges, "hedge_share": 0.3}
    with Gateway({"accounts": sim.pool, "routing": routing}, env=sim.env) as gateway:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            warm = list(threads.map(lambda _: call(gateway), range(WARM)))
            sim.set_faults(FAULT, USUAL)
            found = list(threads.map(lambda _: call(gateway), range(CALLS)))
        attempts = wait_ends(gateway, WARM + CALLS)
        assert gateway.unhandled() == ""
    asked = sim.wait_log(before + WARM + CALLS)[before:]
    assert len(asked) <= len(attempts), "the ledger names each attempt that the upstream saw"
    assert len({text for _, _, text in found}) == 1, "a whole answer, and of one attempt"
    told = sum(used for _, used, _ in warm + found)
    return sorted(first_s for first_s, _, _ in found), told, attempts, len(asked)


def wait_ends(gateway: Gateway, calls: int) -> list[tuple[str, str, int]]:
    """Return the ledger's ends once it has those of all calls; the database is behind a little."""
    deadline_s = time.monotonic() + 5
    while True:
        found = ends(gateway)
        if sum(kind == "settle" for kind, _, _ in found) >= calls:
            return found
        assert time.monotonic() < deadline_s, f"{len(found)} ends"
        time.sleep(0.05)


@pytest.mark.parametrize("hedges", [False, True])
def test_the_latest_callers_wait_less_and_nobody_pays_twice(sim, hedges):
    first_s, told, attempts, asked = run(sim, hedges=hedges)
    p99_s = first_s[int(CALLS * 0.99) - 1]
    lost = [each for each in attempts if each[1] == "hedge_lost"]
    print(f"p50 {first_s[CALLS // 2]:.3f} s, p99 {p99_s:.3f} s, {len(lost)} of {asked} lost")

    assert sum(tokens for _, _, tokens in attempts) == told, "billed is what callers were told"
    assert len(attempts) - len(lost) == WARM + CALLS
    assert all(each in (("unknown", "hedge_lost", 0), ("void", "hedge_lost", 0)) for each in lost)
    if hedges:
        assert lost
        assert p99_s < LATE_S * 0.75
    else:
        assert not lost
        assert p99_s >= LATE_S


# -- on the wire ----------------------------------------------------------------------------------


def quick(seen: Seen) -> Script:
    """Answer as an account does that is not late, in a time that can be told from none."""
    return [Pause(0.005), *reply("quick")(seen)]


SILENT = streamed(lambda say: [HANG])  # its head comes, and no event


@pytest.fixture(scope="module")
def lab():
    """Two accounts that are known to be quick."""
    settings = {"routing": {"hedges": True, "hedge_share": 1.0}}
    with open_lab(number_of_accounts=2, settings=settings) as lab:
        for _ in range(60):
            lab.gateway.chat(lab.upstream.plan(quick), stream=True)
        yield lab


def test_the_loser_is_cancelled_upstream_at_once(lab: Lab):
    prompt = lab.upstream.plan(SILENT, reply("from the second"))
    with lab.gateway.open_stream(prompt) as it:
        head = it.read_head()
        began_s = time.monotonic()
        text = "".join(frame.data for frame in live_frames(it, head))
    first, second = lab.upstream.seen(prompt)

    assert "from the second" in text
    assert head.header("x-arkway-attempts") == "2"
    assert first.account != second.account
    assert first.peer_left.wait(5), "the upstream was never told"
    assert first.peer_left_s - began_s < CANCEL_LIMIT_S


def test_a_caller_who_leaves_cancels_both(lab: Lab):
    prompt = lab.upstream.plan(SILENT)
    with lab.gateway.open_stream(prompt) as it:
        both = lab.upstream.wait_seen(prompt, 2)
        left_s = time.monotonic()
        it.close()

    assert len({seen.account for seen in both}) == 2
    for seen in both:
        assert seen.peer_left.wait(5), "the upstream was never told"
        assert seen.peer_left_s - left_s < CANCEL_LIMIT_S
