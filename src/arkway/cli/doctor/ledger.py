"""Is the ledger sound, and how long does its disk last?"""

import os
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from arkway.cli.doctor.finding import Finding, ok, problem, size, warning
from arkway.cli.doctor.ports import Holder, lock_holder
from arkway.control.home import ledger_file
from arkway.ledger import schema
from arkway.ledger.book_file_io import SchemaMismatch
from arkway.ledger.chain import GENESIS
from arkway.ledger.journal_io import JOURNAL_BYTES
from arkway.ledger.read_io import NoBook, last_seq, reading, usage
from arkway.ledger.recover import Recovered
from arkway.ledger.rows_io import first_seq, verify

CHECK = "ledger"
# As a start does: what a crash can have damaged is at the end.
CHECKED_ROWS = 5000
MAX_FAULTS = 3
# Growth is that of so many days: a week has its weekend.
GROWTH_DAYS = 7
ENOUGH_S = 3600.0  # of history, to say anything of days to come
FEW_DAYS, VERY_FEW_DAYS = 30, 3
LITTLE_BYTES, VERY_LITTLE_BYTES = 1 << 30, 100 << 20
# No call runs longer than 15 minutes.
OLD_HOLD_S = 3600.0
_ROWS_AN_ATTEMPT = 2
_DAY_S = 86_400.0


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """What the files say."""

    path: Path
    failure: str = ""  # why it cannot be read
    rows: int = 0
    faults: tuple[str, ...] = ()
    last_row_s: float | None = None
    file_bytes: int = 0  # with the write-ahead log and the journal
    journal: int | None = 0  # rows that only the journal has; None: it cannot be read
    journal_bytes: int | None = None  # None: there is none
    holds: int = 0  # attempts without an end
    oldest_hold_s: float | None = None
    holder: Holder | None = None  # who writes it
    is_there: bool = True


class Disk(msgspec.Struct, frozen=True):
    """The room for a ledger, and how fast it fills."""

    path: Path
    free_bytes: int
    bytes_a_day: float | None  # None: too little has been written to tell


def look(home: Path) -> tuple[Ledger, Disk | None]:
    """Read the ledger of a home; the disk is None where there is no home.

    Cost:    the last rows and the journal, however long the book is.
    """
    path = ledger_file(home)
    holder = lock_holder(path.with_suffix(".lock"))
    sizes = (path, path.with_name(path.name + "-wal"), path.with_suffix(".journal"))
    file_bytes = sum(each.stat().st_size for each in sizes if each.exists())
    a_day, spare = None, 0
    try:
        with reading(path, leaves_nothing=True) as db:
            found = _read(db, path, holder, file_bytes)
            a_day, spare = _growth(db, time.time())
    except NoBook:
        found = Ledger(path=path, is_there=False, holder=holder)
    except (SchemaMismatch, sqlite3.Error, OSError) as error:
        found = Ledger(path=path, failure=str(error), holder=holder, file_bytes=file_bytes)
    return found, _disk(home, a_day, spare)


def _read(db: sqlite3.Connection, path: Path, holder: Holder | None, file_bytes: int) -> Ledger:
    last = last_seq(db)
    faults = []
    for fault in verify(db, max(1, last - CHECKED_ROWS)):
        faults.append(f"row {fault.seq}: {fault.reason}")
        if len(faults) == MAX_FAULTS:
            break
    waiting, journal_bytes = _journal(db, path.with_suffix(".journal"))
    row = db.execute(schema.GET_META, (schema.FIRST_OPEN,)).fetchone()
    holds = db.execute(schema.OPEN_HOLDS, (row[0] if row else 0,)).fetchall()
    return Ledger(
        path=path,
        rows=last - first_seq(db) + 1 if last else 0,
        faults=tuple(faults),
        last_row_s=_written_s(db, last),
        file_bytes=file_bytes,
        journal=waiting,
        journal_bytes=journal_bytes,
        holds=len(holds),
        oldest_hold_s=_written_s(db, holds[0][0]) if holds else None,
        holder=holder,
    )


def _written_s(db: sqlite3.Connection, seq: int) -> float | None:
    row = db.execute("SELECT body->>'at_ms' FROM entries WHERE seq = ?", (seq,)).fetchone()
    return row[0] / 1000 if row and isinstance(row[0], int) else None


def _journal(db: sqlite3.Connection, path: Path) -> tuple[int | None, int | None]:
    """Return how many rows only the journal has, and how long its file is."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return 0, None
    except OSError:
        return None, None
    seq, last = db.execute(schema.LAST).fetchone() or (0, GENESIS)
    found = Recovered(seq, bytes(last))
    found.read(data, (0, JOURNAL_BYTES // 2))
    return len(found.rows), len(data)


def _growth(db: sqlite3.Connection, now_s: float) -> tuple[float | None, int]:
    """Return how much a day adds, and how much room the file has within itself. Unit: bytes."""
    page, pages, spare = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_size", "page_count", "freelist_count")
    )
    last, first = last_seq(db), first_seq(db)
    begun_s = _written_s(db, first) if last else None
    since = (datetime.fromtimestamp(now_s, UTC) - timedelta(days=GROWTH_DAYS)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    if begun_s is None:
        return None, spare * page
    span_s = now_s - max(begun_s, since.timestamp())
    attempts = sum(each.attempts for each in usage(db, ["day"], days=(str(since.date()), "9999")))
    if span_s < ENOUGH_S:
        return None, spare * page
    row_bytes = (pages - spare) * page / (last - first + 1)
    return attempts * _ROWS_AN_ATTEMPT * row_bytes / span_s * _DAY_S, spare * page


def _disk(home: Path, a_day: float | None, spare_bytes: int) -> Disk | None:
    try:
        found = os.statvfs(home)
    except OSError:
        return None
    return Disk(home, found.f_bavail * found.f_frsize + spare_bytes, a_day)


def judge(found: Ledger, now_s: float, *, is_running: bool) -> Iterator[Finding]:
    """Yield what the files mean. Shapes: is_running: a gateway of this home answers."""
    if not found.is_there:
        yield ok(CHECK, f"{found.path} is not there yet: the first start makes it")
        return
    if found.failure:
        advice = (
            "run the arkway that wrote it, or `arkway ledger restore COPY` with the gateway stopped"
        )
        yield problem(CHECK, found.failure, advice)
        return
    if found.faults:
        advice = "see all of them: `arkway ledger verify`; then `arkway ledger restore COPY`"
        yield problem(CHECK, "; ".join(found.faults), advice)
    else:
        text = f"schema {schema.SCHEMA_VERSION}, {found.rows} rows, {size(found.file_bytes)}"
        yield ok(
            CHECK, f"{text}; the last {min(CHECKED_ROWS, found.rows)} rows are what was written"
        )
    yield from _writer(found, is_running=is_running)
    yield from _waiting(found, now_s, is_running=is_running)


def _writer(found: Ledger, *, is_running: bool) -> Iterator[Finding]:
    if found.holder is not None and not is_running:
        yield warning(
            CHECK,
            f"{found.holder} writes it, and does not answer at the configured ops port",
            "if it was started with --ops-port, set server.ops_port to the same",
        )
    elif found.holder is not None:
        yield ok(CHECK, f"{found.holder} writes it, and nobody else")
    size_bytes = found.journal_bytes
    if size_bytes is not None and size_bytes < JOURNAL_BYTES:
        text = f"its journal has {size(size_bytes)} instead of {size(JOURNAL_BYTES)}"
        yield warning(CHECK, text, "the next start makes it whole; was a copy cut short?")


def _waiting(found: Ledger, now_s: float, *, is_running: bool) -> Iterator[Finding]:
    """Yield what is not at its end: rows in the journal alone, attempts under way."""
    if found.journal is None:
        text = "its journal cannot be read"
        yield problem(CHECK, text, "run this as the user that the gateway runs as")
    if found.holder is not None or is_running:
        oldest_s = found.oldest_hold_s
        if oldest_s is not None and now_s - oldest_s > OLD_HOLD_S:
            hours = (now_s - oldest_s) / 3600
            text = f"{found.holds} attempts have no end, the oldest for {hours:.0f} h"
            yield warning(
                CHECK, text, "a restart marks them unknown; compare with the upstream's bill"
            )
        return
    if found.holds or found.journal:
        text = (
            f"{found.holds} attempts have no end and {found.journal or 0} rows are in the journal "
            "alone: the gateway was killed"
        )
        yield warning(CHECK, text, "nothing is lost: the next start puts both right, and says so")


def judge_disk(disk: Disk) -> Finding:
    """Return how long the room lasts."""
    free, a_day = disk.free_bytes, disk.bytes_a_day
    text = f"{size(free)} free for {disk.path}"
    days = None
    if a_day:
        days = free / a_day
        text += f"; the ledger grows by {size(a_day)} a day: {_span(days)}"
    elif a_day is None:
        text += "; too little has been written to say how long that lasts"
    else:
        text += "; the ledger has not grown this week"
    advice = "make room, or remove old rows: `arkway ledger prune --keep-days 90`"
    if free < VERY_LITTLE_BYTES or (days is not None and days < VERY_FEW_DAYS):
        return problem("disk", text, f"{advice}; a full disk refuses every call")
    if free < LITTLE_BYTES or (days is not None and days < FEW_DAYS):
        return warning("disk", text, advice)
    return ok("disk", text)


def _span(days: float) -> str:
    if days > 3650:
        return "more than ten years"
    return f"{days:.0f} days" if days < 730 else f"{days / 365:.0f} years"
