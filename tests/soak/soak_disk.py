"""Does the ledger keep its promise when the disk does not? Cut its power, fill it, flip its bits.

    python tests/soak/soak_disk.py [POINTS] [SEED]

The real book, journal and database, in this process, on files whose writes are ours to spoil:

- power cuts: at a write, files become what a disk may hold that lost power then. What was synced
  stays. Of what was not, each sector of 512 bytes is there or not, whatever its order.
- refusals: each of the first 50 writes to the journal fails (with nothing, half or all of it
  written all the same), and each of the first 50 statements to the database.
- flips: one bit, in the rows, anywhere in the database's file, in its write-ahead log, in the
  journal.

After each the book is opened again and compared with what had been acknowledged.
"""

import errno
import json
import random
import sqlite3
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1]))

from arkway.ledger import book_io, journal_io
from arkway.ledger.book_file_io import BookFile
from arkway.ledger.book_io import Book
from arkway.ledger.entry import Kind, Outcome, encode
from arkway.ledger.journal_io import Journal
from arkway.ledger.read_io import reading
from arkway.ledger.rows_io import verify, verify_file
from support.ledger_lab import Disk, LedgerLab, end, intent

SECTOR = 512
DATABASE, WAL, JOURNAL = "ledger.db", "ledger.db-wal", "ledger.journal"
FILES = (DATABASE, WAL, JOURNAL)
ERRORS = (errno.ENOSPC, errno.EIO)
CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"
FIRST_WRITES = 50
PLACES = 200


@dataclass
class Findings:
    """What was tried, and what was not as it should be."""

    power_cuts: int = 0
    torn: int = 0  # of them, those that left a part of what was being written
    power_cuts_in_recovery: int = 0
    acknowledged: int = 0  # entries that were held against an image, over all images
    refused_writes: int = 0
    refused_statements: int = 0
    flips: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def count(self, kind: str) -> None:
        self.flips[kind] = self.flips.get(kind, 0) + 1


@contextmanager
def small_and_quick(half: int = 1 << 17):
    """Make journals small and waits short: thousands of books are opened here."""
    with ExitStack() as stack:
        for module, values in (
            (journal_io, {"JOURNAL_BYTES": 2 * half, "HALF_BYTES": half, "ROOM_BYTES": 1 << 13}),
            (book_io, {"FILE_EVERY_S": 0.001, "RETRY_S": (0.001,)}),
        ):
            stack.enter_context(patch.multiple(module, **values))
        yield


# -- what a disk may hold --------------------------------------------------------------------------


def mixed(before: bytes, after: bytes, dice: random.Random, share: float) -> bytes:
    """Return a file some of whose changed sectors were written."""
    size = len(after) if dice.random() < 0.5 else max(len(before), len(after))
    image = bytearray(before.ljust(size, b"\0")[:size])
    for at in range(0, len(after), SECTOR):
        if dice.random() < share:
            image[at : at + SECTOR] = after[at : at + SECTOR]
    return bytes(image)


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}


def lay_out(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)


class SpoiledDisk(Disk):
    """A journal's disk that tells of each write before it makes it."""

    def __init__(self, before_write):
        super().__init__()
        self.before_write = before_write

    def write(self, file, data, offset):
        self.before_write(data, offset)
        return super().write(file, data, offset)


class Witness:
    """What was given to the book, and what of it was acknowledged."""

    def __init__(self):
        self.given = {}  # (id, attempt, is_end) -> body
        self.acknowledged = set()

    def append(self, lab, *entries):
        """Give entries to the book, and wait until each is acknowledged or refused."""
        waiting = []
        for entry in entries:
            key = entry.request_id, entry.attempt, int(hasattr(entry, "outcome"))
            self.given[key] = encode(entry)

            def told(is_durable, key=key):
                waiting.remove(key)
                if is_durable:
                    self.acknowledged.add(key)

            waiting.append(key)
            if not lab.book.append(entry, told):
                waiting.remove(key)
        lab.loop.turn_until(lambda: not waiting)

    def problems(self, folder: Path, findings: Findings) -> list[str]:
        """Open the book in `folder` as a start does; return what is not as it should be."""
        lab = LedgerLab(folder)
        opened = lab.open()
        lab.close()
        with reading(lab.path) as db:
            rows = db.execute(
                "SELECT request_id, attempt, is_end, CAST(body AS BLOB) FROM entries"
            ).fetchall()
            found = [f"row {fault.seq}: {fault.reason}" for fault in verify(db)]
            found += verify_file(db)
        if opened.damaged or opened.mended:
            found.append(f"the start found damage: {opened}")
        bodies = {row[:3]: row[3] for row in rows}
        for key in self.acknowledged:
            if bodies.get(key) != self.given[key]:
                found.append(f"acknowledged and not there: {key}")
        for key, body in bodies.items():
            is_recovered = key[2] and Outcome.CRASHED.encode() in body
            if body != self.given.get(key) and not is_recovered:
                found.append(f"there and never given: {key}")
            if (*key[:2], 1 - key[2]) not in bodies:
                found.append(f"half an attempt: {key}")
        findings.acknowledged += len(self.acknowledged)
        return found


# -- power cuts ------------------------------------------------------------------------------------


class PowerCuts:
    """A book at work, and at its writes the images of cuts."""

    def __init__(self, folder: Path, seed: int, points: int, findings: Findings) -> None:
        self.live, self.image = folder / "live", folder / "image"
        self.live.mkdir(parents=True)
        self.dice, self.points, self.findings = random.Random(seed), points, findings
        self.witness = Witness()
        self.number = 0
        self.running = []
        self.restart_from = None
        self.is_filing = False
        self.lab = self.opened()

    def opened(self) -> LedgerLab:
        lab = LedgerLab(self.live)
        lab.disk = SpoiledDisk(self.before_write)
        with patch.object(Book, "_file_on", lambda _: None):  # filing is this test's to time
            lab.open()
        return lab

    def run(self) -> None:
        while self.findings.power_cuts < self.points and not self.findings.problems:
            self.turn()
            chance = self.dice.random()
            if chance < 0.25 or self.lab.book.state.unfiled > 12:
                self.unsynced(self.lab.book.file_now, {WAL})
            elif chance < 0.3:
                self.lab.book.file_now()
                database = self.lab.book._file._database
                self.unsynced(partial(database.execute, CHECKPOINT), {DATABASE})
            if self.restart_from is not None:
                self.restart()
        self.lab.close()

    def turn(self) -> None:
        """Let some calls begin and some end, in one group."""
        group, began = [], []
        for _ in range(self.dice.randrange(1, 6)):
            if self.running and self.dice.random() < 0.5:
                call = self.running.pop(self.dice.randrange(len(self.running)))
                kind = self.dice.choice([Kind.SETTLE, Kind.SETTLE, Kind.VOID, Kind.UNKNOWN])
                group.append(end(call, kind=kind))
            else:
                self.number += 1
                began.append(self.number)
                group.append(intent(self.number, why="x" * self.dice.randrange(600)))
        self.witness.append(self.lab, *group)
        self.running += began

    def before_write(self, data: bytes, offset: int) -> None:
        """Cut the power within a write to the journal."""
        files = contents(self.live)
        before = files[JOURNAL]
        after = before[:offset] + data + before[offset + len(data) :]
        for share in self.shares():
            self.cut({**files, JOURNAL: mixed(before, after, self.dice, share)}, share)

    def unsynced(self, work, names: set[str]) -> None:
        """Cut the power within what `work` writes to the database's files before it syncs."""
        before = contents(self.live)
        work()
        after = contents(self.live)
        for share in self.shares():
            files = dict(before)
            for name in names:
                old, new = before.get(name, b""), after.get(name, b"")
                files[name] = mixed(old, new, self.dice, share)
            self.cut(files, share)

    def shares(self) -> list[float]:
        """How much of what is not synced is there: nothing, all, or by chance."""
        left = self.points - self.findings.power_cuts
        return self.dice.sample([0.0, 1.0, 0.5, 0.5, 0.9, 0.1], k=min(left, 3))

    def cut(self, files: dict[str, bytes], share: float) -> None:
        self.findings.power_cuts += 1
        self.findings.torn += 0 < share < 1
        if self.restart_from is None and self.dice.random() < 0.02:
            self.restart_from = files
        if self.dice.random() < 0.1:
            files = self.cut_in_recovery(files)
        lay_out(self.image, files)
        for problem in self.witness.problems(self.image, self.findings):
            self.findings.problems.append(f"cut {self.findings.power_cuts}: {problem}")

    def cut_in_recovery(self, files: dict[str, bytes]) -> dict[str, bytes]:
        """Return what is there if the power goes again in the start after a cut."""
        lay_out(self.image, files)
        lab = LedgerLab(self.image)
        lab.open()
        after = contents(self.image)
        lab.crash()
        self.findings.power_cuts_in_recovery += 1
        wal = mixed(files.get(WAL, b""), after.get(WAL, b""), self.dice, 0.5)
        return {**files, WAL: wal}

    def restart(self) -> None:
        """Let a cut be what really happened, and go on from there."""
        files, self.restart_from = self.restart_from, None
        self.lab.crash()
        lay_out(self.live, files)
        # What came after the image was not acknowledged in the world in which that cut happened.
        survived = LedgerLab(self.live)
        survived.open()
        survived.close()
        rows = survived.rows("SELECT request_id, attempt, is_end, CAST(body AS BLOB) FROM entries")
        self.witness.acknowledged &= {
            row[:3] for row in rows if row[3] == self.witness.given.get(row[:3])
        }
        self.running = []
        self.lab = self.opened()


# -- refusals --------------------------------------------------------------------------------------


class RefusingDisk(Disk):
    """A journal's disk that refuses some writes, of which it has made a part."""

    def __init__(self, first: int, last: int, error: int, share: float) -> None:
        super().__init__()
        self.range, self.error, self.share = range(first, last + 1), error, share

    def write(self, file, data, offset):
        if self.writes + 1 in self.range:
            part = data[: int(len(data) * self.share)]
            super().write(file, part, offset) if part else setattr(self, "writes", self.writes + 1)
            raise OSError(self.error, "refused")
        return super().write(file, data, offset)


class RefusingDatabase:
    """A connection to the database whose n-th statements fail."""

    def __init__(self, path: Path, fails_at: set[int], error: int, counter: list[int]) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._fails_at, self._counter = fails_at, counter
        full = error == errno.ENOSPC
        self._text = "database or disk is full" if full else "disk I/O error"

    def execute(self, sql, *arguments):
        if sql.lstrip().startswith(("SELECT", "PRAGMA", "ROLLBACK")):
            return self._db.execute(sql, *arguments)
        self._counter[0] += 1
        if self._counter[0] in self._fails_at:
            raise sqlite3.OperationalError(self._text)
        return self._db.execute(sql, *arguments)

    def __getattr__(self, name):
        return getattr(self._db, name)


def work_under_refusals(folder: Path, lab: LedgerLab, findings: Findings, dies: bool) -> list[str]:
    """Make 60 groups, whatever is refused; end by a crash or a close; return the problems."""
    witness = Witness()
    numbers = range(1, 61)
    for number in numbers:
        before = (
            [end(number - 1)] if ("id-%06d" % (number - 1), 1, 0) in witness.acknowledged else []
        )
        witness.append(lab, intent(number), *before)
        if not lab.book.is_open:  # it opens again by itself
            lab.loop.turn_until(lambda: lab.book.is_open)
    lab.crash() if dies else lab.close()
    lab.book = None
    return witness.problems(folder, findings)


def refuse_writes(folder: Path, at: int, error: int, share: float, findings: Findings) -> None:
    lay_out(folder, {})
    lab = LedgerLab(folder)
    lab.disk = RefusingDisk(at, at + at % 3, error, share)
    lab.open()
    problems = work_under_refusals(folder, lab, findings, dies=at % 2 == 0)
    if len(lab.said) < 2:
        problems.append("the book never closed and opened again")
    findings.refused_writes += 1
    case = f"write {at} refused with {errno.errorcode[error]}, {share:.0%} written"
    findings.problems += [f"{case}: {problem}" for problem in problems]


def refuse_statements(folder: Path, at: int, error: int, findings: Findings) -> None:
    lay_out(folder, {})
    lab = LedgerLab(folder)
    counter, fails_at = [0], set()

    def connect(path):
        return RefusingDatabase(path, fails_at, error, counter)

    journal = Journal(lab.path.with_suffix(".journal"), lab.disk.write)
    lab.book = Book(BookFile(lab.path, connect), journal, lab.loop, lab.said.append)
    lab.book.open(0)
    counter[0] = 0
    fails_at |= {at, at + 1}
    problems = work_under_refusals(folder, lab, findings, dies=False)
    findings.refused_statements += 1
    case = f"statement {at} refused with {errno.errorcode[error]}"
    findings.problems += [f"{case}: {problem}" for problem in problems]


# -- flips -----------------------------------------------------------------------------------------


def flipped(data: bytes, place: int, bit: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


def a_book(folder: Path, calls: int, *, is_closed: bool) -> tuple[Witness, dict[str, bytes]]:
    """Return the files of a book with some calls of several keys, models and days."""
    lay_out(folder, {})
    lab, witness = LedgerLab(folder), Witness()
    with patch.object(Book, "_file_on", lambda _: None):
        lab.open()
    for number in range(1, calls + 1):
        at_ms = 1_764_000_000_000 + number * 7_200_000
        fields = {"key": f"k{number % 5}", "model": f"m{number % 3}", "at_ms": at_ms}
        witness.append(lab, intent(number, **fields), end(number, at_ms=at_ms + 9))
        if number == calls * 2 // 3:
            lab.book.file_now()
    if is_closed:
        lab.book.file_now()
        lab.close()
    files = contents(folder)
    if not is_closed:
        lab.crash()
    return witness, files


def told_of(folder: Path) -> tuple[list[str], object]:
    """Return what `arkway ledger verify` says of a book, and all it holds."""
    path = folder / DATABASE
    try:
        with reading(path) as db:
            said = [f"row {fault.seq}" for fault in verify(db)] + [*verify_file(db)]
            holds = [
                db.execute(f"SELECT * FROM {table}").fetchall()
                for table in ("entries", "daily", "meta")
            ]
    except Exception as error:  # the command prints it
        return [repr(error)], None
    return said, holds


def flip_rows(folder: Path, places: int, dice: random.Random, findings: Findings) -> None:
    """Flip bits in texts and hashes of rows: each is named, by its row and no other."""
    witness, files = a_book(folder / "book", 300, is_closed=True)
    image, data = folder / "image", files[DATABASE]
    bodies = [*witness.given.values()]
    for _ in range(places):
        seq = dice.randrange(len(bodies)) + 1
        body = bodies[seq - 1]
        start = data.index(body)
        place = start + dice.randrange(len(body) + 16)  # the hash follows the text
        lay_out(image, {DATABASE: flipped(data, place, dice.randrange(8))})
        said, _ = told_of(image)
        findings.count("rows")
        if [line for line in said if line.startswith("row ")] != [f"row {seq}"]:
            findings.problems.append(f"a bit of row {seq} flipped, verify said {said}")


def flip_file(folder: Path, places: int, dice: random.Random, findings: Findings) -> None:
    """Flip bits anywhere in the database: each is named, or nothing of what it holds differs."""
    _, files = a_book(folder / "book", 300, is_closed=True)
    image, data = folder / "image", files[DATABASE]
    lay_out(image, files)
    clean, right = told_of(image)
    assert clean == []
    for _ in range(places):
        place = dice.randrange(len(data))
        lay_out(image, {DATABASE: flipped(data, place, dice.randrange(8))})
        said, holds = told_of(image)
        findings.count("file, named" if said else "file, of no consequence")
        if not said and holds != right:
            findings.problems.append(f"byte {place} of the file flipped, and nobody said so")


def flip_log(folder: Path, places: int, dice: random.Random, findings: Findings) -> None:
    """Flip bits in the write-ahead log of a book that crashed: named, or nothing is lost."""
    witness, files = a_book(folder / "book", 300, is_closed=False)
    for _ in range(places):
        place = dice.randrange(len(files[WAL]))
        lay_out(folder / "image", {**files, WAL: flipped(files[WAL], place, dice.randrange(8))})
        problems = witness.problems(folder / "image", findings)
        if any("missing" in each or "damage" in each for each in problems):
            findings.count("write-ahead log, named")
        else:
            findings.count("write-ahead log, nothing lost")
            findings.problems += [f"byte {place} of the log flipped: {each}" for each in problems]


def flip_journal(folder: Path, places: int, dice: random.Random, findings: Findings) -> None:
    """Flip bits in the journal of a book that crashed: nothing is lost."""
    witness, files = a_book(folder / "book", 300, is_closed=False)
    size = len(files[JOURNAL].rstrip(b"\0"))
    for _ in range(places):
        place = dice.randrange(size)
        image = flipped(files[JOURNAL], place, dice.randrange(8))
        lay_out(folder / "image", {**files, JOURNAL: image})
        problems = witness.problems(folder / "image", findings)
        findings.count("journal, put right" if problems else "journal, filed before")
        problems = [each for each in problems if "mended=1" not in each or "damaged=0" not in each]
        findings.problems += [f"byte {place} of the journal flipped: {each}" for each in problems]


def soak(folder: Path, points: int, seed: int, writes: range, places: int) -> Findings:
    findings, dice = Findings(), random.Random(seed)
    with small_and_quick(half=1 << 14):  # so that rounds change often
        PowerCuts(folder / "power", seed, points, findings).run()
    with small_and_quick():
        for at in writes:
            for error in ERRORS:
                for share in (0.0, 0.5, 1.0):
                    refuse_writes(folder / "refused", at, error, share, findings)
                refuse_statements(folder / "refused", at, error, findings)
        for flip in (flip_rows, flip_file, flip_log, flip_journal):
            inside = folder / flip.__name__
            inside.mkdir()
            flip(inside, places, dice, findings)
    return findings


def main() -> None:
    points = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="arkway-soak-") as folder:
        findings = soak(Path(folder), points, seed, range(1, FIRST_WRITES + 1), PLACES)
    result = asdict(findings) | {"seed": seed, "took_s": round(time.monotonic() - began_s, 1)}
    print(json.dumps(result, indent=1))
    sys.exit(1 if findings.problems else 0)


if __name__ == "__main__":
    main()
