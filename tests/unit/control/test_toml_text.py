import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.control import toml_text

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = texts | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)


@given(texts)
def test_any_text_survives_as_a_string(text):
    assert tomllib.loads(f"x = {toml_text.string(text)}") == {"x": text}


@given(texts)
def test_any_text_survives_as_a_key(text):
    assert tomllib.loads(f"{toml_text.key(text)} = 1") == {text: 1}


@given(st.lists(scalars) | st.dictionaries(texts, scalars) | scalars)
def test_any_value_survives(value):
    assert tomllib.loads(f"x = {toml_text.value(value)}") == {"x": value}


def test_a_lone_surrogate_is_refused():
    with pytest.raises(ValueError, match="Unicode"):
        toml_text.string("a\udc80")


def test_a_value_without_a_toml_form_is_refused():
    with pytest.raises(TypeError):
        toml_text.value(None)


@pytest.mark.parametrize(
    ("name", "path"), [("fast", "keys.fast"), ("my key", 'keys."my key"'), ("a.b", 'keys."a.b"')]
)
def test_entries_are_called_by_name(name, path):
    assert toml_text.entry_path("keys", name) == path
