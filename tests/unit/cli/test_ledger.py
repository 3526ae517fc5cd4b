import pytest

from support.ledger_lab import LedgerLab, end, intent


@pytest.fixture
def book(arkway):
    arkway.home.mkdir(0o700)
    lab = LedgerLab(arkway.home)
    lab.open()
    lab.write(intent(1), end(1))
    lab.close()
    return lab


def test_usage_on_a_terminal_leaves_out_what_is_rare_and_nothing(arkway, book, monkeypatch):
    piped = arkway("usage")[1].split()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    shown = arkway("usage")[1].split()

    assert {"estimated", "unknown", "created", "reasoning"} <= set(piped)
    assert not {"estimated", "unknown", "created", "reasoning"} & set(shown)
    assert {"day", "model", "attempts", "uncached", "cached", "output", "hits", "cost"} <= set(
        shown
    )
    assert "2025-11-24" in shown, "nothing is cut off"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--since", "tomorrow"), "--since: must be a day such as 2026-01-31"),
        (("--until", "2026-13-01"), "--until: must be a day such as 2026-01-31"),
        (
            ("--since", "2026-02-01", "--until", "2026-01-31"),
            "--until: must not be before --since, 2026-02-01",
        ),
        (("--by", "day,foo"), "--by: 'foo' is none of day, key, tenant, model, account"),
    ],
)
def test_usage_of_what_is_not_there_is_refused(arkway, book, flags, said):
    assert arkway("usage", *flags) == (2, "", f"arkway: {said}\n")


@pytest.mark.parametrize(
    "flags", [("--since", "2025-11-25"), ("--until", "2025-11-23"), ("--key", "key_none")]
)
def test_no_usage_is_said(arkway, book, flags):
    status, out, err = arkway("usage", *flags)

    assert (status, out.count("\n")) == (0, 1)
    assert err == "nothing was used that is like this\n"
    assert arkway("usage", "--json", *flags) == (0, "[]\n", "")


def test_usage_has_both_of_its_days(arkway, book):
    assert "2025-11-24" in arkway("usage", "--since", "2025-11-24", "--until", "2025-11-24")[1]


def test_a_copy_needs_a_directory(arkway, book, tmp_path):
    nowhere = tmp_path / "nowhere"

    said = f"arkway: FILE: there is no directory {nowhere}\n"
    assert arkway("ledger", "backup", nowhere / "copy.db") == (2, "", said)


def test_a_bill_that_is_not_there_is_one_line(arkway, book, tmp_path):
    bill = tmp_path / "bill.csv"

    said = f"arkway: --bill: {bill}: No such file or directory\n"
    assert arkway("ledger", "reconcile", "--bill", bill) == (2, "", said)


def test_a_copy_is_made_checked_and_put_back(arkway, book, tmp_path):
    copy = tmp_path / "copy.db"

    assert arkway("ledger", "backup", copy)[0] == 0
    assert arkway("ledger", "restore", copy)[0] == 0
    status, _, err = arkway("ledger", "verify")

    assert (status, err) == (0, "2 rows, 0 faults\n")
