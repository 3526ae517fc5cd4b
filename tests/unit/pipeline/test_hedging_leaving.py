"""Whenever a call that was sent twice ends: nothing stays open, and one of the two is billed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkway.model.catalogue import DisconnectPolicy
from arkway.model.errors import Draining
from support.fakes import FakeLoop
from support.hedging_lab import LATE_S, LOST, UNKNOWN, hedge, outcomes, tokens, told, whole
from support.pipeline_lab import (
    DONE,
    KEY,
    PipelineLab,
    chunk,
    contents,
    key,
    refusal,
    usage_chunk,
)

# Leaving, at every point.


def steps_of(kind):
    """Return what happens to a call that is sent twice, step by step."""
    winner = 1 if "second" in kind else 0
    yield lambda lab: setattr(lab, "it", lab.call(stream=True, api_key=KEY))
    yield lambda lab: lab.loop.turn()
    if "waits" in kind:
        yield lambda lab: setattr(lab.plane.ledger, "waits", True)
    yield lambda lab: lab.pass_time(LATE_S)
    if "waits" in kind:
        yield lambda lab: setattr(lab.plane.ledger, "waits", False)
        yield lambda lab: lab.plane.ledger.tell()
    yield lambda lab: lab.attempts[0].begin()
    yield lambda lab: lab.attempts[1].begin()
    if "other fails" in kind:
        yield lambda lab: lab.attempts[1 - winner].fail()
    yield lambda lab: lab.attempts[winner].data(chunk("a"))
    yield lambda lab: lab.it.protocol.pause_writing()
    yield lambda lab: lab.it.protocol.resume_writing()
    yield lambda lab: lab.attempts[winner].data(chunk("b"), chunk(finish="stop"))
    yield lambda lab: lab.attempts[winner].data(usage_chunk(), DONE)
    yield lambda lab: lab.loop.turn()


KINDS = [f"{who}{how}" for who in ("first", "second") for how in ("", " other fails", " waits")]


def run_steps(planes, kind, count):
    lab = hedge(planes())
    for step in [*steps_of(kind)][:count]:
        step(lab)
    return lab


def check_one_is_billed_at_most(lab):
    settled = [end for end in lab.plane.booked if end.tokens]
    assert len(settled) <= 1
    assert lab.plane.settled in ([], [(sum(end.tokens for end in settled), 0)])


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_walk_is_a_good_answer(planes, kind):
    lab = run_steps(planes, kind, None)

    answer = told(lab)
    assert (answer.is_done, contents(answer)) == (True, {0: "ab"})
    check_one_is_billed_at_most(lab)


@pytest.mark.parametrize("kind", KINDS)
def test_a_caller_may_leave_after_every_step(planes, kind):
    for count in range(1, len([*steps_of(kind)]) + 1):
        lab = run_steps(planes, kind, count)
        lab.it.reset()

        assert all(attempt.is_closed for attempt in lab.attempts), "at once, not in a later turn"
        lab.check_nothing_is_left()
        check_one_is_billed_at_most(lab)
        lab.pass_time(20)
        assert len(lab.attempts) <= 2
        assert not any(lab.is_out(attempt.target) for attempt in lab.attempts)
        assert lab.front.crashes == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_may_be_cut_after_every_step(planes, kind):
    for count in range(1, len([*steps_of(kind)]) + 1):
        lab = run_steps(planes, kind, count)
        lab.listener.cut_all(Draining("stopped", retry_after_s=1.0))
        lab.loop.turn()

        lab.check_nothing_is_left()
        check_one_is_billed_at_most(lab)
        assert lab.front.crashes == []


def test_of_two_that_nobody_waits_for_the_first_owes_its_prompt_and_no_other(late):
    for attempt in late.attempts:
        attempt.begin()
    late.it.reset()

    assert outcomes(late) == {1: ("settle", "caller_left"), 2: (UNKNOWN, LOST)}
    check_one_is_billed_at_most(late)


@pytest.mark.parametrize("has_won", [None, 0, 1])
@pytest.mark.parametrize("ends", ["whole", "fail"])
def test_a_key_that_drains_has_one_of_two_read_on(planes, has_won, ends):
    lab = hedge(planes())
    lab.change(keys=key(KEY, on_disconnect=DisconnectPolicy.DRAIN))
    it = lab.call(stream=True)
    lab.pass_time(LATE_S)
    for attempt in lab.attempts:
        attempt.begin()
    if has_won is not None:
        lab.attempts[has_won].data(chunk("he"))
    it.reset()
    kept = lab.attempts[has_won or 0]

    assert [attempt.is_closed for attempt in lab.attempts] == [
        attempt is not kept for attempt in lab.attempts
    ]
    assert lab.plane.drains == 1
    if ends == "whole":
        whole(kept, "llo")
        assert tokens(lab) == 13
    else:
        kept.fail()
    assert lab.plane.drains == 0
    check_one_is_billed_at_most(lab)


def test_a_key_that_drains_has_a_second_read_on_whose_first_had_failed(planes):
    lab = hedge(planes())
    lab.change(keys=key(KEY, on_disconnect=DisconnectPolicy.DRAIN))
    it = lab.call(stream=True)
    lab.pass_time(LATE_S)
    lab.attempts[0].fail()
    lab.attempts[1].begin()
    it.reset()
    assert not lab.attempts[1].is_closed
    whole(lab.attempts[1])

    assert tokens(lab) == 13


# Whatever happens.

EVENTS = ["head", "comment", "data", "finish", "end", "fail", "stale", "refuse", "reset", "pause"]
EVENTS += ["late", "waits", "tell"]


def play(lab, event, attempt):
    """Let something happen to an attempt, to the caller or to the disk."""
    it, ledger = lab.it, lab.plane.ledger
    match event:
        case "reset":
            it.reset()
        case "pause":
            it.protocol.pause_writing()
            it.protocol.resume_writing()
        case "late":
            lab.pass_time(LATE_S)
        case "waits":
            ledger.waits = True
        case "tell":
            ledger.waits = False
            ledger.tell()
        case "head":
            attempt.begin()
        case "comment":
            attempt.data(b": ping\n\n")
        case "data":
            attempt.data(chunk("a"))
        case "finish":
            attempt.data(chunk("b", finish="stop"), usage_chunk(), DONE)
        case "end" if attempt.status:
            attempt.end()
        case "fail":
            attempt.fail()
        case "stale" if not attempt.status:
            attempt.be_stale()
        case "refuse" if not attempt.status:
            refusal(503)(attempt)


@given(st.lists(st.sampled_from(EVENTS), max_size=14), st.booleans(), st.data())
@settings(max_examples=300)
def test_whatever_happens_nothing_is_left_and_nobody_pays_twice(events, drains, data):
    with FakeLoop() as loop:
        lab = hedge(PipelineLab(loop))
        if drains:
            lab.change(keys=key(KEY, on_disconnect=DisconnectPolicy.DRAIN))
        lab.it = it = lab.call(stream=True)
        for event in events:
            waiting = [attempt for attempt in lab.attempts if not attempt.is_closed]
            if it.is_closing():
                break
            attempt = data.draw(st.sampled_from(waiting)) if waiting else None
            if attempt is not None or event in ("reset", "late", "waits", "tell"):
                play(lab, event, attempt)
        play(lab, "tell", None)
        if not it.is_closing():
            it.reset()
        for attempt in lab.attempts:  # what is read on for nobody
            if not attempt.is_closed:
                attempt.fail()
        loop.turn()
        lab.check_nothing_is_left()
        check_one_is_billed_at_most(lab)
        assert len(lab.attempts) <= 4, "three, and one whose connection was stale"
        assert lab.front.crashes == []
