import pytest

from arkway.control.options import ServeOptions
from arkway.control.provision import provision
from arkway.store import accounts, keys
from arkway.store.version import StoreRefused
from support.stores import ENVIRON, do, fresh_store

FAR = {"name": "a", "dialect": "ark", "base_url": "https://h", "key_env": "K"}


@pytest.fixture
def store(tmp_path):
    return fresh_store(tmp_path)


def provisioned(home, text="", environ=None, **options):
    if text:
        (home / "arkway.toml").write_text(text)
    found = provision(ServeOptions(home=home, **options), ENVIRON | (environ or {}))
    found.close()
    return found


def test_a_home_without_a_store_is_looked_at_and_left_alone(tmp_path):
    found = provisioned(tmp_path)

    assert found.needs_first_key
    assert (found.problems, found.snapshot.keys) == ((), {})
    assert list(tmp_path.iterdir()) == []


def test_a_good_configuration_comes_with_its_snapshot(store, tmp_path):
    do(store, accounts.create, FAR)
    do(store, keys.create, {"name": "k"})

    found = provisioned(tmp_path, environ={"K": "sk-1"})

    assert not found.needs_first_key
    assert [spec.id for spec in found.snapshot.accounts] == ["a"]
    assert [spec.name for spec in found.snapshot.keys.values()] == ["k"]
    assert found.snapshot.revision == 3


def test_a_store_whose_keys_are_all_revoked_gets_no_first_one(store, tmp_path):
    do(store, keys.create, {"name": "k"})
    do(store, keys.revoke, "k")

    assert not provisioned(tmp_path).needs_first_key


def test_flags_reach_the_configuration(tmp_path):
    assert provisioned(tmp_path, overrides={"server.port": 1}).config.server.port == 1


def test_missing_credentials_show_beside_the_problems_of_the_file(store, tmp_path):
    do(store, accounts.create, FAR)

    found = provisioned(tmp_path, "[server]\nport = -1\n")

    assert [problem.path for problem in found.problems] == ["server.port", "accounts.a.key_env"]
    assert found.snapshot is None
    with pytest.raises(ValueError):
        _ = found.config


def test_the_files_behind_a_snapshot_are_stamped(store, tmp_path):
    do(store, accounts.create, {**FAR, "ca_file": "/none"})
    do(store, accounts.create, {**FAR, "name": "b", "ca_file": "/off", "enabled": False})

    found = provisioned(tmp_path, "[server]")

    assert [path.name for path in found.stamps] == ["arkway.toml", "none"]
    assert [stamp is None for stamp in found.stamps.values()] == [False, True]


def test_a_store_of_another_secret_is_refused(store, tmp_path):
    with pytest.raises(StoreRefused):
        provision(ServeOptions(home=tmp_path), {"ARKWAY_SECRET_KEY": "x" * 40})
