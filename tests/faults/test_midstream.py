"""What does a caller get when an answer dies half-way? An error event, a close, and no `[DONE]`.

CONTRACT section 5, row 14, and the four clocks. Never a second answer spliced in: the account is
asked exactly once.
"""

import time

import pytest

from support.answers import (
    CLOSE,
    DONE,
    HANG,
    RESET,
    SHAPES,
    Gate,
    Pause,
    Step,
    event,
    fail,
    reply,
    sse,
    steps,
    streamed,
)
from support.httpraw import Response, frames_of, live_frames
from support.lab import FORGIVING, Lab, open_lab

FIRST_S, BETWEEN_S, TOTAL_S = 1.0, 0.5, 2.0  # all different, so that none stands in for another
CLOCKS = {
    "upstream": {
        "first_token_s": FIRST_S,
        "between_chunks_s": BETWEEN_S,
        "total_s": TOTAL_S,
        "heartbeat_s": 0.1,
    }
} | FORGIVING


@pytest.fixture(scope="module")
def lab():
    with open_lab(number_of_accounts=2, settings=CLOCKS) as lab:
        yield lab


def interrupted(lab: Lab, *then: Step, end: bool = False, raw: bytes = b"") -> str:
    """Let an answer die after its first token and hold all that row 14 promises.

    What follows the token comes only after the caller has read it, so nothing can be tried again:
    first the steps `then` in good chunks, then `raw` as it is. Returns what the caller was told.
    """
    gate = Gate()

    def dying(seen):
        yield from sse(SHAPES["openai"](seen).delta("Hel"), gate, *then, end=end)
        if raw:
            yield raw
            yield HANG

    prompt = lab.upstream.plan(dying, reply("must never be spliced in"))
    with lab.gateway.open_stream(prompt) as connection:
        head = connection.read_head()
        assert head.status == 200
        frames = live_frames(connection, head)
        seen = [next(frames), next(frames)]
        gate.open()
        seen += frames
        assert connection.is_closed()
    events = [frame for frame in seen if frame.comment is None]
    assert not any(frame.is_done for frame in events)
    *chunks, last = [frame.json() for frame in events]
    assert last["error"]["code"] == "upstream_stream_interrupted"
    assert set(last) == {"error"}
    assert all("error" not in chunk for chunk in chunks)
    assert len(lab.upstream.seen(prompt)) == 1
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)


DEATHS = {
    "reset": [RESET],
    "closed": [CLOSE],
    "an event that is no JSON": [b"data: {oops\n\n", HANG],
    "an event that is no object": [b"data: []\n\n", HANG],
    "an event with other types": [event({"choices": "many"}), HANG],
    "bytes that are no UTF-8": [b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n', HANG],
    "an error event": [event({"error": {"code": "InternalServiceError"}}), HANG],
    "a bare error line": [b'{"error":{"code":"InternalServiceError"}}\n\n', HANG],
    "half an event, then the end": [b'data: {"choices":[{"ind', CLOSE],
    "a huge event": [b"data: " + b"x" * (3 << 20), HANG],
    "a huge line without an end": [b"x" * (3 << 20), HANG],
}


@pytest.mark.parametrize("then", DEATHS.values(), ids=DEATHS)
def test_a_death_after_the_first_token_is_told_at_once(lab: Lab, then):
    started_s = time.monotonic()
    assert interrupted(lab, *then) == "Hel"
    assert time.monotonic() - started_s < BETWEEN_S, "it took a clock to notice"


def test_silence_after_the_first_token_is_a_death(lab: Lab):
    assert interrupted(lab, HANG) == "Hel"


def test_a_proper_end_of_the_body_is_no_end_of_the_answer(lab: Lab):
    """Clean EOF without finish and `[DONE]`: the SDKs would take it for a whole answer."""
    assert interrupted(lab, end=True) == "Hel"


@pytest.mark.parametrize(
    "raw", [b"zz\r\n", b"5\r\nabcdefg\r\n", b"-1\r\n", b"ffffffffffffffff1\r\n", b"\n", b"5\n"]
)
def test_broken_chunks_after_the_first_token(lab: Lab, raw):
    assert interrupted(lab, raw=raw) == "Hel"


def test_what_came_before_the_death_in_the_same_read_is_still_delivered(lab: Lab):
    good = b'data: {"choices":[{"index":0,"delta":{"content":"lo"}}]}\n\n'
    assert interrupted(lab, good + b"data: {oops\n\n", HANG) == "Hello"


@pytest.mark.parametrize("death", [RESET, CLOSE, HANG])
def test_one_dying_branch_of_three_ends_the_whole_call(lab: Lab, death):
    """Row 14, for the whole call: the other branches are not left running."""
    dying = streamed(lambda say: [say.delta("Hel"), Pause(0.1), death])
    going_on = streamed(lambda say: [say.delta("la"), HANG])
    prompt = lab.upstream.plan(going_on, dying, going_on)
    with lab.gateway.open_stream(prompt, n=3) as connection:
        response = connection.read_response()
        assert connection.is_closed()

    events = [frame for frame in frames_of(response.body) if frame.comment is None]
    assert events[-1].json()["error"]["code"] == "upstream_stream_interrupted"
    assert not any(frame.is_done for frame in events)
    for seen in lab.upstream.seen(prompt):
        assert seen.script_ended.is_set() or seen.peer_left.wait(2)


def test_a_branch_that_fails_before_its_first_byte_is_retried_as_a_call_of_its_own(lab: Lab):
    prompt = lab.upstream.plan(reply("a"), fail(500), reply("b"), reply("c"))
    answer = lab.gateway.chat(prompt, stream=True, n=3)

    frames = frames_of(answer.body)
    assert frames[-1].is_done
    finished = [
        frame.json()["choices"][0]["index"]
        for frame in frames[:-1]
        if frame.json()["choices"][0]["finish_reason"]
    ]
    assert sorted(finished) == [0, 1, 2]
    assert len(lab.upstream.seen(prompt)) == 4


def test_a_plain_branch_that_fails_is_retried_too(lab: Lab):
    prompt = lab.upstream.plan(reply("a"), fail(500), reply("b"), reply("c"))
    answer = lab.gateway.chat(prompt, n=3)

    assert sorted(c["message"]["content"] for c in answer.json()["choices"]) == ["a", "b", "c"]
    assert answer.header("x-arkway-attempts") == "2"


# -- the clocks -----------------------------------------------------------------------------------


def timed(lab: Lab, answer) -> tuple[Response, float]:
    started_s = time.monotonic()
    response = lab.gateway.chat(lab.upstream.plan(answer), stream=True)
    return response, time.monotonic() - started_s


def test_clock_2_no_first_token_anywhere(lab: Lab):
    """Two accounts, one clock each."""
    response, took_s = timed(lab, lambda _: sse(HANG, end=False))

    assert (response.status, response.error["code"]) == (504, "upstream_timeout")
    assert 2 * FIRST_S <= took_s < 3 * FIRST_S


def test_clock_2_is_not_fed_by_comments(lab: Lab):
    """An upstream's pings are life, not tokens."""
    pings = (b": ping\n\n", Pause(0.1)) * 40
    response, took_s = timed(lab, lambda _: sse(*pings, end=False))

    assert (response.status, response.error["code"]) == (504, "upstream_timeout")
    assert 2 * FIRST_S <= took_s < 3 * FIRST_S


@pytest.mark.parametrize("first_token", ["with the head", "on its own"])
def test_clock_3_silence_between_chunks(lab: Lab, first_token):
    pause = [] if first_token == "with the head" else [Pause(0.05)]

    def answer(seen):
        say = SHAPES["openai"](seen)
        head, token = sse(say.delta("a"), end=False)
        return [*([head, *pause, token] if pause else [head + token]), HANG]

    response, took_s = timed(lab, answer)

    assert frames_of(response.body)[-1].json()["error"]["code"] == "upstream_stream_interrupted"
    assert BETWEEN_S <= took_s < FIRST_S


def test_clock_3_begins_again_with_each_chunk(lab: Lab):
    def answer(seen):
        say = SHAPES["openai"](seen)
        slow = [step for piece in "abcde" for step in (say.delta(piece), Pause(0.3))]
        return sse(*slow, say.finish(), DONE)

    response, took_s = timed(lab, answer)

    assert frames_of(response.body)[-1].is_done
    assert took_s > 2 * BETWEEN_S


def test_clock_4_the_whole_attempt(lab: Lab):
    """Each gap is far below clock 3."""
    good = b'data: {"choices":[{"index":0,"delta":{"content":"."}}]}\n\n'
    started_s = time.monotonic()
    interrupted(lab, *(good, Pause(0.1)) * 40)

    assert TOTAL_S <= time.monotonic() - started_s < TOTAL_S + 0.8


def test_clock_4_bounds_a_plain_answer(lab: Lab):
    """Two accounts, one clock each; `first_token_s` may be anything for an answer in one piece."""
    started_s = time.monotonic()
    answer = lab.gateway.chat(lab.upstream.plan(steps(HANG)))

    assert (answer.status, answer.error["code"]) == (504, "upstream_timeout")
    assert time.monotonic() - started_s < 2 * TOTAL_S + 0.8


def test_clocks_do_not_run_into_the_next_call(lab: Lab):
    for _ in range(3):
        assert lab.gateway.chat(lab.upstream.plan(reply("x")), stream=True).status == 200
        time.sleep(FIRST_S)  # longer than two clocks, on a connection that is idle now
    assert lab.gateway.chat(lab.upstream.plan(reply("x"))).status == 200
