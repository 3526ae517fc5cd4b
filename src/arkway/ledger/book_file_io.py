"""What is in the database? Every entry, for ever; sums by day; and what a start has to look at.

The journal makes entries durable; the database is where they are kept and read. One thread at a
time; nothing here knows of the event loop.
"""

import fcntl
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO

from arkway.ledger import schema
from arkway.ledger.chain import GENESIS
from arkway.ledger.entry import End, Intent, decode_end, decode_intent
from arkway.ledger.rollup import DayClock, rolled_up, smaller
from arkway.ledger.rows_io import verify

# What a crash can have damaged is at the end; the whole book is `arkway ledger verify`'s to check.
CHECKED_ROWS = 5000
_VERSION = "schema_version"


class SchemaMismatch(Exception):
    """The file was written by another version; the message says what to do."""


class BookInUse(Exception):
    """Another process writes this ledger; the message says so."""


class BookFile:
    """The database of one ledger, open for adding."""

    def __init__(
        self, path: Path, connect: Callable[[Path], sqlite3.Connection] | None = None
    ) -> None:
        self._path = path
        self._connect = connect or _connect
        self._db: sqlite3.Connection | None = None
        self._lock: IO[bytes] | None = None
        self._open: dict[tuple[str, int], tuple[int, Intent]] = {}  # without an end, oldest first
        self._clock = DayClock()
        self.seq, self.hash = 0, GENESIS  # of the last entry

    def open(self) -> int:
        """Open the file, made if there is none; return how many of its last rows are damaged.

        Errors:  sqlite3.Error, OSError; SchemaMismatch for the file of another version; BookInUse.
        Cost:    the rows since the oldest open hold, however long the book is.
        """
        self._lock = lock(self._path)  # two chains in one file would be none
        self._begin()
        return sum(1 for _ in verify(self._database, max(1, self.seq - CHECKED_ROWS)))

    def reopen(self) -> None:
        """Open the file again after an error.

        Errors:  sqlite3.Error, OSError.
        """
        self._disconnect()
        self._begin()

    def open_holds(self) -> list[Intent]:
        """Return the intents without an end, oldest first."""
        return [intent for _, intent in self._open.values()]

    def add(self, entries: Sequence[tuple[int, Intent | End, bytes, bytes]]) -> None:
        """Add entries in one commit, and what they come to by day.

        Shapes:  entries: `(seq, entry, body, hash)`, the next ones of the chain.
        Errors:  sqlite3.Error: nothing was added; reopen.
        """
        rows: list[int | str | bytes] = []
        ends: list[tuple[End, Intent]] = []
        open_ = dict(self._open)
        for seq, entry, body, hash_ in entries:
            request_id, attempt = key = entry.request_id, entry.attempt
            is_end = 0
            if type(entry) is Intent:
                open_[key] = seq, entry
            elif type(entry) is End:
                is_end = 1
                held = open_.pop(key, None)
                if held is not None:
                    ends.append((entry, held[1]))
            rows += (seq, request_id, attempt, is_end, body.decode("utf-8", "replace"), hash_)
        first_open = next(iter(open_.values()))[0] if open_ else entries[-1][0] + 1
        self._commit(rows, ends, first_open)
        self._open = open_
        self.seq, _, _, self.hash = entries[-1]

    def close(self) -> None:
        """Close the file, and let another process have it."""
        self._disconnect()
        if self._lock is not None:
            self._lock.close()

    def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def _commit(
        self, rows: list[int | str | bytes], ends: Iterable[tuple[End, Intent]], first_open: int
    ) -> None:
        execute = self._database.execute
        execute("BEGIN IMMEDIATE")
        try:
            at = 0
            for count in schema.statements(len(rows) // 6):
                execute(schema.insert_entries(count), rows[at : at + 6 * count])
                at += 6 * count
            lines = rolled_up(ends, self._clock)
            for table, add in schema.ADD_TO.items():
                for line in lines if table == "daily" else smaller(lines, table):
                    execute(add, line)
            execute(schema.SET_META, (schema.FIRST_OPEN, first_open))
            execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                execute("ROLLBACK")
            raise

    @property
    def _database(self) -> sqlite3.Connection:
        assert self._db is not None, "a closed book"
        return self._db

    def _begin(self) -> None:
        db = self._db = self._connect(self._path)
        db.text_factory = damaged_or_not
        for pragma in schema.PRAGMAS:
            db.execute(pragma).fetchall()  # one that has not ended lets nothing commit
        version = _version(db)
        if version is None:
            db.executescript(
                f"BEGIN; {schema.SUMS_TABLES} {schema.TABLES} INSERT INTO meta VALUES"
                f"('{_VERSION}', {schema.SCHEMA_VERSION}); COMMIT;"
            )
        elif version == 1:
            db.executescript(
                f"BEGIN; {schema.FROM_VERSION_1} INSERT OR REPLACE INTO meta VALUES"
                f"('{_VERSION}', {schema.SCHEMA_VERSION}); COMMIT;"
            )
        elif version != schema.SCHEMA_VERSION:
            self.close()
            raise SchemaMismatch(
                f"{self._path} has schema {version}, this version of arkway reads "
                f"{schema.SCHEMA_VERSION}: run the version that wrote it"
            )
        last = db.execute(schema.LAST).fetchone()
        self.seq, self.hash = (0, GENESIS) if last is None else last
        if type(self.hash) is not bytes:  # a flipped bit in the row's head; `verify` names it
            self.hash = GENESIS
        row = db.execute(schema.GET_META, (schema.FIRST_OPEN,)).fetchone()
        found = db.execute(schema.OPEN_HOLDS, (row[0] if row else 0,)).fetchall()
        self._open = {}
        for seq, body in found:
            intent = decode(body)
            if type(intent) is not Intent:
                continue  # damaged; `verify` names it
            self._open[intent.request_id, intent.attempt] = seq, intent


def lock(path: Path) -> IO[bytes]:
    """Be the only process that writes the book at `path`, until the file returned is closed.

    Errors:  BookInUse.
    """
    held = path.with_suffix(".lock").open("wb")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        message = f"{path} is being written by another arkway; give this one its own home"
        raise BookInUse(message) from None
    return held


def decode(body: bytes | str) -> Intent | End | None:
    """Return the entry of a text; None for one whose text is damaged."""
    for kind in (decode_end, decode_intent):
        try:
            return kind(body)
        except (ValueError, TypeError):
            continue
    return None


def damaged_or_not(text: bytes) -> str:
    """Return a text of the database; one that a flipped bit has made invalid is still read."""
    return text.decode("utf-8", "replace")


def _connect(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600, exist_ok=True)
    # The write lock is waited for as long as a backup or a retention may need it.
    return sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)


def _version(db: sqlite3.Connection) -> int | None:
    """Return the schema's version; None for a file that holds nothing yet."""
    known = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
    if known is None:
        return None
    row = db.execute(schema.GET_META, (_VERSION,)).fetchone()
    return int(row[0]) if row else -1
