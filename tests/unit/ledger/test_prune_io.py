"""The law: what was used does not change when old rows leave, and the chain stays whole."""

from datetime import date

import pytest

from arkway.ledger import prune_io
from arkway.ledger.prune_io import prune
from arkway.ledger.read_io import attempts, reading, usage
from arkway.ledger.rows_io import first_seq, verify, verify_file
from support.ledger_lab import NOW_MS, end, intent

DAY_MS = 86_400_000
FIRST = date(2025, 11, 24)  # NOW_MS is at 16:00 of it


def days(lab, count=3, calls=5):
    lab.open()
    for day in range(count):
        for call in range(calls):
            number, at_ms = day * 1000 + call, NOW_MS + day * DAY_MS + call
            lab.write(intent(number, at_ms=at_ms), end(number, at_ms=at_ms + 1))
    lab.book.file_now()


def sums(lab):
    with reading(lab.path) as db:
        return usage(db, ["day", "key", "model"])


def whole(lab):
    with reading(lab.path) as db:
        return list(verify(db)) == [] and list(verify_file(db)) == []


def pruned(lab, before):
    return prune(lab.path, before, pause=lambda _: None)


def test_old_days_leave_and_what_was_used_stays(lab):
    days(lab)
    before = sums(lab)

    assert pruned(lab, date(2025, 11, 26)) == (20, 21)
    assert sums(lab) == before
    assert whole(lab)
    with reading(lab.path) as db:
        assert first_seq(db) == 21
        assert attempts(db, "id-001000") == []
        assert len(attempts(db, "id-002000")) == 1
        assert list(verify(db, 1)) == []


def test_the_book_is_written_meanwhile(lab, monkeypatch):
    days(lab)
    monkeypatch.setattr(prune_io, "PRUNED_ROWS", 4)

    def write_on(_):
        number = 5000 + write_on.calls
        write_on.calls += 1
        lab.write(intent(number, at_ms=NOW_MS + 3 * DAY_MS), end(number, at_ms=NOW_MS + 3 * DAY_MS))
        lab.book.file_now()
        assert whole(lab)

    write_on.calls = 0
    assert prune(lab.path, date(2025, 11, 26), pause=write_on)[0] == 20
    assert write_on.calls == 5
    lab.crash()
    lab.open()
    assert whole(lab)


def test_calls_that_run_or_ran_past_midnight_stay(lab):
    lab.open()
    midnight_ms = NOW_MS + 8 * 3_600_000
    lab.write(intent(1), end(1))
    lab.write(intent(2, at_ms=midnight_ms - 5), intent(3, at_ms=midnight_ms - 4))
    lab.write(end(3, at_ms=midnight_ms - 1))
    lab.write(end(2, at_ms=midnight_ms + 7))
    lab.book.file_now()

    assert pruned(lab, date(2025, 11, 25)) == (2, 3)
    assert whole(lab)

    lab.write(intent(4, at_ms=midnight_ms + 10), intent(5, at_ms=midnight_ms + 3 * DAY_MS))
    lab.book.file_now()
    assert pruned(lab, date(2025, 11, 27)) == (4, 7), "4 is under way"
    assert whole(lab)


def test_the_last_row_stays_and_the_chain_goes_on_from_it(lab):
    days(lab)
    before = sums(lab)
    assert pruned(lab, date(2026, 1, 1)) == (29, 30)
    assert pruned(lab, date(2026, 1, 1)) == (0, 30)
    lab.close()

    assert lab.open().entries == 30, "numbers go on, or an old journal would be taken for new"
    assert lab.rows("SELECT count(*) FROM entries") == [(1,)]
    assert sums(lab) == before
    lab.write(intent(9), end(9))
    lab.book.file_now()
    assert whole(lab)


def test_nothing_is_old(lab):
    days(lab)
    assert pruned(lab, FIRST) == (0, 1)


def test_a_missing_row_after_the_anchor_is_named(lab):
    days(lab)
    pruned(lab, date(2025, 11, 26))
    lab.close()
    lab.book = None
    lab.rows("DELETE FROM entries WHERE seq = 21")

    with reading(lab.path) as db:
        assert [fault.seq for fault in verify(db)] == [22]


@pytest.mark.parametrize("measure", ["cost_nano", "cached", "attempts"])
def test_a_sum_that_its_rows_do_not_come_to_is_named(lab, measure):
    days(lab)
    lab.close()
    lab.book = None
    lab.rows(f"UPDATE daily SET {measure} = {measure} + 1 WHERE day = '2025-11-25'")

    with reading(lab.path) as db:
        line, *others = verify_file(db)
    assert line.startswith("sums of day 2025-11-25, key k1, tenant t1, model M, account a1")
    assert f"{measure} " in line
    assert others == [
        "the sums of daily_models are not those of daily",
        "the sums of daily_keys are not those of daily",
    ]
