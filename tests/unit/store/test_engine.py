import os
import sqlite3
import stat
import subprocess
import sys
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from arkway.store import engine, keys, tables, tenants
from arkway.store.changes import change, reading
from arkway.store.engine import open_store, upgrade
from arkway.store.secret_io import SECRET_VARIABLE
from arkway.store.version import SCHEMA, StoreRefused, store_file
from support.stores import ENVIRON, do, fresh_store, reader_of


def test_a_fresh_store_is_private_and_durable(tmp_path):
    store = open_store(tmp_path, {})

    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert {file.name for file in tmp_path.iterdir()} == {
        "store.db",
        "secret-key",
        ".store.db.lock",
    }
    with reading(store) as connection:
        ask = connection.exec_driver_sql
        assert ask("PRAGMA journal_mode").scalar() == "wal"
        assert ask("PRAGMA synchronous").scalar() == 2
        for file in tmp_path.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600


class Keeping(sqlite3.Connection):
    """Keeps its cursors: when Python lets go of one is not to matter."""

    def cursor(self, *given):
        return self._kept(super().cursor(*given))

    def execute(self, *given):
        return self._kept(super().execute(*given))

    def _kept(self, cursor):
        self.__dict__.setdefault("cursors", []).append(cursor)
        return cursor


def test_nothing_that_opening_asked_stands_in_the_way_of_a_commit(tmp_path, monkeypatch):
    def keeping(url, *, connect_args, **more):
        return create_engine(url, connect_args={**connect_args, "factory": Keeping}, **more)

    monkeypatch.setattr(engine, "create_engine", keeping)
    store = open_store(tmp_path, {})

    do(store, tenants.create, {"name": "acme"})

    with reading(store) as connection:
        assert "acme" in tenants.names(connection)


def test_migrations_lead_to_the_tables(tmp_path):
    store = fresh_store(tmp_path)

    with reading(store) as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    directory = os.path.join(os.path.dirname(tables.__file__), "migrations")
    assert ScriptDirectory(directory).get_heads() == [SCHEMA]


@pytest.mark.parametrize("schema", ["0000", "9999"])
def test_another_schema_is_refused_in_one_line(tmp_path, schema):
    fresh_store(tmp_path)
    with sqlite3.connect(store_file(tmp_path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (schema,))
    connection.close()

    for opened in (lambda: open_store(tmp_path, ENVIRON), lambda: reader_of(tmp_path)):
        with pytest.raises(StoreRefused) as refused:
            opened()
        assert ("arkway db upgrade" in str(refused.value)) == (schema < SCHEMA)
        assert "\n" not in str(refused.value)


def test_an_upgrade_of_the_newest_is_nothing(tmp_path):
    fresh_store(tmp_path)

    assert upgrade(tmp_path) == (SCHEMA, SCHEMA)


def test_there_must_be_something_to_upgrade(tmp_path):
    with pytest.raises(StoreRefused):
        upgrade(tmp_path)


def test_another_secret_is_refused_in_one_line(tmp_path):
    fresh_store(tmp_path)
    other = {SECRET_VARIABLE: "another secret of the same length or so"}

    with pytest.raises(StoreRefused, match="another secret") as refused:
        open_store(tmp_path, other)

    assert other[SECRET_VARIABLE] not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0 and then nothing", b"x" * 5000])
def test_what_is_no_store_is_refused_in_one_line(tmp_path, content):
    store_file(tmp_path).write_bytes(content)

    for opened in (lambda: open_store(tmp_path, ENVIRON), lambda: reader_of(tmp_path)):
        with pytest.raises(StoreRefused) as refused:
            opened()
        assert "\n" not in str(refused.value)
    assert store_file(tmp_path).read_bytes() == content


CREATE = """
import os, sys
from pathlib import Path
from arkway.store import keys
from arkway.store.changes import change
from arkway.store.engine import open_store
with change(open_store(Path(sys.argv[1]), os.environ), "tester") as now:
    keys.create(now, {"name": sys.argv[2]})
"""


@pytest.mark.slow
def test_processes_that_start_together_make_one_store_and_all_their_keys(tmp_path):
    processes = [
        subprocess.Popen([sys.executable, "-c", CREATE, str(tmp_path), f"key-{n}"], env=os.environ)
        for n in range(4)
    ]

    assert [process.wait(30) for process in processes] == [0] * 4
    with reading(open_store(tmp_path, os.environ)) as connection:
        assert {record.key.name for record in keys.list_all(connection)} == {
            f"key-{n}" for n in range(4)
        }


def test_writers_wait_their_turn(tmp_path):
    store = fresh_store(tmp_path)
    threads = [
        threading.Thread(target=do, args=(store, keys.create, {"name": f"{n}"})) for n in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with reading(store) as connection:
        assert keys.count(connection) == 8
    reader = reader_of(tmp_path)
    assert reader.read().revision == 9  # the fresh store, and eight changes
    reader.close()


def test_readers_are_not_held_up_by_a_writer(tmp_path):
    store = fresh_store(tmp_path)
    reader = reader_of(tmp_path)

    with change(store, "tester") as now:
        keys.create(now, {"name": "a"})
        assert reader.read().keys == {}

    assert len(reader.read().keys) == 1
    reader.close()
