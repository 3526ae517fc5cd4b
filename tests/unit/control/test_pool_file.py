"""A file of accounts is the whole truth of them: applied twice it changes nothing."""

import pytest

from arkway.control.pool_file import MAX_FILE_BYTES, apply_pool, read_pool
from arkway.store import accounts, audit
from arkway.store.changes import change, reading
from arkway.store.problems import Refused
from support.stores import fresh_store

NORTH = """
[[accounts]]
name = "north"
dialect = "ark"
base_url = "http://127.0.0.1:9100/api/v3/"
key_env = "NORTH_KEY"
requests_per_min = 300
[accounts.models]
Doubao-pro-32k = "ep-1"
[accounts.model_limits.Doubao-pro-32k]
tokens_per_min = 5000
"""
SOUTH = """
[[accounts]]
name = "south"
dialect = "openai"
base_url = "http://127.0.0.1:9101/v1"
key_file = "south.key"
"""


@pytest.fixture
def store(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return fresh_store(home)


@pytest.fixture
def applied(store, tmp_path):
    """Return a function that applies a text as the pool file."""
    (tmp_path / "south.key").write_text("sk-south\n")

    def apply(text, *, prune=False):
        path = tmp_path / "pool.toml"
        path.write_text(text)
        with change(store, "test") as now:
            return apply_pool(now, read_pool(path), tmp_path, prune=prune)

    return apply


def actions(differences):
    return [(each.action, each.name) for each in differences]


def pool(store):
    with reading(store) as connection:
        return {each.account.name: each for each in accounts.list_all(connection)}


def test_accounts_are_added_with_all_they_say(store, applied):
    assert actions(applied(NORTH + SOUTH)) == [("add", "north"), ("add", "south")]

    north = pool(store)["north"].account
    assert north.base_url == "http://127.0.0.1:9100/api/v3"
    assert north.models == {"Doubao-pro-32k": "ep-1"}
    assert north.model_limits["Doubao-pro-32k"].tokens_per_min == 5000
    with reading(store) as connection:
        assert accounts.credential(connection, store.secrets, "south") == "sk-south"


def test_applied_twice_it_changes_nothing_and_leaves_no_audit_row(store, applied):
    applied(NORTH + SOUTH)

    assert applied(NORTH + SOUTH) == []
    with reading(store) as connection:
        rows = audit.newest(connection, limit=100, noun="account", noun_id=None)
    assert [row.action for row in rows] == ["create", "create"]


def test_what_a_table_leaves_out_goes_back_to_its_default(store, applied):
    applied(NORTH)
    (edit,) = applied(NORTH.replace("requests_per_min = 300", "weight = 2"))

    assert edit.changes == {"weight": (1, 2), "requests_per_min": (300, None)}
    assert edit.lines() == ["~ north", "    weight: 1 -> 2", "    requests_per_min: 300 -> none"]
    account = pool(store)["north"].account
    assert (account.weight, account.requests_per_min) == (2, None)


def test_a_new_credential_is_a_change_that_is_not_shown(store, applied, tmp_path):
    applied(SOUTH)
    (tmp_path / "south.key").write_text("sk-other")
    (edit,) = applied(SOUTH)

    assert edit.changes == {"credential": ("store", "store (new)")}
    assert "sk-other" not in "\n".join(edit.lines())


def test_a_sealed_credential_that_is_not_given_again_stays(store, applied):
    applied(SOUTH)

    assert applied(SOUTH.replace('key_file = "south.key"', "")) == []
    assert pool(store)["south"].is_sealed


def test_accounts_that_are_not_named_stay_unless_they_are_pruned(store, applied):
    applied(NORTH + SOUTH)

    assert applied(NORTH) == []
    assert set(pool(store)) == {"north", "south"}
    assert actions(applied(NORTH, prune=True)) == [("remove", "south")]
    assert set(pool(store)) == {"north"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "names no account"),
        ("x = [", "is not valid TOML"),
        ("accounts = 5", "accounts: must be tables, each written [[accounts]]"),
        ("[[acounts]]", "acounts: is not read here; did you mean accounts?"),
        ("[[accounts]]\nweight = 1", "accounts[0].name: is required"),
        (NORTH + NORTH, "is there twice"),
        (NORTH.replace("300", "0"), "requests_per_min: must be an integer"),
        (NORTH.replace("weight", "wieght").replace("requests_per_min", "weigth"), "did you mean"),
        (SOUTH.replace("south.key", "none.key"), "key_file: cannot be read"),
        (SOUTH.replace('"south.key"', "5"), "key_file: must be a string"),
    ],
)
def test_a_bad_file_is_refused_whole_with_every_problem(store, applied, text, problem):
    with pytest.raises(Refused) as refusal:
        applied(text)

    assert problem in str(refusal.value)
    assert pool(store) == {}


def test_one_bad_account_keeps_the_others_out(store, applied):
    with pytest.raises(Refused) as refusal:
        applied(NORTH + SOUTH.replace('dialect = "openai"', 'dialect = "opneai"') + "weight = 0\n")

    assert len(refusal.value.problems) == 2
    assert pool(store) == {}


def test_a_huge_file_is_not_read(applied):
    with pytest.raises(Refused, match="is larger than"):
        applied("#" * (MAX_FILE_BYTES + 1))
