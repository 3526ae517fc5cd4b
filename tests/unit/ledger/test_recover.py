"""The law: what was written is read again, whatever one bit of the file has become."""

import random

import pytest

from arkway.ledger.chain import GENESIS, link
from arkway.ledger.recover import MAX_MENDED, Recovered, line_of

ROWS = 12
DICE = random.Random(1)


def chain(count=ROWS, salt=""):
    rows, before = [], GENESIS
    for seq in range(1, count + 1):
        body = b'{"request_id":"%d%b","attempt":1}' % (seq * 7919, salt.encode())
        before = link(before, seq, body)
        rows.append((seq, body, before))
    return rows


CHAIN = chain()
LINES = [b"\n" * (seq % 3 == 1) + line_of(seq, *rest) for seq, *rest in CHAIN]  # groups of three
TAIL = bytes(500)  # what was never written


def read(data, filed=0):
    found = Recovered(filed, CHAIN[filed - 1][2] if filed else GENESIS)
    found.read(data)
    return found


@pytest.mark.parametrize("filed", [0, 1, 5, ROWS])
@pytest.mark.parametrize("probes", [b"", b"\n", b"\n\n\n"])
def test_what_is_not_filed_is_read_in_order(filed, probes):
    found = read(probes.join(LINES) + TAIL, filed)

    assert found.rows == CHAIN[filed:]
    assert (found.damaged, found.mended) == (0, 0)


@pytest.mark.parametrize("filed", [0, 5])
@pytest.mark.parametrize(
    "tail", [TAIL, b"".join(map(line_of, *zip(*chain(20, "old"), strict=True)))]
)
def test_one_flipped_bit_wherever_it_is_loses_nothing(filed, tail):
    data = b"".join(LINES)
    for _ in range(150):
        place = DICE.randrange(len(data))
        damaged = bytearray(data + tail)
        damaged[place] ^= 1 << DICE.randrange(8)

        found = read(bytes(damaged), filed)

        assert found.rows == CHAIN[filed:], f"byte {place}"
        assert found.damaged == 0


def test_the_ends_of_lines_and_their_numbers_are_no_exception():
    data = b"".join(LINES)
    for filed in (0, 1, 5, ROWS - 1):
        start = len(b"".join(LINES[:filed]))
        places = [start - 1] if filed else []
        for place in [*places, start, start + 1, start + 2, start + len(LINES[filed]) - 1]:
            for bit in range(8):
                damaged = bytearray(data + TAIL)
                damaged[place] ^= 1 << bit
                assert read(bytes(damaged), filed).rows == CHAIN[filed:], (filed, place, bit)


def twice_flipped(at, field):
    lines = [bytearray(line) for line in LINES]
    if field == "text":
        start = lines[at].index(b"{")
        lines[at][start + 4] ^= 1
        lines[at][start + 6] ^= 1
    else:
        was = lines[at][8:11]
        lines[at][8:11] = b"012" if was != b"012" else b"345"
    return b"".join(lines) + TAIL


@pytest.mark.parametrize("field", ["text", "hash"])
@pytest.mark.parametrize("at", [3, 4, 5])
def test_a_line_with_two_flipped_bits_is_kept_and_counted(at, field):
    found = read(twice_flipped(at, field))

    assert found.damaged == 1
    assert [seq for seq, _, _ in found.rows] == [seq for seq, _, _ in CHAIN]
    assert found.rows[at + 1 :] == CHAIN[at + 1 :]


@pytest.mark.parametrize("at", [9, 10, 11])
def test_one_in_the_last_group_was_torn(at):
    """Sectors of a write reach the disk in any order: those of later lines may be there."""
    found = read(twice_flipped(at, "text"))

    assert found.rows == CHAIN[:at]
    assert found.damaged == 0


@pytest.mark.parametrize("kept", range(1, 80, 7))
def test_a_torn_line_is_none(kept):
    torn = b"".join(LINES[:-1]) + LINES[-1][: kept % (len(LINES[-1]) - 1)]
    for tail in (TAIL, b"".join(map(line_of, *zip(*chain(20, "old"), strict=True)))):
        assert read(torn + tail).rows == CHAIN[:-1]


def test_a_database_that_lost_rows_gets_what_the_journal_has():
    found = read(b"\n" + b"".join(LINES[6:]) + TAIL, 2)

    assert found.rows == CHAIN[6:]
    assert found.damaged == 1


@pytest.mark.parametrize("filed", [1, 4, ROWS])
def test_the_journal_of_another_book_is_none(filed):
    others = [line_of(*row) for row in chain(20, "other")]

    assert read(b"".join(others), filed).rows == []


def test_the_search_for_flipped_bits_is_bounded():
    many = chain(2 * MAX_MENDED + 2)
    lines = [bytearray(line_of(*row)) for row in many]
    for line in lines[::2]:
        line[-3] ^= 1
    found = read(b"".join(lines))

    assert found.mended == MAX_MENDED


def test_noise_is_nothing():
    for size in (0, 1, 100, 10_000):
        assert read(DICE.randbytes(size)).rows == []


@pytest.mark.parametrize("filed", [0, 2, 7, ROWS])
@pytest.mark.parametrize("cut", [3, 6, 9])
@pytest.mark.parametrize("is_swapped", [False, True])
def test_rounds_are_read_in_their_order_whichever_comes_first(filed, cut, is_swapped):
    halves = [b"".join(LINES[:cut]), b"".join(LINES[cut:])]
    first, second = halves[::-1] if is_swapped else halves
    for place, bit in ((None, 0), (3, 1), (len(halves[0]) - 1, 2), (len(halves[0]) // 2, 3)):
        older, size = bytearray(halves[0]), 4000
        if place is not None:
            older[place] ^= 1 << bit
        first, second = (halves[1], older) if is_swapped else (older, halves[1])
        found = Recovered(filed, CHAIN[filed - 1][2] if filed else GENESIS)
        found.read(first.ljust(size, b"\0") + second.ljust(size, b"\0"), (0, size))

        assert found.rows == CHAIN[filed:], (place, bit)
        assert found.damaged == 0
