import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arkway.store import accounts, keys, models
from arkway.store.version import StoreRefused
from support.stores import do, fresh_store, reader_of, view_of


def test_serving_loads_nothing_of_the_store_or_the_control_process():
    code = "import arkway.runtime.serve, sys; print(*sys.modules)"

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = out.stdout.split()
    assert {"sqlalchemy", "alembic", "cryptography", "typer"}.isdisjoint(loaded)
    assert {"starlette", "uvicorn", "anyio"}.isdisjoint(loaded)


def test_only_a_commit_is_a_change(tmp_path):
    store, reader = fresh_store(tmp_path), reader_of(tmp_path)
    view = reader.read()

    assert not reader.has_changed()
    do(store, keys.create, {"name": "a"})
    assert reader.has_changed()
    assert reader.read(view).revision == view.revision + 1
    assert not reader.has_changed()
    reader.close()


def test_what_is_no_change_of_the_store_is_the_same_view(tmp_path):
    store, reader = fresh_store(tmp_path), reader_of(tmp_path)
    view = reader.read()

    with store.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO settings VALUES ('x', 'y')")

    assert reader.has_changed()
    assert reader.read(view) is view
    reader.close()


def test_an_earlier_view_never_changes(tmp_path):
    store, reader = fresh_store(tmp_path), reader_of(tmp_path)
    do(store, keys.create, {"name": "a"})
    view = reader.read()
    (digest,) = view.keys

    do(store, keys.revoke, "a")
    after = reader.read(view)

    assert digest in view.keys
    assert after.keys == after.digests == {}
    assert after.was_ever_keyed
    reader.close()


def test_keys_are_shared_when_none_changed(tmp_path):
    store, reader = fresh_store(tmp_path), reader_of(tmp_path)
    do(store, keys.create, {"name": "a"})
    view = reader.read()

    do(store, models.edit, "Doubao-pro-32k", {"enabled": False})

    assert reader.read(view).keys is view.keys
    reader.close()


def test_equal_parts_of_keys_are_one_object(tmp_path):
    store = fresh_store(tmp_path)
    rules = {"models": ["Doubao-pro-32k"], "concurrency": 3, "allowed_networks": ["10.0.0.0/8"]}
    for name in "ab":
        do(store, keys.create, {"name": name, **rules})

    one, two = view_of(tmp_path).keys.values()

    assert one.limits is two.limits
    assert one.models is two.models
    assert one.allowed_networks is two.allowed_networks
    assert one.tenant is two.tenant


STEPS = st.lists(
    st.tuples(st.sampled_from(["create", "edit", "rotate", "rotate now", "revoke", "read"]),
              st.integers(0, 3)),
    max_size=12,
)  # fmt: skip


@pytest.mark.slow
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS)
def test_reading_changes_gives_what_reading_all_gives(tmp_path, steps):
    store, reader = fresh_store(tmp_path), reader_of(tmp_path)
    view, alive = reader.read(), set()
    for step, n in steps:
        name = f"k{n}"
        if step == "create" and name not in alive:
            do(store, keys.create, {"name": name, "concurrency": n + 1})
            alive.add(name)
        elif step == "read":
            view = reader.read(view)
        elif name in alive and step == "edit":
            do(store, keys.edit, name, {"enabled": n % 2 == 0})
        elif name in alive and step.startswith("rotate"):
            do(store, keys.rotate, name, 0 if step.endswith("now") else 1)
        elif name in alive and step == "revoke":
            do(store, keys.revoke, name)
            alive.remove(name)

    view, whole = reader.read(view), view_of(tmp_path)
    reader.close()

    assert view.keys == whole.keys
    assert {k: set(v) for k, v in view.digests.items()} == {
        k: set(v) for k, v in whole.digests.items()
    }


def test_a_schema_that_changes_underneath_is_said(tmp_path):
    store, reader = fresh_store(tmp_path), reader_of(tmp_path)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreRefused):
        reader.read()
    reader.close()


def test_accounts_come_in_the_order_they_were_made(tmp_path):
    store = fresh_store(tmp_path)
    near = {"dialect": "openai", "base_url": "http://127.0.0.1:1"}
    for name in ("b", "a"):
        do(store, accounts.create, {**near, "name": name})
        time.sleep(0.002)

    assert [stored.account.name for stored in view_of(tmp_path).accounts] == ["b", "a"]
