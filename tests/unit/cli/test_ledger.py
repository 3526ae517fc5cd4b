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


def test_a_copy_is_made_checked_and_put_back(arkway, book, tmp_path):
    copy = tmp_path / "copy.db"

    assert arkway("ledger", "backup", copy)[0] == 0
    assert arkway("ledger", "restore", copy)[0] == 0
    status, _, err = arkway("ledger", "verify")

    assert (status, err) == (0, "2 rows, 0 faults\n")
