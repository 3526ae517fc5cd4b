"""Calls that wait for an account go on, leave, or are told when to come back; none is lost."""

from dataclasses import replace

import pytest

from arkway.model.catalogue import AccountLimits
from support.pipeline_lab import account, chunk, code_of, said

ONE_AT_ONCE = AccountLimits(in_flight=1)


@pytest.fixture
def lab(planes):
    """One account that takes one call at a time."""
    return planes(account("a", limits=ONE_AT_ONCE))


def test_a_call_waits_until_there_is_room(lab):
    first, second = lab.call(), lab.call()
    assert len(lab.attempts) == 1
    lab.last.answer()
    lab.loop.turn()
    assert said(first).status == 200
    assert len(lab.attempts) == 2
    lab.last.answer()
    lab.loop.turn()

    assert said(second).status == 200


def test_waiting_calls_go_in_their_order(lab):
    lab.call()
    waiting = [lab.call() for _ in range(5)]
    done = []
    for _ in range(6):
        lab.last.answer()
        lab.loop.turn()
        done.append([bool(each.take()) for each in waiting].count(True))

    assert done == [0, 1, 1, 1, 1, 1]


def test_who_waits_too_long_is_told_when_there_will_be_room(lab):
    lab.call(stream=True)
    lab.last.data(chunk("a"))
    it = lab.call()
    lab.pass_time(31.0)

    answer = said(it)
    assert (answer.status, code_of(answer)) == (429, "accounts_exhausted")
    assert int(answer.headers["retry-after"]) >= 1
    assert len(lab.attempts) == 1
    lab.last.fail()


def test_a_callers_deadline_ends_its_wait(lab):
    lab.call()
    it = lab.call(b"x-stainless-read-timeout: 2")
    lab.pass_time(3.0)

    answer = said(it)
    assert (answer.status, code_of(answer)) == (504, "upstream_timeout")
    lab.last.answer()


def test_a_caller_that_leaves_gives_its_place_up(lab):
    lab.call()
    leaving, staying = lab.call(), lab.call()
    leaving.reset()
    lab.last.answer()
    lab.loop.turn()
    lab.last.answer()
    lab.loop.turn()

    assert said(staying).status == 200
    assert len(lab.attempts) == 2


def test_choices_of_one_call_wait_for_the_same_account(planes):
    lab = planes(account("a", limits=replace(ONE_AT_ONCE, in_flight=2)), account("b"))
    lab.call(n=3)
    accounts = [each.target.account.id for each in lab.attempts]

    assert len(set(accounts[:2])) == 1
    for each in [*lab.attempts]:
        each.answer()
    lab.loop.turn()
    for each in lab.attempts:
        if not each.is_closed:
            each.answer()


def test_a_limit_of_a_minute_is_waited_out(planes):
    lab = planes(account("a", limits=AccountLimits(requests_per_min=1)))
    lab.call()
    lab.last.answer()
    it = lab.call(b"x-stainless-read-timeout: 600")
    lab.loop.turn()
    answer = said(it)

    assert (answer.status, code_of(answer)) == (429, "accounts_exhausted")
    assert (
        50 <= int(answer.headers["retry-after"]) <= 61
    )  # the true reset, and nobody waited for it
    lab.loop.now_s += 61
    again = lab.call()
    lab.last.answer()
    lab.loop.turn()
    assert said(again).status == 200
