"""The promise: nothing is sent that is not held, and no answer is whole before its end is booked.

That each hold gets exactly one end is held by `check_nothing_is_left`, after every test here and in
the other files of this directory.
"""

from dataclasses import replace

import pytest

from arkway.ledger.entry import UsageSource
from arkway.model.catalogue import DisconnectPolicy, KeyLimits
from arkway.model.outcome import Ending
from support.pipeline_lab import DONE, account, chunk, code_of, refusal, said, usage_chunk


def test_nothing_is_sent_before_its_hold_is_durable(lab):
    lab.plane.ledger.waits = True
    lab.call()

    assert lab.attempts == []
    assert lab.plane.ledger.story == [(1, "intent", "")]
    lab.plane.ledger.tell()
    assert len(lab.attempts) == 1
    lab.last.answer()
    lab.plane.ledger.tell()


@pytest.mark.parametrize("stream", [False, True])
def test_no_answer_is_whole_before_its_end_is_durable(lab, stream):
    it = lab.call(stream=stream)
    lab.plane.ledger.waits = True
    if stream:
        lab.last.data(chunk("a", finish="stop"), usage_chunk(), DONE)
    else:
        lab.last.answer()
    lab.loop.turn()

    assert lab.plane.ledger.story[-1] == (1, "settle", "completed")
    assert not it.written.endswith(b"0\r\n\r\n") if stream else not it.written
    assert b"[DONE]" not in it.written
    lab.plane.ledger.tell()
    lab.loop.turn()
    assert said(it).is_whole


def test_a_settled_end_says_what_was_used(lab):
    lab.call()
    lab.last.answer()

    (end,) = lab.plane.booked
    assert (end.uncached, end.output, end.source) == (9, 4, UsageSource.UPSTREAM)
    assert (end.status, end.affinity, end.code) == (200, "none", "")


def test_the_hold_says_who_asked_whom_for_what(lab):
    lab.call(model="alias", stream=True)
    hold = lab.plane.ledger.entries[0]

    assert (hold.key, hold.tenant, hold.account) == ("k", "t-k", lab.last.target.account.id)
    assert (hold.model, hold.upstream_model, hold.stream) == ("Doubao", "doubao-1-250115", True)
    lab.last.data(chunk("a", finish="stop"), DONE)


def test_a_closed_ledger_takes_no_call(lab):
    lab.plane.ledger.is_open = False
    it = lab.call()

    answer = said(it)
    assert (answer.status, code_of(answer)) == (503, "ledger_unavailable")
    assert answer.headers["retry-after"]
    assert lab.attempts == []


def test_a_hold_that_the_disk_refuses_is_not_sent(lab):
    lab.plane.ledger.waits = True
    it = lab.call()
    lab.plane.ledger.entries.clear()  # it is not in the book
    lab.plane.ledger.tell(is_durable=False)
    lab.loop.turn()

    assert code_of(said(it)) == "ledger_unavailable"
    assert lab.attempts == []
    assert lab.plane.booked == []


@pytest.mark.parametrize("stream", [False, True])
def test_an_end_that_the_disk_refuses_is_no_answer(lab, stream):
    it = lab.call(stream=stream)
    lab.plane.ledger.waits = True
    if stream:
        lab.last.data(chunk("a", finish="stop"), DONE)
    else:
        lab.last.answer()
    lab.plane.ledger.tell(is_durable=False)
    lab.loop.turn()

    answer = said(it)
    if stream:
        assert answer.events[-1]["error"]["code"] == "ledger_unavailable"
        assert not answer.is_done
    else:
        assert answer.status == 503


def test_a_failover_is_two_attempts(planes):
    lab = planes(account("a"), account("b"))
    lab.call()
    refusal(500)(lab.last)
    lab.last.answer()

    assert lab.plane.ledger.story == [
        (1, "intent", ""),
        (1, "void", "refused"),
        (2, "intent", ""),
        (2, "settle", "completed"),
    ]


def test_a_request_that_got_no_verdict_is_unknown_and_nobodys(planes):
    lab = planes(account("a"), account("b"))
    lab.call()
    lab.last.fail(Ending.AMBIGUOUS)
    lab.last.answer()

    first, second = lab.plane.booked
    assert (first.kind, first.tokens, first.cost_nano) == ("unknown", 0, 0)
    assert second.kind == "settle"


@pytest.mark.parametrize("counts", [True, False])
def test_a_caller_that_leaves_in_the_middle_pays_for_its_part(lab, counts):
    it = lab.call(stream=True)
    lab.last.data(chunk("some text of an answer"))
    if counts:
        lab.last.data(usage_chunk(prompt=7, completion=2))
    it.reset()

    (end,) = lab.plane.booked
    assert (end.kind, end.outcome) == ("settle", "caller_left")
    if counts:
        assert (end.source, end.uncached, end.output) == ("upstream", 7, 2)
    else:
        assert end.source == "estimate"
        assert end.delivered_bytes == 22
        assert (end.uncached, end.output) == (1, 3)


def test_a_caller_that_leaves_before_anything_was_accepted_owes_nothing(lab):
    it = lab.call()
    it.reset()

    (end,) = lab.plane.booked
    assert (end.kind, end.outcome, end.tokens) == ("unknown", "caller_left", 0)


def test_an_accepted_prompt_is_owed_though_nothing_came(lab):
    it = lab.call(stream=True)
    lab.last.begin()
    it.reset()

    (end,) = lab.plane.booked
    assert (end.kind, end.source, end.uncached, end.output) == ("settle", "estimate", 1, 0)


def test_an_answer_without_counts_is_estimated(lab):
    lab.call()
    lab.last.answer(b'{"choices": [{"message": {"content": "sixteen letters."}}]}')

    (end,) = lab.plane.booked
    assert (end.source, end.uncached, end.output) == ("estimate", 1, 2)


def test_each_choice_is_an_attempt_of_its_own(lab):
    lab.call(n=3)
    for attempt in [*lab.attempts]:
        attempt.answer()

    held = [entry for entry in lab.plane.ledger.entries if entry.kind == "intent"]
    assert [(entry.attempt, entry.choice) for entry in held] == [(1, 0), (2, 1), (3, 2)]
    assert sum(end.uncached for end in lab.plane.booked) == 27, "the upstream read it three times"


def limited(lab, **limits):
    (digest, spec), *others = lab.plane.snapshot.keys.items()
    spec = replace(spec, id="key_k", limits=KeyLimits(**limits))
    lab.change(keys={digest: spec} | dict(others))


def test_limits_are_held_while_a_call_runs_and_settled_with_what_it_used(lab):
    limited(lab, concurrency=1)
    lab.call()
    refused = said(lab.call())

    assert (refused.status, code_of(refused)) == (429, "concurrency_limit_exceeded")
    lab.last.answer()
    assert lab.plane.settled == [(13, 0)]
    lab.call()
    lab.last.answer()


def test_limits_are_given_back_when_nothing_was_served(lab):
    limited(lab, concurrency=1)
    lab.call()
    refusal(400)(lab.last)

    assert lab.plane.settled == [(0, 0)]
    lab.call()
    lab.last.answer()


def test_an_answer_says_what_is_left_of_the_limits(lab):
    limited(lab, requests_per_min=5, tokens_per_min=10_000)
    it = lab.call()
    lab.last.answer()
    lab.loop.turn()

    headers = said(it).headers
    assert headers["x-ratelimit-limit-requests"] == "5"
    assert headers["x-ratelimit-remaining-requests"] == "4"
    assert headers["x-ratelimit-limit-tokens"] == "10000"


def test_a_failure_says_it_too(lab):
    limited(lab, requests_per_min=5)
    it = lab.call()
    refusal(400)(lab.last)
    lab.loop.turn()

    assert said(it).headers["x-ratelimit-remaining-requests"] == "4"


def test_a_revoked_key_ends_its_streams_and_no_others(lab):
    it = lab.call(stream=True)
    lab.last.data(chunk("a part"))
    others = lab.call(stream=True)
    spec = next(iter(lab.plane.snapshot.keys.values()))

    assert lab.listener.cut_revoked({spec.sha256}) == 0
    assert lab.listener.cut_revoked({}) == 2
    lab.loop.turn()

    answer = said(it)
    assert answer.events[-1]["error"]["code"] == "key_disabled"
    assert not answer.is_done
    assert said(others).status == 401
    assert [str(end.outcome) for end in lab.plane.booked] == ["revoked", "revoked"]
    assert {str(end.kind) for end in lab.plane.booked} == {"settle", "unknown"}


def drains(lab, **fields):
    (digest, spec), *others = lab.plane.snapshot.keys.items()
    spec = replace(spec, id="key_k", on_disconnect=DisconnectPolicy.DRAIN)
    lab.change(keys={digest: spec} | dict(others))
    it = lab.call(stream=True, **fields)
    lab.last.data(chunk("a part"))
    it.reset()


def test_a_key_that_drains_is_settled_exactly(lab):
    drains(lab)
    assert lab.plane.drains == 1
    assert lab.plane.booked == []
    lab.last.data(chunk(" and the rest", finish="stop"), usage_chunk(prompt=7, completion=9), DONE)

    (end,) = lab.plane.booked
    assert (end.kind, end.outcome, end.source) == ("settle", "caller_left", "upstream")
    assert (end.uncached, end.output) == (7, 9)
    assert lab.plane.drains == 0


def test_a_drain_is_bounded_in_time_bytes_and_number(planes):
    lab = planes(account("a"), drain_bytes=10, drain_s=5.0, max_drains=1)
    drains(lab)
    assert lab.last.end_by_s == lab.loop.time() + 5.0
    first = lab.last
    drains(lab)
    assert len(lab.plane.booked) == 1, "there is room for one"
    first.data(chunk("more than ten bytes"))

    _, end = lab.plane.booked
    assert (end.source, end.outcome) == ("estimate", "caller_left")


def test_several_choices_do_not_drain(lab):
    drains(lab, n=2)
    assert len(lab.plane.booked) == 2
