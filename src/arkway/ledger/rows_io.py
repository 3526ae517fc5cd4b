"""Is every row what was written? A walk along the chain, in slices."""

import sqlite3
from collections.abc import Iterator

import msgspec

from arkway.ledger.chain import GENESIS, Fault, Row, faults
from arkway.ledger.entry import Intent, decode_end, decode_intent

# Rows a look: reading must not hold one view of the file for the minutes that a long book takes,
# or the write-ahead log could not be folded back meanwhile.
READ_ROWS = 20_000


def verify(db: sqlite3.Connection, since: int = 1) -> Iterator[Fault]:
    """Yield every fault of the book, in the order of its rows.

    Shapes:  since: the first row to look at; its predecessor's hash is taken on trust.
    """
    before = GENESIS
    row = db.execute("SELECT hash FROM entries WHERE seq = ?", (since - 1,)).fetchone()
    if row is not None:
        before = bytes(row[0])
    yield from faults(_rows(db, since), before, _columns_of)


def _rows(db: sqlite3.Connection, since: int) -> Iterator[Row]:
    while True:
        found = db.execute(
            "SELECT seq, request_id, attempt, is_end, CAST(body AS BLOB), hash FROM entries"
            " WHERE seq >= ? ORDER BY seq LIMIT ?",
            (since, READ_ROWS),
        ).fetchall()
        yield from map(Row._make, found)
        if len(found) < READ_ROWS:
            return
        since = found[-1][0] + 1


def _columns_of(body: bytes) -> tuple[str, int, int] | None:
    for decode, is_end in ((decode_end, 1), (decode_intent, 0)):
        try:
            entry = decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if type(entry) is Intent and entry.kind != "intent":
            continue
        return entry.request_id, entry.attempt, is_end
    return None
