"""Has an entry been changed since it was written? Each is hashed together with the one before.

The hash of an entry covers its number, its text and the hash of its predecessor; the last hash
therefore vouches for the whole book. It is no signature: whoever may write the file can write a
new chain. It finds bits that flipped, rows that went missing and edits by hand.
"""

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple

HASH_BYTES = 16
GENESIS = bytes(HASH_BYTES)  # before the first entry


class Row(NamedTuple):
    """One row of the book as it is stored."""

    seq: int
    request_id: str
    attempt: int
    is_end: int
    body: bytes
    hash: bytes


# The columns a body belongs to: request_id, attempt, is_end; None if it is no entry.
ColumnsOf = Callable[[bytes], tuple[str, int, int] | None]


class Fault(NamedTuple):
    """One row that is not what was written."""

    seq: int
    reason: str


def link(before: bytes, seq: int, body: bytes) -> bytes:
    """Return the hash of entry `seq`, whose predecessor's hash is `before`."""
    return blake2b(b"%b%d:%b" % (before, seq, body), digest_size=HASH_BYTES).digest()


def faults(rows: Iterable[Row], before: bytes, columns_of: ColumnsOf) -> Iterator[Fault]:
    """Yield what is wrong with `rows`, in the order of their numbers.

    A row that does not link may have a changed text or a changed hash; the next one tells which,
    for it links to one of the two. So a flipped bit is named once, by the row it is in.
    Shapes:  before: the hash that precedes the first row.
    """
    expected_seq: int | None = None
    possible = {before}
    for row in rows:
        links = {link(hash_before, row.seq, row.body) for hash_before in possible}
        if expected_seq is not None and row.seq != expected_seq:
            yield Fault(row.seq, f"rows {expected_seq} to {row.seq - 1} are missing")
            links = {row.hash}
        elif row.hash not in links:
            yield Fault(row.seq, "its text or its hash is not what was written")
            links.add(row.hash)
        elif columns_of(row.body) != (row.request_id, row.attempt, row.is_end):
            yield Fault(row.seq, "its columns do not say what its text says")
            links = {row.hash}
        else:
            links = {row.hash}
        possible, expected_seq = links, row.seq + 1
