"""The rules of who pays: the table of docs/ledger.md, cell by cell."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.ledger.entry import Kind, UsageSource
from arkway.ledger.settle import COUNTED, Known, verdict
from arkway.model.outcome import Ending
from arkway.model.usage import Usage

PAGE = Path(__file__).parents[3] / "docs" / "ledger.md"
COLUMNS = {  # title: (was sent, was accepted, the upstream told counts)
    "accepted, counts told": (True, True, True),
    "accepted, no counts": (True, True, False),
    "not accepted": (True, False, False),
    "not sent": (False, False, False),
}
TOLD = [Usage(), Usage(10, 4, 3, 1), Usage(10, 0, 0)]


def table():
    lines = PAGE.read_text().split("## Who pays for what")[1].split("\n##")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    titles, _, *body = rows
    for ending, *cells in body:
        for title, cell in zip(titles[1:], cells, strict=True):
            yield ending, title, cell


CELLS = list(table())


def test_the_table_names_every_ending_and_every_column():
    assert {ending for ending, _, _ in CELLS} == {str(ending) for ending in Ending}
    assert {title for _, title, _ in CELLS} == set(COLUMNS)


@pytest.mark.parametrize(("ending", "title", "cell"), CELLS)
@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize("delivered_bytes", [0, 1, 1000])
def test_each_cell_is_what_the_code_does(ending, title, cell, told, delivered_bytes):
    if cell == "-":
        return  # cannot happen
    was_sent, was_accepted, has_counts = COLUMNS[title]
    usage = told if has_counts else None
    known = Known(Ending(ending), was_sent, was_accepted, usage, 400, delivered_bytes, 0.25)

    booked = verdict(known)

    kind, _, source = cell.partition(" ")
    assert booked.kind == kind
    assert booked.source == (source or "none")
    if booked.source is UsageSource.UPSTREAM:
        assert booked.usage == told
    elif booked.source is UsageSource.ESTIMATE:
        assert booked.usage.input_tokens == 100
        assert booked.usage.output_tokens == -(-delivered_bytes // 4)
    else:
        assert booked.usage == Usage()


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0.01, 1.5))
def test_an_estimate_is_never_less_than_one_token_for_some_text(text, delivered, ratio):
    booked = verdict(Known(Ending.COMPLETED, True, True, None, text, delivered, ratio))

    assert booked.kind is Kind.SETTLE
    assert booked.usage.is_possible()
    assert (booked.usage.input_tokens > 0) is (text > 0)
    assert (booked.usage.output_tokens > 0) is (delivered > 0)


def test_the_straight_path_of_a_finished_answer_is_what_the_rules_say():
    booked = verdict(Known(Ending.COMPLETED, True, True, Usage(10, 4, 3, 1), 400, 9, 0.25))
    assert (booked.kind, booked.outcome, booked.source) == COUNTED
