"""How is a book copied while it is written, and how does a copy become the book?"""

import sqlite3
from contextlib import closing
from pathlib import Path

from arkway.ledger.book_file_io import lock
from arkway.ledger.read_io import last_seq, reading
from arkway.ledger.rows_io import Tell, tell_nobody, verify

PAGES_A_STEP = 1024  # 4 MiB: the writer waits for no longer than one step


class BadBackup(Exception):
    """The file is no ledger, or a damaged one."""


def back_up(book: Path, target: Path, tell: Tell = tell_nobody) -> int:
    """Write a consistent copy of the book to `target`; return the number of its last entry.

    What is durable and not filed yet (half a second at most) is not in it. The copy is checked
    before it gets its name.
    Shapes:  tell: learns how far both are, each as a half of the whole.
    Errors:  NoBook, SchemaMismatch, FileExistsError, BadBackup, sqlite3.Error, OSError.
    """
    if target.exists():
        raise FileExistsError(f"{target} exists; a backup overwrites nothing")
    partial = target.with_name(target.name + ".part")
    partial.touch(mode=0o600)

    def copied(_: int, remaining: int, pages: int) -> None:
        tell(pages - remaining, 2 * pages)

    def checked(rows: int, whole: int) -> None:
        tell(whole + rows, 2 * whole)

    try:
        with reading(book) as source, closing(sqlite3.connect(partial)) as copy:
            source.backup(copy, pages=PAGES_A_STEP, progress=copied, sleep=0.01)
            copy.execute("PRAGMA journal_mode=DELETE")
        last = check(partial, checked)
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)
    return last


def check(copy: Path, tell: Tell = tell_nobody) -> int:
    """Return the number of the last entry of a copy whose every row is what was written.

    Errors:  BadBackup.
    """
    try:
        with reading(copy) as db:
            fault = next(verify(db, tell=tell), None)
            if fault is not None:
                raise BadBackup(f"{copy}: row {fault.seq}: {fault.reason}")
            return last_seq(db)
    except sqlite3.DatabaseError as error:
        raise BadBackup(f"{copy}: {error}") from None


def restore(copy: Path, book: Path, tell: Tell = tell_nobody) -> int:
    """Put a copy in the place of the book, which is kept beside it; return its last entry.

    The journal belongs to the book that is replaced and goes aside with it.
    Errors:  BadBackup, BookInUse, OSError.
    """
    last = check(copy, tell)
    with lock(book):
        _replace(copy, book)
    return last


def _replace(copy: Path, book: Path) -> None:
    fresh = book.with_name(book.name + ".restored")
    fresh.write_bytes(copy.read_bytes())
    fresh.chmod(0o600)
    for name in (book, book.with_suffix(".journal")):
        if name.exists():
            name.replace(name.with_name(name.name + ".before-restore"))
    for suffix in ("-wal", "-shm"):
        book.with_name(book.name + suffix).unlink(missing_ok=True)
    fresh.replace(book)
