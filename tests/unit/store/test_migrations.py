"""Do the migrations lead to the tables that the code speaks of?"""

import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from arkway.store import admin_tokens, keys
from arkway.store.engine import open_store, upgrade
from arkway.store.tables import metadata
from arkway.store.version import SCHEMA, StoreRefused, store_file
from support.stores import ENVIRON, do, fresh_store


def test_a_fresh_store_has_the_tables_of_the_code(tmp_path):
    store = fresh_store(tmp_path)

    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_a_store_of_the_first_schema_is_upgraded_with_what_it_holds(tmp_path):
    store = fresh_store(tmp_path)
    do(store, keys.create, {"name": "kept"})
    with sqlite3.connect(store_file(tmp_path)) as db:  # as version 0.1 left it
        db.executescript(
            "DROP TABLE admin_sessions; DROP TABLE admin_tokens;"
            "UPDATE alembic_version SET version_num = '0001'"
        )
    with pytest.raises(StoreRefused, match="arkway db upgrade"):
        open_store(tmp_path, ENVIRON)

    assert upgrade(tmp_path) == ("0001", SCHEMA)

    store = open_store(tmp_path, ENVIRON)
    do(store, admin_tokens.create, {"name": "a"})
    with store.engine.connect() as connection:
        assert keys.get(connection, "kept").key.name == "kept"
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
