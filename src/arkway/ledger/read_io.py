"""What does the book say? Reading beside the writer, on connections that cannot write."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from arkway.ledger import schema
from arkway.ledger.book_file_io import SchemaMismatch, damaged_or_not
from arkway.ledger.entry import End, Intent, decode_end, decode_intent

BY = schema.DIMENSIONS
_LOOK_EVERY = 10_000  # steps of SQLite, about a millisecond, between two looks at the clock


class NoBook(Exception):
    """There is no ledger in this home yet."""


class UsageLine(msgspec.Struct, frozen=True):
    """What one group came to. A dimension that was not asked for is empty."""

    day: str
    key: str
    tenant: str
    model: str
    account: str
    currency: str
    attempts: int
    settled: int
    estimated: int
    unknown: int
    uncached: int
    cached: int
    created: int
    output: int
    reasoning: int
    cost_nano: int

    @property
    def input(self) -> int:
        """Return the input tokens of all classes."""
        return self.uncached + self.cached + self.created

    @property
    def cache_hit_rate(self) -> float:
        """Return the cached share of the input."""
        return self.cached / self.input if self.input else 0.0


class Attempted(msgspec.Struct, frozen=True):
    """One attempt as it is written down."""

    seq: int
    intent: Intent
    end_seq: int | None
    end: End | None  # None: it is under way, or the book is being recovered


class Spent(msgspec.Struct, frozen=True):
    """What a key has used so far."""

    tokens: int = 0
    cost_nano: int = 0


@contextmanager
def reading(
    path: Path, limit_s: float | None = None, *, leaves_nothing: bool = False
) -> Iterator[sqlite3.Connection]:
    """Yield a connection to the book that cannot write.

    Shapes:  leaves_nothing: of a book that nobody has open SQLite makes no `-wal` and `-shm`; for
             a look of moments, as a writer that starts meanwhile is not noticed.
    Units:   limit_s: after so long its statements fail with `sqlite3.OperationalError`.
    Errors:  NoBook; SchemaMismatch.
    """
    if not path.exists():
        raise NoBook(f"there is no ledger at {path}")
    is_still = leaves_nothing and not path.with_name(path.name + "-wal").exists()
    how = "mode=ro&immutable=1" if is_still else "mode=ro"
    with closing(sqlite3.connect(f"file:{path}?{how}", uri=True, timeout=5.0)) as db:
        db.text_factory = damaged_or_not
        row = db.execute("SELECT value FROM meta WHERE name = 'schema_version'").fetchone()
        if row is None or row[0] != schema.SCHEMA_VERSION:
            raise SchemaMismatch(f"{path} is of another version of arkway")
        if limit_s is not None:
            ends_s = time.monotonic() + limit_s
            db.set_progress_handler(lambda: time.monotonic() > ends_s, _LOOK_EVERY)
        yield db


def usage(
    db: sqlite3.Connection,
    by: Sequence[str],
    where: dict[str, str] | None = None,
    days: tuple[str, str] = ("", "9999"),
    limit: int = -1,
    after: Sequence[str] = (),
) -> list[UsageLine]:
    """Return the sums of each group, ordered by it.

    Shapes:  by: any of BY (currencies are never added up); where: dimension -> value; days: the
             first and the last, as `2026-11-24`; limit: of lines, -1 for all; after: `place_of`
             the last line that was seen.
    Errors:  ValueError for a name that is no dimension.
    Cost:    the lines of the smallest table of sums that has what is asked; never the entries.
    """
    where = where or {}
    unknown = {*by, *where} - set(BY)
    if unknown:
        raise ValueError(f"no dimension of usage: {', '.join(sorted(unknown))}")
    groups = _groups(by)
    shown = [name if name in groups else f"'' AS {name}" for name in BY]
    sums = [f"sum({name})" for name in schema.MEASURES]
    table = next(name for name, has in schema.SUMS.items() if {*groups, *where} <= {*has})
    conditions = ["day BETWEEN ? AND ?", *(f"{name} = ?" for name in where)]
    if after:
        conditions.append(f"({','.join(groups)}) > ({','.join('?' * len(groups))})")
    found = db.execute(
        f"SELECT {','.join(shown + sums)} FROM {table} WHERE {' AND '.join(conditions)}"  # noqa: S608 - names from our own lists
        f" GROUP BY {','.join(groups)} ORDER BY {','.join(groups)} LIMIT ?",
        (*days, *where.values(), *after, limit),
    )
    return [UsageLine(*row) for row in found]


def place_of(line: UsageLine, by: Sequence[str]) -> tuple[str, ...]:
    """Return where `line` stands in the order of `usage`."""
    return tuple(getattr(line, name) for name in _groups(by))


def _groups(by: Sequence[str]) -> list[str]:
    return [name for name in BY if name in by or name == "currency"]


def spent(db: sqlite3.Connection, key: str, since_day: str = "") -> Spent:
    """Return what `key` has used since a day, that day included."""
    row = db.execute(
        "SELECT coalesce(sum(uncached + cached + created + output + reasoning), 0),"
        " coalesce(sum(cost_nano), 0) FROM daily_keys WHERE day >= ? AND key = ?",
        (since_day, key),
    ).fetchone()
    return Spent(*row)


def attempts(db: sqlite3.Connection, request_id: str) -> list[Attempted]:
    """Return the attempts of one call, in order; empty for an id that the book does not know."""
    rows = db.execute(
        "SELECT attempt, is_end, seq, body FROM entries WHERE request_id = ?"
        " ORDER BY attempt, is_end",
        (request_id,),
    ).fetchall()
    ends = {attempt: (seq, decode_end(body)) for attempt, is_end, seq, body in rows if is_end}
    return [
        Attempted(seq, decode_intent(body), *ends.get(attempt, (None, None)))
        for attempt, is_end, seq, body in rows
        if not is_end
    ]


def last_seq(db: sqlite3.Connection) -> int:
    """Return the number of the last entry; 0 for an empty book."""
    row = db.execute(schema.LAST).fetchone()
    return int(row[0]) if row else 0
