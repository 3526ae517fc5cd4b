"""Whatever comes in, a `Call` or a `GatewayError` that names the parameter comes out."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkway.admission.rules import RULES
from arkway.admission.validate import CLEARLY_BEYOND, check_context, decode_body, validate
from arkway.model.call import Call, Caller, RawRequest
from arkway.model.catalogue import KeySpec, ModelSpec, Snapshot
from arkway.model.errors import (
    ContextLengthExceeded,
    GatewayError,
    InvalidJson,
    InvalidType,
    InvalidValue,
    MissingParameter,
    ModelNotFound,
)
from support.outcome import outcome
from support.strategies import json_bytes, json_values, texts

MODEL = ModelSpec("Doubao", "doubao-1", 32_768, 12_288, ("alias",))
SMALL = ModelSpec("Small", "small-1", 1_000, 100)
SNAPSHOT = Snapshot({"Doubao": MODEL, "alias": MODEL, "Small": SMALL}, (), {})
ANY = Caller(KeySpec(b"", "k", "t"))
MESSAGES = [{"role": "user", "content": "hi"}]
MAX_CHOICES = 16


def validate_bytes(body, caller=ANY, conversation=None, repeated=()):
    present = frozenset() if conversation is None else frozenset({"x-conversation-id"})
    request = RawRequest(
        b"POST",
        b"/v1/chat/completions",
        conversation=conversation or b"",
        present=present,
        repeated=frozenset(repeated),
        body=body,
        is_complete=True,
    )
    return plain_params(validate(request, caller, SNAPSHOT, MAX_CHOICES))


def plain_params(call):
    """Return the call with its parameters as the dict that the full rules would give."""
    params = msgspec.to_builtins(call.params)
    for own in ("model", "stream", "stream_options") if call.params is not params else ():
        params.pop(own, None)
    return msgspec.structs.replace(call, params=params)


def ask(caller=ANY, conversation=None, **fields):
    return validate_bytes(
        json_bytes({"model": "Doubao", "messages": MESSAGES} | fields), caller, conversation
    )


def refuse(error, param, **fields):
    with pytest.raises(GatewayError) as refusal:
        ask(**fields)
    assert type(refusal.value) is error
    assert refusal.value.param == param
    return str(refusal.value)


def test_the_least_that_can_be_asked():
    assert ask() == Call(MODEL, "Doubao", False, False, 1, {"messages": MESSAGES}, 2, None)


def test_the_most_that_can_be_asked():
    params = {
        "temperature": 0.5,
        "top_p": 1,
        "stop": ["a"],
        "presence_penalty": -2,
        "frequency_penalty": 2,
        "tools": [{"type": "function"}],
        "tool_choice": "auto",
        "user": "u",
        "seed": 7,
        "anything": {"else": [None, 1]},
    }

    call = ask(
        model="alias", n=16, stream=True, stream_options={"include_usage": True, "x": 1}, **params
    )

    assert call.model is MODEL
    assert call.requested_model == "alias"
    assert (call.stream, call.include_usage, call.n) == (True, True, 16)
    assert call.params == {"messages": MESSAGES} | params


@pytest.mark.parametrize("name", ["model", "messages"])
def test_what_is_required_is_required(name):
    for fields in ({name: None}, {}):
        body = {"model": "Doubao", "messages": MESSAGES}
        del body[name]
        with pytest.raises(MissingParameter, match=f"'{name}'") as refusal:
            validate_bytes(json_bytes(body | fields))
        assert refusal.value.param == name


def test_null_counts_as_absent():
    nulls = dict.fromkeys(
        [*RULES, "n", "stream", "stream_options", "max_tokens", "max_completion_tokens", "other"]
    )

    assert ask(**nulls) == ask()


# model


def test_a_model_that_does_not_exist_and_one_that_is_not_allowed_are_refused_in_the_same_words():
    limited = Caller(KeySpec(b"", "k", "t", models=frozenset({"Small"})))

    unknown = refuse(ModelNotFound, "model", model="doubao")
    forbidden = refuse(ModelNotFound, "model", caller=limited)

    assert unknown == forbidden
    assert "doubao" not in unknown
    assert refuse(ModelNotFound, "model", caller=limited, model="alias") == unknown
    assert refuse(ModelNotFound, "model", model="x" * 100_000) == unknown
    assert ask(caller=limited, model="Small").model is SMALL


@pytest.mark.parametrize("model", [5, True, ["Doubao"], {}])
def test_a_model_is_a_string(model):
    refuse(InvalidType, "model", model=model)


# n


@pytest.mark.parametrize(("sent", "n"), [(1, 1), (2, 2), (16, 16), (1.0, 1), (3.0, 3)])
def test_n_within_its_bounds(sent, n):
    call = ask(n=sent)

    assert call.n == n
    assert type(call.n) is int
    assert "n" not in call.params


@pytest.mark.parametrize("n", [0, -1, 17, 10**30, 1e308, 0.0])
def test_n_outside_its_bounds(n):
    message = refuse(InvalidValue, "n", n=n)

    assert "an integer from 1 to 16" in message


@pytest.mark.parametrize("n", [True, False, "1", 1.5, [], {}])
def test_n_is_an_integer(n):
    refuse(InvalidType, "n", n=n)


# stream


@pytest.mark.parametrize("stream", [0, 1, "true", [], {}])
def test_stream_is_a_boolean(stream):
    refuse(InvalidType, "stream", stream=stream)


@pytest.mark.parametrize(
    ("options", "include_usage"),
    [
        ({}, False),
        ({"include_usage": None}, False),
        ({"include_usage": False}, False),
        ({"include_usage": True}, True),
        ({"chunk_include_usage": True}, False),
    ],
)
def test_stream_options(options, include_usage):
    call = ask(stream=True, stream_options=options)

    assert call.include_usage is include_usage
    assert "stream_options" not in call.params


@pytest.mark.parametrize("stream", [{}, {"stream": False}, {"stream": None}])
def test_stream_options_are_for_streams(stream):
    refuse(InvalidValue, "stream_options", stream_options={"include_usage": True}, **stream)


@pytest.mark.parametrize("options", [True, "x", [], 5])
def test_stream_options_are_an_object(options):
    refuse(InvalidType, "stream_options", stream=True, stream_options=options)


@pytest.mark.parametrize("value", [0, "true", [], {}])
def test_include_usage_is_a_boolean(value):
    options = {"include_usage": value}
    refuse(InvalidType, "stream_options.include_usage", stream=True, stream_options=options)


# max_tokens


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("value", [1, 100, 12_288, 12_288.0])
def test_an_answer_within_the_models_bound(name, value):
    call = ask(**{name: value})

    assert call.params == {"messages": MESSAGES, "max_tokens": value}
    assert type(call.params["max_tokens"]) is int


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("value", [0, -1, 12_289, 10**30, 1e308])
def test_an_answer_outside_the_models_bound(name, value):
    assert "from 1 to 12288" in refuse(InvalidValue, name, **{name: value})


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("value", [True, "5", 5.5, [], {}])
def test_an_answers_bound_is_an_integer(name, value):
    refuse(InvalidType, name, **{name: value})


def test_each_model_has_a_bound_of_its_own():
    assert ask(model="Small", max_tokens=100).params["max_tokens"] == 100
    assert "from 1 to 100," in refuse(InvalidValue, "max_tokens", model="Small", max_tokens=101)
    assert ask(max_tokens=101).params["max_tokens"] == 101


def test_both_names_of_the_bound_may_say_the_same():
    call = ask(max_tokens=5, max_completion_tokens=5.0)

    assert call.params == {"messages": MESSAGES, "max_tokens": 5}
    refuse(InvalidValue, "max_completion_tokens", max_tokens=5, max_completion_tokens=6)


# The conversation.


@pytest.mark.parametrize(
    ("fields", "conversation"),
    [
        ({}, None),
        ({"user": "u"}, "u"),
        ({"user": ""}, None),
        ({"user": "u", "prompt_cache_key": "p"}, "p"),
        ({"user": "u", "prompt_cache_key": ""}, "u"),
        ({"user": "u", "prompt_cache_key": "p", "metadata": {"user_id": "m"}}, "m"),
        ({"user": "u", "metadata": {"user_id": ""}}, "u"),
        ({"user": "u", "metadata": {"user_id": None}}, "u"),
        ({"user": "u", "metadata": {"user_id": 5}}, "u"),
        ({"user": "u", "metadata": {}}, "u"),
        ({"metadata": {"user_id": "m"}}, "m"),
    ],
)
def test_who_names_a_conversation(fields, conversation):
    assert ask(**fields).conversation == conversation
    assert ask(conversation=b"header", **fields).conversation == "header"


@pytest.mark.parametrize("value", [b"x", b"!", b"~" * 256, b"sess_abc123789"])
def test_a_conversation_id_is_visible_ascii(value):
    assert ask(conversation=value).conversation == value.decode()


@pytest.mark.parametrize(
    "value", [b"", b" ", b"a b", b"a\tb", b"\x7f", b"\xe9", "é".encode(), b"x" * 257, b"a\n"]
)
def test_any_other_conversation_id_is_refused(value):
    refuse(InvalidValue, "X-Conversation-Id", conversation=value)


def test_two_conversation_ids_are_refused():
    body = json_bytes({"model": "Doubao", "messages": MESSAGES})

    with pytest.raises(InvalidValue, match="one header") as refusal:
        validate_bytes(body, conversation=b"c", repeated=["x-conversation-id"])

    assert refusal.value.param == "X-Conversation-Id"


# The body.


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"}",
        b"nul",
        b"{}{}",
        b"{} x",
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":.5}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1e999}',
        b'{"a":1' + b"0" * 5000 + b"}",
        b'{"a":"\n"}',
        b'{"a":"\\x"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\udc00\\ud800"}',
        b'{"a":"\xff"}',
        b'{"\xed\xa0\x80":1}',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b"\0",
        b'{"a":' + b"[" * 1_000_000,
        b'{"a":' + b'{"a":' * 100_000,
        b"[" * 5000 + b"]" * 5000,
        b"[]",
        b"[{}]",
        b'"text"',
        b"5",
        b"true",
        b"null",
    ],
)
def test_what_is_no_json_object(body):
    with pytest.raises(InvalidJson) as refusal:
        decode_body(body)

    message = str(refusal.value)
    assert message.startswith("The request body ")
    assert message.endswith(".")
    assert ".." not in message.replace("[...]", "")
    assert message.isprintable()
    assert refusal.value.param is None


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"{}", {}),
        (b' \r\n\t{"a" : [ 1 , 2.5 ] } ', {"a": [1, 2.5]}),
        (b'{"a":null,"b":{"c":null}}', {"b": {"c": None}}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'{"a":1,"a":null}', {}),
        ('{"é":"\\u00e9\\ud83e\\uded8\\/"}'.encode(), {"é": "é🫘/"}),
        (
            b'{"a":1.0,"b":-0,"c":123456789012345678901}',
            {"a": 1.0, "b": 0, "c": 123456789012345678901},
        ),
    ],
)
def test_what_is(body, fields):
    assert decode_body(body) == fields


@given(
    st.one_of(
        st.binary(max_size=60), st.text(max_size=60).map(lambda s: s.encode("utf-8", "replace"))
    )
)
@settings(max_examples=150)
def test_any_bytes_are_an_object_or_invalid_json(body):
    fields, refusal = outcome(decode_body, body)

    if refusal is not None:
        assert type(refusal) is InvalidJson
        assert str(refusal).isprintable()
    else:
        assert type(fields) is dict


@given(st.dictionaries(texts, json_values, max_size=4))
def test_an_object_reads_as_another_reader_reads_it(fields):
    body = json_bytes(fields)

    assert decode_body(body) == {
        name: value for name, value in json.loads(body).items() if value is not None
    }


# Everything together.

ordinary = st.one_of(
    st.sampled_from(
        [None, True, 0, 1, 1.0, 2, -2, 0.5, "x", "auto", [], {}, ["x"], {"type": "text"}, 10**30]
    ),
    json_values,
)
special = {
    "model": st.sampled_from(["Small", "alias", "none"]) | json_values,
    "messages": st.one_of(
        st.lists(st.fixed_dictionaries({"content": texts | json_values}), max_size=2), json_values
    ),
    "n": st.integers(-1, 20) | ordinary,
    "stream": st.booleans() | ordinary,
    "stream_options": st.just({"include_usage": True}) | ordinary,
    "max_tokens": st.integers(-1, 20_000) | ordinary,
    "max_completion_tokens": st.integers(-1, 20_000) | ordinary,
    "temperature": st.floats(-1, 3) | ordinary,
    "unknown": json_values,
}
names = st.lists(st.sampled_from([*special, *special, *RULES]), max_size=4, unique=True)
bodies = names.flatmap(
    lambda chosen: st.fixed_dictionaries({name: special.get(name, ordinary) for name in chosen})
).map(lambda fields: {"model": "Doubao", "messages": MESSAGES} | fields)


@given(bodies)
@settings(max_examples=200)
def test_whatever_is_asked_is_a_call_or_a_refusal_by_name(fields):
    call, refusal = outcome(validate_bytes, json_bytes(fields))
    if refusal is not None:
        assert refusal.status in (400, 404)
        assert not refusal.retryable
        if type(refusal) is ModelNotFound:
            assert refusal.param == "model"
            return
        name = refusal.param.partition(".")[0].partition("[")[0]
        assert name in {*fields, "model", "messages"}
        assert refusal.param in str(refusal)
        return
    sent = {name: value for name, value in fields.items() if value is not None}
    ours = {"model", "n", "stream", "stream_options", "max_completion_tokens", "max_tokens"}
    assert set(call.params) - ours == set(sent) - ours
    assert not {"model", "n", "stream", "stream_options", "max_completion_tokens"} & set(
        call.params
    )
    assert ("max_tokens" in call.params) is bool(
        {"max_tokens", "max_completion_tokens"} & set(sent)
    )
    assert 1 <= call.n <= MAX_CHOICES
    assert type(call.stream) is type(call.include_usage) is bool
    assert call.stream or not call.include_usage
    assert call.params["messages"] == sent["messages"] or all(
        message["role"] in ("user", "system") for message in call.params["messages"]
    )


@given(bodies)
def test_the_same_body_gives_the_same_call(fields):
    first, again = (outcome(validate_bytes, json_bytes(fields)) for _ in range(2))

    assert first[0] == again[0]
    assert str(first[1]) == str(again[1])


# The context window.


@pytest.mark.parametrize(
    ("text_bytes", "tokens_per_byte", "max_tokens", "is_fine"),
    [
        (0, 1.0, 100, True),
        (1150, 1.0, 100, True),
        (1151, 1.0, 100, False),
        (1250, 1.0, None, True),
        (1251, 1.0, None, False),
        (10_000, 0.125, None, True),
        (10_000, 0.126, None, False),
        (10_000, 0.0, None, True),
    ],
)
def test_only_what_is_clearly_beyond_the_window_is_refused(
    text_bytes, tokens_per_byte, max_tokens, is_fine
):
    call = Call(SMALL, "Small", False, False, 1, {}, text_bytes, None, max_tokens)

    assert CLEARLY_BEYOND * SMALL.context_tokens == 1250
    if is_fine:
        check_context(call, tokens_per_byte)
    else:
        with pytest.raises(ContextLengthExceeded, match="1000 tokens") as refusal:
            check_context(call, tokens_per_byte)
        assert refusal.value.param == "messages"
