"""Whatever happens and whenever a call ends: no attempt stays open, nothing stays counted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkway.model.errors import Draining
from arkway.model.outcome import Ending
from support.fakes import FakeLoop
from support.listener_lab import answers
from support.pipeline_lab import (
    DONE,
    PipelineLab,
    account,
    chat,
    chunk,
    code_of,
    contents,
    refusal,
    said,
    usage_chunk,
)

# Bugs of our own.


@pytest.mark.parametrize("fields", [{}, {"stream": True}, {"n": 3}])
def test_a_crash_leaves_nothing_behind(planes, fields, monkeypatch):
    lab = planes()
    it = lab.call(**fields)
    monkeypatch.setattr("arkway.pipeline.classify", None)

    refusal(400)(lab.attempts[-1])

    (error,) = lab.front.crashes
    assert type(error) is TypeError
    lab.front.crashes.clear()
    lab.check_nothing_is_left()
    it.reset()


def test_a_crash_of_the_upstream_leaves_nothing_behind(lab):
    lab.plane.upstream.refusal = RuntimeError("bug")

    lab.call().reset()

    assert lab.front.crashes == [lab.plane.upstream.refusal]
    lab.front.crashes.clear()


def test_any_nesting_is_served_or_refused(planes):
    lab = planes(account("a"))
    it, found = lab.connect(), set()
    for depth in range(500, 1000):
        deep = b"[" * depth + b"]" * depth
        body = b'{"model":"Doubao","messages":[{"content":"x"}],"x":%b}' % deep
        lab.call(connection=it, body=body)
        for attempt in lab.attempts:
            if not attempt.is_closed:
                attempt.answer()
        lab.loop.turn()
        assert lab.front.crashes == [], f"{depth} levels"
        found.add(said(it).status)

    assert found == {200, 400}


def test_what_is_nested_too_deeply_to_be_encoded_is_refused(lab, monkeypatch):
    """Encoding may take more stack than decoding did."""

    def too_deep(*_):
        raise RecursionError

    monkeypatch.setattr("arkway.work.encode_call", too_deep)

    answer = said(lab.call())

    assert (answer.status, code_of(answer)) == (400, "invalid_json")


# Leaving, at every point.


def steps_of(kind):
    """Return what happens to one call, step by step; each step is a function of the lab."""
    whole = chat(
        **({"stream": True} if "stream" in kind else {}), **({"n": 3} if "n" in kind else {})
    )

    def open_one(lab, at):
        waiting = [attempt for attempt in lab.attempts if not attempt.is_closed]
        return waiting[min(at, len(waiting) - 1)]

    yield from (
        [lambda lab, piece=piece: lab.ask(piece, connection=lab.it)]
        for piece in (whole[:40], whole[40:-3], whole[-3:])
    )
    if "failover" in kind:
        yield [lambda lab: open_one(lab, 0).fail(Ending.NOT_SENT)]
        yield [lambda lab: refusal(503)(open_one(lab, 0))]
    for at in range(3 if "n" in kind else 1):
        if "stream" in kind:
            yield [lambda lab, at=at: open_one(lab, at).begin()]
            yield [lambda lab, at=at: open_one(lab, at).data(chunk("a"))]
    for _ in range(3 if "n" in kind else 1):
        if "stream" in kind:
            yield [lambda lab: lab.it.protocol.pause_writing()]
            yield [lambda lab: lab.it.protocol.resume_writing()]
            yield [
                lambda lab: open_one(lab, 0).data(chunk("b"), chunk(finish="stop"), usage_chunk())
            ]
            yield [lambda lab: open_one(lab, 0).data(DONE)]
        else:
            yield [lambda lab: open_one(lab, 0).answer()]
    yield [lambda lab: lab.loop.turn()]


KINDS = (
    "plain",
    "stream",
    "plain failover",
    "stream failover",
    "plain n",
    "stream n",
    "plain n failover",
    "stream n failover",
)


def run_steps(lab, kind, count):
    lab.it = lab.connect()
    for (step,) in [*steps_of(kind)][:count]:
        step(lab)


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_walk_is_a_good_answer(lab, kind):
    run_steps(lab, kind, None)

    answer = said(lab.it)
    assert answer.status == 200
    assert answer.is_whole
    if "stream" in kind:
        assert answer.is_done
        assert set(contents(answer).values()) == {"ab"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_caller_may_leave_after_every_step(planes, kind):
    for count in range(len([*steps_of(kind)]) + 1):
        lab = planes()
        run_steps(lab, kind, count)

        lab.it.reset()

        lab.check_nothing_is_left()
        lab.loop.turn()
        for attempt in lab.attempts:  # our own doing says nothing about an account
            assert not lab.is_out(attempt.target)
        assert lab.front.crashes == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_may_be_cut_after_every_step(planes, kind):
    for count in range(len([*steps_of(kind)]) + 1):
        lab = planes()
        run_steps(lab, kind, count)

        lab.listener.cut_all(Draining("stopped", retry_after_s=1.0))
        lab.loop.turn()

        lab.check_nothing_is_left()
        found = answers(lab.it)
        assert len(found) <= 1
        for answer in found:
            assert answer.status in (200, 503)
            if answer.status == 200 and not answer.is_whole:
                assert b'"code":"draining"' in answer.body
                assert b"[DONE]" not in answer.body
        assert lab.front.crashes == []


@given(
    st.lists(
        st.sampled_from(["answer", "fail", "data", "finish", "end", "reset", "pause"]), max_size=12
    ),
    st.booleans(),
    st.sampled_from([1, 3]),
    st.data(),
)
@settings(max_examples=150)
def test_whatever_happens_nothing_is_left_and_nothing_crashes(events, stream, n, data):
    with FakeLoop() as loop:
        lab = PipelineLab(loop)
        lab.it = it = lab.call(stream=stream, n=n)
        for event in events:
            waiting = [attempt for attempt in lab.attempts if not attempt.is_closed]
            if not waiting or it.is_closing():
                break
            attempt = data.draw(st.sampled_from(waiting)) if len(waiting) > 1 else waiting[0]
            if event == "reset":
                it.reset()
            elif event == "pause":
                it.protocol.pause_writing()
                it.protocol.resume_writing()
            elif event == "answer" and not attempt.status:
                attempt.answer()
            elif event == "data" and stream:
                attempt.data(chunk("a"))
            elif event == "finish" and stream:
                attempt.data(chunk("b", finish="stop"), DONE)
            elif event == "end" and attempt.status:
                attempt.end()
            elif event == "fail":
                attempt.fail()
        if not it.is_closing():
            it.reset()
        loop.turn()
        lab.check_nothing_is_left()
        assert lab.front.crashes == []
