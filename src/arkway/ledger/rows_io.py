"""Is the book what was written? A walk along the chain, the sums by day, the file itself."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence

import msgspec

from arkway.ledger import schema
from arkway.ledger.chain import GENESIS, Fault, Row, faults
from arkway.ledger.entry import Intent, decode_end, decode_intent

# Rows a look: reading must not hold one view of the file for the minutes that a long book takes,
# or the write-ahead log could not be folded back meanwhile.
READ_ROWS = 20_000
TOLD_ROWS = 1000  # some milliseconds of work
MAX_FILE_FAULTS = 100

Tell = Callable[[int, int], None]  # (done, all): how far long work is


def tell_nobody(done: int, whole: int) -> None:
    """Take how far the work is, where nobody asks."""


_SUMS = ",".join(schema.MEASURES)
_GROUP = ",".join(schema.DIMENSIONS)


def verify(db: sqlite3.Connection, since: int = 1, tell: Tell = tell_nobody) -> Iterator[Fault]:
    """Yield every fault of the book's rows, in their order.

    Shapes:  since: the first row to look at; its predecessor's hash is taken on trust, as is that
             of the last row that was pruned.
    """
    first = first_seq(db)
    since = max(since, first)
    before = GENESIS
    if since == first > 1:
        before = bytes(db.execute(schema.GET_META, (schema.ANCHOR,)).fetchone()[0])
    elif since > 1:
        row = db.execute("SELECT hash FROM entries WHERE seq = ?", (since - 1,)).fetchone()
        before = bytes(row[0]) if row is not None else GENESIS
    start = seen = since - 1
    last = db.execute(schema.LAST).fetchone()
    whole = last[0] - start if last else 0

    def rows() -> Iterator[Row]:
        nonlocal seen
        for row in _rows(db, since):
            yield row
            seen = row.seq
            if not seen % TOLD_ROWS:
                tell(seen - start, max(whole, seen - start))

    try:
        yield from faults(rows(), before, _columns_of)
    except sqlite3.DatabaseError as error:
        yield Fault(seen + 1, f"from here on the file cannot be read: {error}")


def first_seq(db: sqlite3.Connection) -> int:
    """Return the number of the first row that was not pruned."""
    row = db.execute(schema.GET_META, (schema.FIRST_SEQ,)).fetchone()
    return int(row[0]) if row else 1


def verify_file(db: sqlite3.Connection, tell: Tell = tell_nobody) -> Iterator[str]:
    """Yield what is wrong with the file beside its rows: pages, indexes, and sums by day.

    Shapes:  tell: learns how far the sums are, which take the longest.
    Cost:    a look at every page, and one at every row.
    """
    try:
        for (line,) in db.execute(f"PRAGMA integrity_check({MAX_FILE_FAULTS})"):
            if line != "ok":
                yield line
        yield from _wrong_sums(db, tell)
        for table in schema.SMALLER:
            both = f"SELECT * FROM {table}", schema.summed_up(table)  # noqa: S608 - our own names
            for one, other in (both, both[::-1]):
                if db.execute(f"{one} EXCEPT {other} LIMIT 1").fetchone() is not None:
                    yield f"the sums of {table} are not those of daily"
                    break
    except sqlite3.DatabaseError as error:
        yield str(error)


def _wrong_sums(db: sqlite3.Connection, tell: Tell) -> Iterator[str]:
    """Yield the sums of `daily` that its rows do not come to; those of pruned days are trusted."""
    db.execute("BEGIN")  # sums and rows of the same moment
    row = db.execute(schema.GET_META, (schema.PRUNED_BEFORE,)).fetchone()
    since_day = str(row[0]) if row else ""
    lines = db.execute(
        f"SELECT {_GROUP},{_SUMS} FROM daily WHERE day >= ? ORDER BY {_GROUP}",  # noqa: S608 - our own names
        (since_day,),
    ).fetchall()
    last = db.execute(schema.LAST).fetchone()
    db.execute("COMMIT")
    dimensions = len(schema.DIMENSIONS)
    sums: dict[tuple[object, ...], list[int]] = {}
    for at in range(first_seq(db), last[0] + 1 if last else 0, READ_ROWS):
        slice_ = (at, min(at + READ_ROWS - 1, last[0]), since_day)
        for line in db.execute(schema.SUMS_OF_ROWS, slice_):
            group = sums.setdefault(line[:dimensions], [0] * len(schema.MEASURES))
            for place, value in enumerate(line[dimensions:]):
                group[place] += value or 0
        tell(slice_[1], last[0])
    told = {line[:dimensions]: list(line[dimensions:]) for line in lines}
    for key in sorted({*sums, *told}, key=repr):
        found, expected = told.get(key), sums.get(key)
        if found != expected:
            where = _shown(schema.DIMENSIONS, key)
            kept, rows = (_shown(schema.MEASURES, each) for each in (found, expected))
            yield f"sums of {where}: {kept}; the rows come to {rows}"


def _shown(names: Sequence[str], values: Sequence[object] | None) -> str:
    if values is None:
        return "none"
    return ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True) if value)


def _rows(db: sqlite3.Connection, since: int) -> Iterator[Row]:
    while True:
        found = db.execute(
            "SELECT seq, request_id, attempt, is_end, CAST(body AS BLOB), CAST(hash AS BLOB)"
            " FROM entries WHERE seq >= ? ORDER BY seq LIMIT ?",
            (since, READ_ROWS),
        )
        last = since
        for seq, request_id, attempt, is_end, body, hash_ in found:
            yield Row(seq, request_id, attempt, is_end, body or b"", hash_ or b"")
            last = seq + 1
        if last - since < READ_ROWS:
            return
        since = last


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
