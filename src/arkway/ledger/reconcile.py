"""Does the upstream's bill say what the ledger says? Line by line, in whole tokens."""

import csv
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

COLUMNS = ("day", "account", "model", "input", "cached", "output")
MAX_LINES = 1_000_000  # a year of 1000 accounts with 3 models; more is another file's mistake


class BadBill(ValueError):
    """The file is no bill; the message names the line and the rule."""


class Match(StrEnum):
    """What a comparison came to."""

    EQUAL = "equal"
    DIFFERS = "differs"
    NOT_IN_LEDGER = "not in ledger"
    NOT_ON_BILL = "not on bill"


class Counted(NamedTuple):
    """Tokens of one day, account and model. Output holds reasoning; input holds cached."""

    input: int
    cached: int
    output: int


class Line(NamedTuple):
    """One comparison."""

    day: str
    account: str
    model: str
    match: Match
    ledger: Counted | None
    bill: Counted | None


Group = tuple[str, str, str]  # day, account, model


def read_bill(lines: Iterable[str]) -> dict[Group, Counted]:
    """Return the sums of a CSV bill with COLUMNS in its head, in any order, others ignored.

    Errors:  BadBill.
    """
    rows = csv.DictReader(lines)
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise BadBill(f"the head has no column {', '.join(missing)}; needed: {', '.join(COLUMNS)}")
    sums: dict[Group, Counted] = {}
    for number, row in enumerate(rows, start=2):
        if number > MAX_LINES:
            raise BadBill(f"more than {MAX_LINES} lines")
        group = row["day"], row["account"], row["model"]
        counted = Counted(*(_count(row, name, number) for name in ("input", "cached", "output")))
        before = sums.get(group, Counted(0, 0, 0))
        sums[group] = Counted(*(a + b for a, b in zip(before, counted, strict=True)))
    return sums


def compare(ledger: dict[Group, Counted], bill: dict[Group, Counted]) -> Iterator[Line]:
    """Yield a line for each group of either side, in order."""
    for group in sorted({*ledger, *bill}):
        ours, theirs = ledger.get(group), bill.get(group)
        if ours == theirs:
            match = Match.EQUAL
        elif ours is None:
            match = Match.NOT_IN_LEDGER
        elif theirs is None:
            match = Match.NOT_ON_BILL
        else:
            match = Match.DIFFERS
        yield Line(*group, match, ours, theirs)


def _count(row: dict[str, str], name: str, number: int) -> int:
    text = (row[name] or "").strip()
    if not text.isascii() or not text.isdigit():
        raise BadBill(f"line {number}: {name} must be a whole number of tokens, got {text[:40]!r}")
    return int(text)
