import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.model.usage import Usage
from arkway.relay.answer import BadAnswer, read_answer
from arkway.wire.openai import Choice, encode
from support.strategies import json_bytes, json_values, texts


def read(index=0, choice=None, **fields):
    whole = {"choices": [{"message": {"content": "hi"}} | (choice or {})]} | fields
    return read_answer(json_bytes(whole), index)


def shown(answer):
    choice, _ = answer
    return json.loads(encode(choice))


@given(texts, st.integers(0, 15))
def test_the_first_choice_becomes_the_one_that_was_asked_for(content, index):
    answer = read(index, {"index": 7, "message": {"role": "assistant", "content": content}})

    assert shown(answer) == {
        "index": index,
        "message": {"role": "assistant", "content": content, "refusal": None},
        "logprobs": None,
        "finish_reason": "stop",
    }


def test_everything_documented_passes_and_the_rest_is_dropped():
    message = {
        "role": "whoever",
        "content": None,
        "refusal": "no",
        "reasoning_content": "hm",
        "tool_calls": [{"id": "1", "x": 1}],
        "annotations": [],
    }
    answer = read(
        choice={
            "message": message,
            "logprobs": {"content": []},
            "finish_reason": "tool_calls",
            "matched_stop": 1,
        },
        service_tier="default",
    )

    del message["annotations"]
    assert shown(answer) == {
        "index": 0,
        "message": message | {"role": "assistant"},
        "logprobs": {"content": []},
        "finish_reason": "tool_calls",
    }


@pytest.mark.parametrize("reason", [None, ""])
def test_a_missing_finish_reason_is_a_stop(reason):
    choice, _ = read(choice={"finish_reason": reason})
    assert choice.finish_reason == "stop"


def test_null_parts_are_absent():
    message = shown(read(choice={"message": {"tool_calls": None, "reasoning_content": None}}))

    assert message["message"] == {"role": "assistant", "content": None, "refusal": None}


@pytest.mark.parametrize("choice", [{"index": None}, {"message": {"role": None, "content": "hi"}}])
def test_a_null_role_or_index_is_absent_too(choice):
    assert shown(read(choice=choice))["message"]["content"] == "hi"


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({}, None),
        ({"usage": None}, None),
        ({"usage": {"prompt_tokens": 3}}, None),
        ({"usage": {"prompt_tokens": 3, "completion_tokens": -1}}, None),
        ({"usage": {"prompt_tokens": 3, "completion_tokens": 2}}, Usage(3, 0, 2)),
    ],
)
def test_usage_is_read_and_never_invented(told, usage):
    assert read(**told)[1] == usage


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is not a chat completion"),
        (b"<html>", "the body is not a chat completion"),
        (b"\xff", "the body is not a chat completion"),
        (b'{"choices":[{"message":{"content":"\xff"}}]}', "the body is not a chat completion"),
        (b'{"choices":[{"message":{"content":5}}]}', "the body is not a chat completion"),
        (b'{"x":' + b"[" * 99_999, "the body is not a chat completion"),
        (b"[]", "the body is not a chat completion"),
        (b"{}", "the body holds no message"),
        (b'{"choices":null}', "the body holds no message"),
        (b'{"choices":[]}', "the body holds no message"),
        (b'{"choices":[{}]}', "the body holds no message"),
        (b'{"choices":[{"message":null}]}', "the body holds no message"),
        (b'{"error":{"code":"X"},"choices":[{"message":{}}]}', "the body is an error"),
        (b'{"error":"text"}', "the body is an error"),
    ],
)
def test_what_is_no_answer(body, message):
    with pytest.raises(BadAnswer) as bad:
        read_answer(body, 0)

    assert str(bad.value) == message
    assert bool(bad.value.error_body) is (message == "the body is an error")


def test_an_error_with_status_200_is_kept():
    with pytest.raises(BadAnswer) as bad:
        read(error={"code": "ServerOverloaded", "message": "m"})

    assert json.loads(bad.value.error_body) == {"code": "ServerOverloaded", "message": "m"}


@given(st.one_of(st.binary(max_size=40), json_values.map(json_bytes)))
def test_anything_is_an_answer_or_a_bad_one(body):
    try:
        answer = read_answer(body, 0)
    except BadAnswer:
        return
    assert type(answer[0]) is Choice


def test_the_recorded_answer_of_llamacpp(request):
    path = request.config.rootpath / "tests" / "fixtures" / "llamacpp_answer.json"

    answer = read_answer(path.read_bytes(), 2)

    assert answer[1] == Usage(31, 0, 10)
    assert shown(answer) == {
        "index": 2,
        "message": {
            "role": "assistant",
            "content": "Hello! How can I assist you today?",
            "refusal": None,
        },
        "logprobs": None,
        "finish_reason": "stop",
    }
