"""How do old rows leave the book while it is written? Oldest first, in small commits.

What was used stays: the sums by day are kept for ever, so usage, budgets and token limits do not
change. The chain stays whole: the hash of the last row that left is kept as the anchor of the next.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

from arkway.ledger import schema
from arkway.ledger.read_io import reading
from arkway.ledger.rows_io import Tell, first_seq, tell_nobody

# A commit of so many rows takes some 20 ms; the writer of the book waits for no longer.
PRUNED_ROWS = 2_000
PAUSE_S = 0.02
BUSY_S = 30.0
# A call ends within 15 minutes; its end may lie on the next day, and keeps its intent.
LONGEST_CALL_MS = 3_600_000


def prune(
    book: Path,
    before: date,
    pause: Callable[[float], None] = time.sleep,
    tell: Tell = tell_nobody,
) -> tuple[int, int]:
    """Remove rows of the days before `before`; return how many, and the first that is kept.

    A day's last rows stay if a call has run past midnight, or runs still. Safe to interrupt and
    to repeat.
    Errors:  NoBook, SchemaMismatch, sqlite3.Error.
    """
    midnight = datetime(before.year, before.month, before.day, tzinfo=UTC)
    with reading(book) as db:
        first = first_seq(db)
        end = _first_kept(db, first, int(midnight.timestamp() * 1000))
    if end <= first:
        return 0, first
    with closing(sqlite3.connect(book, timeout=BUSY_S, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous=FULL")
        for at in range(first, end, PRUNED_ROWS):
            _remove(db, min(at + PRUNED_ROWS, end), before.isoformat())
            tell(min(at + PRUNED_ROWS, end) - first, end - first)
            pause(PAUSE_S)
    return end - first, end


def _remove(db: sqlite3.Connection, end: int, before: str) -> None:
    """Remove the rows below `end`, and anchor the chain there, in one commit."""
    db.execute("BEGIN IMMEDIATE")
    try:
        (anchor,) = db.execute("SELECT hash FROM entries WHERE seq = ?", (end - 1,)).fetchone()
        db.execute("DELETE FROM entries WHERE seq < ?", (end,))
        for meta in (
            (schema.FIRST_SEQ, end),
            (schema.ANCHOR, anchor),
            (schema.PRUNED_BEFORE, before),
        ):
            db.execute(schema.SET_META, meta)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _first_kept(db: sqlite3.Connection, first: int, midnight_ms: int) -> int:
    """Return the first row to keep: of the day, or of a call that reaches into it."""
    day = _first_since(db, first, midnight_ms)
    later = _first_since(db, day, midnight_ms + LONGEST_CALL_MS)
    (reaches,) = db.execute(
        "SELECT min(i.seq) FROM entries e JOIN entries i ON i.request_id = e.request_id"
        " AND i.attempt = e.attempt AND i.is_end = 0 WHERE e.seq BETWEEN ? AND ? AND e.is_end = 1",
        (day, later),
    ).fetchone()
    row = db.execute(schema.GET_META, (schema.FIRST_OPEN,)).fetchone()
    is_open = int(row[0]) if row else day
    last = db.execute(schema.LAST).fetchone()  # stays: the chain goes on from it
    return min(day, is_open, day if reaches is None else reaches, last[0] if last else first)


def _first_since(db: sqlite3.Connection, low: int, at_ms: int) -> int:
    """Return the first row from `low` on that is not older than `at_ms`: by halving.

    Rows are in the order of their writing, which is that of time but for moments. After the last
    row if all are older.
    """
    last = db.execute(schema.LAST).fetchone()
    high = last[0] + 1 if last else low
    while low < high:
        middle = (low + high) // 2
        (found_ms,) = db.execute(
            "SELECT body->>'at_ms' FROM entries WHERE seq = ?", (middle,)
        ).fetchone()
        if found_ms < at_ms:
            low = middle + 1
        else:
            high = middle
    return low
