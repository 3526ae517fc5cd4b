from pathlib import Path

import pytest

from arkway.ledger.backup_io import BadBackup, back_up, restore
from arkway.ledger.entry import Kind, Outcome, UsageSource
from arkway.ledger.explain import money, story
from arkway.ledger.read_io import NoBook, attempts, reading, usage
from arkway.ledger.reconcile import BadBill, Counted, Match, compare, read_bill
from arkway.ledger.rows_io import verify_file
from support.ledger_lab import PRICE, end, intent

HEAD = "day,account,model,input,cached,output"


PAGE = Path(__file__).parents[3] / "docs" / "ledger.md"


def told(lab, *entries):
    lab.open()
    lab.write(*entries)
    lab.close()
    with reading(lab.path) as db:
        return story(attempts(db, entries[0].request_id), {7: PRICE}.get, {"k1": "alice"}.get)


SERVED = {"price": 7, "first_token_ms": 312, "total_ms": 1840, "status": 200}


def failed_over(lab):
    refused = {"kind": Kind.VOID, "outcome": Outcome.REFUSED, "status": 429, "total_ms": 41}
    return told(
        lab,
        intent(1, stream=True, account="beijing-1",
            why="beijing-1 chosen, 90 % cached, 34 % full; beijing-2 lower score, 31 % full"),
        end(1, **refused, code="upstream_rate_limited", affinity="home"),
        intent(1, attempt=2, account="beijing-2",
            why="beijing-2 chosen, 31 % full; beijing-1 tried"),
        end(1, attempt=2, **SERVED, uncached=212, cached=1836, output=402, cost_nano=1_267_360,
            affinity="spill"),
    )  # fmt: skip


def aborted(lab):
    return told(
        lab,
        intent(2, stream=True, account="beijing-1"),
        end(2, **SERVED, outcome=Outcome.CALLER_LEFT, source=UsageSource.ESTIMATE, cached=0,
            uncached=96, output=58, cost_nano=192_800, delivered_bytes=231, code="upstream_error"),
    )  # fmt: skip


def cached(lab):
    return told(
        lab,
        intent(3, account="beijing-1"),
        end(3, **SERVED | {"first_token_ms": 0}, uncached=52, cached=30_208, output=120,
            reasoning=310, cost_nano=5_734_880, affinity="home"),
    )  # fmt: skip


@pytest.mark.parametrize("call", [failed_over, aborted, cached])
def test_the_stories_in_the_docs_are_told_so(lab, call):
    assert "\n".join(call(lab)) in PAGE.read_text()


def test_a_refusal_that_was_the_last_word_says_what_the_caller_was_told(lab):
    lines = told(
        lab,
        intent(1),
        end(1, kind=Kind.UNKNOWN, outcome=Outcome.AMBIGUOUS, code="upstream_timeout"),
    )
    text = "\n".join(lines)

    assert "the upstream may have charged for it; the caller was told upstream_timeout" in text
    assert "billed   nothing: what the upstream charged, if anything, is not known" in text
    assert "1 attempt; nothing is billed" in lines[3]


def test_the_tries_of_each_choice_are_told_apart(lab):
    void = {"kind": Kind.VOID, "outcome": Outcome.REFUSED, "code": "upstream_error"}
    lines = told(
        lab,
        intent(1),
        intent(1, attempt=2, choice=1),
        end(1, **void),
        end(1, attempt=2, **void),
        intent(1, attempt=3, choice=1),
        end(1, attempt=3),
    )
    endings = [line for line in lines if line.startswith("    ended")]

    assert endings[0].endswith("the caller was told upstream_error")
    assert endings[1].endswith("another account was tried")


LOST = {"kind": Kind.UNKNOWN, "outcome": Outcome.HEDGE_LOST, "source": UsageSource.NONE}


def test_a_call_that_was_sent_twice_was_answered_by_the_other(lab):
    lines = told(
        lab,
        intent(1, stream=True),
        intent(1, attempt=2),
        end(1, attempt=2, **LOST, uncached=0, cached=0, output=0),
        end(1, **SERVED),
    )
    text = "\n".join(lines)

    assert lines[3].startswith("  result   answered; 2 attempts; ")
    assert "this one is the operator's expense" in text
    assert "was told" not in text


def test_a_second_attempt_that_failed_first_was_told_to_nobody(lab):
    refused = {"kind": Kind.VOID, "outcome": Outcome.REFUSED, "code": "upstream_error"}
    lines = told(
        lab, intent(1), intent(1, attempt=2), end(1, attempt=2, **refused), end(1, **SERVED)
    )

    assert lines[3].startswith("  result   answered; 2 attempts; ")
    assert "was told" not in "\n".join(lines)


def test_the_last_word_of_a_call_that_was_sent_twice_is_not_the_losers(lab):
    refused = {"kind": Kind.VOID, "outcome": Outcome.REFUSED, "code": "invalid_value"}
    lines = told(
        lab,
        intent(1),
        intent(1, attempt=2),
        end(1, **refused),
        end(1, attempt=2, **LOST, uncached=0, cached=0, output=0),
    )

    assert lines[3].startswith("  result   the upstream answered with an error; 2 attempts; ")
    assert "the caller was told invalid_value" in "\n".join(lines)


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
    lines = told(lab, intent(1))

    assert lines[3] == "  result   under way"
    assert lines[-1] == "    under way"


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


def test_long_work_tells_how_far_it_is(lab, tmp_path):
    lab.open()
    for first in range(1, 1101, 100):
        numbers = range(first, first + 100)
        lab.write(*(entry for number in numbers for entry in (intent(number), end(number))))
    lab.close()
    told = []

    last = back_up(lab.path, tmp_path / "copy", lambda done, whole: told.append(done / whole))

    assert last == 2200
    assert told == sorted(told)
    assert told[0] <= 0.5 < told[-1] <= 1.0
    with reading(lab.path) as db:
        assert list(verify_file(db, lambda done, whole: told.append(done - whole))) == []
    assert told[-1] == 0
