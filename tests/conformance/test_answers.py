"""Has every plain answer the promised form, and is `n` > 1 one answer? CONTRACT section 1."""

import json

import pytest

from support.answers import DONE, SHAPES, USAGE, Gate, reply, sse
from support.gateway import MODEL
from support.httpraw import live_frames
from support.lab import Lab


def test_a_plain_answer_has_exactly_the_promised_keys(shaped):
    lab, shape = shaped
    answer = lab.gateway.chat(lab.upstream.plan(reply("Hi", shape=shape))).json()

    assert set(answer) == {"id", "object", "created", "model", "choices", "usage"}
    assert answer["id"].startswith("chatcmpl-")
    assert answer["object"] == "chat.completion"
    assert isinstance(answer["created"], int)
    assert answer["model"] == MODEL
    assert answer["usage"] == USAGE
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hi", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]


def test_plain_tool_calls_and_reasoning_pass(shaped):
    lab, shape = shaped
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    planned = reply("x", shape=shape, finish="tool_calls", tool_calls=[call], reasoning_content="r")
    (choice,) = lab.gateway.chat(lab.upstream.plan(planned)).json()["choices"]

    assert choice["message"]["tool_calls"] == [call]
    assert choice["message"]["reasoning_content"] == "r"
    assert choice["finish_reason"] == "tool_calls"


def test_usage_details_an_upstream_leaves_out_are_zero(lab: Lab):
    bare = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    answer = lab.gateway.chat(lab.upstream.plan(reply("x", usage=bare))).json()

    assert answer["usage"] == {
        **bare,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def test_a_plain_answer_without_usage_is_passed_on(lab: Lab):
    """Failure mode 17."""
    answer = lab.gateway.chat(lab.upstream.plan(reply("x", usage=None)))

    assert answer.status == 200
    assert answer.json()["choices"][0]["message"]["content"] == "x"
    assert json.loads(answer.body).get("usage") is None


# -- n > 1 -----------------------------------------------------------------------------------------


def test_n_plain_choices_by_index_prompt_once_completions_summed(shaped):
    lab, shape = shaped
    prompt = lab.upstream.plan(*(reply(f"choice {i}", shape=shape) for i in range(3)))
    answer = lab.gateway.chat(prompt, n=3).json()

    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    texts = {choice["message"]["content"] for choice in answer["choices"]}
    assert texts == {"choice 0", "choice 1", "choice 2"}
    usage = answer["usage"]
    assert usage["prompt_tokens"] == USAGE["prompt_tokens"]
    assert usage["completion_tokens"] == 3 * USAGE["completion_tokens"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    details = usage["completion_tokens_details"]
    assert details == {
        "reasoning_tokens": 3 * USAGE["completion_tokens_details"]["reasoning_tokens"]
    }


@pytest.mark.parametrize("usage", [False, True])
def test_n_streams_interleave_with_one_envelope(shaped, usage):
    lab, shape = shaped
    gates = [Gate(), Gate(), Gate()]

    def branch(gate):
        def write(say):
            return [say.delta("a"), gate, say.delta("b"), say.finish(), say.usage(), DONE]

        return lambda seen: sse(*write(SHAPES[shape](seen)))

    prompt = lab.upstream.plan(*map(branch, gates))
    options = {"stream_options": {"include_usage": True}} if usage else {}
    with lab.gateway.open_stream(prompt, n=3, **options) as connection:
        frames = live_frames(connection, connection.read_head())
        before = [next(frames) for _ in range(6)]  # role and "a" of each branch
        for gate in gates:
            gate.open()
        after = list(frames)

    seen = [frame.json() for frame in [*before, *after][:-1]]
    choices = [item["choices"][0] for item in seen if item["choices"]]
    assert {choice["index"] for choice in (f.json()["choices"][0] for f in before)} == {0, 1, 2}
    for index in range(3):
        own = [choice for choice in choices if choice["index"] == index]
        assert [choice["delta"] for choice in own] == [
            {"role": "assistant", "content": ""},
            {"content": "a"},
            {"content": "b"},
            {},
        ]
        assert [choice["finish_reason"] for choice in own] == [None, None, None, "stop"]
    assert len({(item["id"], item["created"]) for item in seen}) == 1
    totals = [item["usage"] for item in seen if item.get("usage")]
    assert len(totals) == int(usage)
    if usage:
        assert totals[0]["prompt_tokens"] == USAGE["prompt_tokens"]
        assert totals[0]["completion_tokens"] == 3 * USAGE["completion_tokens"]
        assert seen[-1]["choices"] == []
    assert after[-1].is_done
    assert [frame.is_done for frame in after].count(True) == 1
