"""What makes an entry durable? One write to a file of fixed size, on the disk when it returns.

The journal holds what the book's database does not hold yet: a second of entries, more when the
database is slow. A group of entries is one `pwritev` with `RWF_DSYNC`: a single system call, into
blocks that exist already, so that no metadata has to follow. The file has two halves: while one is
written the database takes what is in the other, so that a lasting load never waits for it.

A line is `SEQ HASH BODY`. What a crash tore, and what an earlier round left behind, cannot be
mistaken for an entry: it does not link to the last one (`ledger.chain`, `ledger.recover`).
"""

import os
from collections.abc import Callable
from pathlib import Path

from arkway.ledger.recover import Recovered

# 16 MiB are about 40 000 entries: seconds of the fastest load, until the database has them.
JOURNAL_BYTES = 16 * 1024 * 1024

HALF_BYTES = JOURNAL_BYTES // 2

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
        self._last_seqs = [0, 0]  # the last entry in each half
        self._filed_seq = 0
        self._doubtful_bytes = 0  # from the offset on: what a write that failed may have left

    def open(self, seq: int, last: bytes) -> Recovered:
        """Open the file, made if there is none; return what follows entry `seq` with hash `last`.

        Errors:  OSError.
        """
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        self._offset, self._last_seqs, self._filed_seq = 0, [0, 0], seq
        found = Recovered(seq, last)
        found.read(self._path.read_bytes(), (0, HALF_BYTES))
        missing = JOURNAL_BYTES - os.fstat(self._file).st_size
        if missing > 0:  # written, not only reserved: later writes must change no metadata
            os.pwrite(self._file, bytes(missing), JOURNAL_BYTES - missing)
            os.fsync(self._file)
        return found

    @property
    def is_full(self) -> bool:
        """Whether a group may not find room before the database has taken more."""
        half = self._half
        ends = (half + 1) * HALF_BYTES
        return self._offset > ends - ROOM_BYTES and not self._is_free(1 - half)

    def filed(self, seq: int) -> None:
        """Learn that the database holds every entry up to `seq`. From any thread."""
        self._filed_seq = seq

    def append(self, data: bytes, seq: int) -> None:
        """Write a group, lines up to that of entry `seq`; they are on the disk when it returns.

        Errors:  JournalFull: nothing was written. OSError: what was written is not known.
        """
        if self._doubtful_bytes:  # those lines were refused: nothing of them may be read again
            self._write_all(b"\n" * self._doubtful_bytes, self._offset)
            self._doubtful_bytes = 0
        data = b"\n" + data  # tells a torn group from one that was written and damaged since
        half, offset = self._half, self._offset
        if offset + len(data) > (half + 1) * HALF_BYTES:
            half = 1 - half
            offset = half * HALF_BYTES
            if len(data) > HALF_BYTES or not self._is_free(half):
                raise JournalFull("the database does not keep up")
        self._offset, self._doubtful_bytes = offset, len(data)
        self._write_all(data, offset)
        self._offset, self._doubtful_bytes = offset + len(data), 0
        self._last_seqs[half] = seq

    def _write_all(self, data: bytes, offset: int) -> None:
        written = self._write(self._file, data, offset)
        if written != len(data):
            raise OSError(f"the journal took {written} of {len(data)} bytes")

    @property
    def _half(self) -> int:
        """Return which half is being written; a full first half ends where the second begins."""
        return int(self._offset > HALF_BYTES)

    def _is_free(self, half: int) -> bool:
        return self._last_seqs[half] <= self._filed_seq

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _write_through(file: int, data: bytes, offset: int) -> int:
    return os.pwritev(file, [data], offset, os.RWF_DSYNC)
