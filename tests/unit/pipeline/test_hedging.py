"""A late call is sent twice: one of the two answers, the other is ended, and nobody pays for it."""

from dataclasses import replace

import pytest

from arkway.model.catalogue import AccountLimits, Price
from arkway.model.outcome import Ending
from arkway.routing.policy import RoutingPolicy
from arkway.routing.pool import Pool
from support.hedging_lab import LATE_S, LOST, UNKNOWN, hedge, outcomes, slots, tokens, told, whole
from support.pipeline_lab import (
    MODEL,
    account,
    chunk,
    code_of,
    contents,
    refusal,
)

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


def test_what_a_lost_attempt_still_receives_goes_nowhere(late):
    late.attempts[0].begin()
    sink = late.attempts[0].sink
    late.attempts[1].data(chunk("he"))
    sink(chunk("another answer"))
    whole(late.attempts[1], "llo")

    assert contents(told(late)) == {0: "hello"}


def test_losing_says_nothing_about_an_account(late):
    whole(late.attempts[1])

    (work,) = late.plane.ended
    assert [each.error_class for each in work.ended] == ["", ""]
    assert late.plane.failures == []


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


def test_a_place_that_has_just_come_free_goes_to_the_call_that_waits(planes):
    one = AccountLimits(in_flight=1)
    lab = hedge(planes(account("a", limits=one), account("b", limits=one)))
    for _ in range(3):
        lab.call(stream=True)
    lab.pass_time(0.45)  # a moment before the first two are late
    whole(lab.attempts[1])  # the pool looks who may go on later in this turn
    lab.pass_time(0.01)

    assert lab.plane.pool.hedges.taken == 0
    assert [attempt.target.account.id for attempt in lab.attempts[1:]] == ["b", "b"]
    whole(lab.attempts[0])
    whole(lab.attempts[2])


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


def test_three_attempts_are_the_most_with_the_second(planes):
    lab = hedge(planes(*(account(name) for name in "abcdef")))
    it = lab.call(stream=True)
    lab.pass_time(LATE_S)
    for at in range(3):
        refusal(503)(lab.attempts[at])

    answer = told(lab, it)
    assert (answer.status, len(lab.attempts)) == (502, 3)
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
