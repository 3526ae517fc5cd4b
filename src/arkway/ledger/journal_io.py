"""What makes an entry durable? One write to a file of fixed size, on the disk when it returns.

The journal holds what the book's database does not hold yet: a second of entries, more when the
database is slow. A group of entries is one `pwritev` with `RWF_DSYNC`: a single system call, during
which the event loop has the interpreter to itself, into blocks that exist already, so that no
metadata has to follow. When the database has caught up the journal begins again at its start.

A line is `SEQ HASH BODY`. What a crash tore, and what an earlier round left behind, cannot be
mistaken for an entry: it does not link to the last one (`ledger.chain`, `ledger.recover`).
"""

import os
from collections.abc import Callable
from pathlib import Path

from arkway.ledger.recover import Recovered

# 16 MiB are about 40 000 entries: seconds of the fastest load, until the database has them.
JOURNAL_BYTES = 16 * 1024 * 1024

# A group of 1024 entries of 2 KiB, which is more than any entry has.
ROOM_BYTES = 2 * 1024 * 1024

Write = Callable[[int, bytes, int], int]  # (file, data, offset) -> bytes written, all on the disk


class JournalFull(Exception):
    """The group has no room before the database has caught up."""


class Journal:
    """One journal file."""

    def __init__(self, path: Path, write: Write | None = None) -> None:
        self._path = path
        self._write = write or _write_through
        self._file = -1
        self._offset = 0
        self._doubtful_to = 0  # a write that failed may have left lines up to here

    def open(self, seq: int, last: bytes) -> Recovered:
        """Open the file, made if there is none; return what follows entry `seq` with hash `last`.

        Errors:  OSError.
        """
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        found = Recovered(seq, last)
        found.read(self._path.read_bytes())
        missing = JOURNAL_BYTES - os.fstat(self._file).st_size
        if missing > 0:  # written, not only reserved: later writes must change no metadata
            os.pwrite(self._file, bytes(missing), JOURNAL_BYTES - missing)
            os.fsync(self._file)
        return found

    @property
    def is_at_start(self) -> bool:
        """Whether nothing was written in this round."""
        return self._offset == 0

    @property
    def is_full(self) -> bool:
        """Whether a group may not find room any more."""
        return self._offset > JOURNAL_BYTES - ROOM_BYTES

    def rewind(self) -> None:
        """Begin again at the start: the database holds everything."""
        self._offset = 0

    def append(self, data: bytes) -> None:
        """Write whole lines, a group; they are on the disk when it returns.

        Errors:  JournalFull: nothing was written. OSError: what was written is not known.
        """
        data = b"\n" + data  # tells a torn group from one that was written and damaged since
        if self._offset + len(data) > JOURNAL_BYTES:
            raise JournalFull
        end = self._offset + len(data)
        if self._doubtful_to:  # those lines were refused: nothing of them may be read again
            data = data.ljust(self._doubtful_to - self._offset, b"\n")
        self._doubtful_to = self._offset + len(data)
        written = self._write(self._file, data, self._offset)
        if written != len(data):
            raise OSError(f"the journal took {written} of {len(data)} bytes")
        self._doubtful_to, self._offset = 0, end

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _write_through(file: int, data: bytes, offset: int) -> int:
    return os.pwritev(file, [data], offset, os.RWF_DSYNC)
