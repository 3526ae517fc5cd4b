import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.control import toml_text
from arkway.control.config import Account, Key

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


def test_a_block_gives_only_what_differs_from_the_defaults():
    account = Account(
        name="a", dialect="ark", base_url="https://h", key_env="K", models={"m.1": 'ep-"1"'}
    )

    assert toml_text.block("accounts", account) == (
        '[[accounts]]\nname = "a"\ndialect = "ark"\nbase_url = "https://h"\nkey_env = "K"\n'
        'models = { "m.1" = "ep-\\"1\\"" }\n'
    )


@given(texts, st.lists(texts))
def test_a_block_reads_back_as_it_was(name, models):
    key = Key(name=name, hash="h", models=tuple(models))

    read = tomllib.loads(toml_text.block("keys", key))["keys"][0]

    assert read == {"name": name, "hash": "h", **({"models": models} if models else {})}


@pytest.mark.parametrize(
    ("name", "path"), [("fast", "keys.fast"), ("my key", 'keys."my key"'), ("a.b", 'keys."a.b"')]
)
def test_entries_are_called_by_name(name, path):
    assert toml_text.entry_path("keys", name) == path
