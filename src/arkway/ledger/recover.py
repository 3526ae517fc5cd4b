"""What does a journal hold that the database does not? Read after a crash, bit by bit if need be.

The lines of a round lie one after the other from the start of the file, with an empty line before
each group; what follows them is torn, of an earlier round, or zeros. Only a line that links to the
one before it is taken, and at the first that does not the reading ends. Before that, a flipped bit
is looked for: every line with one bit changed is tried against its hash, so that damage to one bit,
wherever it is, costs nothing. A torn line cannot be mended so: it would have to hit a hash of 128
bits.
"""

import re
from binascii import hexlify
from collections.abc import Iterator

from arkway.ledger.chain import HASH_BYTES, link

Line = tuple[int, bytes, bytes]  # seq, body, hash

# An entry is below 2 KiB, its line is a little longer.
MAX_LINE_BYTES = 4096
# Each costs a hash for every bit of a line, 10 ms or so: a start stays short. A crash costs one,
# for what comes after the last line.
MAX_MENDED = 16
_blank = re.compile(rb"\n*").match


class Recovered:
    """What a journal holds beyond entry `seq`, whose hash is `last`: rows in order."""

    def __init__(self, seq: int, last: bytes) -> None:
        self.rows: list[Line] = []
        self.damaged = 0  # rows whose text or hash is not what was written
        self.mended = 0  # rows that one flipped bit had changed
        self._seq, self._hash = seq, last
        self._rounds: tuple[int, ...] = (0,)
        self._is_ours = False  # the journal continues this book and no other

    def read(self, data: bytes, rounds: tuple[int, ...] = (0,)) -> None:
        """Take all rows of a journal file.

        Shapes:  rounds: where rounds begin; which of them is the older one is not known.
        Cost:    a hash for each line; for each flipped bit, and a few times at the end, one for
                 each bit of a line.
        """
        self._rounds = rounds
        while self._read_on(data) or self._read_over_a_gap(data):
            pass

    def _read_on(self, data: bytes) -> bool:
        """Take the rows that follow the last one taken; return whether there were any."""
        taken = len(self.rows)
        for start in self._starts(data):
            at: int | None = start
            while at is not None:
                at = self._take(data, at)
            if len(self.rows) > taken:
                return True
        return False

    def _read_over_a_gap(self, data: bytes) -> bool:
        """Take the first row of a round that begins beyond what the database has.

        So it is when the database has lost what it had: rows are missing, and `verify` says which.
        """
        beyond = []
        for start in self._rounds:
            at = self._after_blank(data, start)
            found = _parse(data[at : data.find(b"\n", at, at + MAX_LINE_BYTES)])
            if found is not None and found[0] > self._seq + 1:
                beyond.append(found)
        if not beyond:
            return False
        self.damaged += 1
        self._accept(min(beyond))
        return True

    def _starts(self, data: bytes) -> Iterator[int]:
        """Yield where the next wanted line may begin, the likeliest first."""
        token = b"%d " % (self._seq + 1)
        at = data.find(b"\n" + token)
        while at >= 0:
            yield at + 1
            at = data.find(b"\n" + token, at + 1)
        yield from self._rounds
        # Its number or the end of the line before has changed: it follows the last one.
        before = data.find(b"%d %b " % (self._seq, self._hash.hex().encode()))
        if before >= 0:
            self._is_ours = True
            yield data.find(b"\n", before) + 1
            at = data.find(token, before, before + MAX_LINE_BYTES)
            while at >= 0:
                yield at
                at = data.find(token, at + 1, before + MAX_LINE_BYTES)

    @staticmethod
    def _after_blank(data: bytes, at: int) -> int:
        """Return where a line is: after what begins a group, or a failing disk may have taken."""
        blank = _blank(data, at)
        assert blank is not None, "nothing matches too"
        return blank.end()

    def _take(self, data: bytes, at: int) -> int | None:
        """Take the line at `at`; return where the next one begins, None at the end."""
        at = self._after_blank(data, at)
        end = data.find(b"\n", at, at + MAX_LINE_BYTES)
        found = _parse(data[at:end]) if end >= 0 else None
        if found is not None and self._links(found):
            self._accept(found)
            return end + 1
        return self._mend(data, at) or self._accept_damaged(data, found, end)

    def _links(self, found: Line) -> bool:
        seq, body, hash_ = found
        return seq == self._seq + 1 and link(self._hash, seq, body) == hash_

    def _mend(self, data: bytes, at: int) -> int | None:
        """Take the line at `at` with one bit changed, if there is such a line."""
        if self.mended >= MAX_MENDED or not data[at : at + 1].strip(b"\0"):
            return None
        text = bytearray(data[at : at + MAX_LINE_BYTES])
        end = text.find(b"\n")
        for place in range(end + 1 if end >= 0 else len(text)):
            for bit in range(8):
                text[place] ^= 1 << bit
                start = text.startswith(b"\n")  # the beginning of a group had changed
                line, newline, _ = text[start:].partition(b"\n")
                found = _parse(bytes(line)) if newline else None
                if found is not None and self._links(found):
                    self.mended += 1
                    self._accept(found)
                    return at + start + len(line) + 1
                text[place] ^= 1 << bit
        return None

    def _accept_damaged(self, data: bytes, found: Line | None, end: int) -> int | None:
        """Take a line that does not link if a later group goes on from it: then it was written.

        It is kept as it is, counted, and found by `verify` again. In the last group such a line
        was torn, and nobody was told that it is there.
        """
        if not self._is_ours or found is None or found[0] != self._seq + 1:
            return None
        for hash_ in (found[2], link(self._hash, found[0], found[1])):
            if self._goes_on(data, end + 1, found[0], hash_):
                self.damaged += 1
                self._accept((found[0], found[1], found[2]))
                self._hash = hash_
                return end + 1
        return None

    def _goes_on(self, data: bytes, at: int, seq: int, hash_: bytes) -> bool:
        """Return whether lines link from `at` on, into the group after, or into another round."""
        while True:
            is_later_group = data.startswith(b"\n", at)
            found = self._linked(data, at + is_later_group, seq, hash_)
            if found is None:
                starts = [self._after_blank(data, start) for start in self._rounds]
                return any(self._linked(data, start, seq, hash_) for start in starts)
            if is_later_group:
                return True
            at, seq, hash_ = at + len(line_of(*found)), found[0], found[2]

    @staticmethod
    def _linked(data: bytes, at: int, seq: int, hash_: bytes) -> Line | None:
        found = _parse(data[at : data.find(b"\n", at, at + MAX_LINE_BYTES)])
        if found is None or found[0] != seq + 1 or link(hash_, found[0], found[1]) != found[2]:
            return None
        return found

    def _accept(self, found: Line) -> None:
        self.rows.append(found)
        self._is_ours = True
        self._seq, _, self._hash = found


def line_of(seq: int, body: bytes, hash_: bytes) -> bytes:
    """Return the line of one entry."""
    return b"%d %b %b\n" % (seq, hexlify(hash_), body)


def _parse(line: bytes) -> Line | None:
    seq, _, rest = line.partition(b" ")
    hash_, _, body = rest.partition(b" ")
    if not seq.isdigit() or len(seq) > 18 or len(hash_) != 2 * HASH_BYTES or not body:
        return None
    try:
        return int(seq), body, bytes.fromhex(hash_.decode("ascii"))
    except ValueError:
        return None
