"""Does the public API keep its own description? Schemathesis walks it, with and without a key."""

import copy
import json
from pathlib import Path

import pytest
import schemathesis
from hypothesis import given
from jsonschema_rs import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, ignored_auth

from support.answers import reply
from support.described import CHECKS, NOT_OURS, many
from support.gateway import KEY, MODEL
from support.lab import FORGIVING, open_lab

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings(NOT_OURS)]
DESCRIPTION = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())
CHUNK = Draft202012Validator({"$ref": "#/components/schemas/ChatCompletionChunk", **DESCRIPTION})
MOST_EVENTS = 20  # that Schemathesis reads of a stream
# A call is answered in some milliseconds: 20 s at most for both tests.
EXAMPLES = 50


@pytest.fixture(scope="module")
def lab():
    with open_lab(settings=FORGIVING, upstream={"default": reply(text="Hello.")}) as lab:
        yield lab


@pytest.fixture(scope="module")
def operations(lab):
    return operations_of(lab)


def operations_of(lab, **fixed):
    """The operations of the committed description, of models that exist.

    `fixed`: what the fields of a call are to be; the bound of `max_tokens` is the model's.
    """
    raw = copy.deepcopy(DESCRIPTION)
    known = {"enum": [MODEL, "Doubao-1.5-lite-32k"]}
    request = raw["components"]["schemas"]["ChatRequest"]
    request["properties"] |= {"model": known, **{n: {"const": v} for n, v in fixed.items()}}
    request["required"] += fixed
    for name in ("max_tokens", "max_completion_tokens"):
        request["properties"][name]["maximum"] = 12_288
    raw["paths"]["/v1/models/{id}"]["get"]["parameters"][0]["schema"] = known
    found = schemathesis.openapi.from_dict(raw)
    found.config.update(base_url=f"http://127.0.0.1:{lab.gateway.port}")
    return [each.ok() for each in found.get_all_operations()]


def walk(operation, mode):
    """Ask in many ways, check each answer; return the statuses that were met."""
    met = set()

    @many(EXAMPLES)
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case):
        headers = {"Authorization": f"Bearer {KEY}"}
        answer = case.call_and_validate(
            headers=headers, checks=(*CHECKS, content_type_conformance, ignored_auth)
        )
        if answer.headers["content-type"][0].startswith("text/event-stream"):
            check_stream(answer.content)
            met.add("stream")
        met.add(answer.status_code)

    one()
    return met


def check_stream(content):
    events = content.removesuffix(b"\n\n").split(b"\n\n")
    if len(events) < MOST_EVENTS:
        assert events.pop() == b"data: [DONE]"
    for event in events:
        CHUNK.validate(json.loads(event.removeprefix(b"data: ")))


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_operation_answers_as_it_is_described(operations, mode):
    statuses = {operation.label: walk(operation, mode) for operation in operations}

    chat = statuses["POST /v1/chat/completions"]
    assert 200 in chat if mode is GenerationMode.POSITIVE else 400 in chat, statuses
    assert len(statuses) == 4


def test_a_streamed_call_answers_as_it_is_described(lab):
    (chat,) = [each for each in operations_of(lab, stream=True) if each.method == "post"]

    assert {200, "stream"} <= walk(chat, GenerationMode.POSITIVE)


@pytest.mark.parametrize("key", [None, "sk-nobody", KEY[:-1]])
def test_without_a_key_every_operation_is_refused(operations, key):
    for operation in operations:

        @many(10)
        @given(case=operation.as_strategy())
        def one(case):
            case.headers = {"Authorization": f"Bearer {key}"} if key else {}
            answer = case.call()
            assert answer.status_code == 401, answer.text
            assert answer.json()["error"]["code"] in ("missing_api_key", "invalid_api_key")

        one()
