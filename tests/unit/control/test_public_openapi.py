"""Is the description of the public API true? Value for value, against the code that judges."""

import json

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from arkway.admission.messages import ROLES
from arkway.admission.rules import RULES
from arkway.admission.validate import validate
from arkway.control.process import Limits
from arkway.control.public_openapi import _ERRORS, FIELDS, document
from arkway.ledger.explain import usage_list
from arkway.ledger.read_io import UsageLine
from arkway.listener.routes import OPEN, Endpoint, match
from arkway.model.call import Caller, RawRequest
from arkway.model.catalogue import KeySpec, ModelSpec, Snapshot
from arkway.model.usage import Usage
from arkway.wire.openai import Choice, Delta, Envelope, Message, model_object, usage_json
from support.outcome import outcome
from support.strategies import json_values

DOCUMENT = document()
SCHEMAS = DOCUMENT["components"]["schemas"]
# A model without a bound that the schema cannot know.
MODEL = ModelSpec("m", "m-1", 2**62, 2**62)
SNAPSHOT = Snapshot({"m": MODEL}, (), {})
CALLER = Caller(KeySpec(b"", "k", "t"))

# What lies at, inside and outside the rules, and is no larger than a rule needs.
EDGES = [-101, -100.5, -100, -3, -2.1, -2, -1, -0.1, 0, 0.5, 1, 1.0, 1.1, 1.5, 2, 2.1, 4, 16, 17]
EDGES += [20, 21, 100, 100.5, 101]
WORDS = [*ROLES, "", "x", "none", "auto", "required", "text", "json_object", "json_schema"]
WORDS += ["enabled", "disabled"]
SCALARS = [None, True, False, *EDGES, *WORDS]
edges, words, scalars = map(st.sampled_from, (EDGES, WORDS, SCALARS))
names = st.sampled_from(["type", "text", "include_usage", "role", "content", "tool_calls", "1"])
near = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
OWN = ["n", "stream", "stream_options", "max_tokens", "max_completion_tokens"]
fields = st.dictionaries(st.sampled_from([*FIELDS, *OWN]), near | json_values, max_size=3)
texts = st.sampled_from(["", "hi"])
parts = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["text", "image_url", None, 1]), "text": near}
)
message = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from([*ROLES, None, "robot", 1]),
        "content": texts | st.none() | st.lists(parts | near, max_size=2) | near,
        "tool_calls": st.none() | st.lists(st.just({}) | near, max_size=2) | near,
    },
)


def judge(name):
    """Return a validator of a schema of the document."""
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", **DOCUMENT})


REQUEST = judge("ChatRequest")


def accepted(body):
    raw = RawRequest(b"POST", b"/", body=json.dumps(body).encode(), is_complete=True)
    _, refusal = outcome(validate, raw, CALLER, SNAPSHOT, Limits().max_choices)
    return refusal is None


LISTS = [[item] * times for item in ("", "x", 1, {}, None) for times in (0, 1, 4, 5)]
OBJECTS = [{"type": item} for item in SCALARS] + [{"1": item} for item in SCALARS]
OBJECTS += [{"include_usage": item} for item in (None, True, False, 0, "x")]


@pytest.mark.parametrize("name", [*FIELDS, *OWN])
def test_a_field_is_valid_exactly_if_it_is_accepted(name):
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    if name == "stream_options":
        body["stream"] = True
    for value in [*SCALARS, *LISTS, *OBJECTS]:
        whole = {**body, name: value}
        assert REQUEST.is_valid(whole) == accepted(whole), value


@settings(max_examples=200)
@given(fields)
@example({"stream_options": {}, "stream": True})
@example({"stream_options": {}})
@example({"stop": ["a"] * 5})
def test_a_body_is_valid_exactly_if_it_is_accepted(more):
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **more}
    limits = [more.get(name) for name in ("max_tokens", "max_completion_tokens")]
    if None not in limits:  # the schema cannot say "equal", and asks for one of them
        body.pop("max_completion_tokens")

    assert REQUEST.is_valid(body) == accepted(body)


@settings(max_examples=400)
@given(st.lists(message | near, max_size=2) | near)
@example([{"role": "assistant", "tool_calls": [{}]}])
@example([{"role": "user", "content": None, "tool_calls": [{}]}])
@example([{"role": "assistant", "content": None, "tool_calls": []}])
@example([{"content": [{"type": "text"}]}])
def test_messages_are_valid_exactly_if_they_are_accepted(messages):
    body = {"model": "m", "messages": messages}

    assert REQUEST.is_valid(body) == accepted(body)


def test_every_rule_has_its_schema():
    properties = SCHEMAS["ChatRequest"]["properties"]

    assert FIELDS.keys() == RULES.keys()
    assert properties.keys() == FIELDS.keys() | {"model", "messages", *OWN}
    assert properties["n"]["maximum"] == Limits().max_choices


def test_the_routes_are_those_of_the_router():
    found = set()
    for path, methods in DOCUMENT["paths"].items():
        for method in methods:
            found.add(match(method.upper().encode(), path.encode()).endpoint)

    assert found == set(Endpoint) - set(OPEN)


def test_every_error_is_described():
    assert len(_ERRORS) > 25
    for error in _ERRORS:
        shown = DOCUMENT["components"]["responses"][f"Error{error.status}"]
        schema = shown["content"]["application/json"]["schema"]
        assert error.code in schema["allOf"][1]["properties"]["error"]["properties"]["code"]["enum"]
    used = json.dumps(DOCUMENT["paths"])
    assert [n for n in DOCUMENT["components"]["responses"] if f"responses/{n}" not in used] == []


def test_answers_are_as_they_are_written():
    envelope = Envelope("0" * 32, 1, "m", include_usage=True)
    usage = Usage(3, 1, 2, 1)
    plain = json.loads(envelope.plain([Choice(0, Message(content="x"), None, "stop")], usage))
    line = UsageLine("2026-11-24", "", "", "m", "", "CNY", 1, 1, 0, 0, 1, 2, 3, 4, 5, 6)
    day = json.loads(msgspec.json.encode(usage_list([line], ("2026-11-24", "2026-11-24"))))
    event = json.loads(envelope.usage_event(usage).removeprefix(b"data: "))
    shown = model_object(MODEL, SNAPSHOT)

    for name, value in (
        ("ChatCompletion", plain),
        ("ChatCompletionChunk", event),
        ("TokenUsage", json.loads(usage_json(usage))),
        ("Usage", day),
        ("Model", shown),
        ("Models", {"object": "list", "data": [shown]}),
    ):
        judge(name).validate(value)
        assert SCHEMAS[name]["properties"].keys() == value.keys(), name
    assert SCHEMAS["UsageDay"]["properties"].keys() == day["data"][0].keys()
    choice = SCHEMAS["ChatCompletion"]["properties"]["choices"]["items"]["properties"]
    assert choice.keys() == set(Choice.__struct_fields__)
    assert choice["message"]["properties"].keys() == set(Message.__struct_fields__)
    assert set(Delta.__struct_fields__) <= choice["message"]["properties"].keys()


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_schema_is_one(name):
    judge(name)
