import sqlite3
import time

import msgspec
import pytest

from arkway.cli.doctor import ledger
from arkway.cli.doctor.finding import Level
from arkway.cli.doctor.ledger import Disk, Ledger, judge, judge_disk
from arkway.cli.doctor.ports import Holder
from arkway.ledger.journal_io import JOURNAL_BYTES
from support.ledger_lab import LedgerLab, end, intent

GIB = 1 << 30
NOW_S = 1_790_000_000.0
WELL = Ledger(path="/h/ledger.db", rows=10, last_row_s=NOW_S, file_bytes=GIB,
              journal_bytes=JOURNAL_BYTES)  # fmt: skip


@pytest.fixture
def lab(tmp_path):
    return LedgerLab(tmp_path)


def wrong(found, *, is_running=False, now_s=NOW_S):
    lines = judge(found, now_s, is_running=is_running)
    return [each for each in lines if each.level is not Level.OK]


def test_a_book_that_was_closed_is_well(lab):
    lab.open()
    lab.write(intent(1), end(1))
    lab.close()

    found, disk = ledger.look(lab.path.parent)

    assert (found.rows, found.faults, found.holds, found.journal) == (2, (), 0, 0)
    assert wrong(found) == []
    assert disk.free_bytes > 0
    assert found.last_row_s == pytest.approx(1_764_000_000.002)


def test_no_book_is_well_too(tmp_path):
    found, disk = ledger.look(tmp_path)

    assert not found.is_there
    assert wrong(found) == []
    assert disk is not None
    assert ledger.look(tmp_path / "none")[1] is None


def test_what_a_kill_left_behind_is_said_and_needs_nothing(lab):
    lab.open()
    lab.write(intent(1), end(1), intent(2))
    lab.crash()

    found, _ = ledger.look(lab.path.parent)
    (finding,) = wrong(found)

    assert found.holds + found.journal > 0
    assert finding.level is Level.WARNING
    assert "was killed" in finding.text
    assert "nothing is lost" in finding.advice


def test_who_writes_it_is_named_and_its_open_attempts_are_no_trouble(lab):
    lab.open()
    lab.write(intent(1))

    found, _ = ledger.look(lab.path.parent)
    lab.close()

    assert found.holder is not None
    assert wrong(found, is_running=True, now_s=1_764_000_001.0) == []
    (finding,) = wrong(found, now_s=1_764_000_001.0)
    assert "does not answer at the configured ops port" in finding.text


def test_a_flipped_bit_is_named_by_its_row(lab):
    lab.open()
    lab.write(intent(1), end(1), intent(2), end(2))
    lab.close()
    with sqlite3.connect(lab.path) as db:
        db.execute("UPDATE entries SET body = replace(body, '\"a1\"', '\"a2\"') WHERE seq = 2")
        db.execute("UPDATE entries SET body = replace(body, 'k1', 'k2') WHERE seq = 3")
    db.close()

    found, _ = ledger.look(lab.path.parent)
    (finding, *_) = wrong(found)

    assert finding.level is Level.PROBLEM
    assert "row 3" in finding.text
    assert "ledger verify" in finding.advice


def test_another_version_and_no_database_at_all(lab, tmp_path):
    lab.open()
    lab.close()
    with sqlite3.connect(lab.path) as db:
        db.execute("UPDATE meta SET value = 99 WHERE name = 'schema_version'")
    db.close()
    (other,) = wrong(ledger.look(tmp_path)[0])
    lab.path.write_bytes(b"no database" * 1000)
    (none,) = wrong(ledger.look(tmp_path)[0])

    assert (other.level, none.level) == (Level.PROBLEM, Level.PROBLEM)
    assert "another version" in other.text
    assert "not a database" in none.text


@pytest.mark.parametrize(
    ("changes", "level", "part"),
    [
        ({"journal_bytes": 1000}, Level.WARNING, "its journal has 1000 bytes"),
        ({"journal": None}, Level.PROBLEM, "cannot be read"),
        ({"holder": Holder(7, "arkway"), "holds": 2, "oldest_hold_s": NOW_S - 7200},
         Level.WARNING, "2 attempts have no end, the oldest for 2 h"),
    ],
)  # fmt: skip
def test_what_is_odd_is_said(changes, level, part):
    (finding,) = wrong(msgspec.structs.replace(WELL, **changes), is_running=True)

    assert finding.level is level
    assert part in finding.text


@pytest.mark.parametrize(
    ("free", "a_day", "level", "part"),
    [
        (100 * GIB, GIB, Level.OK, "grows by 1.0 GiB a day: 100 days"),
        (100 * GIB, 1000.0, Level.OK, "more than ten years"),
        (100 * GIB, GIB / 10, Level.OK, "3 years"),
        (20 * GIB, GIB, Level.WARNING, "20 days"),
        (2 * GIB, GIB, Level.PROBLEM, "2 days"),
        (GIB / 2, None, Level.WARNING, "too little has been written"),
        (GIB / 2, 0.0, Level.WARNING, "has not grown"),
        (1 << 20, None, Level.PROBLEM, "1.0 MiB free"),
    ],
)
def test_a_disk_is_forecast(free, a_day, level, part):
    finding = judge_disk(Disk("/h", free, a_day))

    assert finding.level is level
    assert part in finding.text
    assert ("ledger prune" in finding.advice) == (level is not Level.OK)


def test_growth_is_that_of_the_last_days(lab):
    ten_days_ago_ms = int((time.time() - 10 * 86_400) * 1000)
    today_ms = int((time.time() - 60) * 1000)
    lab.open()
    for number in range(400):  # half of them before the week
        at_ms = ten_days_ago_ms if number < 200 else today_ms
        lab.append(intent(number, at_ms=at_ms), end(number, at_ms=at_ms))
    lab.loop.turn_until(lambda: len(lab.told) == 800)
    lab.close()

    _, disk = ledger.look(lab.path.parent)

    row_bytes = lab.path.stat().st_size / 800
    days = ledger.GROWTH_DAYS  # and the part of today
    assert 400 * row_bytes / (days + 1) <= disk.bytes_a_day <= 400 * row_bytes / days
