"""Calls whose answers come in parts: streams, several choices, and how fast the caller reads."""

import json

import pytest

from arkway.model.outcome import Ending
from support.pipeline_lab import (
    DONE,
    chunk,
    code_of,
    completion,
    contents,
    error_chunk,
    refusal,
    said,
    usage_chunk,
)

# Streams.


def test_a_stream(lab):
    it = lab.call(stream=True)
    attempt = lab.last
    assert json.loads(attempt.request)["stream_options"] == {"include_usage": True}
    attempt.begin()
    lab.loop.turn()
    assert it.take() == b"", "the 200 is held until there is an event"

    attempt.data(chunk("Hel"))
    lab.loop.turn()
    first = it.take()
    assert first.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream")
    attempt.data(chunk("lo"), chunk(finish="stop"), usage_chunk(), DONE)
    lab.loop.turn()

    it.written[:0] = first
    answer = said(it)
    assert answer.is_whole
    assert answer.is_done
    assert contents(answer) == {0: "Hello"}
    assert [event["choices"][0]["finish_reason"] for event in answer.events] == [None] * 3 + [
        "stop"
    ]
    assert {event["id"] for event in answer.events} == {"chatcmpl-id1"}
    assert not any("usage" in event for event in answer.events)
    assert attempt.is_finished
    assert not it.is_closing()


def test_usage_comes_last_if_asked_for(lab):
    it = lab.call(stream=True, stream_options={"include_usage": True})
    lab.last.data(chunk("a", finish="stop"), usage_chunk(prompt=3, completion=2), DONE)
    lab.loop.turn()

    *others, last = said(it).events
    assert last["choices"] == []
    assert (last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"]) == (3, 2)
    assert all(event["usage"] is None for event in others)


def test_usage_that_nobody_told_is_not_made_up(lab):
    it = lab.call(stream=True, stream_options={"include_usage": True})
    lab.last.data(chunk("a", finish="stop"), DONE)
    lab.loop.turn()

    answer = said(it)
    assert answer.is_done
    assert all(event["usage"] is None for event in answer.events)


WRONG_STREAMS = {
    "lost": lambda attempt: attempt.fail(),
    "ended": lambda attempt: attempt.end(),
    "garbage": lambda attempt: attempt.data(b"data: garbage\n\n"),
    "no answer": lambda attempt: attempt.data(DONE),
    "an error": lambda attempt: attempt.data(error_chunk()),
    "too large": lambda attempt: attempt.data(b"data: " + b"x" * 2_000_000),
}


@pytest.mark.parametrize("go_wrong", WRONG_STREAMS.values(), ids=WRONG_STREAMS)
def test_before_its_first_event_a_stream_may_still_be_served_elsewhere(lab, go_wrong):
    it = lab.call(stream=True)
    for _ in range(2):
        lab.last.begin()
        go_wrong(lab.last)
    lab.last.data(chunk("a", finish="stop"), DONE)
    lab.loop.turn()

    answer = said(it)
    assert answer.is_done
    assert contents(answer) == {0: "a"}
    assert answer.headers["x-arkway-attempts"] == "3"


@pytest.mark.parametrize("go_wrong", WRONG_STREAMS.values(), ids=WRONG_STREAMS)
def test_after_it_a_broken_stream_ends_with_an_error_and_without_done(lab, go_wrong):
    it = lab.call(stream=True)
    lab.last.data(chunk("a"))
    if go_wrong is WRONG_STREAMS["no answer"]:
        lab.last.data(DONE)
        return
    go_wrong(lab.last)
    lab.loop.turn()

    answer = said(it)
    *_, last = answer.events
    assert last["error"]["code"] == "upstream_stream_interrupted"
    assert contents(answer) == {0: "a"}
    assert not answer.is_done
    assert not answer.is_whole
    assert it.is_closing()
    assert len(lab.attempts) == 1
    assert lab.plane.failures[0][1] is Ending.INTERRUPTED


def test_an_error_before_the_first_event_speaks_for_itself(lab):
    it = lab.call(stream=True)
    lab.last.data(error_chunk("InputTextSensitiveContentDetected"))
    lab.loop.turn()

    assert (said(it).status, len(lab.attempts)) == (400, 1)


def test_moderation_in_the_middle_of_an_answer_says_so(lab):
    it = lab.call(stream=True)
    lab.last.data(chunk("a"), error_chunk("OutputTextSensitiveContentDetected"))
    lab.loop.turn()

    *_, last = said(it).events
    assert last["error"]["code"] == "content_policy_violation"


@pytest.mark.parametrize(
    "end", [lambda a: a.end(), lambda a: a.fail(), lambda a: a.data(b"data: x\n\n")]
)
def test_an_answer_with_a_finish_is_whole_however_its_connection_ends(lab, end):
    it = lab.call(stream=True)
    lab.last.data(chunk("a"), chunk(finish="length"))
    end(lab.last)
    lab.loop.turn()

    answer = said(it)
    assert answer.is_done
    assert answer.is_whole
    assert lab.plane.failures == []


@pytest.mark.parametrize(
    ("content_type", "is_fine"),
    [
        (b"text/event-stream", True),
        (b"text/event-stream; charset=utf-8", True),
        (b"Text/Event-Stream ;x", True),
        (b"application/json", False),
        (b"text/event-streams", False),
        (b"", False),
    ],
)
def test_a_stream_has_to_be_one(lab, content_type, is_fine):
    lab.call(stream=True)
    first = lab.last
    first.begin(content_type)

    assert (first.sink is not None) is is_fine
    assert (lab.last is first) is is_fine
    lab.last.data(chunk("a", finish="stop"), DONE)


def test_a_refused_stream_is_an_answer(lab):
    it = lab.call(stream=True)
    refusal(400, "InvalidParameter")(lab.last)
    lab.loop.turn()

    answer = said(it)
    assert (answer.status, code_of(answer)) == (400, "invalid_value")


# The caller's speed.


def test_a_caller_who_does_not_read_stops_the_upstream(lab):
    it = lab.call(stream=True)
    lab.last.data(chunk("a"))

    it.protocol.pause_writing()
    assert lab.last.is_paused
    lab.loop.now_s += 5
    it.protocol.resume_writing()
    assert not lab.last.is_paused
    assert lab.last.resumed_s == lab.loop.now_s
    lab.last.data(DONE)


def test_a_caller_who_does_not_read_from_the_start_stops_the_upstream_too(lab):
    it = lab.call(stream=True)
    it.protocol.pause_writing()

    lab.last.begin()

    assert lab.last.is_paused
    it.protocol.resume_writing()
    lab.last.data(chunk("a"), DONE)


def test_after_an_attempt_its_caller_no_longer_governs_it(lab):
    it = lab.call(stream=True)
    first = lab.last
    first.begin()
    first.fail()
    lab.last.begin()

    it.protocol.pause_writing()

    assert not first.is_paused
    assert lab.last.is_paused
    it.protocol.resume_writing()
    lab.last.data(chunk("a"), DONE)


# Several choices.


def test_choices_are_one_answer(lab):
    it = lab.call(n=3)
    assert len(lab.attempts) == 3
    assert all(b'"n"' not in attempt.request for attempt in lab.attempts)
    for attempt, content in zip(reversed(lab.attempts), "cba", strict=True):
        lab.loop.turn()
        assert it.take() == b""
        attempt.answer(completion(content))
    lab.loop.turn()

    answer = said(it)
    assert [(c["index"], c["message"]["content"]) for c in answer.json["choices"]] == [
        (0, "a"),
        (1, "b"),
        (2, "c"),
    ]
    assert answer.json["usage"]["prompt_tokens"] == 9
    assert answer.json["usage"]["completion_tokens"] == 12
    assert len({attempt.target.account.id for attempt in lab.attempts}) == 1


def test_choices_of_a_stream_interleave(lab):
    it = lab.call(n=2, stream=True, stream_options={"include_usage": True})
    one, two = lab.attempts
    one.data(chunk("a"))
    two.data(chunk("x"))
    one.data(chunk("b"))
    two.data(chunk("y", finish="stop"), usage_chunk(), DONE)
    one.data(chunk(finish="length"), usage_chunk(), DONE)
    lab.loop.turn()

    answer = said(it)
    assert answer.is_done
    assert contents(answer) == {0: "ab", 1: "xy"}
    finishes = [c["finish_reason"] for e in answer.events for c in e["choices"]]
    assert [reason for reason in finishes if reason] == ["stop", "length"]
    assert [event["usage"]["completion_tokens"] for event in answer.events if event["usage"]] == [8]


def test_usage_of_choices_is_told_only_if_all_told_theirs(lab):
    it = lab.call(n=2)
    lab.attempts[0].answer()
    lab.attempts[1].answer(completion(told={}))
    lab.loop.turn()

    assert "usage" not in said(it).json


def test_a_choice_that_fails_before_its_first_byte_is_tried_elsewhere_on_its_own(lab):
    it = lab.call(n=2)
    one, two = lab.attempts
    one.answer(completion("a"))
    two.fail(Ending.NOT_SENT)
    lab.last.answer(completion("b"))
    lab.loop.turn()

    answer = said(it)
    assert [c["message"]["content"] for c in answer.json["choices"]] == ["a", "b"]
    assert answer.headers["x-arkway-attempts"] == "2"
    assert len(lab.attempts) == 3


@pytest.mark.parametrize("stream", [False, True])
def test_a_choice_that_fails_for_good_ends_the_others(lab, stream):
    it = lab.call(n=3, stream=stream)
    one, two, three = lab.attempts
    refusal(400, "InvalidParameter")(two)
    lab.loop.turn()

    assert said(it).status == 400
    assert one.is_closed
    assert three.is_closed
    assert len(lab.attempts) == 3


def test_a_choice_that_breaks_off_breaks_the_stream(lab):
    it = lab.call(n=2, stream=True)
    one, two = lab.attempts
    one.data(chunk("a"))
    two.data(chunk("b"))
    one.fail()
    lab.loop.turn()

    answer = said(it)
    assert answer.events[-1]["error"]["code"] == "upstream_stream_interrupted"
    assert not answer.is_done
    assert two.is_closed


def test_a_choice_that_cannot_begin_while_others_run_interrupts_the_stream(lab):
    it = lab.call(n=2, stream=True)
    one, two = lab.attempts
    one.data(chunk("a"))
    for _ in range(3):
        two.fail(Ending.NOT_SENT)
        two = lab.last
    lab.loop.turn()

    assert said(it).events[-1]["error"]["code"] == "upstream_stream_interrupted"


def test_choices_may_be_there_at_once(lab):
    lab.plane.upstream.at_once = [lambda attempt: attempt.answer()] * 3

    answer = said(lab.call(n=3))

    assert len(answer.json["choices"]) == 3


def test_a_choice_that_fails_at_once_starts_no_more(lab):
    lab.plane.upstream.at_once = [refusal(400)]

    assert said(lab.call(n=5)).status == 400
    assert len(lab.attempts) == 1
