"""The law: what the common kind accepts, the full rules accept, and mean the same by it."""

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkway.admission import validate as full
from arkway.model.call import Caller, RawRequest
from arkway.model.catalogue import Dialect, KeySpec, ModelSpec, Snapshot
from arkway.model.errors import GatewayError
from arkway.upstream.dialects import encode_call
from arkway.wire.common_body import MAX_COMMON_BYTES, CommonBody, decode_common, text_bytes
from support.strategies import json_bytes, json_values, texts

MODEL = ModelSpec("Doubao", "doubao-1", 32_768, 12_288, ("alias",))
SNAPSHOT = Snapshot({"Doubao": MODEL, "alias": MODEL}, (), {})
ANY = Caller(KeySpec(b"", "k", "t"))

numbers = st.sampled_from([-2, -0.0, 0, 0.7, 1, 1.0, 1.5, 2, 2.0001, -2.1, 3, 1e300, 10**30, True])
values = numbers | st.none() | st.booleans() | texts | json_values
message = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "system", "assistant", "developer", "x"]), "content": texts},
    optional={"name": texts},
)
bodies = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["Doubao", "alias", "nobody", 7]),
        "messages": st.lists(message | json_values, max_size=3),
    },
    optional={
        **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty"), values),
        "max_tokens": st.sampled_from([1, 12_288, 12_289, 0, 1.0, 2**70, True, None]),
        "stream": st.sampled_from([True, False, None, 1]),
        "stream_options": st.sampled_from(
            [{"include_usage": True}, {"include_usage": False}, {}, None, {"x": 1}]
        ),
        "n": st.sampled_from([1, 2]),
    },
)


def ask(body):
    return RawRequest(b"POST", b"/", body=body, is_complete=True)


def by_full_rules(body):
    return full._any_call(body, ANY, SNAPSHOT, 16, None)


@given(bodies)
@settings(max_examples=600)
def test_the_common_kind_means_what_the_full_rules_say(fields):
    body = json_bytes(fields)
    try:
        call = by_full_rules(body)
    except GatewayError as refusal:
        with pytest.raises(type(refusal), match=re.escape(str(refusal))):
            full.validate(ask(body), ANY, SNAPSHOT, 16)
        return
    common = full.validate(ask(body), ANY, SNAPSHOT, 16)
    assert msgspec.structs.replace(common, params={}) == msgspec.structs.replace(call, params={})
    for dialect in Dialect:
        assert msgspec.json.decode(encode_call(common, dialect, "ep-1")) == msgspec.json.decode(
            encode_call(call, dialect, "ep-1")
        )


def test_most_bodies_are_of_the_common_kind():
    fields = {
        "model": "Doubao",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "豆"}],
        "temperature": 1,
        "top_p": 0.5,
        "max_tokens": 7,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    call = full.validate(ask(json_bytes(fields)), ANY, SNAPSHOT, 16)

    assert type(call.params) is CommonBody
    assert (call.text_bytes, call.max_tokens, call.include_usage) == (11, 7, True)


def test_a_long_body_is_read_once():
    fields = {
        "model": "Doubao",
        "messages": [{"role": "user", "content": "x" * MAX_COMMON_BYTES}],
    }
    assert type(full.validate(ask(json_bytes(fields)), ANY, SNAPSHOT, 16).params) is dict


def test_a_whole_number_stays_whole():
    sent = b'{"model":"Doubao","messages":[{"role":"user","content":"hi"}],"temperature":1}'
    assert b'"temperature":1}' in msgspec.json.encode(decode_common(sent))


@given(st.lists(texts, max_size=3))
def test_text_is_counted_in_bytes_of_utf_8(contents):
    messages = [{"role": "user", "content": content} for content in contents]
    body = decode_common(
        json_bytes(
            {"model": "m", "messages": [*messages, *messages, {"role": "user", "content": ""}]}
        )
    )
    assert text_bytes(body.messages) == 2 * sum(len(content.encode()) for content in contents)
