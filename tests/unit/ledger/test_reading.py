import pytest

from arkway.ledger.backup_io import BadBackup, back_up, restore
from arkway.ledger.entry import Kind, Outcome
from arkway.ledger.explain import money, story
from arkway.ledger.read_io import NoBook, attempts, reading, usage
from arkway.ledger.reconcile import BadBill, Counted, Match, compare, read_bill
from arkway.ledger.rows_io import verify_file
from support.ledger_lab import PRICE, end, intent

HEAD = "day,account,model,input,cached,output"


def told(lab, *entries):
    lab.open()
    lab.write(*entries)
    lab.close()
    with reading(lab.path) as db:
        return story(attempts(db, entries[0].request_id), {7: PRICE}.get)


def test_the_story_of_a_call_that_failed_over(lab):
    lines = told(
        lab,
        intent(1, stream=True),
        end(1, kind=Kind.VOID, outcome=Outcome.REFUSED, status=429, code="upstream_error"),
        intent(1, attempt=2, account="a2"),
        end(1, attempt=2, price=7, cost_nano=14_800, first_token_ms=12, total_ms=80, status=200),
    )
    text = "\n".join(lines)

    assert "asked   2025-11-24 16:00:00.001 UTC by key k1 of tenant t1, for M, streamed" in text
    assert "void: the upstream answered with an error, upstream status 429" in text
    assert "attempt 2 at account a2 (m-1)" in text
    assert "first token after 12 ms, 80 ms in all" in text
    assert "used     10 input + 5 cached input + 3 output tokens, as the upstream counted" in text
    assert "(10 x 0.8 + 5 x 0.16 + 3 x 2) / 1000000 = 0.0000148 CNY" in text
    assert lines[-1] == "  in all  2 attempts, 18 tokens, 0.0000148 CNY"


def test_a_book_of_version_1_is_brought_up_with_its_sums(lab):
    lab.open()
    lab.write(intent(1), end(1), intent(2, key="k2", account="a2"), end(2))
    lab.close()
    lab.book = None
    for change in (
        "DROP TABLE daily_keys",
        "DROP TABLE daily_models",
        "UPDATE meta SET value = 1 WHERE name = 'schema_version'",
    ):
        lab.rows(change)

    assert lab.open().entries == 4
    with reading(lab.path) as db:
        assert list(verify_file(db)) == []
        assert [line.cost_nano for line in usage(db, ["key"])] == [100, 100]
        assert [line.account for line in usage(db, ["account"])] == ["a1", "a2"]
        assert [line.key for line in usage(db, ["key"], {"account": "a2"})] == ["k2"]


def test_a_call_under_way(lab):
    assert told(lab, intent(1))[-2] == "    under way"


@pytest.mark.parametrize(
    ("nano", "text"), [(0, "0"), (1, "0.000000001"), (2_500_000_000, "2.5"), (-10, "-0.00000001")]
)
def test_money_is_exact(nano, text):
    assert money(nano) == text


def test_no_book_says_so(tmp_path):
    with pytest.raises(NoBook), reading(tmp_path / "ledger.db"):
        pass


def test_a_backup_is_a_book_and_can_be_put_back(lab, tmp_path):
    lab.open()
    lab.write(intent(1), end(1))
    lab.book._file_all()
    copy = tmp_path / "copy.db"

    assert back_up(lab.path, copy) == 2
    assert copy.stat().st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        back_up(lab.path, copy)
    lab.write(intent(2), end(2))
    lab.close()
    assert restore(copy, lab.path) == 2
    assert lab.open().entries == 2
    lab.write(intent(3), end(3))


def test_a_damaged_copy_is_not_restored(lab, tmp_path):
    lab.open()
    lab.write(intent(1), end(1))
    lab.close()
    copy = tmp_path / "copy.db"
    back_up(lab.path, copy)
    data = bytearray(copy.read_bytes())
    data[data.index(b'"account":"a1"') + 11] ^= 1
    copy.write_bytes(data)

    with pytest.raises(BadBackup, match="row 1"):
        restore(copy, lab.path)
    lab.book = None


def test_a_bill_is_compared_in_whole_tokens():
    bill = read_bill([HEAD, "d,a,m,10,5,3", "d,a,m,1,0,1", "d,b,m,7,0,0", "d,c,m,1,1,1"])
    ledger = {
        ("d", "a", "m"): Counted(11, 5, 4),
        ("d", "b", "m"): Counted(8, 0, 0),
        ("d", "d", "m"): Counted(1, 0, 0),
    }
    assert [(line.account, line.match) for line in compare(ledger, bill)] == [
        ("a", Match.EQUAL),
        ("b", Match.DIFFERS),
        ("c", Match.NOT_IN_LEDGER),
        ("d", Match.NOT_ON_BILL),
    ]


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        (["day,account"], "no column model, input, cached, output"),
        ([HEAD, "d,a,m,1.5,0,0"], "line 2: input must be a whole number"),
        ([HEAD, "d,a,m,1,-1,0"], "line 2: cached"),
        ([HEAD, "d,a,m,1,0"], "line 2: output"),
        ([], "no column"),
    ],
)
def test_what_is_no_bill_is_refused_by_line_and_rule(lines, rule):
    with pytest.raises(BadBill, match=rule):
        read_bill(lines)
