"""What is sent on, to which kind of account, in what form? The upstream's log is the oracle."""

import json

import pytest

from support.answers import reply
from support.gateway import KEY, UPSTREAM_KEY, ask
from support.lab import Lab
from support.upstream import Seen

CALLER_ONLY = {
    "user": "u-1",
    "metadata": {"user_id": "m-1"},
    "seed": 7,
    "store": True,
    "prompt_cache_key": "p-1",
    "safety_identifier": "s-1",
}
UNKNOWN = {"frob": {"deep": [1, None, "x"]}, "api_base": "http://evil.test", "Temperature": 9}


def sent(lab: Lab, body: dict, *, shape: str = "openai", **options) -> Seen:
    """Send `body` with a prompt of its own and return what the upstream received."""
    prompt = lab.upstream.plan(reply(shape=shape))
    messages = body.pop("messages", [])
    body = {**ask(prompt), **body}
    body["messages"] = [*messages, *body["messages"]]
    answer = lab.gateway.post(body, **options)
    assert answer.status == 200, answer.body
    return lab.upstream.only(prompt)


def test_an_openai_account_gets_what_the_caller_sent(lab: Lab):
    seen = sent(lab, {"temperature": 0.5, **UNKNOWN})

    assert set(seen.json) == {"model", "messages", "temperature", *UNKNOWN}
    assert {name: seen.json[name] for name in UNKNOWN} == UNKNOWN


def test_an_ark_account_gets_only_what_ark_documents(ark_lab: Lab):
    body = {"temperature": 0.5, "top_p": 0.5, **CALLER_ONLY, **UNKNOWN}
    seen = sent(ark_lab, body, shape="ark")

    assert set(seen.json) == {"model", "messages", "temperature", "top_p"}


def test_nothing_is_added_to_a_plain_call(ark_lab: Lab):
    assert set(sent(ark_lab, {}, shape="ark").json) == {"model", "messages"}


@pytest.mark.parametrize(
    "field", ["temperature", "top_p", "n", "stream", "stop", "max_tokens", "tools", "user", "frob"]
)
def test_null_means_absent(lab: Lab, field):
    assert field not in sent(lab, {field: None}).json


@pytest.mark.parametrize("form", [{"n": 1}, {"stream": False}])
def test_defaults_spelled_out_change_nothing(ark_lab: Lab, form):
    seen = sent(ark_lab, dict(form), shape="ark")
    assert seen.json.get("stream", False) is False
    assert "n" not in seen.json


def test_max_completion_tokens_is_sent_on_as_max_tokens(ark_lab: Lab):
    seen = sent(ark_lab, {"max_completion_tokens": 77}, shape="ark")

    assert seen.json["max_tokens"] == 77
    assert "max_completion_tokens" not in seen.json


@pytest.mark.parametrize(
    "asked", [None, {"include_usage": True}, {"include_usage": False}, {"include_usage": None}, {}]
)
@pytest.mark.parametrize("dialect", ["openai", "ark"])
def test_usage_is_always_requested_of_a_streaming_upstream(request, dialect, asked):
    lab: Lab = request.getfixturevalue("lab" if dialect == "openai" else "ark_lab")
    seen = sent(lab, {"stream": True, "stream_options": asked}, shape=dialect)

    assert seen.json["stream"] is True
    assert seen.json["stream_options"]["include_usage"] is True


MESSAGES = [
    # (sent by the caller, received by the upstream)
    ({"role": "developer", "content": "be brief"}, {"role": "system", "content": "be brief"}),
    ({"role": "system", "content": "be brief"}, {"role": "system", "content": "be brief"}),
    ({"content": "no role"}, {"role": "user", "content": "no role"}),
    ({"role": None, "content": "null role"}, {"role": "user", "content": "null role"}),
    ({"role": "user", "content": ""}, {"role": "user", "content": ""}),
    (
        {"role": "user", "content": [{"type": "text", "text": "part"}]},
        {"role": "user", "content": [{"type": "text", "text": "part"}]},
    ),
    (
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://i.test"}}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://i.test"}}]},
    ),
]


@pytest.mark.parametrize(("given", "received"), MESSAGES)
def test_messages_are_sent_on(ark_lab: Lab, given, received):
    seen = sent(ark_lab, {"messages": [given]}, shape="ark")
    assert seen.json["messages"][0] == received


def test_a_tool_conversation_is_sent_on(lab: Lab):
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turns = [
        {"role": "user", "content": "use f"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "43"},
    ]
    received = sent(lab, {"messages": turns}).json["messages"]

    assert [message["role"] for message in received[:5]] == [turn["role"] for turn in turns]
    assert received[1]["tool_calls"] == received[3]["tool_calls"] == [call]
    assert received[2] == turns[2]


def test_the_request_is_framed_afresh_with_the_accounts_credential(lab: Lab):
    seen = sent(
        lab,
        {},
        headers=[
            ("X-Conversation-Id", "conversation-canary"),
            ("Cookie", "session=cookie-canary"),
            ("X-Forwarded-For", "10.0.0.1"),
            ("X-Api-Key", "key-canary"),
            ("Accept-Encoding", "gzip, br"),
            ("User-Agent", "agent-canary"),
            ("X-Request-Id", "id-canary"),
            ("TE", "trailers"),
            ("Via", "1.1 via-canary"),
        ],
    )

    assert (seen.method, seen.target) == ("POST", "/v1/chat/completions")
    assert seen.header("authorization") == f"Bearer {UPSTREAM_KEY}"
    assert seen.header("content-type") == "application/json"
    assert seen.header("host") == f"127.0.0.1:{lab.upstream.ports[0]}"
    assert int(seen.header("content-length")) == len(seen.body)
    assert b"canary" not in seen.head + seen.body
    assert b"10.0.0.1" not in seen.head
    assert KEY.encode() not in seen.head + seen.body


def test_duplicate_keys_cannot_say_one_thing_to_us_and_another_to_the_upstream(lab: Lab):
    prompt = lab.upstream.plan(reply())
    body = json.dumps(ask(prompt))[:-1] + ', "max_tokens": 5, "max_tokens": 99999}'
    answer = lab.gateway.post(body.encode())

    if answer.status == 200:
        assert lab.upstream.only(prompt).body.count(b'"max_tokens"') == 1
        assert lab.upstream.only(prompt).json["max_tokens"] == 5
    else:
        assert (answer.status, answer.error["param"]) == (400, "max_tokens")
        assert not lab.upstream.seen(prompt)
