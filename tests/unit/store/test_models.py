import pytest

from arkway.store import models, prices, tenants
from arkway.store.builtin import BUILTIN_MODELS, BUILTIN_PRICES
from arkway.store.changes import reading
from support.stores import do, refusal, view_of

MINE = {"name": "mine", "upstream_model": "m", "context_tokens": 9, "max_output_tokens": 9}


def test_a_fresh_store_has_the_models_and_the_price_list(store, tmp_path):
    view = view_of(tmp_path)

    assert view.models == BUILTIN_MODELS
    per_token = {
        name: (price.input_nano, price.cached_input_nano, price.output_nano)
        for name, price in view.prices.items()
    }
    assert per_token == {
        "Doubao-1.5-pro-32k": (800_000_000, 160_000_000, 2_000_000_000),
        "Doubao-1.5-pro-256k": (5_000_000_000, 5_000_000_000, 9_000_000_000),
        "Doubao-1.5-lite-32k": (300_000_000, 60_000_000, 600_000_000),
        "Doubao-pro-32k": (800_000_000, 160_000_000, 2_000_000_000),
    }
    assert {price.currency for price in view.prices.values()} == {"CNY"}
    assert BUILTIN_PRICES.keys() == {model.name for model in BUILTIN_MODELS}


def test_a_price_is_a_version_and_the_old_one_stays(store, tmp_path):
    old = view_of(tmp_path).prices["Doubao-pro-32k"]

    new = do(store, prices.put, "Doubao-pro-32k", {"input": "1", "output": "2.000000001"})

    assert new.version > old.version
    assert (new.cached_input_nano, new.output_nano) == (10**9, 2 * 10**9 + 1)
    assert view_of(tmp_path).prices["Doubao-pro-32k"].version == new.version
    with reading(store) as connection:
        versions = [each.version for each in prices.history(connection, "Doubao-pro-32k")]
    assert versions == [new.version, old.version]


@pytest.mark.parametrize("text", ["-1", "1e3", "", "1.0000000001", "NaN", "١", None, "1000000001"])
def test_an_amount_is_decimal(store, text):
    (problem,) = refusal(store, prices.put, "Doubao-pro-32k", {"input": text, "output": "1"})

    assert problem.startswith("input: ")


def test_all_that_is_wrong_with_a_price_comes_at_once(store):
    found = refusal(store, prices.put, "Doubao-pro-32k", {"imput": "1", "cached_input": "x"})

    assert [line.partition(":")[0] for line in found] == [
        "imput",
        "input",
        "cached_input",
        "output",
    ]
    assert "did you mean Doubao-pro-32k?" in refusal(store, prices.put, "Doubao-pro-32", {})[0]


def test_a_model_of_ones_own(store, tmp_path):
    do(store, models.create, {**MINE, "aliases": ["my"]})

    edited = do(store, models.edit, "my", {"total_s": 7.0, "enabled": False})

    assert (edited.name, edited.total_s, edited.enabled) == ("mine", 7.0, False)
    assert view_of(tmp_path).models[-1] == edited


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({**MINE, "name": "Doubao-pro-32k"}, "name"),
        ({**MINE, "aliases": ["Doubao-pro-32k"]}, "aliases"),
        ({**MINE, "aliases": ["a", "a"]}, "aliases"),
        ({**MINE, "aliases": ["mine"]}, "aliases"),
        ({**MINE, "max_output_tokens": 10}, "max_output_tokens"),
        ({**MINE, "connect_s": 0}, "connect_s"),
    ],
)
def test_what_breaks_a_rule_is_named(store, raw, path):
    assert {line.partition(":")[0] for line in refusal(store, models.create, raw)} == {path}


def test_a_name_stays(store):
    assert refusal(store, models.edit, "Doubao-pro-32k", {"name": "x"}) == [
        "name: cannot be changed"
    ]


def test_an_alias_is_no_name_for_another(store):
    do(store, models.edit, "Doubao-pro-32k", {"aliases": ["mine"]})

    assert "already the alias" in refusal(store, models.create, MINE)[0]


def test_tenants(store):
    do(store, tenants.create, {"name": "b"})

    with reading(store) as connection:
        listed = tenants.list_all(connection)
    assert [(each["name"], each["keys"]) for each in listed] == [("b", 0), ("default", 0)]
    assert refusal(store, tenants.create, {"name": "b"}) == ['name: "b" exists already']
    assert refusal(store, tenants.create, {"name": ""})
