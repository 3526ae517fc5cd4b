"""Usage and calls, from a ledger that another process writes."""

import sqlite3
import threading

import pytest

from arkway.ledger import calls_io
from arkway.ledger.entry import Kind, Outcome
from arkway.model.ids import uuid7_head
from support.ledger_lab import NOW_MS, LedgerLab, end, intent

V1 = "/admin/v1"
DAY_MS = 86_400_000


def call_id(n):
    return uuid7_head(NOW_MS + n * 1000) + f"000-8000-{n:012x}"


@pytest.fixture
def book(lab):
    book = LedgerLab(lab.home)
    book.open(NOW_MS)
    yield book
    book.close()


def fill(book, count=7):
    for n in range(count):
        request_id, fields = call_id(n), {"key": f"key_{n % 2}", "at_ms": NOW_MS + n * 1000}
        book.write(
            intent(request_id=request_id, account="a1", **fields),
            end_of(request_id, kind=Kind.VOID, outcome=Outcome.REFUSED, code="rate_limited"),
            intent(request_id=request_id, attempt=2, account="a2", **fields),
            end_of(request_id, attempt=2, cost_nano=1_500_000_000, affinity="home"),
        )
    book.write(intent(request_id=call_id(count), account="a3", at_ms=NOW_MS, key="key_9"))


def end_of(request_id, **fields):
    import msgspec

    return msgspec.structs.replace(end(1, **fields), request_id=request_id)


def file_all(book):
    book.book.file_now()


def test_every_outcome_can_be_asked_for(lab):
    for outcome in Outcome:
        assert lab.ask("GET", f"{V1}/calls?outcome={outcome}").status == 200


def test_without_a_ledger_there_is_nothing_to_show(lab):
    assert lab.ask("GET", f"{V1}/usage").json == {"items": [], "next_cursor": None}
    assert lab.ask("GET", f"{V1}/calls").json == {"items": [], "next_cursor": None}
    assert lab.ask("GET", f"{V1}/calls/x").status == 404
    assert lab.ask("GET", f"{V1}/health").json["ledger_rows"] == 0


def test_calls_are_listed_newest_first_in_pages(lab, book):
    fill(book)
    file_all(book)

    whole = lab.ask("GET", f"{V1}/calls").json
    ids = [each["request_id"] for each in whole["items"]]
    assert ids == [call_id(n) for n in reversed(range(8))]
    assert whole["next_cursor"] is None
    first = whole["items"][1]
    assert (first["attempts"], first["account"], first["outcome"]) == (2, "a2", "completed")
    assert (first["cost"], first["affinity"]) == ("1.5", "home")
    assert whole["items"][0]["outcome"] == "running"

    found, cursor = [], None
    for _ in range(10):
        page = lab.ask("GET", f"{V1}/calls?limit=3" + (f"&cursor={cursor}" if cursor else "")).json
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == whole["items"]


def test_calls_are_found_by_id_key_account_outcome_and_time(lab, book):
    fill(book)
    file_all(book)

    def found(query):
        items = lab.ask("GET", f"{V1}/calls?{query}").json["items"]
        return sorted(int(each["request_id"][-4:], 16) for each in items)

    assert found("key=key_1") == [1, 3, 5]
    assert found("account=a1") == list(range(7))
    assert found("account=a3") == [7]
    assert found("outcome=refused&key=key_0") == [0, 2, 4, 6]
    assert found("code=rate_limited&account=a2") == []  # of one attempt, not of two
    assert found(f"id={call_id(3)}") == [3]
    near = [n for n in range(8) if call_id(n)[:8] == call_id(3)[:8]]  # 65 s to a prefix
    assert found(f"id={call_id(3)[:8]}") == near
    assert found(f"since_ms={NOW_MS + 2000}&until_ms={NOW_MS + 4000}") == [2, 3]
    assert found("tenant=t1&model=M") == list(range(8))
    assert lab.ask("GET", f"{V1}/calls?outcome=done").status == 400


def test_a_calls_story_has_its_rows_and_price(lab, book):
    fill(book, 1)
    file_all(book)

    story = lab.ask("GET", f"{V1}/calls/{call_id(0)}").json

    assert story["call"]["request_id"] == call_id(0)
    assert any("2 attempts" in line for line in story["story"])
    assert [each["end"]["kind"] for each in story["attempts"]] == ["void", "settle"]
    assert lab.ask("GET", f"{V1}/calls/{call_id(9)}").code == "not_found"


def test_a_search_that_takes_long_says_how_far_it_came(lab, book, monkeypatch):
    fill(book)
    file_all(book)
    monkeypatch.setattr(calls_io, "SLICE_ENTRIES", 4)
    with lab.desk.book() as db:
        found, before, pages = [], "g", 0
        while before is not None and pages < 20:
            page = calls_io.search(db, {"key": "key_0"}, 50, ("", before), for_s=-1)
            found += [each.request_id for each in page.calls]
            before, pages = page.before, pages + 1

    assert found == [call_id(n) for n in (6, 4, 2, 0)]
    assert pages > 3


def test_usage_is_added_up_by_what_is_asked_in_pages(lab, book):
    fill(book)
    file_all(book)

    whole = lab.ask("GET", f"{V1}/usage?by=key,day").json["items"]
    assert [each["key"] for each in whole] == ["key_0", "key_1"]
    assert whole[0]["attempts"] == 8
    assert whole[0]["cost"] == "6"
    assert whole[0]["cache_hit_rate"] == round(5 / 15, 6)
    first = lab.ask("GET", f"{V1}/usage?by=day,key&limit=1").json
    rest = lab.ask("GET", f"{V1}/usage?by=day,key&limit=1&cursor={first['next_cursor']}").json
    assert first["items"] + rest["items"] == whole
    total = lab.ask("GET", f"{V1}/usage?by=").json["items"]
    assert [each["settled"] for each in total] == [7]
    assert lab.ask("GET", f"{V1}/usage?since=2030-01-01").json["items"] == []
    assert lab.ask("GET", f"{V1}/usage?key=key_1&by=model").json["items"][0]["settled"] == 3


@pytest.mark.parametrize(
    ("query", "path"),
    [("by=dya", "by"), ("since=yesterday", "since"), ("by=day&cursor=WyJhIl0", "cursor")],
)
def test_a_wrong_question_is_named(lab, book, query, path):
    fill(book, 1)
    file_all(book)

    problems = lab.ask("GET", f"{V1}/usage?{query}").json["error"]["problems"]

    assert [each["path"] for each in problems] == [path]


def test_reading_takes_no_lock_that_the_writer_needs(lab, book):
    fill(book, 1)
    file_all(book)
    with lab.desk.book() as db:
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM entries").fetchone()
        fill_one = threading.Thread(target=book.write, args=(intent(request_id=call_id(50)),))
        fill_one.start()
        fill_one.join(5)
        assert not fill_one.is_alive()
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            db.execute("DELETE FROM entries")


def test_a_read_that_takes_too_long_is_ended(lab, book, monkeypatch):
    from arkway.control.admin import operation

    fill(book, 1)
    file_all(book)
    monkeypatch.setattr(operation, "LEDGER_READ_S", -1.0)
    monkeypatch.setattr("arkway.ledger.read_io._LOOK_EVERY", 1)

    answer = lab.ask("GET", f"{V1}/usage")

    assert (answer.status, answer.code) == (503, "ledger_unavailable")


def test_a_ledger_of_another_version_is_said(lab, book):
    file_all(book)
    with sqlite3.connect(lab.home / "ledger.db") as db:
        db.execute("UPDATE meta SET value = 99 WHERE name = 'schema_version'")

    assert lab.ask("GET", f"{V1}/usage").code == "ledger_unavailable"
