"""The law: a chain as it was written has no fault; one flipped bit is named, by its row, once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkway.ledger.chain import GENESIS, Row, faults, link


def chain(bodies):
    rows, before = [], GENESIS
    for seq, body in enumerate(bodies, start=1):
        before = link(before, seq, body)
        rows.append(Row(seq, f"id{seq}", 1, 0, body, before))
    return rows


def columns(rows):
    known = {row.body: (row.request_id, row.attempt, row.is_end) for row in rows}
    return known.get


bodies = st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=8, unique=True)


@given(bodies)
def test_what_was_written_has_no_fault(bodies):
    rows = chain(bodies)

    assert list(faults(rows, GENESIS, columns(rows))) == []


def flip(row, field, bit):
    value = getattr(row, field)
    if isinstance(value, bytes):
        at = bit // 8 % len(value)
        value = value[:at] + bytes([value[at] ^ 1 << bit % 8]) + value[at + 1 :]
    elif isinstance(value, str):
        value = value[:-1] + chr(ord(value[-1]) ^ 1)
    else:
        value ^= 1 << bit % 4
    return row._replace(**{field: value})


@given(bodies, st.sampled_from(["body", "hash", "request_id", "attempt", "is_end"]), st.data())
@settings(max_examples=300)
def test_one_flipped_bit_is_named_by_its_row_once(bodies, field, data):
    rows = chain(bodies)
    known = columns(rows)
    at = data.draw(st.integers(0, len(rows) - 1))
    rows[at] = flip(rows[at], field, data.draw(st.integers(0, 200)))

    assert [fault.seq for fault in faults(rows, GENESIS, known)] == [at + 1]


@pytest.mark.parametrize("gone", [1, 2])
def test_rows_that_are_missing_are_named(gone):
    rows = chain([b"a", b"b", b"c", b"d"])
    known = columns(rows)
    del rows[1 : 1 + gone]

    (fault,) = faults(rows, GENESIS, known)
    assert fault.reason == f"rows 2 to {1 + gone} are missing"
