import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.admission.messages import ROLES, check_messages
from arkway.model.errors import InvalidType, InvalidValue, MissingParameter
from support.outcome import outcome
from support.strategies import json_values, texts


@pytest.mark.parametrize(
    ("messages", "text_bytes"),
    [
        ([{"role": "user", "content": "hi"}], 2),
        ([{"role": "user", "content": ""}], 0),
        ([{"role": "user", "content": "豆包"}], 6),
        ([{"role": "system", "content": "a"}, {"role": "user", "content": "🫘b"}], 6),
        ([{"role": "tool", "content": "x", "tool_call_id": "1"}], 1),
        ([{"role": "user", "content": [{"type": "text", "text": "豆"}]}], 3),
        (
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "ab"},
                        {"type": "image_url", "image_url": {"url": "https://h/x.png"}},
                        {"type": "input_audio"},
                        {"type": "text", "text": ""},
                    ],
                }
            ],
            2,
        ),
        ([{"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}], 0),
        ([{"role": "assistant", "tool_calls": [{}]}], 0),
        ([{"role": "assistant", "content": "x", "tool_calls": None}], 1),
        ([{"role": "assistant", "content": "x", "name": 5, "anything": [None]}], 1),
    ],
)
def test_conversations_and_their_text(messages, text_bytes):
    before = copy.deepcopy(messages)

    assert check_messages(messages) == text_bytes
    assert messages == before


@pytest.mark.parametrize(
    ("message", "role"),
    [
        ({"role": "developer", "content": "x"}, "system"),
        ({"content": "x"}, "user"),
        ({"role": None, "content": "x"}, "user"),
        *[({"role": role, "content": "x"}, role) for role in ROLES if role != "developer"],
    ],
)
def test_roles_are_mapped(message, role):
    messages = [{"role": "user", "content": "first"}, message]

    check_messages(messages)

    assert message == {"role": role, "content": "x"}


USER = {"role": "user", "content": "x"}


@pytest.mark.parametrize(
    ("messages", "error", "param"),
    [
        ("hi", InvalidType, "messages"),
        ({}, InvalidType, "messages"),
        (5, InvalidType, "messages"),
        (True, InvalidType, "messages"),
        ([], InvalidValue, "messages"),
        (["hi"], InvalidType, "messages[0]"),
        ([USER, None], InvalidType, "messages[1]"),
        ([USER, []], InvalidType, "messages[1]"),
        ([{"role": 5, "content": "x"}], InvalidType, "messages[0].role"),
        ([{"role": ["user"], "content": "x"}], InvalidType, "messages[0].role"),
        ([{"role": "", "content": "x"}], InvalidValue, "messages[0].role"),
        ([{"role": "User", "content": "x"}], InvalidValue, "messages[0].role"),
        ([USER, {"role": "function", "content": "x"}], InvalidValue, "messages[1].role"),
        ([{"role": "user"}], MissingParameter, "messages[0].content"),
        ([{"role": "user", "content": None}], MissingParameter, "messages[0].content"),
        ([{}], MissingParameter, "messages[0].content"),
        ([{"role": "assistant"}], MissingParameter, "messages[0].content"),
        ([{"role": "assistant", "tool_calls": []}], MissingParameter, "messages[0].content"),
        ([{"role": "user", "tool_calls": [{}]}], MissingParameter, "messages[0].content"),
        ([{"role": "assistant", "tool_calls": "x"}], InvalidType, "messages[0].tool_calls"),
        ([{"role": "assistant", "tool_calls": {"a": 1}}], InvalidType, "messages[0].tool_calls"),
        ([{"role": "assistant", "tool_calls": [5]}], InvalidType, "messages[0].tool_calls[0]"),
        ([{"role": "user", "content": 5}], InvalidType, "messages[0].content"),
        ([{"role": "user", "content": False}], InvalidType, "messages[0].content"),
        ([{"role": "user", "content": {}}], InvalidType, "messages[0].content"),
        ([{"role": "user", "content": []}], InvalidValue, "messages[0].content"),
        ([{"role": "user", "content": ["x"]}], InvalidType, "messages[0].content[0]"),
        ([{"role": "user", "content": [{}]}], MissingParameter, "messages[0].content[0].type"),
        (
            [{"role": "user", "content": [{"type": None}]}],
            MissingParameter,
            "messages[0].content[0].type",
        ),
        ([{"role": "user", "content": [{"type": 5}]}], InvalidType, "messages[0].content[0].type"),
        (
            [{"role": "user", "content": [{"type": "text"}]}],
            InvalidType,
            "messages[0].content[0].text",
        ),
        (
            [
                USER,
                {"role": "user", "content": [{"type": "image_url"}, {"type": "text", "text": 5}]},
            ],
            InvalidType,
            "messages[1].content[1].text",
        ),
    ],
)
def test_what_is_no_conversation_is_refused_by_its_path(messages, error, param):
    with pytest.raises(error) as refusal:
        check_messages(messages)

    assert type(refusal.value) is error
    assert refusal.value.param == param
    assert f"'{param}'" in str(refusal.value)


parts = st.fixed_dictionaries(
    {},
    optional={"type": st.sampled_from(["text", "image_url", None, 5]), "text": texts | st.none()},
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from([*ROLES, "x", None, 1]),
        "content": st.one_of(texts, st.lists(parts, max_size=3), json_values),
        "tool_calls": json_values,
        "name": json_values,
    },
)


@given(st.lists(messages | json_values, max_size=4) | json_values)
def test_anything_is_a_conversation_or_refused_by_its_path(value):
    text_bytes, refusal = outcome(check_messages, value)

    if refusal is not None:
        assert refusal.status == 400
        assert refusal.param.startswith("messages")
        assert refusal.param in str(refusal)
    else:
        assert text_bytes >= 0
        assert all(message["role"] in ROLES for message in value)
        assert "developer" not in {message["role"] for message in value}
