import json

import pytest

from arkway.simulate.ark.form import Form, chunk, head, id_headers, text_of
from arkway.simulate.ark.settings import settings_of
from arkway.simulate.ark.world import World


def form(prompt="[[sim tokens=3 echo=mark]]", **fields):
    world = World(settings_of({}))
    body = {
        "model": "doubao-1-5-pro-32k-250115",
        "messages": [{"role": "user", "content": prompt}],
        **fields,
    }
    key = world.settings.every_account()[0].key
    answer = world.ask(key, None, json.dumps(body).encode(), 0.0)
    return Form(answer, 4, b"02x", 7)


def events(data):
    return [json.loads(line[6:]) for line in data.decode().split("\n\n") if line]


@pytest.mark.parametrize(
    ("echo", "tokens", "text"),
    [
        ("", 3, "000 001 002 "),
        ("mark", 4, "mark    000 001 "),
        ("abc", 2, "abc 000 "),
        ("marker", 1, "mark"),
        ("", 0, ""),
        ("", 1_001, None),
    ],
)
def test_texts(echo, tokens, text):
    found = text_of(echo, tokens, 4).decode()

    assert len(found) == tokens * 4
    assert text is None or found == text
    assert text is not None or found.endswith("999 000 ")


def test_words_of_another_width():
    assert text_of("", 11, 2) == b"0 1 2 3 4 5 6 7 8 9 0 "
    assert text_of("", 2, 8) == b"0000000 0000001 "


def test_a_plain_answer_in_arks_form():
    answer = json.loads(form().plain())

    assert answer == {
        "choices": [
            {
                "finish_reason": "stop",
                "index": 0,
                "logprobs": None,
                "message": {"content": "mark    000 ", "role": "assistant"},
            }
        ],
        "created": 7,
        "id": "02x",
        "model": "doubao-1-5-pro-32k-250115",
        "service_tier": "default",
        "object": "chat.completion",
        "usage": {
            "completion_tokens": 3,
            "prompt_tokens": 7,
            "total_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


def test_chunks_in_arks_form():
    it = form(stream=True, stream_options={"include_usage": True})
    first, second = events(it.chunks(0, 3, 2))

    assert first["choices"] == [{"delta": {"content": "mark    ", "role": "assistant"}, "index": 0}]
    assert first["usage"] is None
    assert second["choices"][0]["delta"]["content"] == "000 "
    assert events(it.finish())[0]["choices"] == [
        {"delta": {"content": "", "role": "assistant"}, "finish_reason": "stop", "index": 0}
    ]
    assert events(it.usage())[0]["choices"] == []
    assert events(it.usage())[0]["usage"]["total_tokens"] == 10


def test_usage_only_when_asked_for():
    assert form(stream=True).usage() == b""


def test_running_usage():
    it = form(stream=True, stream_options={"chunk_include_usage": True})

    counts = [event["usage"]["completion_tokens"] for event in events(it.chunks(0, 3, 1))]
    assert counts == [1, 2, 3]
    assert events(it.finish())[0]["usage"]["completion_tokens"] == 3


def test_faults_of_usage():
    none = form("[[sim fault=no_usage]]", stream=True, stream_options={"include_usage": True})
    zero = form("[[sim fault=zero_usage]]", stream=True, stream_options={"include_usage": True})

    assert none.usage() == b""
    assert "usage" not in json.loads(none.plain())
    assert events(zero.usage())[0]["usage"]["total_tokens"] == 0
    assert json.loads(zero.plain())["usage"]["completion_tokens"] == 0


def test_tool_calls_come_whole_with_the_finish():
    tools = [{"type": "function", "function": {"name": "look"}}]
    it = form("[[sim finish=tool_calls tokens=2]]", tools=tools, stream=True)
    choice = events(it.finish())[0]["choices"][0]

    assert it.chunks(0, 2, 1) == b""
    assert choice["finish_reason"] == "tool_calls"
    function = choice["delta"]["tool_calls"][0]["function"]
    assert function["name"] == "look"
    assert json.loads(function["arguments"]) == {"text": "000 001 "}
    assert json.loads(it.plain())["choices"][0]["message"]["tool_calls"][0]["id"] == "call_0"


def test_http():
    assert chunk(b"abc") == b"3\r\nabc\r\n"
    assert chunk(b"") == b""
    assert head(200, b"a/b", 3, id_headers(b"02", b"c")) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 3\r\n"
        b"X-Request-Id: 02\r\nX-Client-Request-Id: c\r\n\r\n"
    )
    assert head(599, b"", None, id_headers(b"02", b"")).startswith(
        b"HTTP/1.1 599 Unknown\r\nTransfer-Encoding: chunked\r\n"
    )
