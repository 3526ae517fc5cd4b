"""The statements that add entries: few kinds of them, for every number of rows."""

import sqlite3

import pytest

from arkway.ledger.schema import MAX_ROWS, TABLES, insert_entries, statements


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 511, 512, 513, 1023, 5000])
def test_statements_come_to_the_rows(rows):
    counts = list(statements(rows))
    assert sum(counts) == rows
    assert max(counts, default=1) <= MAX_ROWS
    assert len(counts) <= rows // MAX_ROWS + MAX_ROWS.bit_length()


def test_there_are_few_statements():
    assert len({count for rows in range(2000) for count in statements(rows)}) == 10


def test_the_largest_statement_is_within_sqlites_limits():
    with sqlite3.connect(":memory:") as db:
        db.executescript(TABLES)
        values = [value for seq in range(MAX_ROWS) for value in (seq, f"id-{seq}", 1, 0, "{}", b"")]
        db.execute(insert_entries(MAX_ROWS), values)
        assert db.execute("SELECT count(*) FROM entries").fetchone() == (MAX_ROWS,)
    db.close()
