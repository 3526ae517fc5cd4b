"""What do tests of the ledger hold in their hands? A book on a real disk, and entries for it."""

import os
import sqlite3
import threading
from collections import deque

from arkway.ledger.book_file_io import BookFile
from arkway.ledger.book_io import Book
from arkway.ledger.entry import End, Intent, Kind, Outcome, UsageSource
from arkway.ledger.journal_io import Journal
from arkway.model.catalogue import Price

ROWS = "SELECT request_id, attempt, coalesce(body->>'kind', 'intent') FROM entries ORDER BY seq"
NOW_MS = 1_764_000_000_000
PRICE = Price(7, "CNY", 800_000_000, 160_000_000, 2_000_000_000)


def intent(number=1, attempt=1, **fields):
    known = {
        "request_id": f"id-{number:06d}",
        "attempt": attempt,
        "at_ms": NOW_MS + number,
        "key": "k1",
        "tenant": "t1",
        "account": "a1",
        "model": "M",
        "upstream_model": "m-1",
        "currency": "CNY",
    }
    return Intent(**known | fields)


def end(number=1, attempt=1, kind=Kind.SETTLE, outcome=Outcome.COMPLETED, **fields):
    counts = (
        {"uncached": 10, "cached": 5, "output": 3, "cost_nano": 100} if kind == "settle" else {}
    )
    return End(
        f"id-{number:06d}",
        attempt,
        fields.pop("at_ms", NOW_MS + number + 1),
        kind,
        outcome,
        fields.pop("source", UsageSource.UPSTREAM if kind == "settle" else UsageSource.NONE),
        **counts | fields,
    )


class TurningLoop:
    """An event loop that turns when the test says so; calls from threads wait for it too."""

    def __init__(self):
        self._calls = deque()
        self._lock = threading.Condition()

    def call_soon(self, callback, *arguments):
        with self._lock:
            self._calls.append((callback, arguments))
            self._lock.notify()

    call_soon_threadsafe = call_soon

    def call_later(self, _delay_s, callback):
        self.call_soon(callback)

    def turn(self):
        while self._calls:
            callback, arguments = self._calls.popleft()
            callback(*arguments)

    def turn_until(self, condition, limit_s=10.0):
        """Turn until `condition()` holds."""
        while not condition():
            with self._lock:
                if not self._calls and not self._lock.wait(limit_s):
                    raise AssertionError("nothing happened any more")
            self.turn()


class Disk:
    """A disk that works until it is told not to."""

    def __init__(self):
        self.trouble = None
        self.is_liar = False  # says that it has trouble, and writes
        self.writes = 0

    def write(self, file, data, offset):
        self.writes += 1
        if self.trouble is not None:
            if self.is_liar:
                os.pwrite(file, data, offset)
            raise self.trouble
        return os.pwrite(file, data, offset)  # no test of ours cuts the power


class LedgerLab:
    """A book in a directory of its own; it may be closed, crashed and opened again."""

    def __init__(self, folder):
        self.path = folder / "ledger.db"
        self.loop = TurningLoop()
        self.disk = Disk()
        self.said = []
        self.told = {}
        self.book = None

    def open(self, now_ms=NOW_MS + 1_000_000):
        file = BookFile(self.path)
        journal = Journal(self.path.with_suffix(".journal"), self.disk.write)
        self.book = Book(file, journal, self.loop, self.said.append)
        return self.book.open(now_ms)

    def append(self, *entries):
        for entry in entries:
            key = entry.request_id, entry.attempt, type(entry).__name__
            self.book.append(entry, lambda is_durable, key=key: self.told.update({key: is_durable}))

    def write(self, *entries):
        """Append and wait until each is durable."""
        before = len(self.told)
        self.append(*entries)
        self.loop.turn_until(lambda: len(self.told) >= before + len(entries))

    def close(self):
        self.book.close()

    def crash(self):
        """Forget the process: what is on the disk stays, nobody tidies up."""
        book, self.book = self.book, None
        book._is_stopping = True
        book._kept.clear()
        book._unfiled.clear()
        if not book._is_awake:
            book._is_awake = True
            book._wake.release()
        book._writer.join(5)
        book._filer.join(5)
        book._journal.close()
        book._file.close()

    def rows(self, sql=ROWS):
        with sqlite3.connect(self.path) as db:
            return db.execute(sql).fetchall()
