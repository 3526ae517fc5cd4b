"""Has every stream the promised form, whatever shape the upstream's has? CONTRACT section 1.

The strict frame reader of `support.httpraw` refuses anything but `data: {json}\\n\\n` and `: …\\n`,
so each test here also checks that there is one line of JSON an event and no `id:`, `event:` or
`retry:` field.
"""

from itertools import pairwise

import pytest

from support.answers import (
    CLOSE,
    DONE,
    SHAPES,
    USAGE,
    Answer,
    Gate,
    event,
    every_byte,
    reply,
    resplit,
    sse,
    steps,
)
from support.gateway import MODEL
from support.httpraw import Frame, frames_of, live_frames
from support.lab import Lab, open_lab

CHUNK_KEYS = {"id", "object", "created", "model", "choices"}
CHOICE_KEYS = {"index", "delta", "logprobs", "finish_reason"}


def stream_of(lab: Lab, answer: Answer, *, usage: bool = False, **fields) -> list[Frame]:
    """Return the frames the caller gets when the upstream answers with `answer`."""
    if usage:
        fields["stream_options"] = {"include_usage": True}
    response = lab.gateway.chat(lab.upstream.plan(answer), stream=True, **fields)
    assert response.status == 200, response.body
    assert response.complete
    return frames_of(response.body)


def whole_stream(write, shape: str = "openai") -> Answer:
    """Return a stream of events with a proper end of the HTTP body."""
    return lambda seen: sse(*write(SHAPES[shape](seen)))


def text_of(frames: list[Frame]) -> str:
    choices = [frame.json()["choices"][0] for frame in frames if not frame.is_done]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def test_the_order_is_role_content_finish_done(shaped):
    lab, shape = shaped
    frames = stream_of(lab, reply("Hel", "lo ", "豆", shape=shape))

    deltas = [frame.json()["choices"][0]["delta"] for frame in frames[:-1]]
    reasons = [frame.json()["choices"][0]["finish_reason"] for frame in frames[:-1]]
    assert deltas == [
        {"role": "assistant", "content": ""},
        {"content": "Hel"},
        {"content": "lo "},
        {"content": "豆"},
        {},
    ]
    assert reasons == [None, None, None, None, "stop"]
    assert frames[-1].is_done


@pytest.mark.parametrize("usage", [False, True])
def test_every_chunk_has_exactly_the_promised_keys(shaped, usage):
    lab, shape = shaped
    frames = stream_of(lab, reply("Hello", shape=shape), usage=usage)

    chunks = [frame.json() for frame in frames[:-1]]
    with_choices = [chunk for chunk in chunks if chunk["choices"]]
    for item in chunks:
        assert set(item) == CHUNK_KEYS | ({"usage"} if usage else set())
        assert item["object"] == "chat.completion.chunk"
        assert item["model"] == MODEL
        assert item["id"].startswith("chatcmpl-")
    assert len({(item["id"], item["created"], item["model"]) for item in chunks}) == 1
    for item in with_choices:
        (choice,) = item["choices"]
        assert set(choice) == CHOICE_KEYS
    if usage:
        assert all(item["usage"] is None for item in with_choices)
        assert [item["usage"] for item in chunks if not item["choices"]] == [USAGE]
        assert chunks[-1]["choices"] == []
    else:
        assert with_choices == chunks


def test_upstream_ids_and_tiers_never_appear(shaped):
    lab, shape = shaped
    response = lab.gateway.chat(lab.upstream.plan(reply("x", shape=shape)), stream=True)

    for secret in (SHAPES[shape].object_id, "service_tier", "fp_upstream", "250115"):
        assert secret.encode() not in response.body


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "tool_calls"])
def test_the_finish_reason_is_the_upstreams(shaped, reason):
    lab, shape = shaped
    frames = stream_of(lab, reply("x", shape=shape, finish=reason))

    assert frames[-2].json()["choices"][0]["finish_reason"] == reason


def test_an_empty_answer_still_has_role_and_finish(shaped):
    lab, shape = shaped
    frames = stream_of(lab, whole_stream(lambda say: [say.finish(), DONE], shape))

    assert [frame.json()["choices"][0]["delta"] for frame in frames[:-1]] == [
        {"role": "assistant", "content": ""},
        {},
    ]


def test_reasoning_and_refusals_pass(shaped):
    lab, shape = shaped
    frames = stream_of(
        lab,
        whole_stream(
            lambda say: [
                say.other_delta(reasoning_content="hm"),
                say.delta("so"),
                say.other_delta(refusal="no"),
                say.finish(),
                DONE,
            ],
            shape,
        ),
    )

    deltas = [frame.json()["choices"][0]["delta"] for frame in frames[1:-2]]
    assert deltas == [{"reasoning_content": "hm"}, {"content": "so"}, {"refusal": "no"}]


CALL = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}


def test_tool_calls_in_pieces_pass_unchanged(shaped):
    lab, shape = shaped
    pieces = [CALL, *({"index": 0, "function": {"arguments": part}} for part in ('{"a"', ":1}"))]
    frames = stream_of(
        lab,
        whole_stream(
            lambda say: [
                *(say.other_delta(tool_calls=[piece]) for piece in pieces),
                say.finish("tool_calls"),
                DONE,
            ],
            shape,
        ),
    )

    deltas = [frame.json()["choices"][0]["delta"] for frame in frames[1:-2]]
    assert deltas == [{"tool_calls": [piece]} for piece in pieces]
    assert frames[-2].json()["choices"][0]["finish_reason"] == "tool_calls"


def test_a_whole_tool_call_with_the_finish_in_one_chunk_becomes_two(ark_lab: Lab):
    """As older Ark models send it."""
    call = {**CALL, "function": {"name": "f", "arguments": "{}"}}
    choice = {
        "delta": {"role": "assistant", "content": "", "tool_calls": [call]},
        "finish_reason": "tool_calls",
        "index": 0,
    }
    frames = stream_of(
        ark_lab,
        steps(*sse(event({"id": "02", "choices": [choice], "usage": None}), DONE)),
    )

    choices = [frame.json()["choices"][0] for frame in frames[:-1]]
    assert [choice["delta"] for choice in choices] == [
        {"role": "assistant", "content": ""},
        {"tool_calls": [call]},
        {},
    ]
    assert [choice["finish_reason"] for choice in choices] == [None, None, "tool_calls"]


def test_logprobs_pass(lab: Lab):
    logprobs = {"content": [{"token": "x", "logprob": -0.5, "bytes": [120], "top_logprobs": []}]}
    choice = {"index": 0, "delta": {"content": "x"}, "logprobs": logprobs, "finish_reason": None}
    answer = whole_stream(lambda say: [event({"choices": [choice]}), say.finish(), DONE])
    frames = stream_of(lab, answer, logprobs=True)

    assert frames[1].json()["choices"][0]["logprobs"] == logprobs


TRICKY = ['"', "\\", "\n", "\t", "\u2028", "\0", "\x7f", "豆包", "🫘", "</script>", "data: x\n\n"]


def test_any_text_means_the_same_after_the_way_through(shaped):
    lab, shape = shaped
    frames = stream_of(lab, reply(*TRICKY, *TRICKY, shape=shape))

    assert text_of(frames) == "".join(TRICKY) * 2


def test_escapes_and_surrogates_mean_the_same(lab: Lab):
    """Bytes as an upstream may write them, not as Python's encoder does."""
    written = [rb"\u8c46", rb"\ud83e\uded8", rb"\/", rb"\b\f", b"\xe8\xb1\x86", b"\x7f"]

    def events(say):
        yield say.role()
        for text in written * 2:
            yield b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % text
        yield from (say.finish(), DONE)

    frames = stream_of(lab, whole_stream(events))

    assert text_of(frames) == "豆🫘/\b\f豆\x7f" * 2


# -- other upstreams' habits -----------------------------------------------------------------------

HABITS = {
    "comments between events": lambda say: [b": hi\n\n", say.delta("x"), b": ping\n", say.finish()],
    "empty events": lambda say: [b"\n\n", say.delta("x"), b"\n\n\n", say.finish()],
    "CRLF": lambda say: [item.replace(b"\n", b"\r\n") for item in (say.delta("x"), say.finish())],
    "no space after data:": lambda say: [
        item.replace(b"data: ", b"data:") for item in (say.delta("x"), say.finish())
    ],
    "id and event fields": lambda say: [
        b"id: 1\nevent: message\nretry: 5\n" + say.delta("x"),
        say.finish(),
    ],
    "an empty first content": lambda say: [say.delta(""), say.delta("x"), say.finish()],
    "repeated role": lambda say: [say.role(), say.role(), say.delta("x"), say.finish()],
    "null error key": lambda say: [
        event({"choices": [{"index": 0, "delta": {"content": "x"}}], "error": None}),
        say.finish(),
    ],
    "finish twice": lambda say: [say.delta("x"), say.finish(), say.finish()],
    "usage on every chunk": lambda say: [
        event({"choices": [{"index": 0, "delta": {"content": "x"}}], "usage": USAGE}),
        say.finish(),
    ],
    "text with the finish": lambda say: [
        event({"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]})
    ],
    "several events in one chunk": lambda say: [say.role() + say.delta("x") + say.finish()],
    "an unknown field": lambda say: [
        event({"choices": [{"index": 0, "delta": {"content": "x"}, "z": 1}], "z": [{}]}),
        say.finish(),
    ],
}


@pytest.mark.parametrize("habit", HABITS.values(), ids=HABITS)
def test_habits_of_upstreams_do_not_show(lab: Lab, habit):
    frames = stream_of(lab, whole_stream(lambda say: [*habit(say), DONE]))

    choices = [frame.json()["choices"][0] for frame in frames[:-1]]
    assert [choice["delta"] for choice in choices] == [
        {"role": "assistant", "content": ""},
        {"content": "x"},
        {},
    ]
    assert choices[-1]["finish_reason"] == "stop"
    assert frames[-1].is_done
    assert all("error" not in frame.json() for frame in frames[:-1])


def test_a_finish_without_done_is_complete(lab: Lab):
    frames = stream_of(lab, whole_stream(lambda say: [say.delta("x"), say.finish()]))

    assert frames[-1].is_done
    assert text_of(frames) == "x"


def test_nothing_after_done_is_passed_on(lab: Lab):
    frames = stream_of(
        lab, whole_stream(lambda say: [say.delta("x"), say.finish(), DONE, say.delta("late")])
    )

    assert text_of(frames) == "x"


def test_without_usage_from_upstream_the_answer_is_unchanged(lab: Lab):
    """Failure mode 17, streamed: a caller that asked for usage gets none made up."""
    frames = stream_of(lab, reply("x", usage=None), usage=True)

    assert frames[-1].is_done
    usages = [frame.json()["usage"] for frame in frames[:-1]]
    assert all(usage is None for usage in usages)


@pytest.mark.parametrize("framing", ["length", "close"])
def test_other_framings_of_the_upstreams_body(lab: Lab, framing):
    def answer(seen):
        say = SHAPES["openai"](seen)
        body = b"".join([say.role(), say.delta("x"), say.finish(), DONE])
        length = b"Content-Length: %d\r\n" % len(body) if framing == "length" else b""
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
        return [head + length + b"\r\n" + body]

    if framing == "close":
        complete, answer = answer, lambda seen: [*complete(seen), CLOSE]
    assert text_of(stream_of(lab, answer)) == "x"


def test_one_byte_at_a_time_is_the_same_stream(shaped):
    lab, shape = shaped
    good = reply("Hel", "lo 豆🫘", shape=shape)

    assert text_of(stream_of(lab, resplit(good, every_byte), usage=True)[:-2]) == "Hello 豆🫘"


def test_first_bytes_arrive_before_the_last_are_sent(lab: Lab):
    gate = Gate()
    prompt = lab.upstream.plan(
        lambda seen: sse(
            SHAPES["openai"](seen).delta("early"), gate, SHAPES["openai"](seen).finish(), DONE
        )
    )
    with lab.gateway.open_stream(prompt) as connection:
        frames = live_frames(connection, connection.read_head())
        early = [next(frames), next(frames)]
        assert early[1].json()["choices"][0]["delta"] == {"content": "early"}
        gate.open()
        assert list(frames)[-1].is_done


# -- heartbeats ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quick_heart():
    """A gateway whose heart beats every 0.2 s."""
    with open_lab(settings={"upstream": {"heartbeat_s": 0.2}}) as lab:
        yield lab


def test_silence_is_bridged_by_pings_between_events(quick_heart: Lab):
    """The exact bytes: `: ping` and one newline; a blank line after it crashes old clients."""
    gate = Gate()
    prompt = quick_heart.upstream.plan(
        lambda seen: sse(
            SHAPES["openai"](seen).delta("a"), gate, SHAPES["openai"](seen).finish(), DONE
        )
    )
    with quick_heart.gateway.open_stream(prompt) as connection:
        frames = live_frames(connection, connection.read_head())
        seen = [next(frames) for _ in range(5)]  # role, content, and three pings
        gate.open()
        seen += frames

    kinds = ["ping" if frame.comment == " ping" else "event" for frame in seen]
    assert kinds[:5] == ["event", "event", "ping", "ping", "ping"]
    gaps = [b.at_s - a.at_s for a, b in pairwise(seen[1:5])]
    assert all(0.15 < gap < 1.0 for gap in gaps), gaps
    assert text_of([frame for frame in seen if frame.comment is None]) == "a"
    assert seen[-1].is_done


def test_no_ping_comes_between_the_bytes_of_one_event(quick_heart: Lab):
    """An upstream that stalls inside an event must not make us write a ping inside one."""
    gate = Gate()
    half = b'data: {"choices":[{"index":0,"delta":{"con'
    rest = b'tent":"b"}}]}\n\n'
    prompt = quick_heart.upstream.plan(
        lambda seen: sse(
            SHAPES["openai"](seen).delta("a") + half,
            gate,
            rest,
            SHAPES["openai"](seen).finish(),
            DONE,
        )
    )
    with quick_heart.gateway.open_stream(prompt) as connection:
        frames = live_frames(connection, connection.read_head())
        seen = [next(frames) for _ in range(4)]  # role, content, two pings
        gate.open()
        seen += frames

    assert text_of([frame for frame in seen if frame.comment is None]) == "ab"


def test_a_busy_stream_has_no_pings(quick_heart: Lab):
    frames = stream_of(quick_heart, reply(*"many small pieces"))
    assert all(frame.comment is None for frame in frames)


def test_pings_of_the_upstream_are_not_ours(lab: Lab):
    frames = stream_of(
        lab,
        whole_stream(lambda say: [b": ping\n", say.delta("x"), b": ping\n\n", say.finish(), DONE]),
    )
    assert all(frame.comment is None for frame in frames)


def test_the_raw_events_are_compact_and_end_exactly(lab: Lab):
    body = lab.gateway.chat(lab.upstream.plan(reply("x")), stream=True).body

    assert body.endswith(b"\n\ndata: [DONE]\n\n")
    assert b"\r" not in body
