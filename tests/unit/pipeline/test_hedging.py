"""A late call is sent twice: one of the two answers, the other is ended, and nobody pays for it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkway.model.call import Call
from arkway.model.catalogue import AccountLimits, DisconnectPolicy, Price
from arkway.model.errors import Draining
from arkway.model.outcome import Ending, ErrorClass
from arkway.parking import Parking
from arkway.routing.ask import Size
from arkway.routing.policy import RoutingPolicy
from arkway.routing.pool import Pool
from arkway.wire.common_body import CommonBody, CommonMessage
from support.fakes import FakeLoop
from support.pipeline_lab import (
    DONE,
    KEY,
    MODEL,
    PipelineLab,
    account,
    chunk,
    code_of,
    contents,
    key,
    refusal,
    said,
    usage,
    usage_chunk,
)

LATE_S = 0.5  # more than the percentile of the accounts here
LOST, UNKNOWN = "hedge_lost", "unknown"


def hedge(lab, **policy):
    """Let a plane hedge: its accounts are known to begin their answers within 0.4 s."""
    pool = lab.plane.pool = Pool(b"s" * 43, RoutingPolicy(hedges=True, **policy))
    lab.plane.parking = Parking(pool, lab.loop)
    for slot in slots(lab).values():
        for _ in range(20):
            slot.ttfts.learn(0.4)
    return lab


def slots(lab):
    """Return what the pool knows of each account, by name."""
    accounts = lab.plane.snapshot.accounts
    names = [one.id for one in accounts]
    body = CommonBody(MODEL.name, [CommonMessage("user", "x")])
    call = Call(MODEL, MODEL.name, False, False, 1, body, 1, None)
    pool = lab.plane.pool
    ask = pool.ask(call, "t", Size(1, 1), accounts)
    found = {}
    for name in names:
        others = [other for other in names if other != name] or [""]
        lease = pool.choose(ask, accounts, lab.loop.now_s, others)
        pool.release(lease, was_sent=False)
        found[name] = lease.slot
    return found


@pytest.fixture
def late(planes):
    """Three accounts, a streamed call, and two attempts of it under way."""
    lab = hedge(planes())
    lab.it = lab.call(stream=True)
    lab.pass_time(LATE_S)
    assert len(lab.attempts) == 2
    return lab


def whole(attempt, text="hello"):
    attempt.data(chunk(text), chunk(finish="stop"), usage_chunk(), DONE)


def told(lab, it=None):
    """Return what the caller has got."""
    lab.loop.turn()
    return said(it or lab.it)


def outcomes(lab):
    """Return how each attempt ended, by number."""
    return {end.attempt: (str(end.kind), str(end.outcome)) for end in lab.plane.booked}


def tokens(lab):
    return sum(end.tokens for end in lab.plane.booked)


# Who answers.


@pytest.mark.parametrize("winner", [0, 1])
def test_who_begins_first_answers_and_the_other_is_ended_at_once(late, winner):
    first, second = late.attempts
    assert first.target.account.id != second.target.account.id
    late.attempts[winner].data(chunk("he"))

    assert late.attempts[1 - winner].is_closed
    assert not late.attempts[winner].is_closed
    assert late.plane.pool.in_flight(late.attempts[1 - winner].target.account.id) == 0
    whole(late.attempts[winner], "llo")

    answer = told(late)
    assert (answer.status, answer.is_done, contents(answer)) == (200, True, {0: "hello"})
    assert answer.headers["x-arkway-attempts"] == "2"
    assert outcomes(late) == {
        winner + 1: ("settle", "completed"),
        2 - winner: (UNKNOWN, LOST),
    }
    assert late.plane.settled == [(13, 0)], "one of the two, as the upstream counted"


def test_the_loser_costs_nothing_where_tokens_do(planes):
    lab = hedge(planes())
    price = Price(1, "CNY", 10**9, 10**9, 10**9)
    lab.change(models={"Doubao": replace(MODEL, price=price)})
    lab.call(stream=True)
    lab.pass_time(LATE_S)
    lab.attempts[0].begin()  # accepted: an attempt of its own would owe its prompt
    whole(lab.attempts[1])

    lost, won = lab.plane.booked
    assert (lost.outcome, lost.tokens, lost.cost_nano, lost.code) == (LOST, 0, 0, "")
    assert won.cost_nano > 0
    assert lab.plane.settled == [(won.tokens, won.cost_nano)]


def test_a_head_or_a_comment_is_no_token(late):
    late.attempts[0].begin()
    late.attempts[0].data(b": ping\n\n")
    late.attempts[1].begin()
    assert not any(attempt.is_closed for attempt in late.attempts)

    whole(late.attempts[1])
    assert contents(told(late)) == {0: "hello"}


def test_the_conversation_lives_where_it_was_answered(planes):
    lab = hedge(planes())
    lab.call(b"x-conversation-id: c", stream=True)
    lab.pass_time(LATE_S)
    whole(lab.attempts[1])

    lab.call(b"x-conversation-id: c", stream=True)
    assert lab.last.target.account.id == lab.attempts[1].target.account.id
    whole(lab.last)


def test_what_a_lost_first_attempt_took_counts_in_its_accounts_percentile(late):
    name = late.attempts[0].target.account.id
    before_s = slots(late)[name].ttfts.p95_s()
    late.pass_time(60)
    whole(late.attempts[1])
    slot = slots(late)[name]
    for _ in range(2):
        slot.ttfts.learn(0.4)

    assert before_s < LATE_S
    assert slot.ttfts.p95_s() < LATE_S, "one of 23 is within 5 %"
    slot.ttfts.learn(60.0)
    assert slot.ttfts.p95_s() > 50, "two of 24 are not"


# When there is no second.


def test_it_is_off_unless_it_is_wanted(lab):
    it = lab.call(stream=True)
    assert lab.loop.timers == []
    lab.pass_time(20)

    assert len(lab.attempts) == 1
    it.reset()


@pytest.mark.parametrize("fields", [{}, {"n": 2}, {"n": 2, "stream": True}])
def test_only_streams_of_one_choice_are_sent_twice(planes, fields):
    lab = hedge(planes())
    it = lab.call(**fields)
    lab.pass_time(20)

    assert len(lab.attempts) == fields.get("n", 1)
    it.reset()


def test_never_after_the_first_byte(planes):
    lab = hedge(planes())
    lab.call(stream=True)
    lab.last.data(chunk("a"))
    lab.pass_time(20)

    assert len(lab.attempts) == 1
    whole(lab.last)


def test_never_a_third_and_never_again(late):
    late.pass_time(20)
    assert len(late.attempts) == 2
    late.attempts[0].fail()
    late.attempts[1].fail()
    late.pass_time(20)

    assert len(late.attempts) == 3, "a retry, which is not sent twice"
    whole(late.last)


def test_an_account_of_which_too_little_is_known_is_waited_for(planes):
    lab = planes()
    lab.plane.pool = Pool(b"s" * 43, RoutingPolicy(hedges=True))
    lab.call(stream=True)
    lab.pass_time(20)

    assert len(lab.attempts) == 1
    whole(lab.last)


def test_no_other_account_no_hedge_and_none_is_used_up(planes):
    lab = hedge(planes(account("a")))
    lab.call(stream=True)
    lab.pass_time(20)

    assert len(lab.attempts) == 1
    assert lab.plane.pool.hedges.taken == 0
    whole(lab.last)


def test_a_place_that_another_call_waits_for_is_not_taken(planes):
    one = AccountLimits(in_flight=1)
    lab = hedge(planes(account("a", limits=one), account("b", limits=one)))
    lab.call(stream=True)
    second = lab.call(stream=True)
    third = lab.call(stream=True)
    assert (len(lab.attempts), lab.plane.pool.waiting("Doubao")) == (2, 1)
    lab.pass_time(LATE_S)

    assert len(lab.attempts) == 2
    whole(lab.attempts[0])
    lab.loop.turn()
    assert len(lab.attempts) == 3, "the one that waited has the place"
    second.reset()
    third.reset()


def test_one_attempt_is_the_most_where_the_operator_says_so(planes):
    lab = hedge(planes(max_attempts=1))
    lab.call(stream=True)
    lab.pass_time(20)

    assert len(lab.attempts) == 1
    whole(lab.last)


def test_not_more_than_two_in_a_hundred(planes):
    lab = hedge(planes())
    for _ in range(300):
        it = lab.call(stream=True)
        lab.pass_time(LATE_S)
        attempt = lab.last
        attempt.sent_s = lab.loop.now_s - 0.4
        whole(attempt)
        it.reset()
    lost = [end for end in lab.plane.booked if end.outcome == LOST]

    assert len(lab.attempts) - 300 == len(lost) == lab.plane.pool.hedges.taken
    assert 6 <= len(lost) <= 7, "2 % of 300, and the one that is given at the start"


# When one of the two fails, or both.


@pytest.mark.parametrize("failed", [0, 1])
@pytest.mark.parametrize("ending", [Ending.AMBIGUOUS, Ending.NOT_SENT])
def test_when_one_fails_the_other_goes_on(late, failed, ending):
    late.attempts[failed].fail(ending)
    assert len(late.attempts) == 2
    whole(late.attempts[1 - failed])

    assert contents(told(late)) == {0: "hello"}
    assert tokens(late) == 13
    assert outcomes(late)[2 - failed] == ("settle", "completed")
    assert LOST not in str(outcomes(late))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_when_both_fail_a_third_account_is_asked(late, order):
    for at in order:
        refusal(503)(late.attempts[at])

    assert len({attempt.target.account.id for attempt in late.attempts}) == 3
    whole(late.last)
    answer = told(late)
    assert (contents(answer), answer.headers["x-arkway-attempts"]) == ({0: "hello"}, "3")


def test_three_attempts_are_the_most_with_the_second(late):
    for at in range(3):
        refusal(503)(late.attempts[at])

    answer = told(late)
    assert (answer.status, len(late.attempts)) == (502, 3)
    assert code_of(answer) == "upstream_error"


def test_a_fault_of_the_request_ends_both(late):
    refusal(400, "InvalidParameter")(late.attempts[0])

    assert late.attempts[1].is_closed
    assert told(late).status == 400
    assert outcomes(late) == {1: ("void", "refused"), 2: (UNKNOWN, LOST)}


def test_a_fault_of_the_request_that_only_the_second_sees_is_its_own(late):
    refusal(400, "InvalidParameter")(late.attempts[1])
    whole(late.attempts[0])

    assert contents(told(late)) == {0: "hello"}


@pytest.mark.parametrize("winner", [0, 1])
@pytest.mark.parametrize("has_failed", [False, True])
def test_who_has_the_caller_and_breaks_off_is_not_tried_again(late, winner, has_failed):
    if has_failed:
        late.attempts[1 - winner].fail()
    late.attempts[winner].data(chunk("he"))
    late.attempts[winner].fail()

    assert len(late.attempts) == 2
    answer = told(late)
    assert not answer.is_done
    assert answer.events[-1]["error"]["code"] == "upstream_stream_interrupted"
    assert outcomes(late)[winner + 1] == ("settle", "upstream_interrupted")


@pytest.mark.parametrize("second_fails", [False, True])
def test_a_stale_connection_beside_a_second(late, second_fails):
    late.attempts[0].be_stale()
    assert len(late.attempts) == 2, "the second is on its way already"
    if second_fails:
        late.attempts[1].fail()
        assert late.last.wants_new
    whole(late.last)

    assert contents(told(late)) == {0: "hello"}


def test_limits_of_both_accounts_tell_the_sooner_reset(planes):
    lab = hedge(planes(account("a"), account("b")))
    it = lab.call(stream=True)
    lab.pass_time(LATE_S)
    refusal(429, "ModelAccountRpmRateLimitExceeded", retry_after_s=30)(lab.attempts[0])
    refusal(429, "ModelAccountRpmRateLimitExceeded", retry_after_s=10)(lab.attempts[1])

    answer = told(lab, it)
    assert (answer.status, answer.headers["retry-after"]) == (429, "10")


def test_a_ledger_that_takes_no_second_leaves_the_first_alone(planes):
    lab = hedge(planes())
    it = lab.call(stream=True)
    lab.plane.ledger.is_open = False
    lab.pass_time(LATE_S)
    assert len(lab.attempts) == 1
    lab.plane.ledger.is_open = True
    whole(lab.last)

    assert contents(told(lab, it)) == {0: "hello"}


@pytest.mark.parametrize("first_fails", [False, True])
def test_a_second_whose_intent_is_not_on_the_disk_yet_is_not_sent(planes, first_fails):
    lab = hedge(planes())
    it = lab.call(stream=True)
    lab.plane.ledger.waits = True
    lab.pass_time(LATE_S)
    assert len(lab.attempts) == 1
    if first_fails:
        lab.attempts[0].fail()
        lab.plane.ledger.waits = False
        lab.plane.ledger.entries = lab.plane.ledger.entries[:1] + lab.plane.ledger.entries[2:]
        lab.plane.ledger.tell(is_durable=False)
        assert len(lab.attempts) == 2, "the usual retry"
    else:
        lab.plane.ledger.waits = False
        lab.attempts[0].data(chunk("he"))
        lab.plane.ledger.tell()
    whole(lab.last)

    assert told(lab, it).is_done
    if not first_fails:
        assert outcomes(lab)[2] == ("void", LOST), "it was never sent"


def test_the_end_of_who_has_the_caller_is_durable_before_its_last_byte(late):
    late.plane.ledger.waits = True
    whole(late.attempts[1])
    assert b"[DONE]" not in late.it.written
    late.plane.ledger.tell()

    assert told(late).is_done


def test_a_caller_who_waits_no_longer_gets_its_deadline(planes):
    lab = hedge(planes())
    it = lab.call(b"x-stainless-read-timeout: 2", stream=True)
    lab.pass_time(LATE_S)
    assert lab.attempts[1].clocks.first_token_s < lab.attempts[0].clocks.first_token_s
    lab.pass_time(2)
    lab.attempts[0].fail()

    assert told(lab, it).status == 504
    assert lab.attempts[1].is_closed


def test_a_crash_of_a_second_is_a_crash(planes):
    lab = hedge(planes())
    lab.call(stream=True)
    lab.plane.upstream.refusal = RuntimeError("bug")
    lab.pass_time(LATE_S)
    whole(lab.attempts[0])

    assert lab.front.crashes == [lab.plane.upstream.refusal]
    lab.front.crashes.clear()


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


KINDS = [
    f"{who}{how}" for who in ("first", "second") for how in ("", " other fails", " waits")
]


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
