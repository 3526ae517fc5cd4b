"""Who writes the book? Entries become durable in groups, one a turn of the loop. Hot path.

    append -> chain, one write, told -> (filing thread) database, sums by day

What was appended in one turn of the event loop is one group: chained, written through to the disk
in one system call, and then everybody is told. The loop itself makes that call as long as the disk
takes it in a fraction of a millisecond: to hand it to a thread and back costs the interpreter
several times that. On a slower disk a thread makes it, and groups gather meanwhile. The filing
thread follows half a second behind.

Fail closed: when the disk gives trouble, everybody who waits is told, nothing more is taken
(`is_open`), and writing is tried again until it works. Ends that could not be written then are
kept and written first: their callers were told of a failure, but what the upstream charged is a
fact. (ADR 0014)
"""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from arkway.ledger.book_file_io import BookFile, decode
from arkway.ledger.chain import GENESIS, link
from arkway.ledger.entry import End, Intent, crashed_end, encode
from arkway.ledger.journal_io import Journal
from arkway.ledger.recover import line_of

# A call waits with one entry at a time, or with one for each of its choices: more than this is a
# disk that has stopped.
MAX_WAITING = 65_536
FILE_EVERY_S = 0.5
# Under load it is filed more often, a little at a time: the two threads share one interpreter, and
# a long turn of the other one is latency to everybody.
FILE_BUSY_EVERY_S = 0.05
BUSY_UNFILED = 200
MAX_FILED = 4096  # entries of one transaction: what it holds in memory follows
# After trouble the disk is tried again: often at first, for a full one may be cleared at once.
RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)
# A group waits this long for the database to make room in the journal.
ROOM_WAIT_S = 5.0
# A disk that takes longer is waited for in a thread: nobody's stream should stand still for it.
INLINE_S = 0.001
# A write is dear however little it holds: it blocks the loop for 0.1 ms and more. After a group
# that shows load the next one waits for several times what it took, as long as each turn brings
# more: so it holds most of the calls in progress, and a loop that has nothing else to do never
# waits. (By turns and not by a timer: those of the loop are whole milliseconds.)
BUSY_GROUP = 8
SPACING = 8
MAX_SPACING_S = 0.002
ENOUGH = 128
# The weight of the last write in the smoothed time of one.
_SMOOTHING = 0.1
# Entries of one write. A larger group would keep the interpreter from the event loop for longer.
MAX_GROUP = 1024

Told = Callable[[bool], None]  # whether the entry is durable; called in the event loop's thread
_Chained = tuple[int, Intent | End, bytes, bytes]
_Item = tuple[Intent | End, Told | None]


class Opened(msgspec.Struct, frozen=True):
    """What a start found."""

    entries: int  # the number of the last one
    recovered: int  # intents without an end, which are unknown now
    damaged: int  # entries near the end that are not what was written
    mended: int  # entries of the journal that one flipped bit had changed
    took_s: float


class BookState(msgspec.Struct, frozen=True):
    """How the writer is doing, for metrics and readiness."""

    is_open: bool
    waiting: int
    unfiled: int  # entries that are durable and not in the database yet
    commits: int
    entries: int
    last_commit_s: float
    kept_ends: int  # that wait for the disk to work again


class Loop(Protocol):
    """What the book needs of the event loop."""

    def call_soon(self, callback: Callable[[], None], /) -> object:
        """Call at the end of this turn."""

    def call_soon_threadsafe(self, callback: Callable[..., None], /, *args: object) -> object:
        """Call in the loop's thread, soon."""


class Book:
    """The one writer of a node's ledger. Call from the event loop's thread only."""

    def __init__(
        self,
        file: BookFile,
        journal: Journal,
        loop: Loop,
        report: Callable[[str], None],
    ) -> None:
        """Prepare; `open` opens.

        `report` is called, in the loop's thread, with one line for each change between open and
        closed.
        """
        self.is_open = False
        self._file, self._journal = file, journal
        self._call_soon, self._call_soon_threadsafe = loop.call_soon, loop.call_soon_threadsafe
        self._report = report
        self._seq, self._hash = 0, GENESIS
        self._waiting: deque[_Item] = deque()
        self._kept: deque[End] = deque()  # ends that met a closed book; bounded by open holds
        self._unfiled: deque[_Chained] = deque()  # bounded by the journal's size
        self._wake = threading.Lock()  # released to wake the thread; a Semaphore costs ten times
        self._wake.acquire()
        self._has_turn = False  # the end of the turn will see to what waits
        self._seen = 0  # how many waited at the end of the last turn
        self._is_awake = False  # the thread sees to it
        self._has_filed = threading.Event()
        self._filing = threading.Lock()
        self._is_stopping = False
        self._commits = self._entries = 0
        self._last_commit_s = self._usual_commit_s = self._next_s = 0.0
        self._writer = threading.Thread(target=self._write_on, name="journal", daemon=True)
        self._filer = threading.Thread(target=self._file_on, name="ledger", daemon=True)

    def open(self, now_ms: int) -> Opened:
        """Open the book, end what a crash left open, and begin to write.

        Errors:  sqlite3.Error, OSError; SchemaMismatch, BookInUse.
        """
        began_s = time.perf_counter()
        damaged = self._file.open()
        found = self._journal.open(self._file.seq, self._file.hash)
        rows = [(seq, decode(body), body, hash_) for seq, body, hash_ in found.rows]
        self._seq, self._hash = self._file.seq, self._file.hash
        readable = [(s, entry, body, hash_) for s, entry, body, hash_ in rows if entry is not None]
        if readable:
            self._file.add(readable)
            self._seq, self._hash = self._file.seq, self._file.hash
        crashed = self._file.open_holds()
        if crashed:
            self._file.add(self._chained([crashed_end(each, now_ms) for each in crashed]))
        self.is_open = True
        self._writer.start()
        self._filer.start()
        took_s = time.perf_counter() - began_s
        return Opened(self._seq, len(crashed), damaged + found.damaged, found.mended, took_s)

    def append(self, entry: Intent | End, told: Told | None = None) -> bool:
        """Take an entry; `told` learns when it is durable, or that it is not. False: not taken.

        An end that is not taken now is kept for when the book is open again.
        Cost:    about a microsecond; the rest is the threads'.
        """
        if not self.is_open or len(self._waiting) >= MAX_WAITING:
            if type(entry) is End:
                self._kept.append(entry)
            return False
        self._waiting.append((entry, told))
        if not self._has_turn:
            self._take_turn()
        return True

    @property
    def state(self) -> BookState:
        """How the writer is doing."""
        return BookState(
            self.is_open,
            len(self._waiting),
            len(self._unfiled),
            self._commits,
            self._entries,
            self._last_commit_s,
            len(self._kept),
        )

    def close(self, timeout_s: float = 10.0) -> None:
        """Write and file what waits, and close. Nobody is told any more."""
        if not self._writer.is_alive():
            return
        self._is_stopping = True
        if not self._is_awake:
            self._wake_thread()
        self._writer.join(timeout_s)
        self._filer.join(timeout_s)
        self._journal.close()
        self._file.close()

    def _take_turn(self) -> None:
        self._has_turn = True
        self._call_soon(self._end_turn)

    def _end_turn(self) -> None:
        """See to what waits, at the end of a turn: here, or in the thread."""
        self._has_turn = False
        waiting = len(self._waiting)
        if self._is_awake or not waiting:
            return  # the thread looks again before it sleeps
        if self._seen < waiting < ENOUGH and time.perf_counter() < self._next_s:
            self._seen = waiting
            self._take_turn()
            return
        self._seen = 0
        if self._usual_commit_s > INLINE_S or self._journal.is_full:
            self._wake_thread()
            return
        group = self._next_group()
        try:
            self._write(group)
        except Exception as error:  # noqa: BLE001 - whatever it was, who waits is told
            self._fail(group, str(error))
            self._wake_thread()
        else:
            if self._waiting:  # more than one write takes; nothing else may come after it
                self._take_turn()
            _tell_all(group, is_durable=True)

    def _wake_thread(self) -> None:
        """Leave what waits to the thread. Only the loop's thread does, so nobody does it twice."""
        self._is_awake = True
        self._wake.release()

    # The journal's thread: while `_is_awake`, nobody else writes.

    def _write_on(self) -> None:
        while True:
            self._wake.acquire()
            if not self.is_open:
                self._try_again()
            self._write_all()
            self._is_awake = False
            if self._is_stopping:
                self._write_all()  # the loop's thread waits for this one
                return
            if self._waiting:  # came between the last look and now
                with suppress(RuntimeError):  # the loop has gone
                    self._call_soon_threadsafe(self._end_turn)

    def _write_all(self) -> None:
        while self._waiting:
            group = self._next_group()
            try:
                self._write(group)
            except Exception as error:  # noqa: BLE001 - whatever it was, who waits is told
                self._fail(group, str(error))
                self._try_again()
            else:
                self._tell(group, is_durable=True)

    def _next_group(self) -> list[_Item]:
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_GROUP))]

    def _write(self, group: list[_Item]) -> None:
        began_s = time.perf_counter()
        self._put([entry for entry, _ in group])
        took_s = self._last_commit_s = time.perf_counter() - began_s
        self._usual_commit_s += (took_s - self._usual_commit_s) * _SMOOTHING
        if len(group) >= BUSY_GROUP:
            self._next_s = began_s + min(took_s * SPACING, MAX_SPACING_S)
        self._commits += 1
        self._entries += len(group)

    def _put(self, entries: list[Intent | End]) -> None:
        """Make entries durable. After an error the chain is as before: they are not in it."""
        seq, last = self._seq, self._hash
        chained = self._chained(entries)
        try:
            self._make_room()
            lines = b"".join([line_of(s, body, h) for s, _, body, h in chained])
            self._journal.append(lines, self._seq)
        except BaseException:
            self._seq, self._hash = seq, last
            raise
        self._unfiled.extend(chained)

    def _chained(self, entries: list[End] | list[Intent | End]) -> list[_Chained]:
        seq, hash_ = self._seq, self._hash
        chained: list[_Chained] = []
        for entry in entries:
            body = encode(entry)
            seq += 1
            hash_ = link(hash_, seq, body)
            chained.append((seq, entry, body, hash_))
        self._seq, self._hash = seq, hash_
        return chained

    def _make_room(self) -> None:
        """Wait for the database while the journal is full."""
        deadline_s = time.monotonic() + ROOM_WAIT_S
        while self._journal.is_full and time.monotonic() < deadline_s:
            self._has_filed.clear()
            self._has_filed.wait(FILE_EVERY_S)

    def _tell(self, group: list[_Item], *, is_durable: bool) -> None:
        with suppress(RuntimeError):  # the loop has gone
            self._call_soon_threadsafe(_tell_all, group, is_durable)

    def _fail(self, group: list[_Item], reason: str) -> None:
        """Close the book to new entries, and tell everybody who waits."""
        self.is_open = False
        group += [self._waiting.popleft() for _ in range(len(self._waiting))]
        self._kept.extend(entry for entry, _ in group if type(entry) is End)
        self._tell(group, is_durable=False)
        self._say(f"closed: {reason}")

    def _try_again(self) -> None:
        """Try to write until that works; the first to be written are the ends that were kept."""
        tries = 0
        while not self._is_stopping:
            time.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
            tries += 1
            kept: list[Intent | End] = [self._kept.popleft() for _ in range(len(self._kept))]
            try:
                if kept:
                    self._put(kept)
                else:
                    self._make_room()
                    self._journal.append(b"\n", self._seq)  # no entry: can it be written?
            except Exception:  # noqa: BLE001 - a thread that ended would leave all waiting
                self._kept.extendleft(reversed([end for end in kept if type(end) is End]))
                continue
            self.is_open = True
            self._say("open again")
            return

    def _say(self, line: str) -> None:
        with suppress(RuntimeError):
            self._call_soon_threadsafe(self._report, line)

    # The filing thread.

    def _file_on(self) -> None:
        """Move what is durable into the database, half a second behind."""
        has_trouble = False
        while True:
            is_last = self._is_stopping and not self._writer.is_alive()
            try:
                if has_trouble:
                    self._file.reopen()
                    has_trouble = False
                self._file_all()
            except (sqlite3.Error, OSError) as error:
                if not has_trouble:
                    self._say(f"the database cannot be written: {error}")
                has_trouble = True
            if is_last:
                return
            time.sleep(self._pause_s())

    def _pause_s(self) -> float:
        """Return how long the filing thread rests. Unit: s."""
        if self._is_stopping:
            return 0.01
        return FILE_BUSY_EVERY_S if len(self._unfiled) > BUSY_UNFILED else FILE_EVERY_S

    def file_now(self) -> None:
        """Put what is durable into the database; a reader then sees it. Cost: a commit, if any.

        Errors:  sqlite3.Error, OSError.
        """
        if self._unfiled:
            self._file_all()

    def _file_all(self) -> None:
        with self._filing:
            waiting = len(self._unfiled)
            while waiting > 0:
                part = [self._unfiled[at] for at in range(min(waiting, MAX_FILED))]
                waiting -= len(part)
                entries = [each for each in part if each[0] > self._file.seq]
                if entries:
                    self._file.add(entries)
                    self._journal.filed(self._file.seq)
                while self._unfiled and self._unfiled[0][0] <= self._file.seq:
                    self._unfiled.popleft()
                self._has_filed.set()


def book_at(path: Path, loop: Loop, report: Callable[[str], None]) -> Book:
    """Return the book whose database is at `path`, with its journal beside it."""
    journal = Journal(path.with_suffix(".journal"))
    return Book(BookFile(path), journal, loop, report)


def _tell_all(group: list[_Item], is_durable: bool) -> None:
    """Tell everybody of a group, in order; in the event loop's thread."""
    for _, told in group:
        if told is not None:
            told(is_durable)
