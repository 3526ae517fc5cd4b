"""How is the store opened, made and brought up to date?

The file is 0600, in WAL mode, every commit synced. A fresh one is made at the newest schema, with
the built-in models and prices; an older one is only touched by `upgrade`.
"""

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from arkway.store import tables
from arkway.store.builtin import BUILTIN_MODELS, BUILTIN_PRICES, CURRENCY
from arkway.store.read_io import StoreReader
from arkway.store.rows import to_row
from arkway.store.secret_io import Secrets, gateway_secrets
from arkway.store.units import nano
from arkway.store.version import (
    SCHEMA,
    SECRET_CHECK,
    StoreRefused,
    check_schema,
    store_file,
)

# Another command's transaction takes milliseconds; one that takes longer is stuck.
BUSY_TIMEOUT_S = 10.0
_LOCK_RETRY_S = 0.02
_PRIVATE_FILE = 0o600
_MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class Store:
    """A store that can be asked and changed; see `changes`. Holds no connection open."""

    engine: Engine
    secrets: Secrets
    path: Path


def open_store(home: Path, environ: Mapping[str, str]) -> Store:
    """Return the store of `home`, made if there is none.

    Errors:  StoreRefused for another schema, another secret, or no store at all behind the name;
             OSError.
    """
    path = store_file(home)
    if not path.exists():
        secrets = gateway_secrets(home, environ)
        with _locked(home):
            _make(path, secrets)
    return open_existing(home, gateway_secrets(home, environ, make=False))


def open_existing(home: Path, secrets: Secrets) -> Store:
    """Return the store of `home`, looked over.

    Errors:  StoreRefused.
    """
    StoreReader(home, secrets).close()
    path = store_file(home)
    return Store(_engine(path), secrets, path)


def upgrade(home: Path) -> tuple[str, str]:
    """Bring the store of `home` to the newest schema; return the schema before and after.

    All or nothing: a migration that fails leaves the store as it was.
    Errors:  StoreRefused when there is no store, or it is of a newer Arkway.
    """
    path = store_file(home)
    if not path.exists():
        raise StoreRefused(f"{path} is not there; it is made by the first command that needs it")
    with _locked(home), _engine(path).begin() as connection:
        before = _schema_of(path, connection)
        if before is None or before > SCHEMA:
            check_schema(path, before)
        _migrate(connection)
        return str(before), SCHEMA


def _make(path: Path, secrets: Secrets) -> None:
    """Make the store unless another process just did. A crash on the way leaves no half of it."""
    if path.exists():
        return
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE))
    with _engine(new).begin() as connection:
        _migrate(connection)
        _seed(connection, secrets)
    new.rename(path)  # the last connection has closed, so nothing is left in a file beside it


def _migrate(connection: Connection) -> None:
    # 0.1 s that only a new or an old store is worth.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _seed(connection: Connection, secrets: Secrets) -> None:
    now_ms = time.time_ns() // 1_000_000
    connection.execute(
        insert(tables.revision).values(id=1, number=1, changed_unix_ms=now_ms),
    )
    connection.execute(insert(tables.settings).values(name=SECRET_CHECK, value=secrets.check))
    connection.execute(insert(tables.tenants).values(name="default", created_unix_ms=now_ms))
    for position, model in enumerate(BUILTIN_MODELS):
        row = {**to_row(model), "created_unix_ms": now_ms + position}  # keeps them in this order
        connection.execute(insert(tables.models).values(row))
        listed = BUILTIN_PRICES[model.name]
        connection.execute(
            insert(tables.prices).values(
                model=model.name,
                currency=CURRENCY,
                input_nano=nano(listed.input),
                cached_input_nano=nano(listed.cached_input),
                output_nano=nano(listed.output),
                created_unix_ms=now_ms,
            )
        )


def _schema_of(path: Path, connection: Connection) -> str | None:
    try:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    except DatabaseError as error:
        raise StoreRefused(f"{path} cannot be read: {error.orig}") from None
    return None if found is None else str(found)


def _engine(path: Path) -> Engine:
    """Return an engine whose transactions hold DDL too, and whose writers wait their turn."""
    url = f"sqlite:///{path.absolute()}"
    engine = create_engine(
        url, poolclass=NullPool, connect_args={"timeout": BUSY_TIMEOUT_S}, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver would begin late, and commit before DDL
        # Each to its end: while the first, which returns a row, has not ended, nothing commits.
        with closing(connection.cursor()) as cursor:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                cursor.execute(f"PRAGMA {pragma}").fetchall()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # Writers take the lock at once: one that read first could not be made to wait.
        reads = connection.get_execution_options().get("reads_only")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Hold the lock under which a store is made or upgraded."""
    descriptor = os.open(
        home / f".{store_file(home).name}.lock",
        os.O_RDWR | os.O_CREAT | os.O_CLOEXEC,
        _PRIVATE_FILE,
    )
    with os.fdopen(descriptor, "r+b") as lock:
        give_up_s = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up_s:
                    raise TimeoutError(f"another command is making {store_file(home)}") from None
                time.sleep(_LOCK_RETRY_S)
        yield  # closing the file gives the lock back
