import pytest

from arkway.store import accounts, audit, models
from arkway.store.changes import reading
from arkway.store.credentials import CannotOpenError, seal, unseal
from support.stores import do, refusal, view_of

FAR = {"name": "far", "dialect": "ark", "base_url": "https://h/api"}
NEAR = {"name": "near", "dialect": "openai", "base_url": "http://127.0.0.1:1/v1/"}
SECRET = "hunter2-credential"


def test_a_credential_rests_sealed_and_opens_for_the_worker(store, tmp_path):
    record = do(store, accounts.create, FAR, f" {SECRET}\n")

    (stored,) = view_of(tmp_path).accounts
    assert stored.credential == SECRET
    assert SECRET not in repr(stored) + repr(record.shown())
    for file in tmp_path.iterdir():
        assert SECRET.encode() not in file.read_bytes()
    with reading(store) as connection:
        assert SECRET not in repr(audit.newest(connection, limit=9))


def test_a_sealed_credential_is_bound_to_its_account_and_its_key():
    sealed = seal(b"k" * 32, "a", SECRET)

    assert unseal(b"k" * 32, "a", sealed) == SECRET
    assert seal(b"k" * 32, "a", SECRET) != sealed
    for key, account, text in (
        (b"k" * 32, "b", sealed),
        (b"l" * 32, "a", sealed),
        (b"k" * 32, "a", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (b"k" * 32, "a", sealed[:5]),
        (b"k" * 32, "a", b""),
    ):
        with pytest.raises(CannotOpenError) as refused:
            unseal(key, account, text)
        assert SECRET not in str(refused.value)


def test_a_credential_that_was_moved_is_said_and_not_sent(store, tmp_path):
    do(store, accounts.create, FAR, "one")
    do(store, accounts.create, {**FAR, "name": "other"}, "two")
    with store.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE account_credentials SET sealed = "
            "(SELECT sealed FROM account_credentials WHERE account = 'far')"
        )

    found = {each.account.name: each for each in view_of(tmp_path).accounts}
    assert found["far"].credential == "one"
    assert found["other"].credential == ""
    assert "does not open" in found["other"].problem


def test_where_the_credential_comes_from_can_change(store, tmp_path):
    record = do(store, accounts.create, {**FAR, "key_env": "K"})
    assert record.source == "env"

    record = do(store, accounts.edit, "far", {}, SECRET)
    assert (record.source, record.account.key_env) == ("store", None)

    record = do(store, accounts.edit, "far", {"weight": 2})
    assert record.source == "store"

    record = do(store, accounts.edit, "far", {"key_env": "K"})
    assert record.source == "env"
    assert view_of(tmp_path).accounts[0].credential is None


@pytest.mark.parametrize(
    ("raw", "credential", "paths"),
    [
        (FAR, None, ["credential"]),
        ({**FAR, "key_env": "K"}, "x", ["key_env"]),
        (FAR, "two lines\nof it", ["credential"]),
        (FAR, "", ["credential"]),
        ({**NEAR, "base_url": "https://user:hunter2@h"}, None, ["base_url"]),
        ({**NEAR, "name": "Not A Name"}, None, ["name"]),
        ({**NEAR, "only_listed_models": True}, None, ["only_listed_models"]),
        ({**NEAR, "ca_file": "/ca.pem"}, None, ["ca_file"]),
        ({**NEAR, "models": {"nope": "x"}}, None, ["models"]),
        ({**NEAR, "model_limits": {"nope": {"in_flight": 1}}}, None, ["model_limits"]),
        ({**NEAR, "weight": 0, "dialect": "arc"}, None, ["weight", "dialect"]),
        ({"name": "a"}, None, ["dialect", "base_url"]),
    ],
)
def test_what_breaks_a_rule_is_named(store, raw, credential, paths):
    found = refusal(store, accounts.create, raw, credential)

    assert sorted(line.partition(":")[0] for line in found) == sorted(paths)
    assert "hunter2" not in str(found)


def test_an_account_on_this_machine_may_go_without(store):
    record = do(store, accounts.create, NEAR)

    assert (record.source, record.account.base_url) == ("none", "http://127.0.0.1:1/v1")
    assert refusal(store, accounts.create, NEAR) == ['name: "near" exists already']


def test_an_alias_means_its_model_in_tables_too(store):
    do(store, models.edit, "Doubao-pro-32k", {"aliases": ["old"]})

    record = do(store, accounts.create, {**NEAR, "models": {"old": "ep-1"}})

    assert record.account.models == {"Doubao-pro-32k": "ep-1"}


def test_a_removed_account_leaves_no_credential(store, tmp_path):
    do(store, accounts.create, FAR, SECRET)

    do(store, accounts.remove, "far")

    assert view_of(tmp_path).accounts == ()
    with store.engine.begin() as connection:
        rows = connection.exec_driver_sql("SELECT count(*) FROM account_credentials").scalar()
    assert rows == 0
    assert refusal(store, accounts.remove, "far")
    assert refusal(store, accounts.edit, "far", {})
