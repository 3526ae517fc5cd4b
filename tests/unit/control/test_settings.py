import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.control.settings import SCALAR_BY_PATH, SCALAR_BY_VARIABLE, SCALARS
from arkway.store.entries import Account, Key
from arkway.store.schema import fields_of

PORT = SCALAR_BY_PATH["server.port"]
DRAIN = SCALAR_BY_PATH["server.drain_s"]
LEVEL = SCALAR_BY_PATH["log.level"]
ACCOUNT = fields_of(Account)
ENABLED = ACCOUNT["enabled"]


def test_a_setting_has_one_name_in_the_file_and_one_in_the_environment():
    assert PORT.dotted == "server.port"
    assert PORT.variable == "ARKWAY_SERVER_PORT"
    assert len(SCALAR_BY_VARIABLE) == len(SCALAR_BY_PATH) == len(SCALARS)


@pytest.mark.parametrize(
    ("setting", "rule"),
    [
        (PORT, "integer, 0 to 65535"),
        (DRAIN, "number, 0 to 86400"),
        (LEVEL, 'one of "debug", "info", "warning", "error"'),
        (ENABLED, "boolean"),
        (ACCOUNT["weight"], "integer, 1 to 1000"),
        (ACCOUNT["key_env"], "string, the name of an environment variable"),
        (
            ACCOUNT["models"],
            "table, each value a string, 1 to 128 characters, no control characters",
        ),
    ],
)
def test_rules_are_said_in_words(setting, rule):
    assert setting.rule == rule


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        (PORT, "8080", "must be an integer, 0 to 65535, got a string"),
        (PORT, 65536, "must be an integer, 0 to 65535, got 65536"),
        (PORT, 80.0, "must be an integer, 0 to 65535, got 80.0"),
        (PORT, True, "must be an integer, 0 to 65535, got true"),
        (PORT, 10**400, "must be an integer, 0 to 65535, got a huge value"),
        (PORT, dt.date(2026, 1, 1), "must be an integer, 0 to 65535, got a date or time"),
        (DRAIN, math.nan, "must be a number, 0 to 86400, got nan"),
        (DRAIN, math.inf, "must be a number, 0 to 86400, got inf"),
        (LEVEL, "loud", 'must be one of "debug", "info", "warning", "error"'),
        (LEVEL, 3, 'must be one of "debug", "info", "warning", "error", got 3'),
        (ENABLED, 1, "must be a boolean, got 1"),
        (ENABLED, [], "must be a boolean, got an array"),
        (ACCOUNT["key_env"], "sk-abc", "must be a string, the name of an environment variable"),
    ],
)
def test_a_refusal_names_the_rule_and_never_a_text(setting, value, message):
    with pytest.raises(ValueError) as refusal:
        setting.check(value)

    assert str(refusal.value) == message


@pytest.mark.parametrize("key", ["name", "tenant"])
@pytest.mark.parametrize("text", ["", "a\n", "a\0b", "\x7f", "x" * 129, "\ud800"])
def test_labels_hold_no_control_characters_and_have_a_length(key, text):
    assert not fields_of(Key)[key].accepts(text)


@given(st.integers(0, 65535))
def test_environment_text_becomes_the_type_of_the_setting(port):
    assert PORT.check(str(port), is_text=True) == port
    assert DRAIN.check(f"{port}", is_text=True) == float(port)


@pytest.mark.parametrize("text", ["", " ", "8080 ", "0x50", "8e3x", "yes"])
def test_environment_text_that_is_no_number_is_refused_without_being_shown(text):
    with pytest.raises(ValueError) as refusal:
        PORT.check(text, is_text=True)

    assert str(refusal.value) == "must be an integer, 0 to 65535"


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False)])
def test_environment_booleans_are_words(text, value):
    assert ENABLED.check(text, is_text=True) is value


def test_whole_numbers_are_numbers():
    assert isinstance(DRAIN.check(5), float)
