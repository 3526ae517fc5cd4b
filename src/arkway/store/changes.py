"""What is one change of the store? A transaction, with its audit row and the store's new revision.

    with change(store, "cli:alice") as now:
        keys.create(now, {"name": "bench"})

All of it is committed when the block ends, or nothing when it raises. Workers see the revision.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import OperationalError

from arkway.store import tables
from arkway.store.engine import BUSY_TIMEOUT_S, Store
from arkway.store.secret_io import Secrets

_MAX_ACTOR_CHARS = 128


@dataclass(frozen=True, slots=True)
class Change:
    """A transaction under way. Only one is, in all processes."""

    connection: Connection
    secrets: Secrets
    actor: str
    now_ms: int
    revision: int  # of the store, once this is committed

    @property
    def now_unix_s(self) -> int:
        """Return the time of the change."""
        return self.now_ms // 1000

    def record(
        self,
        action: str,
        noun: tuple[str, str],
        before: Mapping[str, object],
        after: Mapping[str, object],
    ) -> None:
        """Write the audit row of one action: of `before` and `after`, what differs.

        An edit that changes nothing is no event.
        Shapes:  noun: what and which: ("key", its id); neither map may hold a secret.
        """
        changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        if not changed:
            return
        self.connection.execute(
            insert(tables.audit_log).values(
                unix_ms=self.now_ms,
                actor=self.actor[:_MAX_ACTOR_CHARS],
                action=action,
                noun=noun[0],
                noun_id=noun[1],
                before=_json({name: before[name] for name in changed if name in before}),
                after=_json({name: after[name] for name in changed if name in after}),
            )
        )


@contextmanager
def change(store: Store, actor: str) -> Iterator[Change]:
    """Begin a change by `actor`; it waits its turn behind other writers.

    Errors:  Refused from what is done in it; TimeoutError when a writer holds the store too long.
    """
    now_ms = time.time_ns() // 1_000_000
    counter = tables.revision
    try:
        with store.engine.begin() as connection:
            number = connection.execute(select(counter.c.number)).scalar_one() + 1
            yield Change(connection, store.secrets, actor, now_ms, number)
            # The time of the commit as nearly as can be said before it: lag counts from here.
            changed_ms = time.time_ns() // 1_000_000
            connection.execute(update(counter).values(number=number, changed_unix_ms=changed_ms))
    except OperationalError as error:
        raise _in_a_line(store, error) from None


@contextmanager
def rehearsal(store: Store, actor: str) -> Iterator[Change]:
    """Begin a change of which nothing is kept: to see what it would do, and whether it may.

    Errors:  as `change`.
    """
    now_ms = time.time_ns() // 1_000_000
    try:
        with store.engine.connect() as connection:  # rolled back when it is closed
            number = connection.execute(select(tables.revision.c.number)).scalar_one() + 1
            yield Change(connection, store.secrets, actor, now_ms, number)
    except OperationalError as error:
        raise _in_a_line(store, error) from None


def _in_a_line(store: Store, error: OperationalError) -> OSError:
    if "locked" in str(error.orig):
        return TimeoutError(f"another process has held {store.path} for {BUSY_TIMEOUT_S:g} s")
    return OSError(f"{store.path}: {error.orig}")


@contextmanager
def reading(store: Store) -> Iterator[Connection]:
    """Begin to read: one state of the store, whatever others write meanwhile."""
    with store.engine.connect().execution_options(reads_only=True) as connection:
        yield connection


def _json(value: Mapping[str, object]) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()
