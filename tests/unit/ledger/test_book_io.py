"""The promise: what was told durable is in the book for good, once, whatever happens."""

import errno
import threading

import pytest

from arkway.ledger import book_io
from arkway.ledger.book_file_io import BookInUse, SchemaMismatch
from arkway.ledger.entry import Kind, Outcome
from arkway.ledger.journal_io import JOURNAL_BYTES
from arkway.ledger.read_io import attempts, reading, spent, usage
from arkway.ledger.rows_io import verify
from support.ledger_lab import NOW_MS, end, intent

FULL = OSError(errno.ENOSPC, "No space left on device")
DAY = "2025-11-24"


def faults(lab):
    with reading(lab.path) as db:
        return list(verify(db))


def test_what_was_appended_is_durable_in_order_and_filed_at_the_close(lab):
    assert lab.open().entries == 0
    lab.write(intent(1), intent(2), end(2), end(1))
    lab.close()

    assert all(lab.told.values())
    assert lab.rows() == [
        ("id-000001", 1, "intent"),
        ("id-000002", 1, "intent"),
        ("id-000002", 1, "settle"),
        ("id-000001", 1, "settle"),
    ]
    assert faults(lab) == []


def test_nobody_is_told_before_the_turn_ends(lab):
    lab.open()
    lab.append(intent(1))

    assert lab.told == {}
    assert lab.disk.writes == 0
    lab.loop.turn()
    assert lab.told == {("id-000001", 1, "Intent"): True}


def test_a_turn_is_one_write(lab):
    lab.open()
    lab.append(*(intent(number) for number in range(50)))
    lab.loop.turn()

    assert lab.disk.writes == 1
    assert len(lab.told) == 50


def test_more_than_one_transaction_takes_is_filed_in_several(lab, monkeypatch):
    monkeypatch.setattr(book_io, "MAX_FILED", 7)
    lab.open()
    lab.write(*(intent(number) for number in range(50)))
    lab.close()

    assert len(lab.rows()) == 50
    assert faults(lab) == []


def test_after_a_crash_everything_durable_is_there_and_open_holds_are_unknown(lab):
    lab.open()
    lab.write(intent(1), end(1), intent(2), intent(3, attempt=2))
    lab.crash()

    opened = lab.open()

    assert (opened.entries, opened.recovered, opened.damaged) == (6, 2, 0)
    assert lab.rows()[3:] == [
        ("id-000003", 2, "intent"),
        ("id-000002", 1, "unknown"),
        ("id-000003", 2, "unknown"),
    ]
    with reading(lab.path) as db:
        (found,) = attempts(db, "id-000002")
        assert found.end.outcome is Outcome.CRASHED
        assert attempts(db, "id-000001")[0].end.kind is Kind.SETTLE
    assert faults(lab) == []


def test_what_a_crash_tore_was_never_acknowledged_and_is_not_there(lab):
    lab.open()
    lab.write(intent(1), end(1))
    lab.crash()
    journal = lab.path.with_suffix(".journal")
    text = journal.read_bytes()
    at = text.index(b'"settle"')
    journal.write_bytes(text[:at] + bytes(len(text) - at))

    assert lab.open().recovered == 1
    assert lab.rows() == [("id-000001", 1, "intent"), ("id-000001", 1, "unknown")]


def test_bits_that_flip_in_a_line_of_the_journal_are_kept_and_named(lab):
    lab.open()
    lab.write(intent(1))
    lab.write(intent(2))
    lab.write(intent(3))
    lab.crash()
    journal = lab.path.with_suffix(".journal")
    text = bytearray(journal.read_bytes())
    text[text.index(b"id-000002") + 3] ^= 1
    text[text.index(b"id-100002") + 4] ^= 1  # a second one: the first alone would be mended
    journal.write_bytes(text)

    opened = lab.open()

    assert opened.damaged >= 1
    assert [row[0] for row in lab.rows()[:3]] == ["id-000001", "id-110002", "id-000003"]
    assert [fault.seq for fault in faults(lab)] == [2]


def test_a_bit_that_flips_in_the_journal_is_mended(lab):
    lab.open()
    lab.write(intent(1))
    lab.write(intent(2), end(2))
    lab.crash()
    journal = lab.path.with_suffix(".journal")
    text = bytearray(journal.read_bytes())
    text[text.rindex(b"id-000002") + 3] ^= 1  # in the very last line
    journal.write_bytes(text)

    opened = lab.open()

    assert (opened.mended, opened.damaged, opened.recovered) == (1, 0, 1)
    assert ("id-000002", 1, "settle") in lab.rows()
    assert faults(lab) == []


def test_an_old_round_of_the_journal_is_not_taken_for_new(lab):
    lab.open()
    for number in range(5):
        lab.write(intent(number), end(number))
        lab.book._file_all()  # the database has everything
    lab.crash()

    opened = lab.open()

    assert (opened.entries, opened.recovered) == (10, 0)
    assert faults(lab) == []


def test_a_full_journal_waits_for_the_database(lab):
    lab.open()
    big = "x" * 1900
    per_turn = 500
    for turn in range(JOURNAL_BYTES // (per_turn * 2000) + 3):
        lab.write(*(intent(turn * per_turn + at, why=big) for at in range(per_turn)))

    assert all(lab.told.values())
    lab.close()
    assert len(lab.rows()) == len(lab.told)


@pytest.mark.parametrize("trouble", [FULL, OSError(errno.EIO, "Input/output error")])
def test_trouble_closes_the_book_and_the_end_of_trouble_opens_it(lab, trouble):
    lab.open()
    lab.write(intent(1), intent(2))
    lab.disk.trouble = trouble
    lab.write(end(1), intent(3))

    assert lab.told["id-000001", 1, "End"] is False
    assert lab.told["id-000003", 1, "Intent"] is False
    assert not lab.book.is_open
    assert lab.book.append(intent(4)) is False
    assert lab.book.append(end(2)) is False
    assert lab.book.state.kept_ends == 2

    lab.disk.trouble = None
    lab.loop.turn_until(lambda: lab.book.is_open)
    lab.loop.turn()
    lab.write(intent(5))
    lab.close()

    assert lab.rows() == [
        ("id-000001", 1, "intent"),
        ("id-000002", 1, "intent"),
        ("id-000001", 1, "settle"),
        ("id-000002", 1, "settle"),
        ("id-000005", 1, "intent"),
    ]
    assert faults(lab) == []
    assert [line.split(":")[0] for line in lab.said] == ["closed", "open again"]


@pytest.mark.parametrize("inline_s", [1.0, -1.0], ids=["the loop", "the thread"])
def test_a_bug_of_ours_closes_the_book_as_trouble_does(lab, monkeypatch, inline_s):
    """Who waits is told; a call that nobody tells anything would wait for ever."""
    monkeypatch.setattr(book_io, "INLINE_S", inline_s)
    monkeypatch.setattr(book_io, "RETRY_S", (0.01,))
    lab.open()
    with monkeypatch.context() as patch:
        patch.setattr(book_io, "encode", lambda _: 1 / 0)
        lab.write(intent(1))
        assert lab.told == {("id-000001", 1, "Intent"): False}
    lab.loop.turn_until(lambda: lab.book.is_open)
    lab.write(intent(2))

    assert lab.said == ["closed: division by zero", "open again"]
    lab.close()
    assert [row[0] for row in lab.rows()] == ["id-000002"]


def test_lines_that_were_refused_are_never_read_again(lab):
    """The disk said no and had written them all the same; what came next has the same length."""
    lab.open()
    lab.write(intent(1), intent(2))
    lab.disk.trouble, lab.disk.is_liar = FULL, True
    lab.write(end(1), intent(3), intent(4), intent(5))
    lab.disk.trouble = None
    lab.loop.turn_until(lambda: lab.book.is_open)
    lab.loop.turn()  # the end of 1 is written again, first
    lab.crash()

    lab.open()

    assert [row[0] for row in lab.rows()[2:]] == ["id-000001", "id-000002"]
    assert lab.rows()[2:] == [("id-000001", 1, "settle"), ("id-000002", 1, "unknown")]
    assert faults(lab) == []


def test_a_slow_disk_is_waited_for_in_a_thread(lab, monkeypatch):
    lab.open()
    lab.book._usual_commit_s = 1.0
    lab.append(intent(1))
    lab.loop.turn_until(lambda: lab.told)

    assert lab.told == {("id-000001", 1, "Intent"): True}


def test_a_turn_of_more_than_one_write_is_written_to_its_end(lab, monkeypatch):
    """Thousands of streams may end in one turn, and nothing else need come after them."""
    monkeypatch.setattr(book_io, "MAX_GROUP", 10)
    lab.open()
    lab.append(*(intent(number) for number in range(25)))
    lab.loop.turn()

    assert len(lab.told) == 25
    assert lab.disk.writes == 3


class Interrupted(book_io.Book):
    """A book whose thread is held up as it goes to sleep, while the loop turns."""

    meanwhile = None

    @property
    def _is_stopping(self):
        if self.meanwhile is not None and threading.current_thread() is self._writer:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return self.stops

    @_is_stopping.setter
    def _is_stopping(self, value):
        self.stops = value


def test_the_thread_that_goes_to_sleep_is_woken_once(lab, monkeypatch):
    """What comes just then is written, by the thread, and nothing is written by two."""
    monkeypatch.setattr(book_io, "INLINE_S", -1.0)  # always the thread
    monkeypatch.setattr("support.ledger_lab.Book", Interrupted)
    lab.open()

    def meanwhile():
        lab.append(intent(2))
        lab.loop.turn()

    lab.book.meanwhile = meanwhile
    lab.append(intent(1))
    lab.loop.turn_until(lambda: len(lab.told) == 2)
    lab.write(intent(3))

    assert all(lab.told.values())
    assert lab.book._writer.is_alive()
    lab.close()
    assert faults(lab) == []


def test_what_comes_as_the_thread_goes_to_sleep_is_written_at_the_close(lab, monkeypatch):
    monkeypatch.setattr(book_io, "INLINE_S", -1.0)
    monkeypatch.setattr("support.ledger_lab.Book", Interrupted)
    lab.open()
    lab.write(intent(1))

    def meanwhile():
        lab.append(intent(2))  # and the loop does not turn any more

    lab.book.meanwhile = meanwhile
    lab.close()

    assert [row[0] for row in lab.rows()] == ["id-000001", "id-000002"]


def test_a_second_writer_is_refused(lab):
    lab.open()
    first = lab.book
    with pytest.raises(BookInUse, match="another arkway"):
        lab.open()
    lab.book = first


def test_the_file_of_another_version_is_refused(lab):
    lab.open()
    lab.close()
    lab.book = None
    lab.rows("UPDATE meta SET value = 99 WHERE name = 'schema_version'")

    with pytest.raises(SchemaMismatch, match="schema 99"):
        lab.open()
    lab.book = None


def test_the_files_are_private(lab):
    lab.open()
    for suffix in (".db", ".journal"):
        assert lab.path.with_suffix(suffix).stat().st_mode & 0o077 == 0


def test_days_hold_what_the_entries_come_to(lab):
    lab.open()
    lab.write(intent(1), end(1), intent(2, key="k2"), end(2), intent(3), end(3, kind=Kind.VOID))
    lab.write(intent(4, at_ms=NOW_MS + 86_400_000), end(4, cost_nano=7))
    lab.close()

    with reading(lab.path) as db:
        by_day = usage(db, ["day"])
        assert [(line.day, line.attempts, line.settled) for line in by_day] == [
            ("2025-11-24", 3, 2),
            ("2025-11-25", 1, 1),
        ]
        (only,) = usage(db, [], {"key": "k2"})
        assert (only.input, only.cached, only.output, only.cost_nano) == (15, 5, 3, 100)
        assert only.cache_hit_rate == pytest.approx(1 / 3)
        assert spent(db, "k1").tokens == 36
        assert spent(db, "k1", "2025-11-25").cost_nano == 7
        with pytest.raises(ValueError, match="no dimension"):
            usage(db, ["colour"])


LARGE = "x" * 1500


def write_many(lab, first, count):
    """Write so many large intents, durable in groups of a few hundred."""
    for start in range(first, first + count, 500):
        lab.write(*(intent(at, why=LARGE) for at in range(start, min(start + 500, first + count))))


def test_a_lasting_load_never_waits_for_the_whole_journal_to_be_filed(lab):
    """One half is written while the database takes the other; nothing of either is lost."""
    lab.open()
    in_half = JOURNAL_BYTES // 2 // 1700
    for round_ in range(5):
        write_many(lab, round_ * in_half, in_half)
        while lab.book.state.unfiled > 100:
            lab.book.file_now()
        lab.write(intent(1_000_000 + round_))  # there is always something unfiled
    assert lab.said == []
    lab.crash()

    opened = lab.open()

    assert (opened.damaged, opened.recovered) == (0, 5 * in_half + 5)
    assert faults(lab) == []


def test_entries_of_both_halves_are_recovered_in_their_order(lab):
    lab.open()
    half = JOURNAL_BYTES // 2 // 1700
    first, second = int(half * 1.1), int(half * 1.2)
    write_many(lab, 0, first)  # ends in the second half
    lab.book.file_now()
    with lab.book._filing:  # the database takes nothing more
        write_many(lab, first, second)  # ends in the first half again
        lab.book._unfiled.clear()
    lab.crash()

    opened = lab.open()

    assert (opened.damaged, opened.recovered) == (0, first + second)
    assert [row[0] for row in lab.rows()[: opened.recovered]] == [
        f"id-{number:06d}" for number in range(opened.recovered)
    ]
    assert faults(lab) == []
