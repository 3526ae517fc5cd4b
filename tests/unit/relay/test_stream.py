"""Three laws: any split gives the same bytes; the template gives what decoding would; the order
on the wire is fixed, whatever the upstream's is. Streams are made of a few shapes of chunks that
repeat with other contents, as real ones are, so that the template path is often taken.
"""

import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from arkway.model.usage import Usage
from arkway.relay.stream import BranchReader
from arkway.wire.openai import Envelope
from support.strategies import json_bytes, json_values, one_by_one, splits, texts

LIMIT = 100_000
ENVELOPE = Envelope("01-23", 77, "Doubao", include_usage=False)
WITH_USAGE = Envelope("01-23", 77, "Doubao", include_usage=True)
DONE = b"data: [DONE]\n\n"


class Unlearned(BranchReader):
    """A reader that decodes and encodes every chunk."""

    __slots__ = ()

    def _learn(self, payload, choice):
        pass


class Result:
    """What a reader made of a stream."""

    def __init__(self, pieces, make=BranchReader, envelope=ENVELOPE, index=0, limit=LIMIT):
        self.reader = make(envelope, index, limit)
        self.outputs = [self.reader.feed(piece) for piece in pieces]
        self.outputs.append(self.reader.close())
        self.output = b"".join(self.outputs)
        self.events = events_of(self.output)

    @property
    def state(self):
        """What the pipeline looks at."""
        reader = self.reader
        return (
            reader.has_started,
            reader.is_done,
            reader.failure,
            reader.error_body,
            reader.finish_reason,
            reader.usage,
        )

    @property
    def content(self):
        deltas = [event["choices"][0]["delta"] for event in self.events]
        return "".join(delta.get("content") or "" for delta in deltas)


def events_of(output):
    """Return the events, each of which must be one line of JSON with a blank line after it."""
    *events, rest = output.split(b"\n\n")
    assert rest == b""
    for event in events:
        assert event.startswith(b"data: {")
        assert b"\n" not in event
        assert b"\r" not in event
    return [json.loads(event[6:]) for event in events]


def check_order(events, envelope, index):
    """Hold what the contract says of one choice's events."""
    states = []
    head = {"id": "chatcmpl-0123", "object": "chat.completion.chunk", "created": 77}
    head |= {"model": "Doubao"} | ({"usage": None} if envelope.include_usage else {})
    for event in events:
        (choice,) = event["choices"]
        assert event == head | {"choices": [choice]}
        assert set(choice) == {"index", "delta", "logprobs", "finish_reason"}
        assert choice["index"] == index
        delta = choice["delta"]
        assert set(delta) <= {"role", "content", "reasoning_content", "refusal", "tool_calls"}
        if "role" in delta:
            assert delta == {"role": "assistant", "content": ""}
            states.append("role")
        elif delta:
            assert any(delta.values())
            assert choice["finish_reason"] is None
            states.append("delta")
        else:
            assert type(choice["finish_reason"]) is str
            assert choice["finish_reason"]
            states.append("finish")
    if states:
        assert states[0] == "role"
        assert "role" not in states[1:]
        assert "finish" not in states[:-1]
    return states


# Streams.

LITERALS = (
    b'""',
    b'"a"',
    b'"Hel"',
    b'"lo, \xe4\xb8\x96"',
    b'" "',
    b'"\\/"',
    b'"\\u00e9"',
    b'"\\ud83e\\uded8"',
    b'"\\ud83e"',
    b'"\\uded8\\ud83e"',
    b'"\\n\\"\\\\"',
    b'"\\"',
    b'"\\x"',
    b'"\\u12"',
    b'"\x01"',
    b'"\x7f"',
    b'"\t"',
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"\xc3"',
    b'"\xc2\x85"',
    b'"\xe2\x80\xa8"',
    b'"\xef\xbb\xbf"',
    b"null",
    b"5",
    b'{"content":"a"}',
    b'["a"]',
    b'"a","content":"b"',
    b'"a","role":"user"',
    b'"a"},"finish_reason":"stop"',
    b'"a"}}]} ',
    b'"',
    b"",
)
literals = st.one_of(
    st.builds(json_bytes, texts, ascii_only=st.booleans()), st.sampled_from(LITERALS)
)
plain_literals = texts.filter(bool).map(json_bytes)

DELTAS = (
    {},
    {"role": "assistant"},
    {"role": "assistant", "reasoning_content": "hm"},
    {"reasoning_content": None, "refusal": None, "tool_calls": None},
    {"refusal": "no"},
    {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
    {"tool_calls": []},
    {"function_call": None},
)
CHOICES = (
    {},
    {"index": 0},
    {"index": 0, "finish_reason": None},
    {"index": 0, "finish_reason": None, "logprobs": None},
    {"index": 3, "finish_reason": "", "logprobs": {"content": []}},
    {"index": 0, "finish_reason": "length"},
)
CHUNKS = (
    {},
    {"id": "02x", "created": 5, "model": "doubao", "object": "chat.completion.chunk"},
    {"usage": None, "service_tier": "default", "error": None},
    {"usage": {"prompt_tokens": 7, "completion_tokens": 2}},
    {"x": {"content": None, "y": [1, {"z": '\\"'}]}},
)
SEPARATORS = ((",", ":"), (", ", ": "))
HOLE = "\0hole\0"


@st.composite
def shapes(draw):
    """A chunk with a hole where the literal of its content goes."""
    separators = draw(st.sampled_from(SEPARATORS))
    delta = draw(st.sampled_from(DELTAS)) | {"content": HOLE}
    choice = draw(st.sampled_from(CHOICES)) | {"delta": shuffled(draw, delta)}
    chunk = draw(st.sampled_from(CHUNKS)) | {"choices": [shuffled(draw, choice)]}
    text = json_bytes(shuffled(draw, chunk), separators)
    return tuple(text.split(json_bytes(HOLE)))


def shuffled(draw, fields):
    names = draw(st.permutations(list(fields)))
    return {name: fields[name] for name in names}


ODD_EVENTS = (
    DONE,
    b": ping\n\n",
    b"data: {}\n\n",
    b"data: not json\n\n",
    b'data: {"choices":[]}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4}}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":9}}\n\n',
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    b'data: {"choices":[{"index":0,"finish_reason":"tool_calls"}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}}]}\n\n',
    b'data: {"error":{"code":"ServerOverloaded","message":"m"}}\n\n',
    b'{"error":{"code":"x"}}\n\n',
    b"event: x\ndata: {\ndata: }\n\n",
    b"data: [DONE] \n\ndata: [DONE]\n\n",
)


@st.composite
def streams(draw):
    """A stream of a few shapes that repeat, with an odd event here and there."""
    made = draw(st.lists(shapes(), min_size=1, max_size=2))
    one = st.builds(
        lambda shape, literal: b"data: " + literal.join(shape) + b"\n\n",
        st.sampled_from(made),
        literals,
    )
    usual = st.lists(one, max_size=4)
    parts = draw(
        st.lists(
            st.one_of(usual, usual, st.sampled_from(ODD_EVENTS).map(lambda event: [event])),
            max_size=4,
        )
    )
    stream = b"".join(event for part in parts for event in part)
    return stream + draw(st.sampled_from([b"", DONE]))


# The laws.


@given(streams(), st.sampled_from([ENVELOPE, WITH_USAGE]), st.integers(0, 15), st.data())
@settings(max_examples=150)
def test_any_split_of_any_stream_gives_the_same_bytes(stream, envelope, index, data):
    def read(pieces):
        result = Result(pieces, envelope=envelope, index=index)
        return result.output, result.state

    whole = read([stream])

    assert read(data.draw(splits(stream))) == whole
    assert read(one_by_one(stream)) == whole


@given(streams())
@settings(max_examples=300)
def test_the_template_gives_what_decoding_and_encoding_give(stream):
    fast, slow = Result([stream]), Result([stream], Unlearned)

    assert fast.events == slow.events
    assert fast.state == slow.state
    if b"\\/" not in stream:  # two spellings of one character; either passes as it came
        assert fast.output == slow.output


@given(streams(), st.sampled_from([ENVELOPE, WITH_USAGE]), st.integers(0, 15))
@settings(max_examples=150)
def test_the_order_on_the_wire_is_fixed(stream, envelope, index):
    result = Result(one_by_one(stream), envelope=envelope, index=index)

    states = check_order(result.events, envelope, index)

    reader = result.reader
    assert reader.has_started is bool(states)
    assert reader.is_done is not (reader.failure is not None)
    assert ("finish" in states) is (reader.finish_reason is not None)
    if reader.is_done:
        assert states[-1] == "finish"
    if reader.error_body:
        assert reader.failure == "the upstream sent an error event"


@given(st.one_of(st.binary(max_size=60), json_values.map(json_bytes)), st.binary(max_size=20))
@settings(max_examples=100)
def test_garbage_gives_a_failure_and_never_an_exception(payload, after):
    assume(b"\n" not in payload)
    before = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'

    result = Result([before, b"data: " + payload + b"\n\n", after])

    check_order(result.events, ENVELOPE, 0)
    assert result.content.startswith("a")
    assert (result.reader.failure is not None) is not result.reader.is_done


@pytest.mark.parametrize("end", [b"", b"\n\n"])
def test_where_an_oversized_event_begins_does_not_depend_on_the_split(end):
    stream = chunk("a") + b"data: " + b"x" * 200 + end

    whole, split = (Result(pieces, limit=150) for pieces in ([stream], one_by_one(stream)))

    assert whole.output == split.output
    assert whole.reader.failure == split.reader.failure == "an event is too large"


# One rule each.


def chunk(content=None, *, finish=None, **fields):
    delta = ({} if content is None else {"content": content}) | fields.pop("delta", {})
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json_bytes({"choices": [choice | fields]}) + b"\n\n"


@given(st.lists(plain_literals, min_size=1, max_size=8))
def test_contents_arrive_whole_and_in_order(contents):
    stream = b"".join(b'data: {"choices":[{"delta":{"content":%b}}]}\n\n' % c for c in contents)

    result = Result([stream + DONE])

    assert result.content == "".join(json.loads(c) for c in contents)
    assert result.reader.finish_reason == "stop"
    assert result.reader.is_done


def states_of(*events, limit=LIMIT):
    result = Result([b"".join(events)], limit=limit)
    return check_order(result.events, ENVELOPE, 0), result


def test_a_role_chunk_comes_first_even_if_nothing_follows():
    states, result = states_of(chunk(delta={"role": "assistant"}))

    assert states == ["role"]
    assert result.reader.has_started


def test_the_finish_chunk_is_empty_and_after_its_content():
    states, result = states_of(chunk("a"), chunk("b", finish="length"), DONE)

    assert states == ["role", "delta", "delta", "finish"]
    assert result.content == "ab"
    assert result.reader.finish_reason == "length"


def test_done_without_a_finish_is_a_stop():
    states, result = states_of(chunk("a"), DONE)

    assert states == ["role", "delta", "finish"]
    assert result.reader.finish_reason == "stop"


def test_a_finish_without_done_is_a_whole_answer():
    _, result = states_of(chunk("a"), chunk(finish="stop"))

    assert result.reader.is_done
    assert result.reader.failure is None


def test_only_the_first_finish_counts():
    states, result = states_of(chunk("a", finish="stop"), chunk(finish="length"), DONE)

    assert states == ["role", "delta", "finish"]
    assert result.reader.finish_reason == "stop"


@pytest.mark.parametrize("early", [[], [chunk("b")]], ids=["never decoded", "template known"])
def test_nothing_follows_a_finish(early):
    _, result = states_of(chunk("a"), *early, chunk(finish="stop"), chunk("late"), DONE)

    assert "late" not in result.content


def test_an_empty_content_says_nothing():
    states, _ = states_of(chunk("a"), chunk(""), chunk("b"), DONE)

    assert states == ["role", "delta", "delta", "finish"]


def test_a_content_without_its_closing_quote_is_garbage():
    _, result = states_of(chunk("a"), chunk("a").replace(b'"a"', b'"'), DONE)

    assert result.reader.failure == "an event is not a chat completion chunk"


def test_only_the_choices_content_is_content():
    event = b'data: {"x":{"content":"%b"},"choices":[{"index":0,"delta":{"content" :"same"}}]}\n\n'

    result = Result([event % b"same" + event % b"other" + DONE])

    assert result.content == "samesame"


def test_an_empty_string_beside_something_is_left_out():
    _, result = states_of(chunk("", delta={"tool_calls": [{"index": 0}]}), DONE)

    assert result.events[1]["choices"][0]["delta"] == {"tool_calls": [{"index": 0}]}


def test_tool_calls_reasoning_refusals_and_logprobs_pass():
    parts = {"reasoning_content": "hm", "refusal": "no", "tool_calls": [{"index": 0, "x": 1}]}

    result = Result([chunk(delta=parts | {"z": 1}, logprobs={"content": [1]}), DONE])

    (choice,) = result.events[1]["choices"]
    assert choice["delta"] == parts
    assert choice["logprobs"] == {"content": [1]}


def test_arks_last_chunk_loses_its_role_and_its_empty_content():
    ark = {"role": "assistant"}
    states, result = states_of(
        chunk("Hel", delta=ark),
        chunk("lo", delta=ark),
        chunk("", delta=ark, finish="stop"),
        DONE,
    )

    assert states == ["role", "delta", "delta", "finish"]
    assert result.content == "Hello"


def test_tool_calls_in_one_chunk_with_the_finish_become_two():
    states, _ = states_of(chunk(delta={"tool_calls": [{"index": 0}]}, finish="tool_calls"), DONE)

    assert states == ["role", "delta", "finish"]


@pytest.mark.parametrize(
    ("stream", "failure", "has_started"),
    [
        (b"", "the stream ended without a finish reason and without [DONE]", False),
        (b"data: {}\n\n", "the stream ended without a finish reason and without [DONE]", False),
        (chunk("a"), "the stream ended without a finish reason and without [DONE]", True),
        (DONE, "the stream ended without an answer", False),
        (b'data: {"choices":[]}\n\n' + DONE, "the stream ended without an answer", False),
        (b"data: <html>\n\n", "an event is not a chat completion chunk", False),
        (chunk("a") + b"data: []\n\n" + DONE, "an event is not a chat completion chunk", True),
        (
            chunk("a") + b"data: " + b"[" * 9999 + b"\n\n",
            "an event is not a chat completion chunk",
            True,
        ),
        (chunk("a") + b"data: " + b"x" * LIMIT, "an event is too large", True),
    ],
)
def test_why_a_stream_is_unusable(stream, failure, has_started):
    result = Result(one_by_one(stream) if len(stream) < LIMIT else [stream[:100], stream[100:]])

    assert result.reader.failure == failure
    assert result.reader.has_started is has_started
    assert not result.reader.is_done


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (b'data: {"error":{"code":"X","message":"m"}}\n\n', {"code": "X", "message": "m"}),
        (b'{"error":{"code":"X"}}\n\n', {"code": "X"}),
        (b'event: error\ndata: {"error":"text"}\n\n', "text"),
        (
            b'data: {"error":{"n":1e30,"i":123456789012345678901234567890}}\n\n',
            {"n": 1e30, "i": 123456789012345678901234567890},
        ),
    ],
)
def test_an_error_event_ends_the_stream(event, error):
    states, result = states_of(chunk("a"), event, chunk("b"), DONE)

    assert states == ["role", "delta"]
    assert json.loads(result.reader.error_body) == error
    assert not result.reader.is_done


def test_a_null_error_is_none():
    _, result = states_of(b'data: {"error":null,"choices":[{"delta":{"content":"a"}}]}\n\n', DONE)

    assert result.reader.failure is None


def test_after_an_end_nothing_is_read():
    reader = BranchReader(ENVELOPE, 0, LIMIT)
    reader.feed(chunk("a") + DONE + b"data: garbage\n\n")

    assert reader.feed(b"data: garbage\n\n") == b""
    assert reader.close() == b""
    assert reader.is_done
    assert reader.failure is None


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([], None),
        ([None], None),
        ([{"prompt_tokens": 1}], None),
        ([{"prompt_tokens": 9, "completion_tokens": 4}], Usage(9, 0, 4)),
        (
            [
                {"prompt_tokens": 9, "completion_tokens": 1},
                {"prompt_tokens": 9, "completion_tokens": 2},
                {"prompt_tokens": -1, "completion_tokens": 2},
                None,
            ],
            Usage(9, 0, 2),
        ),
    ],
)
def test_the_last_usage_that_can_be_counts(told, expected):
    events = [
        b"data: " + json_bytes({"choices": [{"delta": {"content": "a"}}], "usage": usage}) + b"\n\n"
        for usage in told
    ]

    _, result = states_of(chunk("a"), *events, DONE)

    assert result.reader.usage == expected


def test_usage_may_come_after_the_finish():
    event = b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4}}\n\n'

    states, result = states_of(chunk("a", finish="stop"), event, DONE)

    assert states == ["role", "delta", "finish"]
    assert result.reader.usage == Usage(9, 0, 4)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("abc", 3),
        ("豆", 3),
    ],
)
def test_delivered_bytes_are_content_bytes_on_either_path(count, text, size):
    _, result = states_of(*[chunk(text)] * count, DONE)

    assert result.reader.delivered_bytes == count * size


def test_delivered_bytes_count_what_is_not_content_too():
    parts = {"reasoning_content": "hm", "tool_calls": [{"a": 1}]}

    _, result = states_of(chunk("abc", delta=parts), DONE)

    assert result.reader.delivered_bytes == 3 + 2 + len('[{"a":1}]')


# Recordings.


@pytest.mark.parametrize(
    ("name", "content", "reason", "usage"),
    [
        ("llamacpp_stream", "Hello! How can", "length", Usage(31, 30, 4)),
        ("llamacpp_stream_no_role", "🌌", "length", Usage(44, 24, 4)),
        ("llamacpp_stream_no_usage", "Hello! How can", "length", None),
    ],
)
def test_the_recordings_of_llamacpp(request, name, content, reason, usage):
    path = request.config.rootpath / "tests" / "fixtures" / f"{name}.txt"
    stream = path.read_bytes()

    result, decoded = Result(one_by_one(stream)), Result([stream], Unlearned)

    assert result.output == decoded.output == Result([stream]).output
    assert result.content == content
    assert result.reader.finish_reason == reason
    assert result.reader.usage == usage
    assert result.reader.is_done
    assert check_order(result.events, ENVELOPE, 0)[-1] == "finish"
