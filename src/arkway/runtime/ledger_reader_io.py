"""What does the ledger say to the running gateway? Totals for limits, and callers' own usage."""

import sqlite3
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from arkway.admission.totals import Seed
from arkway.ledger.book_io import Book
from arkway.ledger.read_io import UsageLine, reading, spent, usage
from arkway.model.ids import KeyId


class LedgerReader:
    """Reads this home's ledger in the event loop: few look-ups by index, sums by day only."""

    def __init__(self, book: Book, path: Path) -> None:
        self._book, self._path = book, path
        self._stack = ExitStack()
        self._opened: sqlite3.Connection | None = None

    def seed(self, key_id: KeyId, unix_s: int) -> Seed:
        """Return what was settled for a key; `admission.totals.Seeds`.

        Asked once for a key that comes back after two minutes of rest.
        """
        db = self._current()
        today = datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d")
        ever = spent(db, key_id)
        return Seed(
            tokens=ever.tokens,
            total_nano=ever.cost_nano,
            day_nano=spent(db, key_id, today).cost_nano,
            month_nano=spent(db, key_id, today[:8] + "01").cost_nano,
        )

    def usage(self, key_id: KeyId, days: tuple[str, str]) -> list[UsageLine]:
        """Return what a key has used, by day and model."""
        return usage(self._current(), ("day", "model"), {"key": key_id}, days)

    def close(self) -> None:
        """Let go of the ledger."""
        self._stack.close()

    def _current(self) -> sqlite3.Connection:
        """Return a connection that sees everything durable: what waits is filed first."""
        self._book.file_now()
        if self._opened is None:
            self._opened = self._stack.enter_context(reading(self._path))
        return self._opened
