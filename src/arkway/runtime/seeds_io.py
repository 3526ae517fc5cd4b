"""What has a key used before this process remembers it? Totals for limits, out of the ledger."""

import sqlite3
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from arkway.admission.totals import Seed
from arkway.ledger.book_io import Book
from arkway.ledger.read_io import reading, spent
from arkway.model.ids import KeyId


class LedgerSeeds:
    """Answers `admission.totals.Seeds` from the ledger of this home.

    Asked in the event loop, once for a key that comes back after two minutes of rest: a few
    look-ups by index, and a commit where entries still wait to be filed.
    """

    def __init__(self, book: Book, path: Path) -> None:
        self._book, self._path = book, path
        self._stack = ExitStack()
        self._db: sqlite3.Connection | None = None

    def __call__(self, key_id: KeyId, unix_s: int) -> Seed:
        """Return what was settled for a key, everything durable included."""
        self._book.file_now()
        if self._db is None:
            self._db = self._stack.enter_context(reading(self._path))
        today = datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d")
        ever = spent(self._db, key_id)
        return Seed(
            tokens=ever.tokens,
            total_nano=ever.cost_nano,
            day_nano=spent(self._db, key_id, today).cost_nano,
            month_nano=spent(self._db, key_id, today[:8] + "01").cost_nano,
        )

    def close(self) -> None:
        """Let go of the ledger."""
        self._stack.close()
