"""Each rule at, inside and outside its bounds, and with every other JSON type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.admission.rules import RULES, check_integer, integer, one_of, type_name, wrong_type
from arkway.model.errors import InvalidType, InvalidValue
from support.outcome import outcome
from support.strategies import json_values, texts

HUGE = 10**400


def check(name, value):
    return RULES[name](value, name)


GOOD = {
    "temperature": [0, 0.0, -0.0, 1, 1.5, 2, 2.0],
    "top_p": [0, 0.0, 0.7, 1, 1.0],
    "presence_penalty": [-2, -2.0, 0, 0.1, 2, 2.0],
    "frequency_penalty": [-2, -2.0, 0, 0.1, 2, 2.0],
    "stop": ["x", " ", "\n", ["x"], ["a", "b", "c", "d"], ["a", "a"]],
    "tools": [[], [{}], [{"type": "function", "function": {"name": "f"}}, {"x": 1}]],
    "tool_choice": ["none", "auto", "required", {"type": "function", "function": {"name": "f"}}],
    "response_format": [
        {"type": "text"},
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "n"}},
    ],
    "logprobs": [True, False],
    "top_logprobs": [0, 1, 20],
    "logit_bias": [{}, {"1": -100}, {"1": 100, "2": 0.5}],
    "parallel_tool_calls": [True, False],
    "thinking": [{"type": "enabled"}, {"type": "disabled"}, {"type": "auto", "budget": 1}],
    "reasoning_effort": ["minimal", "high", "max", ""],
    "service_tier": ["auto", "flex"],
    "user": ["", "u" * 1000],
    "metadata": [{}, {"user_id": "u", "x": [1]}],
    "seed": [0, -1, 1, 2**63, -(2**70), 10**30],
    "store": [True, False],
    "prompt_cache_key": ["k"],
    "safety_identifier": ["s"],
}
BAD = {
    "temperature": [-0.001, 2.001, -1, 3, 1e308, -1e308, 10**30],
    "top_p": [-0.001, 1.001, 2, -1],
    "presence_penalty": [-2.001, 2.001, 3],
    "frequency_penalty": [-2.001, 2.001, -3],
    "stop": ["", [], [""], ["a", ""], ["a"] * 5],
    "tool_choice": ["", "any", "AUTO"],
    "response_format": [{}, {"type": None}, {"type": ""}, {"type": "xml"}, {"type": "TEXT"}],
    "top_logprobs": [-1, 21, 10**30, -(10**30)],
    "logit_bias": [{"1": -100.5}, {"1": 100.5}, {"1": 0, "2": 101}],
    "thinking": [{}, {"type": None}, {"type": "on"}],
}
NUMBERS = [0, 1, 0.5, -1, 10**30, 1e308]
ACCEPTS = {
    "temperature": {"number"},
    "top_p": {"number"},
    "presence_penalty": {"number"},
    "frequency_penalty": {"number"},
    "stop": {"string", "array"},
    "tools": {"array"},
    "tool_choice": {"string", "object"},
    "response_format": {"object"},
    "logprobs": {"boolean"},
    "top_logprobs": {"integer"},
    "logit_bias": {"object"},
    "parallel_tool_calls": {"boolean"},
    "thinking": {"object"},
    "reasoning_effort": {"string"},
    "service_tier": {"string"},
    "user": {"string"},
    "metadata": {"object"},
    "seed": {"integer"},
    "store": {"boolean"},
    "prompt_cache_key": {"string"},
    "safety_identifier": {"string"},
}
SAMPLES = {
    "boolean": [True, False],
    "number": [0.5, -1.5],
    "integer": [1, 2**70],
    "string": ["x", "0.7", "true", "1"],
    "array": [["x"], [1]],
    "object": [{"type": "text"}, {}],
}


def cases(table):
    return [pytest.param(name, value) for name, values in table.items() for value in values]


def test_every_rule_is_tested():
    assert set(GOOD) == set(ACCEPTS) == set(RULES)


@pytest.mark.parametrize(("name", "value"), cases(GOOD))
def test_what_a_rule_takes_it_sends_on(name, value):
    sent = check(name, value)

    assert sent == value
    assert type(sent) is type(value)


@pytest.mark.parametrize(("name", "value"), cases(BAD))
def test_what_is_outside_a_rule_is_refused_by_name(name, value):
    with pytest.raises(InvalidValue) as refusal:
        check(name, value)

    assert refusal.value.param.split(".")[0].split("[")[0] == name
    assert refusal.value.param in str(refusal.value)
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(name, value, id=f"{name}-{kind}")
        for name, accepted in ACCEPTS.items()
        for kind, values in SAMPLES.items()
        if kind not in accepted | ({"integer"} if "number" in accepted else set())
        for value in values[:1]
    ],
)
def test_types_are_strict(name, value):
    with pytest.raises(InvalidType) as refusal:
        check(name, value)

    assert refusal.value.param == name
    assert str(refusal.value).startswith(f"Invalid type for '{name}': expected a")
    assert str(refusal.value).endswith(f"but got {type_name(value)} instead.")


@pytest.mark.parametrize("name", [name for name, kinds in ACCEPTS.items() if kinds == {"integer"}])
def test_a_whole_number_is_an_integer(name):
    assert check(name, 5.0) == 5
    assert type(check(name, 5.0)) is int
    with pytest.raises(InvalidType):
        check(name, 5.5)


@pytest.mark.parametrize(
    ("name", "value", "param"),
    [
        ("tools", [{}, 5], "tools[1]"),
        ("tools", [{}, None], "tools[1]"),
        ("stop", ["a", 5], "stop[1]"),
        ("stop", [None], "stop[0]"),
        ("logit_bias", {"7": "x"}, "logit_bias.7"),
        ("logit_bias", {"7": None}, "logit_bias.7"),
        ("logit_bias", {"7": True}, "logit_bias.7"),
        ("response_format", {"type": 5}, "response_format.type"),
        ("thinking", {"type": ["enabled"]}, "thinking.type"),
    ],
)
def test_an_inner_value_is_named_by_its_path(name, value, param):
    with pytest.raises(InvalidType) as refusal:
        check(name, value)

    assert refusal.value.param == param
    assert f"'{param}'" in str(refusal.value)


@pytest.mark.parametrize("value", [HUGE, -HUGE], ids=["+", "-"])
@pytest.mark.parametrize(
    "name", ["temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias"]
)
def test_a_huge_integer_is_a_number_out_of_range(name, value):
    with pytest.raises(InvalidValue):
        check(name, {"1": value} if name == "logit_bias" else value)


@pytest.mark.parametrize(
    ("low", "high", "value", "is_fine"),
    [
        (1, 16, 1, True),
        (1, 16, 16, True),
        (1, 16, 0, False),
        (1, 16, 17, False),
        (1, None, 1, True),
        (1, None, 10**18, True),
        (1, None, 0, False),
        (None, None, -(10**30), True),
        (1, 16, 10**30, False),
        (1, 16, 1e308, False),
    ],
)
def test_an_integer_within_its_bounds(low, high, value, is_fine):
    if is_fine:
        assert integer(low, high)(value, "x") == value
    else:
        span = "from 1 to 16" if high else "of at least 1"
        with pytest.raises(InvalidValue, match=f"an integer {span}, but got ") as refusal:
            check_integer(value, "x", low, high)
        assert len(str(refusal.value)) < 120


def test_a_callers_value_is_shown_short_and_printable():
    with pytest.raises(InvalidValue) as refusal:
        one_of("a", "b", "c", "d", "e", "f")("\0\n" + "x" * 10_000, "p")

    message = str(refusal.value)
    assert message.isprintable()
    assert len(message) < 200
    assert message.startswith("Invalid value for 'p': expected one of 'a', 'b', 'c', 'd', 'e', but")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (True, "a boolean"),
        (1, "an integer"),
        (1.0, "a number"),
        ("", "a string"),
        ([], "an array"),
        ({}, "an object"),
        (None, "null"),
    ],
)
def test_types_have_json_names(value, name):
    assert type_name(value) == name
    assert str(wrong_type("p", "x", value)).endswith(f"expected x, but got {name} instead.")


@given(
    st.sampled_from(sorted(RULES)), json_values | st.dictionaries(texts, json_values, max_size=3)
)
def test_a_rule_sends_on_what_it_was_given_or_refuses_it_by_name(name, value):
    if value is None:
        return
    sent, refusal = outcome(check, name, value)
    if refusal is not None:
        assert refusal.status == 400
        assert refusal.param.startswith(name)
        assert refusal.param in str(refusal)
        assert len(str(refusal)) < 1000
    else:
        assert sent == value
