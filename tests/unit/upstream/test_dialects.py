import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.admission.rules import RULES
from arkway.model.call import Call
from arkway.model.catalogue import Dialect, ModelSpec
from arkway.upstream.dialects import ARK_PARAMETERS, encode_call, unsent_parameters
from support.strategies import json_values, texts

MODEL = ModelSpec("M", "m-1", 10, 5)
MESSAGES = [{"role": "user", "content": "豆包"}]
OURS = {"model", "stream", "stream_options", "n"}
NOT_ARKS = {
    "n",
    "seed",
    "user",
    "metadata",
    "store",
    "prompt_cache_key",
    "safety_identifier",
    "functions",
    "anything",
}


def call(params, *, stream=False, n=1, include_usage=False):
    return Call(MODEL, "M", stream, include_usage, n, params, 0, None)


def body(it, dialect, model="ep-1"):
    return json.loads(encode_call(it, dialect, model))


params = st.dictionaries(
    st.sampled_from([*RULES, *ARK_PARAMETERS, *NOT_ARKS]) | texts, json_values, max_size=6
).map(lambda fields: {name: value for name, value in fields.items() if name not in OURS})


@given(params, st.sampled_from(Dialect), st.booleans(), st.integers(1, 16))
def test_what_is_sent_is_what_was_asked_less_what_the_dialect_drops(fields, dialect, stream, n):
    it = call(fields, stream=stream, n=n)

    sent = body(it, dialect)

    kept = {
        name: value
        for name, value in fields.items()
        if dialect is not Dialect.ARK or name in ARK_PARAMETERS
    }
    asked = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    assert sent == {"model": "ep-1"} | kept | asked
    assert set(unsent_parameters(it, dialect)) == set(fields) - set(kept)
    assert encode_call(it, dialect, "ep-1") == encode_call(
        call(dict(fields), stream=stream), dialect, "ep-1"
    )


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("include_usage", [True, False])
def test_usage_is_always_asked_of_a_stream(dialect, include_usage):
    it = call({"messages": MESSAGES}, stream=True, include_usage=include_usage)

    assert body(it, dialect)["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("dialect", Dialect)
def test_a_plain_call_names_no_stream(dialect):
    assert body(call({"messages": MESSAGES}), dialect) == {"model": "ep-1", "messages": MESSAGES}


def test_ark_gets_what_it_documents():
    fields = dict.fromkeys(NOT_ARKS, 1) | {"messages": MESSAGES, "temperature": 0.5}

    assert body(call(fields), Dialect.ARK) == {
        "model": "ep-1",
        "messages": MESSAGES,
        "temperature": 0.5,
    }
    assert unsent_parameters(call(fields), Dialect.ARK) == sorted(NOT_ARKS)
    for dialect in (Dialect.OPENAI, Dialect.LOCAL):
        assert body(call(fields), dialect) == {"model": "ep-1"} | fields
        assert unsent_parameters(call(fields), dialect) == []


def test_every_parameter_that_ark_gets_has_a_rule():
    assert set(RULES) - ARK_PARAMETERS == {
        "user",
        "metadata",
        "seed",
        "store",
        "prompt_cache_key",
        "safety_identifier",
    }
    assert ARK_PARAMETERS - set(RULES) == {"messages", "max_tokens"}


def test_a_body_is_utf_8_and_compact():
    assert encode_call(call({"messages": MESSAGES}), Dialect.ARK, "m") == (
        '{"model":"m","messages":[{"role":"user","content":"豆包"}]}'.encode()
    )
